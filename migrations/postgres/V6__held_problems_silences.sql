-- Notifications that wait until others of the same host are told with them, or for a digest.
CREATE TABLE held (
    seq             bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    channel         text        NOT NULL,
    -- Of a digest, apart from what else the channel is told.
    digest          boolean     NOT NULL,
    order_key       text        NOT NULL,
    notification_id uuid        NOT NULL REFERENCES notifications ON DELETE CASCADE,
    due_at          timestamptz NOT NULL,
    UNIQUE (notification_id, channel, digest)
);
CREATE INDEX held_due ON held (channel, digest, due_at);
CREATE INDEX held_in_order ON held (channel, order_key) WHERE NOT digest;

-- When a channel was last told of something that is held before it is told; with the order key '' of a summary.
CREATE TABLE told (
    channel   text        NOT NULL,
    order_key text        NOT NULL,
    at        timestamptz NOT NULL,
    PRIMARY KEY (channel, order_key)
);
CREATE INDEX told_by_age ON told (at);

-- What is wrong, or was: the last change of each condition.
CREATE TABLE problems (
    id       uuid        PRIMARY KEY,
    -- When its last change was seen; an older one is no news.
    at       timestamptz NOT NULL,
    -- The encoded notification of the change that began it; empty when it has ended.
    body     bytea       NOT NULL,
    ended    boolean     NOT NULL,
    -- When people were last told, or reminded.
    told_at  timestamptz NOT NULL,
    acked_at timestamptz,
    acked_by text,
    reason   text,
    CHECK ((acked_at IS NULL) = (acked_by IS NULL))
);
CREATE INDEX problems_now ON problems (at) WHERE NOT ended;
CREATE INDEX problems_to_remind ON problems (told_at) WHERE NOT ended AND acked_at IS NULL;
CREATE INDEX problems_ended ON problems (at) WHERE ended;

-- What nobody is told from one time to another.
CREATE TABLE silences (
    id        uuid        PRIMARY KEY,
    -- What it is about, as JSON.
    matcher   text        NOT NULL,
    reason    text        NOT NULL CHECK (reason <> ''),
    author    text        NOT NULL CHECK (author <> ''),
    from_at   timestamptz NOT NULL,
    until_at  timestamptz NOT NULL CHECK (until_at >= from_at)
);
CREATE INDEX silences_by_end ON silences (until_at);
