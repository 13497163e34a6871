-- The beginning of what the receiver answered.
ALTER TABLE delivery_attempts ADD COLUMN answer TEXT;

-- Attempts made before it was last sent again by hand; after that the schedule of retries begins anew.
ALTER TABLE deliveries ADD COLUMN attempts_before INTEGER NOT NULL DEFAULT 0 CHECK (attempts_before >= 0);
-- Why it ended without an attempt.
ALTER TABLE deliveries ADD COLUMN note TEXT;

DROP INDEX deliveries_given_up;
CREATE INDEX deliveries_given_up ON deliveries (channel, seq) WHERE state = 'given_up';

-- How channels fare; one that was never in trouble has no row.
CREATE TABLE channels (
    name          TEXT    PRIMARY KEY,
    -- Since when every attempt has failed; NULL: the last one succeeded.
    failing_since INTEGER,
    -- Since when nobody is told by it.
    off_at        INTEGER,
    -- Who has switched it off; NULL: nobody, its receiver was dead.
    off_by        TEXT,
    off_reason    TEXT,
    CHECK ((off_at IS NULL) = (off_reason IS NULL)),
    CHECK (off_by IS NULL OR off_at IS NOT NULL)
) STRICT;
