-- One row: the id of this installation, which goes into every id that is told to somebody.
CREATE TABLE installation (
    only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    id       uuid    NOT NULL DEFAULT gen_random_uuid()
);
INSERT INTO installation DEFAULT VALUES;

CREATE TABLE targets (
    id            uuid        PRIMARY KEY,
    source        text        NOT NULL,
    -- False: its source no longer lists it. It keeps its state and is not scanned.
    listed        boolean     NOT NULL,
    name          text        NOT NULL,
    group_name    text        NOT NULL,
    zone          text        NOT NULL,
    addresses     text[]      NOT NULL,
    exclude       text[]      NOT NULL,
    ports         text        NOT NULL,
    expected      text,
    interval_us   bigint      NOT NULL CHECK (interval_us > 0),
    rate          bigint      NOT NULL CHECK (rate > 0),
    enabled       boolean     NOT NULL,
    notify        boolean     NOT NULL,
    history       boolean     NOT NULL,
    -- The last run's number.
    run           bigint      NOT NULL DEFAULT 0 CHECK (run >= 0),
    next_due_at   timestamptz NOT NULL,
    -- A scheduler holds it until then.
    claimed_until timestamptz,
    -- The last deadline of the jobs that are out; NULL when all are finished.
    busy_until    timestamptz,
    claimable_at  timestamptz NOT NULL
        GENERATED ALWAYS AS (GREATEST(next_due_at, claimed_until, busy_until)) STORED
) WITH (fillfactor = 80);
CREATE INDEX targets_by_source ON targets (source);
CREATE INDEX targets_claimable ON targets (claimable_at) WHERE listed AND enabled;
CREATE INDEX targets_due ON targets (next_due_at) WHERE listed AND enabled;

-- A run of a target takes a slot. Either can be taken once.
CREATE TABLE runs (
    target_id  uuid        NOT NULL REFERENCES targets,
    run        bigint      NOT NULL CHECK (run > 0),
    slot       timestamptz NOT NULL,
    created_at timestamptz NOT NULL,
    PRIMARY KEY (target_id, run),
    UNIQUE (target_id, slot)
);
CREATE INDEX runs_by_age ON runs (created_at);

CREATE TABLE jobs (
    id          uuid        PRIMARY KEY,
    target_id   uuid        NOT NULL,
    run         bigint      NOT NULL,
    parts       integer     NOT NULL CHECK (parts > 0),
    parts_in    integer     NOT NULL DEFAULT 0 CHECK (parts_in BETWEEN 0 AND parts),
    deadline    timestamptz NOT NULL,
    finished_at timestamptz,
    -- When it was found unfinished after its deadline.
    lost_at     timestamptz,
    FOREIGN KEY (target_id, run) REFERENCES runs
);
CREATE INDEX jobs_of_run ON jobs (target_id, run);
CREATE INDEX jobs_out_of_target ON jobs (target_id, deadline) WHERE finished_at IS NULL;
CREATE INDEX jobs_out ON jobs (deadline) WHERE finished_at IS NULL AND lost_at IS NULL;
CREATE INDEX jobs_by_end ON jobs ((coalesce(finished_at, deadline)));

-- The snapshot parts that were applied; what comes twice is dropped by it.
CREATE TABLE inbox (
    job_id      uuid        NOT NULL,
    part        integer     NOT NULL CHECK (part >= 0),
    received_at timestamptz NOT NULL,
    PRIMARY KEY (job_id, part)
);
CREATE INDEX inbox_by_age ON inbox (received_at);

CREATE TABLE hosts (
    target_id  uuid        NOT NULL REFERENCES targets,
    ip         inet        NOT NULL,
    name       text,
    state      text        NOT NULL CHECK (state IN ('up', 'down', 'unknown')),
    suspect    boolean     NOT NULL,
    since      timestamptz,
    last_seen  timestamptz,
    last_run   bigint      NOT NULL CHECK (last_run >= 0),
    transition bigint      NOT NULL CHECK (transition >= 0),
    baseline   text        NOT NULL,
    PRIMARY KEY (target_id, ip)
) WITH (fillfactor = 70);

-- The ports that are or have been open.
CREATE TABLE ports (
    target_id  uuid        NOT NULL,
    ip         inet        NOT NULL,
    protocol   text        NOT NULL CHECK (protocol IN ('tcp', 'udp')),
    port       integer     NOT NULL CHECK (port BETWEEN 1 AND 65535),
    state      text        NOT NULL CHECK (state IN ('open', 'closed', 'filtered', 'unknown')),
    since      timestamptz NOT NULL,
    first_seen timestamptz NOT NULL,
    last_seen  timestamptz NOT NULL,
    transition bigint      NOT NULL CHECK (transition >= 0),
    answer     text        NOT NULL,
    ttl        smallint    CHECK (ttl BETWEEN 0 AND 255),
    rtt_us     bigint      CHECK (rtt_us >= 0),
    probes     integer     NOT NULL CHECK (probes >= 0),
    PRIMARY KEY (target_id, ip, protocol, port),
    FOREIGN KEY (target_id, ip) REFERENCES hosts ON DELETE CASCADE
) WITH (fillfactor = 70);

-- One row a transition, of a port or, where port is NULL, of the host. Not partitioned: a change's id
-- must be unique in all of it, which PostgreSQL cannot promise across partitions by time.
CREATE TABLE history (
    seq       bigint      GENERATED ALWAYS AS IDENTITY,
    change_id uuid        PRIMARY KEY,
    target_id uuid        NOT NULL REFERENCES targets,
    ip        inet        NOT NULL,
    job_id    uuid        NOT NULL,
    at        timestamptz NOT NULL,
    protocol  text        CHECK (protocol IN ('tcp', 'udp')),
    port      integer     CHECK (port BETWEEN 1 AND 65535),
    before    text        NOT NULL,
    after     text        NOT NULL,
    answer    text,
    ttl       smallint    CHECK (ttl BETWEEN 0 AND 255),
    rtt_us    bigint      CHECK (rtt_us >= 0),
    probes    integer     CHECK (probes >= 0),
    expected  boolean,
    suspect   boolean,
    CHECK (CASE WHEN port IS NULL
        THEN protocol IS NULL AND answer IS NULL AND probes IS NULL AND expected IS NULL
            AND suspect IS NOT NULL AND before IN ('up', 'down', 'unknown')
            AND after IN ('up', 'down', 'unknown')
        ELSE protocol IS NOT NULL AND answer IS NOT NULL AND probes IS NOT NULL
            AND expected IS NOT NULL AND suspect IS NULL
            AND before IN ('open', 'closed', 'filtered', 'unknown')
            AND after IN ('open', 'closed', 'filtered', 'unknown')
        END)
);
CREATE INDEX history_of_target ON history (target_id, at DESC, seq DESC);
CREATE INDEX history_by_age ON history (at);

CREATE TABLE outbox (
    seq    bigint      GENERATED ALWAYS AS IDENTITY,
    id     uuid        PRIMARY KEY,
    topic  text        NOT NULL CHECK (topic IN ('job', 'change')),
    route  text        NOT NULL,
    body   bytea       NOT NULL,
    -- When it may be claimed: a lease and a postponement move it.
    due_at timestamptz NOT NULL
);
CREATE INDEX outbox_due ON outbox (topic, due_at, seq);

CREATE TABLE notifications (
    id         uuid        PRIMARY KEY,
    created_at timestamptz NOT NULL,
    body       bytea       NOT NULL
);
CREATE INDEX notifications_by_age ON notifications (created_at);

CREATE TABLE deliveries (
    seq             bigint      GENERATED ALWAYS AS IDENTITY,
    id              uuid        PRIMARY KEY,
    notification_id uuid        NOT NULL REFERENCES notifications ON DELETE CASCADE,
    channel         text        NOT NULL,
    order_key       text        NOT NULL,
    -- waiting: for its predecessor of the same channel and order key.
    state           text        NOT NULL CHECK (state IN ('waiting', 'pending', 'delivered', 'given_up')),
    -- When it may be claimed: a lease and a retry move it.
    due_at          timestamptz NOT NULL,
    attempts        integer     NOT NULL DEFAULT 0 CHECK (attempts >= 0),
    lease           uuid,
    ended_at        timestamptz,
    UNIQUE (notification_id, channel),
    CHECK ((ended_at IS NULL) = (state IN ('waiting', 'pending')))
);
CREATE INDEX deliveries_due ON deliveries (channel, due_at, seq) WHERE state = 'pending';
CREATE INDEX deliveries_in_order ON deliveries (channel, order_key, seq) WHERE ended_at IS NULL;
CREATE INDEX deliveries_given_up ON deliveries (channel) WHERE state = 'given_up';

CREATE TABLE delivery_attempts (
    delivery_id uuid        NOT NULL REFERENCES deliveries ON DELETE CASCADE,
    number      integer     NOT NULL CHECK (number > 0),
    at          timestamptz NOT NULL,
    latency_us  bigint      NOT NULL CHECK (latency_us >= 0),
    status      integer,
    -- NULL: delivered.
    error       text,
    PRIMARY KEY (delivery_id, number)
);
