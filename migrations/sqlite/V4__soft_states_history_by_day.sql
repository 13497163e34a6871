-- A state that not enough scans have seen yet, as JSON.
ALTER TABLE hosts ADD COLUMN soft TEXT;
ALTER TABLE ports ADD COLUMN soft TEXT;
-- The last 20 verdicts, one bit each: 1 if it was other than the one before. Bit 20: it flaps.
ALTER TABLE hosts ADD COLUMN flapping INTEGER NOT NULL DEFAULT 0 CHECK (flapping >= 0);
ALTER TABLE ports ADD COLUMN flapping INTEGER NOT NULL DEFAULT 0 CHECK (flapping >= 0);
-- Which run judged what. NULL: last_run judged the host and all of its baseline. Else the run that judged the
-- host, and RUN:PORTS for each run that judged ports last, separated by spaces; a RUN alone judged the rest of
-- the baseline.
ALTER TABLE hosts ADD COLUMN runs TEXT;
-- The ports that somebody approved to be open.
ALTER TABLE hosts ADD COLUMN approved TEXT;
ALTER TABLE hosts ADD COLUMN approved_by TEXT CHECK ((approved_by IS NULL) = (approved IS NULL));
ALTER TABLE hosts ADD COLUMN approved_at INTEGER CHECK ((approved_at IS NULL) = (approved IS NULL));
-- How the host differs from what is expected of it.
ALTER TABLE hosts ADD COLUMN unexpected_open INTEGER NOT NULL DEFAULT 0 CHECK (unexpected_open >= 0);
ALTER TABLE hosts ADD COLUMN expected_closed INTEGER NOT NULL DEFAULT 0 CHECK (expected_closed >= 0);
-- How many of its ports are known open.
ALTER TABLE hosts ADD COLUMN open_ports INTEGER NOT NULL DEFAULT 0 CHECK (open_ports >= 0);
UPDATE hosts SET open_ports = (SELECT count(*) FROM ports
    WHERE ports.target_id = hosts.target_id AND ports.ip = hosts.ip AND ports.state = 'open');
CREATE INDEX hosts_with_findings ON hosts (target_id, ip) WHERE unexpected_open > 0 OR expected_closed > 0;

-- How long the history of a group's targets is kept; the others' as the settings say.
CREATE TABLE groups (
    name            TEXT    NOT NULL PRIMARY KEY,
    keep_history_us INTEGER NOT NULL CHECK (keep_history_us >= 0)
) STRICT, WITHOUT ROWID;
CREATE INDEX targets_by_group ON targets (group_name);

-- Runs are kept as long as history: they are the scans that can be looked at and compared. Jobs refer to runs,
-- so both are made anew.
CREATE TABLE runs_now (
    target_id   BLOB    NOT NULL REFERENCES targets (id),
    run         INTEGER NOT NULL CHECK (run > 0),
    slot        INTEGER,
    created_at  INTEGER NOT NULL,
    kind        TEXT    NOT NULL DEFAULT 'slot'
        CHECK (kind IN ('slot', 'discovery', 'discovered', 'verify', 'now', 'redo')),
    -- When all of its jobs were finished.
    finished_at INTEGER,
    -- How many of the target's hosts were up then, and how many of their ports open; NULL for a run that looks at
    -- a part of them only.
    hosts_up    INTEGER CHECK (hosts_up >= 0),
    open_ports  INTEGER CHECK (open_ports >= 0),
    PRIMARY KEY (target_id, run),
    UNIQUE (target_id, slot)
) STRICT, WITHOUT ROWID;
INSERT INTO runs_now (target_id, run, slot, created_at) SELECT target_id, run, slot, created_at FROM runs;
CREATE TABLE jobs_now (
    id          BLOB    NOT NULL PRIMARY KEY CHECK (length(id) = 16),
    target_id   BLOB    NOT NULL,
    run         INTEGER NOT NULL,
    parts       INTEGER NOT NULL CHECK (parts > 0),
    parts_in    INTEGER NOT NULL DEFAULT 0 CHECK (parts_in BETWEEN 0 AND parts),
    deadline    INTEGER NOT NULL,
    finished_at INTEGER,
    -- When it was found unfinished after its deadline.
    lost_at     INTEGER,
    FOREIGN KEY (target_id, run) REFERENCES runs_now (target_id, run)
) STRICT;
INSERT INTO jobs_now (id, target_id, run, parts, parts_in, deadline, finished_at, lost_at)
SELECT id, target_id, run, parts, parts_in, deadline, finished_at, lost_at FROM jobs;

-- The history also holds what happens to targets as a whole and to zones.
CREATE TABLE history_now (
    -- In which order the transitions were found.
    seq       INTEGER PRIMARY KEY,
    at        INTEGER NOT NULL,
    change_id BLOB    NOT NULL UNIQUE CHECK (length(change_id) = 16),
    -- NULL: of a zone.
    target_id BLOB    REFERENCES targets (id),
    -- NULL: of a target as a whole, or of a zone.
    ip        TEXT,
    zone      TEXT,
    -- What brought it; NULL for what no scan has seen.
    run       INTEGER CHECK (run >= 0),
    job_id    BLOB    CHECK (length(job_id) = 16),
    kind      TEXT    NOT NULL,
    severity  TEXT    NOT NULL CHECK (severity IN ('info', 'low', 'medium', 'high')),
    -- Found while the port or the host flaps, and not told.
    quiet     INTEGER NOT NULL CHECK (quiet IN (0, 1)),
    protocol  TEXT    CHECK (protocol IN ('tcp', 'udp')),
    port      INTEGER CHECK (port BETWEEN 1 AND 65535),
    before    TEXT,
    after     TEXT,
    answer    TEXT,
    ttl       INTEGER CHECK (ttl BETWEEN 0 AND 255),
    rtt_us    INTEGER CHECK (rtt_us >= 0),
    probes    INTEGER CHECK (probes >= 0),
    expected  INTEGER CHECK (expected IN (0, 1)),
    suspect   INTEGER CHECK (suspect IN (0, 1)),
    service   TEXT,
    -- As JSON, what has no column of its own.
    detail    TEXT,
    CHECK ((target_id IS NULL) = (zone IS NOT NULL) AND (ip IS NULL OR target_id IS NOT NULL)
        AND (port IS NULL) = (protocol IS NULL) AND (port IS NULL OR ip IS NOT NULL)),
    CHECK (CASE
        WHEN kind IN ('port.opened', 'port.closed', 'port.filtered')
        THEN port IS NOT NULL AND answer IS NOT NULL AND probes IS NOT NULL AND expected IS NOT NULL
            AND before IS NOT NULL AND before IN ('open', 'closed', 'filtered', 'unknown')
            AND after IS NOT NULL AND after IN ('open', 'closed', 'filtered', 'unknown')
        WHEN kind = 'port.service' THEN port IS NOT NULL AND detail IS NOT NULL
        WHEN kind IN ('port.flapping', 'port.steady')
        THEN port IS NOT NULL AND after IS NOT NULL
            AND after IN ('open', 'closed', 'filtered', 'unknown')
        WHEN kind IN ('host.up', 'host.down', 'host.suspect')
        THEN ip IS NOT NULL AND port IS NULL AND suspect IS NOT NULL
            AND before IS NOT NULL AND before IN ('up', 'down', 'unknown')
            AND after IS NOT NULL AND after IN ('up', 'down', 'unknown')
        WHEN kind IN ('host.flapping', 'host.steady')
        THEN ip IS NOT NULL AND port IS NULL AND after IS NOT NULL AND after IN ('up', 'down', 'unknown')
        WHEN kind IN ('target.address', 'target.overdue', 'target.scanned')
        THEN target_id IS NOT NULL AND ip IS NULL AND detail IS NOT NULL
        WHEN kind IN ('zone.unattended', 'zone.attended') THEN zone IS NOT NULL
        ELSE 0
        END)
) STRICT;
INSERT INTO history_now (seq, at, change_id, target_id, ip, run, job_id, kind, severity, quiet, protocol, port,
    before, after, answer, ttl, rtt_us, probes, expected, suspect, service)
SELECT seq, at, change_id, old.target_id, ip, jobs.run, job_id,
    CASE
        WHEN port IS NOT NULL AND after = 'open' THEN 'port.opened'
        WHEN port IS NOT NULL AND after = 'filtered' THEN 'port.filtered'
        WHEN port IS NOT NULL THEN 'port.closed'
        WHEN suspect THEN 'host.suspect'
        WHEN after = 'up' THEN 'host.up'
        ELSE 'host.down'
    END,
    CASE
        WHEN suspect THEN 'medium'
        WHEN before = 'unknown' OR expected OR after = 'up' THEN 'info'
        WHEN after IN ('open', 'down') THEN 'high'
        WHEN before = 'open' THEN 'medium'
        WHEN port IS NULL THEN 'high'
        ELSE 'info'
    END,
    0, protocol, port, before, after, answer, ttl, rtt_us, probes, expected, suspect, service
FROM history AS old LEFT JOIN jobs ON jobs.id = old.job_id;

DROP TABLE history;
ALTER TABLE history_now RENAME TO history;
CREATE INDEX history_of_targets ON history (target_id, at DESC, seq DESC);
CREATE INDEX history_of_hosts ON history (ip, target_id, at DESC, seq DESC);
CREATE INDEX history_of_runs ON history (target_id, run);
CREATE INDEX history_by_age ON history (at);

DROP TABLE jobs;
DROP TABLE runs;
ALTER TABLE runs_now RENAME TO runs;
ALTER TABLE jobs_now RENAME TO jobs;
CREATE INDEX runs_by_age ON runs (created_at);
CREATE INDEX jobs_of_run ON jobs (target_id, run);
CREATE INDEX jobs_out_of_target ON jobs (target_id, deadline) WHERE finished_at IS NULL;
CREATE INDEX jobs_out ON jobs (deadline) WHERE finished_at IS NULL AND lost_at IS NULL;
CREATE INDEX jobs_by_end ON jobs (coalesce(finished_at, deadline));
