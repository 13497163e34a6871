-- When a scan last confirmed the ports of a host, kept once for all of them: a scan that finds what is
-- known writes no row of ports. A port was last seen at the latest of three: its row's last_seen, and
-- of its host either the time at which left_behind names it or, if it does not, confirmed_at.
ALTER TABLE hosts ADD COLUMN confirmed_at INTEGER;
-- Ports that the last scans did not confirm: PORTS@MICROSECONDS since 1970, separated by spaces.
ALTER TABLE hosts ADD COLUMN left_behind TEXT NOT NULL DEFAULT '';
