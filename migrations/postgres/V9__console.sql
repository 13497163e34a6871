-- The switches as the target's source has them, and as somebody has set them instead; enabled, notify and history are
-- what counts.
ALTER TABLE targets
    ADD COLUMN own_enabled boolean NOT NULL DEFAULT true,
    ADD COLUMN own_notify  boolean NOT NULL DEFAULT true,
    ADD COLUMN own_history boolean NOT NULL DEFAULT true,
    ADD COLUMN set_enabled boolean,
    ADD COLUMN set_notify  boolean,
    ADD COLUMN set_history boolean,
    ADD COLUMN set_by      text;
UPDATE targets SET own_enabled = enabled, own_notify = notify, own_history = history;

-- Whether somebody was told that the target is overdue: not in a zone that nobody works for, which is told itself.
ALTER TABLE targets ADD COLUMN overdue_told boolean NOT NULL DEFAULT true;

-- The numbers under which programs written for Roxy-WI know servers and groups. Those that Roxy-WI has itself are its
-- own; others begin after a million.
CREATE TABLE numbers (
    kind   text   NOT NULL CHECK (kind IN ('target', 'group')),
    -- A target's id, or a group's name.
    name   text   NOT NULL,
    number bigint NOT NULL CHECK (number >= 0),
    PRIMARY KEY (kind, name),
    UNIQUE (kind, number)
);

-- Who may use the console.
CREATE TABLE users (
    name       text        PRIMARY KEY,
    -- Argon2id, as a PHC string.
    password   text        NOT NULL,
    role       text        NOT NULL CHECK (role IN ('viewer', 'operator', 'admin')),
    -- NULL: the targets of all groups.
    groups     text[],
    created_at timestamptz NOT NULL
);

-- What programs and browsers show instead of a password; only its hash is kept.
CREATE TABLE tokens (
    id           uuid        PRIMARY KEY,
    -- SHA-256.
    hash         bytea       NOT NULL UNIQUE CHECK (length(hash) = 32),
    name         text        NOT NULL,
    -- The user who has logged in, whose role and groups count; NULL: a program, with its own.
    user_name    text        REFERENCES users (name) ON DELETE CASCADE,
    role         text        CHECK (role IN ('viewer', 'operator', 'admin')),
    groups       text[],
    created_at   timestamptz NOT NULL,
    expires_at   timestamptz,
    last_used_at timestamptz,
    CHECK ((user_name IS NULL) = (role IS NOT NULL))
);
CREATE INDEX tokens_of_users ON tokens (user_name) WHERE user_name IS NOT NULL;
CREATE INDEX tokens_that_expire ON tokens (expires_at) WHERE expires_at IS NOT NULL;

-- What people and programs have changed.
CREATE TABLE audit (
    id     bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at     timestamptz NOT NULL,
    actor  text        NOT NULL,
    action text        NOT NULL,
    about  text        NOT NULL,
    detail text        NOT NULL DEFAULT ''
);
