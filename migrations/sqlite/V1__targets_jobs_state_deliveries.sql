-- Times are microseconds since 1970 (UTC), ids are the 16 bytes of a UUID, addresses are text.

-- One row: the id of this installation, which goes into every id that is told to somebody.
CREATE TABLE installation (
    only_row INTEGER PRIMARY KEY DEFAULT 1 CHECK (only_row = 1),
    id       BLOB    NOT NULL DEFAULT (randomblob(16)) CHECK (length(id) = 16)
) STRICT;
INSERT INTO installation DEFAULT VALUES;

CREATE TABLE targets (
    id            BLOB    NOT NULL PRIMARY KEY CHECK (length(id) = 16),
    source        TEXT    NOT NULL,
    -- 0: its source no longer lists it. It keeps its state and is not scanned.
    listed        INTEGER NOT NULL CHECK (listed IN (0, 1)),
    name          TEXT    NOT NULL,
    group_name    TEXT    NOT NULL,
    zone          TEXT    NOT NULL,
    addresses     TEXT    NOT NULL CHECK (json_valid(addresses)),
    exclude       TEXT    NOT NULL CHECK (json_valid(exclude)),
    ports         TEXT    NOT NULL,
    expected      TEXT,
    interval_us   INTEGER NOT NULL CHECK (interval_us > 0),
    rate          INTEGER NOT NULL CHECK (rate > 0),
    enabled       INTEGER NOT NULL CHECK (enabled IN (0, 1)),
    notify        INTEGER NOT NULL CHECK (notify IN (0, 1)),
    history       INTEGER NOT NULL CHECK (history IN (0, 1)),
    -- The last run's number.
    run           INTEGER NOT NULL DEFAULT 0 CHECK (run >= 0),
    next_due_at   INTEGER NOT NULL,
    -- A scheduler holds it until then.
    claimed_until INTEGER,
    -- The last deadline of the jobs that are out; NULL when all are finished.
    busy_until    INTEGER,
    claimable_at  INTEGER NOT NULL GENERATED ALWAYS AS (
        max(next_due_at, coalesce(claimed_until, next_due_at), coalesce(busy_until, next_due_at))
    ) STORED
) STRICT;
CREATE INDEX targets_by_source ON targets (source);
CREATE INDEX targets_claimable ON targets (claimable_at) WHERE listed AND enabled;
CREATE INDEX targets_due ON targets (next_due_at) WHERE listed AND enabled;

-- A run of a target takes a slot. Either can be taken once.
CREATE TABLE runs (
    target_id  BLOB    NOT NULL REFERENCES targets (id),
    run        INTEGER NOT NULL CHECK (run > 0),
    slot       INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    PRIMARY KEY (target_id, run),
    UNIQUE (target_id, slot)
) STRICT, WITHOUT ROWID;
CREATE INDEX runs_by_age ON runs (created_at);

CREATE TABLE jobs (
    id          BLOB    NOT NULL PRIMARY KEY CHECK (length(id) = 16),
    target_id   BLOB    NOT NULL,
    run         INTEGER NOT NULL,
    parts       INTEGER NOT NULL CHECK (parts > 0),
    parts_in    INTEGER NOT NULL DEFAULT 0 CHECK (parts_in BETWEEN 0 AND parts),
    deadline    INTEGER NOT NULL,
    finished_at INTEGER,
    -- When it was found unfinished after its deadline.
    lost_at     INTEGER,
    FOREIGN KEY (target_id, run) REFERENCES runs (target_id, run)
) STRICT;
CREATE INDEX jobs_of_run ON jobs (target_id, run);
CREATE INDEX jobs_out_of_target ON jobs (target_id, deadline) WHERE finished_at IS NULL;
CREATE INDEX jobs_out ON jobs (deadline) WHERE finished_at IS NULL AND lost_at IS NULL;
CREATE INDEX jobs_by_end ON jobs (coalesce(finished_at, deadline));

-- The snapshot parts that were applied; what comes twice is dropped by it.
CREATE TABLE inbox (
    job_id      BLOB    NOT NULL CHECK (length(job_id) = 16),
    part        INTEGER NOT NULL CHECK (part >= 0),
    received_at INTEGER NOT NULL,
    PRIMARY KEY (job_id, part)
) STRICT, WITHOUT ROWID;
CREATE INDEX inbox_by_age ON inbox (received_at);

CREATE TABLE hosts (
    target_id  BLOB    NOT NULL REFERENCES targets (id),
    ip         TEXT    NOT NULL,
    name       TEXT,
    state      TEXT    NOT NULL CHECK (state IN ('up', 'down', 'unknown')),
    suspect    INTEGER NOT NULL CHECK (suspect IN (0, 1)),
    since      INTEGER,
    last_seen  INTEGER,
    last_run   INTEGER NOT NULL CHECK (last_run >= 0),
    transition INTEGER NOT NULL CHECK (transition >= 0),
    baseline   TEXT    NOT NULL,
    PRIMARY KEY (target_id, ip)
) STRICT, WITHOUT ROWID;

-- The ports that are or have been open.
CREATE TABLE ports (
    target_id  BLOB    NOT NULL,
    ip         TEXT    NOT NULL,
    protocol   TEXT    NOT NULL CHECK (protocol IN ('tcp', 'udp')),
    port       INTEGER NOT NULL CHECK (port BETWEEN 1 AND 65535),
    state      TEXT    NOT NULL CHECK (state IN ('open', 'closed', 'filtered', 'unknown')),
    since      INTEGER NOT NULL,
    first_seen INTEGER NOT NULL,
    last_seen  INTEGER NOT NULL,
    transition INTEGER NOT NULL CHECK (transition >= 0),
    answer     TEXT    NOT NULL,
    ttl        INTEGER CHECK (ttl BETWEEN 0 AND 255),
    rtt_us     INTEGER CHECK (rtt_us >= 0),
    probes     INTEGER NOT NULL CHECK (probes >= 0),
    PRIMARY KEY (target_id, ip, protocol, port),
    FOREIGN KEY (target_id, ip) REFERENCES hosts (target_id, ip) ON DELETE CASCADE
) STRICT, WITHOUT ROWID;

-- One row a transition, of a port or, where port is NULL, of the host.
CREATE TABLE history (
    seq       INTEGER PRIMARY KEY,
    change_id BLOB    NOT NULL UNIQUE CHECK (length(change_id) = 16),
    target_id BLOB    NOT NULL REFERENCES targets (id),
    ip        TEXT    NOT NULL,
    job_id    BLOB    NOT NULL CHECK (length(job_id) = 16),
    at        INTEGER NOT NULL,
    protocol  TEXT CHECK (protocol IN ('tcp', 'udp')),
    port      INTEGER CHECK (port BETWEEN 1 AND 65535),
    before    TEXT    NOT NULL,
    after     TEXT    NOT NULL,
    answer    TEXT,
    ttl       INTEGER CHECK (ttl BETWEEN 0 AND 255),
    rtt_us    INTEGER CHECK (rtt_us >= 0),
    probes    INTEGER CHECK (probes >= 0),
    expected  INTEGER CHECK (expected IN (0, 1)),
    suspect   INTEGER CHECK (suspect IN (0, 1)),
    CHECK (CASE WHEN port IS NULL
        THEN protocol IS NULL AND answer IS NULL AND probes IS NULL AND expected IS NULL
            AND suspect IS NOT NULL AND before IN ('up', 'down', 'unknown')
            AND after IN ('up', 'down', 'unknown')
        ELSE protocol IS NOT NULL AND answer IS NOT NULL AND probes IS NOT NULL
            AND expected IS NOT NULL AND suspect IS NULL
            AND before IN ('open', 'closed', 'filtered', 'unknown')
            AND after IN ('open', 'closed', 'filtered', 'unknown')
        END)
) STRICT;
CREATE INDEX history_of_target ON history (target_id, at DESC, seq DESC);
CREATE INDEX history_by_age ON history (at);

CREATE TABLE outbox (
    seq    INTEGER PRIMARY KEY,
    id     BLOB    NOT NULL UNIQUE CHECK (length(id) = 16),
    topic  TEXT    NOT NULL CHECK (topic IN ('job', 'change')),
    route  TEXT    NOT NULL,
    body   BLOB    NOT NULL,
    -- When it may be claimed: a lease and a postponement move it.
    due_at INTEGER NOT NULL
) STRICT;
CREATE INDEX outbox_due ON outbox (topic, due_at, seq);

CREATE TABLE notifications (
    id         BLOB    NOT NULL PRIMARY KEY CHECK (length(id) = 16),
    created_at INTEGER NOT NULL,
    body       BLOB    NOT NULL
) STRICT;
CREATE INDEX notifications_by_age ON notifications (created_at);

CREATE TABLE deliveries (
    seq             INTEGER PRIMARY KEY,
    id              BLOB    NOT NULL UNIQUE CHECK (length(id) = 16),
    notification_id BLOB    NOT NULL REFERENCES notifications (id) ON DELETE CASCADE,
    channel         TEXT    NOT NULL,
    order_key       TEXT    NOT NULL,
    -- waiting: for its predecessor of the same channel and order key.
    state           TEXT    NOT NULL CHECK (state IN ('waiting', 'pending', 'delivered', 'given_up')),
    -- When it may be claimed: a lease and a retry move it.
    due_at          INTEGER NOT NULL,
    attempts        INTEGER NOT NULL DEFAULT 0 CHECK (attempts >= 0),
    lease           BLOB CHECK (length(lease) = 16),
    ended_at        INTEGER,
    UNIQUE (notification_id, channel),
    CHECK ((ended_at IS NULL) = (state IN ('waiting', 'pending')))
) STRICT;
CREATE INDEX deliveries_due ON deliveries (channel, due_at, seq) WHERE state = 'pending';
CREATE INDEX deliveries_in_order ON deliveries (channel, order_key, seq) WHERE ended_at IS NULL;
CREATE INDEX deliveries_given_up ON deliveries (channel) WHERE state = 'given_up';

CREATE TABLE delivery_attempts (
    delivery_id BLOB    NOT NULL REFERENCES deliveries (id) ON DELETE CASCADE,
    number      INTEGER NOT NULL CHECK (number > 0),
    at          INTEGER NOT NULL,
    latency_us  INTEGER NOT NULL CHECK (latency_us >= 0),
    status      INTEGER,
    -- NULL: delivered.
    error       TEXT,
    PRIMARY KEY (delivery_id, number)
) STRICT, WITHOUT ROWID;
