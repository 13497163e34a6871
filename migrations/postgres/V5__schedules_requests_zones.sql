-- What a target's source says of it, beside what was there.
ALTER TABLE targets ADD COLUMN tags text[] NOT NULL DEFAULT '{}';
-- The ports that may be open or not.
ALTER TABLE targets ADD COLUMN allowed text NOT NULL DEFAULT '';
-- NULL: by interval. Else interval_us says nothing.
ALTER TABLE targets ADD COLUMN cron text;
ALTER TABLE targets ADD COLUMN time_zone text NOT NULL DEFAULT 'UTC';
-- Windows in which no scan begins.
ALTER TABLE targets ADD COLUMN closed text[] NOT NULL DEFAULT '{}';
-- How many scans must agree until a port is open, until it is closed, until a host is down.
ALTER TABLE targets ADD COLUMN confirm_open smallint NOT NULL DEFAULT 1 CHECK (confirm_open > 0);
ALTER TABLE targets ADD COLUMN confirm_close smallint NOT NULL DEFAULT 2 CHECK (confirm_close > 0);
ALTER TABLE targets ADD COLUMN confirm_down smallint NOT NULL DEFAULT 1 CHECK (confirm_down > 0);
ALTER TABLE targets ADD COLUMN discovery boolean NOT NULL DEFAULT false;
ALTER TABLE targets ADD COLUMN follow_names boolean NOT NULL DEFAULT false;

-- When next_due_at was set, by the clock of who set it: a time ahead shows that a clock was set back.
ALTER TABLE targets ADD COLUMN due_set_at timestamptz NOT NULL DEFAULT now();
-- When a run of its schedule was last finished, and when the last one that looked at all of it began.
ALTER TABLE targets ADD COLUMN scanned_at timestamptz;
ALTER TABLE targets ADD COLUMN full_at timestamptz;
-- When it is overdue unless it is scanned again; NULL until its next run is finished. Since when it is marked as such.
ALTER TABLE targets ADD COLUMN overdue_at timestamptz;
ALTER TABLE targets ADD COLUMN overdue_since timestamptz;
-- How many changes of the target as a whole there were.
ALTER TABLE targets ADD COLUMN changes bigint NOT NULL DEFAULT 0 CHECK (changes >= 0);
-- What its names resolved to last, as JSON.
ALTER TABLE targets ADD COLUMN names text NOT NULL DEFAULT '{}';
CREATE INDEX targets_by_due_set_at ON targets (due_set_at) WHERE listed AND enabled;
CREATE INDEX targets_by_overdue_at ON targets (overdue_at) WHERE listed AND enabled AND overdue_since IS NULL;
CREATE INDEX targets_overdue ON targets (overdue_since) WHERE overdue_since IS NOT NULL;

-- What the target's overdue_at becomes when the run is finished; NULL for runs outside the schedule.
ALTER TABLE runs ADD COLUMN overdue_at timestamptz;

ALTER TABLE jobs ADD COLUMN zone text;
ALTER TABLE jobs ADD COLUMN created_at timestamptz;
-- The target's next slot waits for it.
ALTER TABLE jobs ADD COLUMN of_schedule boolean NOT NULL DEFAULT true;
-- By which it can be made again; NULL when it is finished.
ALTER TABLE jobs ADD COLUMN hosts inet[];
ALTER TABLE jobs ADD COLUMN ports text;
-- How far it is.
ALTER TABLE jobs ADD COLUMN sent bigint NOT NULL DEFAULT 0 CHECK (sent >= 0);
ALTER TABLE jobs ADD COLUMN planned bigint NOT NULL DEFAULT 0 CHECK (planned >= 0);
ALTER TABLE jobs ADD COLUMN answered bigint NOT NULL DEFAULT 0 CHECK (answered >= 0);
ALTER TABLE jobs ADD COLUMN open bigint NOT NULL DEFAULT 0 CHECK (open >= 0);
CREATE INDEX jobs_lost ON jobs (zone, created_at) WHERE finished_at IS NULL AND lost_at IS NOT NULL;

-- Runs that were asked for outside the schedule.
CREATE TABLE requests (
    seq           bigint      GENERATED ALWAYS AS IDENTITY,
    id            uuid        PRIMARY KEY,
    target_id     uuid        NOT NULL REFERENCES targets,
    kind          text        NOT NULL CHECK (kind IN ('verify', 'now', 'redo', 'discovered')),
    -- NULL: all of the target's.
    hosts         inet[],
    ports         text,
    asked_at      timestamptz NOT NULL,
    due_at        timestamptz NOT NULL,
    -- A scheduler holds it until then.
    claimed_until timestamptz,
    -- The run that it led to; NULL while it waits.
    run           bigint      CHECK (run > 0),
    claimable_at  timestamptz NOT NULL GENERATED ALWAYS AS (GREATEST(due_at, claimed_until)) STORED
);
CREATE INDEX requests_claimable ON requests (claimable_at, seq) WHERE run IS NULL;
CREATE INDEX requests_by_age ON requests (asked_at);

CREATE TABLE zones (
    zone             text        PRIMARY KEY,
    -- When one of its jobs was last finished, to a few seconds.
    last_finished_at timestamptz,
    unattended_since timestamptz,
    -- How many changes of the zone there were.
    changes          bigint      NOT NULL DEFAULT 0 CHECK (changes >= 0)
);
INSERT INTO zones (zone) SELECT DISTINCT zone FROM targets;

-- A host's state can move to another address, with its ports.
ALTER TABLE ports DROP CONSTRAINT ports_target_id_ip_fkey;
ALTER TABLE ports ADD FOREIGN KEY (target_id, ip) REFERENCES hosts ON DELETE CASCADE ON UPDATE CASCADE;
