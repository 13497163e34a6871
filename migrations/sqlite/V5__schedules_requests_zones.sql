-- What a target's source says of it, beside what was there.
ALTER TABLE targets ADD COLUMN tags TEXT NOT NULL DEFAULT '[]' CHECK (json_valid(tags));
-- The ports that may be open or not.
ALTER TABLE targets ADD COLUMN allowed TEXT NOT NULL DEFAULT '';
-- NULL: by interval. Else interval_us says nothing.
ALTER TABLE targets ADD COLUMN cron TEXT;
ALTER TABLE targets ADD COLUMN time_zone TEXT NOT NULL DEFAULT 'UTC';
-- Windows in which no scan begins.
ALTER TABLE targets ADD COLUMN closed TEXT NOT NULL DEFAULT '[]' CHECK (json_valid(closed));
-- How many scans must agree until a port is open, until it is closed, until a host is down.
ALTER TABLE targets ADD COLUMN confirm_open INTEGER NOT NULL DEFAULT 1 CHECK (confirm_open > 0);
ALTER TABLE targets ADD COLUMN confirm_close INTEGER NOT NULL DEFAULT 2 CHECK (confirm_close > 0);
ALTER TABLE targets ADD COLUMN confirm_down INTEGER NOT NULL DEFAULT 1 CHECK (confirm_down > 0);
ALTER TABLE targets ADD COLUMN discovery INTEGER NOT NULL DEFAULT 0;
ALTER TABLE targets ADD COLUMN follow_names INTEGER NOT NULL DEFAULT 0;

-- When next_due_at was set, by the clock of who set it: a time ahead shows that a clock was set back.
ALTER TABLE targets ADD COLUMN due_set_at INTEGER NOT NULL DEFAULT 0;
-- When a run of its schedule was last finished, and when the last one that looked at all of it began.
ALTER TABLE targets ADD COLUMN scanned_at INTEGER;
ALTER TABLE targets ADD COLUMN full_at INTEGER;
-- When it is overdue unless it is scanned again; NULL until its next run is finished. Since when it is marked as such.
ALTER TABLE targets ADD COLUMN overdue_at INTEGER;
ALTER TABLE targets ADD COLUMN overdue_since INTEGER;
-- How many changes of the target as a whole there were.
ALTER TABLE targets ADD COLUMN changes INTEGER NOT NULL DEFAULT 0 CHECK (changes >= 0);
-- What its names resolved to last, as JSON.
ALTER TABLE targets ADD COLUMN names TEXT NOT NULL DEFAULT '{}';
CREATE INDEX targets_by_due_set_at ON targets (due_set_at) WHERE listed AND enabled;
CREATE INDEX targets_by_overdue_at ON targets (overdue_at) WHERE listed AND enabled AND overdue_since IS NULL;
CREATE INDEX targets_overdue ON targets (overdue_since) WHERE overdue_since IS NOT NULL;

-- What the target's overdue_at becomes when the run is finished; NULL for runs outside the schedule.
ALTER TABLE runs ADD COLUMN overdue_at INTEGER;

ALTER TABLE jobs ADD COLUMN zone TEXT;
ALTER TABLE jobs ADD COLUMN created_at INTEGER;
-- The target's next slot waits for it.
ALTER TABLE jobs ADD COLUMN of_schedule INTEGER NOT NULL DEFAULT 1;
-- By which it can be made again; NULL when it is finished.
ALTER TABLE jobs ADD COLUMN hosts TEXT;
ALTER TABLE jobs ADD COLUMN ports TEXT;
-- How far it is.
ALTER TABLE jobs ADD COLUMN sent INTEGER NOT NULL DEFAULT 0 CHECK (sent >= 0);
ALTER TABLE jobs ADD COLUMN planned INTEGER NOT NULL DEFAULT 0 CHECK (planned >= 0);
ALTER TABLE jobs ADD COLUMN answered INTEGER NOT NULL DEFAULT 0 CHECK (answered >= 0);
ALTER TABLE jobs ADD COLUMN open INTEGER NOT NULL DEFAULT 0 CHECK (open >= 0);
CREATE INDEX jobs_lost ON jobs (zone, created_at) WHERE finished_at IS NULL AND lost_at IS NOT NULL;

-- Runs that were asked for outside the schedule.
CREATE TABLE requests (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    id BLOB    NOT NULL UNIQUE CHECK (length(id) = 16),
    target_id BLOB    NOT NULL REFERENCES targets (id),
    kind TEXT    NOT NULL CHECK (kind IN ('verify', 'now', 'redo', 'discovered')),
    -- NULL: all of the target's.
    hosts TEXT,
    ports TEXT,
    asked_at INTEGER NOT NULL,
    due_at INTEGER NOT NULL,
    -- A scheduler holds it until then.
    claimed_until INTEGER,
    -- The run that it led to; NULL while it waits.
    run INTEGER CHECK (run > 0),
    claimable_at  INTEGER NOT NULL GENERATED ALWAYS AS (max(due_at, coalesce(claimed_until, due_at))) STORED
) STRICT;
CREATE INDEX requests_claimable ON requests (claimable_at, seq) WHERE run IS NULL;
CREATE INDEX requests_by_age ON requests (asked_at);

CREATE TABLE zones (
    zone TEXT    NOT NULL PRIMARY KEY,
    -- When one of its jobs was last finished, to a few seconds.
    last_finished_at INTEGER,
    unattended_since INTEGER,
    -- How many changes of the zone there were.
    changes INTEGER NOT NULL DEFAULT 0 CHECK (changes >= 0)
) STRICT;
INSERT INTO zones (zone) SELECT DISTINCT zone FROM targets;
