-- All ports of a host in one value: a copy of its rows of ports, which a scan reads instead of them. The rows are
-- the truth. A host without a copy is read from its rows, and whoever reads it writes the copy.
CREATE TABLE packed_ports (
    target_id uuid  NOT NULL,
    ip        inet  NOT NULL,
    packed    bytea NOT NULL,
    PRIMARY KEY (target_id, ip),
    FOREIGN KEY (target_id, ip) REFERENCES hosts ON DELETE CASCADE ON UPDATE CASCADE
) WITH (fillfactor = 70);

-- Whoever writes rows of ports, also a program that knows of no copies, drops those of their hosts.
CREATE FUNCTION drop_packed_ports() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    DELETE FROM packed_ports AS p USING (SELECT DISTINCT target_id, ip FROM touched) AS t
        WHERE p.target_id = t.target_id AND p.ip = t.ip;
    RETURN NULL;
END $$;
CREATE TRIGGER ports_inserted AFTER INSERT ON ports REFERENCING NEW TABLE AS touched
    FOR EACH STATEMENT EXECUTE FUNCTION drop_packed_ports();
CREATE TRIGGER ports_updated_from AFTER UPDATE ON ports REFERENCING OLD TABLE AS touched
    FOR EACH STATEMENT EXECUTE FUNCTION drop_packed_ports();
CREATE TRIGGER ports_updated_to AFTER UPDATE ON ports REFERENCING NEW TABLE AS touched
    FOR EACH STATEMENT EXECUTE FUNCTION drop_packed_ports();
CREATE TRIGGER ports_deleted AFTER DELETE ON ports REFERENCING OLD TABLE AS touched
    FOR EACH STATEMENT EXECUTE FUNCTION drop_packed_ports();
