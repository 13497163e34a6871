-- Notifications that wait until others of the same host are told with them, or for a digest.
CREATE TABLE held (
    seq             INTEGER PRIMARY KEY AUTOINCREMENT,
    channel         TEXT    NOT NULL,
    -- Of a digest, apart from what else the channel is told.
    digest          INTEGER NOT NULL,
    order_key       TEXT    NOT NULL,
    notification_id BLOB    NOT NULL REFERENCES notifications (id) ON DELETE CASCADE,
    due_at          INTEGER NOT NULL,
    UNIQUE (notification_id, channel, digest)
) STRICT;
CREATE INDEX held_due ON held (channel, digest, due_at);
CREATE INDEX held_in_order ON held (channel, order_key) WHERE NOT digest;

-- When a channel was last told of something that is held before it is told; with the order key '' of a summary.
CREATE TABLE told (
    channel   TEXT    NOT NULL,
    order_key TEXT    NOT NULL,
    at        INTEGER NOT NULL,
    PRIMARY KEY (channel, order_key)
) STRICT;
CREATE INDEX told_by_age ON told (at);

-- What is wrong, or was: the last change of each condition.
CREATE TABLE problems (
    id       BLOB    PRIMARY KEY CHECK (length(id) = 16),
    -- When its last change was seen; an older one is no news.
    at       INTEGER NOT NULL,
    -- The encoded notification of the change that began it; empty when it has ended.
    body     BLOB    NOT NULL,
    ended    INTEGER NOT NULL,
    -- When people were last told, or reminded.
    told_at  INTEGER NOT NULL,
    acked_at INTEGER,
    acked_by TEXT,
    reason   TEXT,
    CHECK ((acked_at IS NULL) = (acked_by IS NULL))
) STRICT;
CREATE INDEX problems_now ON problems (at) WHERE NOT ended;
CREATE INDEX problems_to_remind ON problems (told_at) WHERE NOT ended AND acked_at IS NULL;
CREATE INDEX problems_ended ON problems (at) WHERE ended;

-- What nobody is told from one time to another.
CREATE TABLE silences (
    id       BLOB    PRIMARY KEY CHECK (length(id) = 16),
    -- What it is about, as JSON.
    matcher  TEXT    NOT NULL CHECK (json_valid(matcher)),
    reason   TEXT    NOT NULL CHECK (reason <> ''),
    author   TEXT    NOT NULL CHECK (author <> ''),
    from_at  INTEGER NOT NULL,
    until_at INTEGER NOT NULL CHECK (until_at >= from_at)
) STRICT;
CREATE INDEX silences_by_end ON silences (until_at);
