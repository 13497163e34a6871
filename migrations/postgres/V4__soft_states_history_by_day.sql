-- A state that not enough scans have seen yet, as JSON.
ALTER TABLE hosts ADD COLUMN soft text;
ALTER TABLE ports ADD COLUMN soft text;
-- The last 20 verdicts, one bit each: 1 if it was other than the one before. Bit 20: it flaps.
ALTER TABLE hosts ADD COLUMN flapping integer NOT NULL DEFAULT 0 CHECK (flapping >= 0);
ALTER TABLE ports ADD COLUMN flapping integer NOT NULL DEFAULT 0 CHECK (flapping >= 0);
-- Which run judged what. NULL: last_run judged the host and all of its baseline. Else the run that judged the
-- host, and RUN:PORTS for each run that judged ports last, separated by spaces; a RUN alone judged the rest of
-- the baseline.
ALTER TABLE hosts ADD COLUMN runs text;
-- The ports that somebody approved to be open.
ALTER TABLE hosts ADD COLUMN approved text;
ALTER TABLE hosts ADD COLUMN approved_by text;
ALTER TABLE hosts ADD COLUMN approved_at timestamptz;
ALTER TABLE hosts ADD CHECK ((approved IS NULL) = (approved_by IS NULL)
    AND (approved IS NULL) = (approved_at IS NULL));
-- How the host differs from what is expected of it.
ALTER TABLE hosts ADD COLUMN unexpected_open integer NOT NULL DEFAULT 0 CHECK (unexpected_open >= 0);
ALTER TABLE hosts ADD COLUMN expected_closed integer NOT NULL DEFAULT 0 CHECK (expected_closed >= 0);
-- How many of its ports are known open.
ALTER TABLE hosts ADD COLUMN open_ports integer NOT NULL DEFAULT 0 CHECK (open_ports >= 0);
UPDATE hosts SET open_ports = (SELECT count(*) FROM ports
    WHERE ports.target_id = hosts.target_id AND ports.ip = hosts.ip AND ports.state = 'open');
CREATE INDEX hosts_with_findings ON hosts (target_id, ip) WHERE unexpected_open > 0 OR expected_closed > 0;

-- Runs are kept as long as history: they are the scans that can be looked at and compared.
ALTER TABLE runs ALTER COLUMN slot DROP NOT NULL;
ALTER TABLE runs ADD COLUMN kind text NOT NULL DEFAULT 'slot'
    CHECK (kind IN ('slot', 'discovery', 'discovered', 'verify', 'now', 'redo'));
-- When all of its jobs were finished.
ALTER TABLE runs ADD COLUMN finished_at timestamptz;
-- How many of the target's hosts were up then, and how many of their ports open; NULL for a run that looks at
-- a part of them only.
ALTER TABLE runs ADD COLUMN hosts_up bigint CHECK (hosts_up >= 0);
ALTER TABLE runs ADD COLUMN open_ports bigint CHECK (open_ports >= 0);

-- How long the history of a group's targets is kept; the others' as the settings say.
CREATE TABLE groups (
    name            text   PRIMARY KEY,
    keep_history_us bigint NOT NULL CHECK (keep_history_us >= 0)
);
CREATE INDEX targets_by_group ON targets (group_name);

-- The history by day, so that old days are dropped as a whole. The differ that was there before cannot write
-- into it. There is no reference to targets, which are never deleted: with one, nobody could write targets
-- while a day is made or dropped.
ALTER TABLE history RENAME TO history_in_one;
ALTER INDEX history_pkey RENAME TO history_in_one_pkey;
CREATE SEQUENCE history_in_order;
CREATE TABLE history (
    -- In which order the transitions were found.
    seq       bigint      NOT NULL DEFAULT nextval('history_in_order'),
    at        timestamptz NOT NULL,
    change_id uuid        NOT NULL,
    -- NULL: of a zone.
    target_id uuid,
    -- NULL: of a target as a whole, or of a zone.
    ip        inet,
    zone      text,
    -- What brought it; NULL for what no scan has seen.
    run       bigint      CHECK (run >= 0),
    job_id    uuid,
    kind      text        NOT NULL,
    severity  text        NOT NULL CHECK (severity IN ('info', 'low', 'medium', 'high')),
    -- Found while the port or the host flaps, and not told.
    quiet     boolean     NOT NULL,
    protocol  text        CHECK (protocol IN ('tcp', 'udp')),
    port      integer     CHECK (port BETWEEN 1 AND 65535),
    before    text,
    after     text,
    answer    text,
    ttl       smallint    CHECK (ttl BETWEEN 0 AND 255),
    rtt_us    bigint      CHECK (rtt_us >= 0),
    probes    integer     CHECK (probes >= 0),
    expected  boolean,
    suspect   boolean,
    service   text,
    -- As JSON, what has no column of its own.
    detail    text,
    PRIMARY KEY (at, change_id),
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
        ELSE false
        END)
) PARTITION BY RANGE (at);
CREATE INDEX history_of_targets ON history (target_id, at DESC, seq DESC);
CREATE INDEX history_of_hosts ON history (ip, target_id, at DESC, seq DESC);
CREATE INDEX history_of_runs ON history (target_id, run);
-- For dates that no day was made for.
CREATE TABLE history_default PARTITION OF history DEFAULT;

-- Makes the table of a day (UTC), and moves there what went to the default one. False if it was there already.
CREATE FUNCTION make_history_day(day date) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
    name  text := 'history_' || to_char(day, 'YYYYMMDD');
    first timestamptz := day::timestamp AT TIME ZONE 'UTC';
    next  timestamptz := (day + 1)::timestamp AT TIME ZONE 'UTC';
BEGIN
    -- Attached rather than made in place: that keeps nobody from the other days.
    IF to_regclass(name) IS NOT NULL THEN
        RETURN false;
    END IF;
    LOCK TABLE history_default IN ACCESS EXCLUSIVE MODE;
    IF to_regclass(name) IS NOT NULL THEN
        RETURN false;
    END IF;
    EXECUTE format('CREATE TABLE %I (LIKE history INCLUDING ALL)', name);
    EXECUTE format('WITH moved AS (DELETE FROM history_default WHERE at >= $1 AND at < $2 RETURNING *) '
        'INSERT INTO %I SELECT * FROM moved', name) USING first, next;
    EXECUTE format('ALTER TABLE history ATTACH PARTITION %I FOR VALUES FROM (%L) TO (%L)', name, first, next);
    RETURN true;
END $$;

-- The days of the last two months that there is anything of, today, and a week ahead.
SELECT make_history_day(day) FROM (
    SELECT DISTINCT (at AT TIME ZONE 'UTC')::date AS day FROM history_in_one
    WHERE at > now() - interval '60 days' AND at < now()
    UNION SELECT (now() AT TIME ZONE 'UTC')::date + ahead FROM generate_series(0, 7) ahead
) AS days ORDER BY day;

INSERT INTO history (at, change_id, target_id, ip, run, job_id, kind, severity, quiet, protocol, port, before,
    after, answer, ttl, rtt_us, probes, expected, suspect, service)
SELECT at, change_id, old.target_id, ip, jobs.run, job_id,
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
    false, protocol, port, before, after, answer, ttl, rtt_us, probes, expected, suspect, service
FROM history_in_one AS old LEFT JOIN jobs ON jobs.id = old.job_id
ORDER BY old.seq;
DROP TABLE history_in_one;
