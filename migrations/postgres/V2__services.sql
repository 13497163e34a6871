-- What listens on a port, as JSON: what it answered when it was last asked, and when it opened.
ALTER TABLE ports ADD COLUMN service text;
ALTER TABLE history ADD COLUMN service text CHECK (service IS NULL OR port IS NOT NULL);
