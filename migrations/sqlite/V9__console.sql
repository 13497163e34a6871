-- The switches as the target's source has them, and as somebody has set them instead; enabled, notify and history are
-- what counts.
ALTER TABLE targets ADD COLUMN own_enabled INTEGER NOT NULL DEFAULT 1;
ALTER TABLE targets ADD COLUMN own_notify INTEGER NOT NULL DEFAULT 1;
ALTER TABLE targets ADD COLUMN own_history INTEGER NOT NULL DEFAULT 1;
ALTER TABLE targets ADD COLUMN set_enabled INTEGER;
ALTER TABLE targets ADD COLUMN set_notify INTEGER;
ALTER TABLE targets ADD COLUMN set_history INTEGER;
ALTER TABLE targets ADD COLUMN set_by TEXT;
UPDATE targets SET own_enabled = enabled, own_notify = notify, own_history = history;

-- Whether somebody was told that the target is overdue: not in a zone that nobody works for, which is told itself.
ALTER TABLE targets ADD COLUMN overdue_told INTEGER NOT NULL DEFAULT 1;

-- The numbers under which programs written for Roxy-WI know servers and groups. Those that Roxy-WI has itself are its
-- own; others begin after a million.
CREATE TABLE numbers (
    kind   TEXT    NOT NULL CHECK (kind IN ('target', 'group')),
    -- A target's id, or a group's name.
    name   TEXT    NOT NULL,
    number INTEGER NOT NULL CHECK (number >= 0),
    PRIMARY KEY (kind, name),
    UNIQUE (kind, number)
) STRICT;

-- Who may use the console.
CREATE TABLE users (
    name       TEXT    PRIMARY KEY,
    -- Argon2id, as a PHC string.
    password   TEXT    NOT NULL,
    role       TEXT    NOT NULL CHECK (role IN ('viewer', 'operator', 'admin')),
    -- A JSON array; NULL: the targets of all groups.
    groups     TEXT,
    created_at INTEGER NOT NULL
) STRICT;

-- What programs and browsers show instead of a password; only its hash is kept.
CREATE TABLE tokens (
    id           BLOB    PRIMARY KEY,
    -- SHA-256.
    hash         BLOB    NOT NULL UNIQUE CHECK (length(hash) = 32),
    name         TEXT    NOT NULL,
    -- The user who has logged in, whose role and groups count; NULL: a program, with its own.
    user_name    TEXT    REFERENCES users (name) ON DELETE CASCADE,
    role         TEXT    CHECK (role IN ('viewer', 'operator', 'admin')),
    groups       TEXT,
    created_at   INTEGER NOT NULL,
    expires_at   INTEGER,
    last_used_at INTEGER,
    CHECK ((user_name IS NULL) = (role IS NOT NULL))
) STRICT;
CREATE INDEX tokens_of_users ON tokens (user_name) WHERE user_name IS NOT NULL;
CREATE INDEX tokens_that_expire ON tokens (expires_at) WHERE expires_at IS NOT NULL;

-- What people and programs have changed.
CREATE TABLE audit (
    id     INTEGER PRIMARY KEY AUTOINCREMENT,
    at     INTEGER NOT NULL,
    actor  TEXT    NOT NULL,
    action TEXT    NOT NULL,
    about  TEXT    NOT NULL,
    detail TEXT    NOT NULL DEFAULT ''
) STRICT;
