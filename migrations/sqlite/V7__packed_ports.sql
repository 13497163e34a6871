-- PostgreSQL keeps a copy of a host's ports in one value, because reading many rows is what a scan costs there.
-- SQLite reads them within the program, and has no such copy.
SELECT 1;
