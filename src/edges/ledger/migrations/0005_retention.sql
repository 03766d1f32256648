-- What the retention has taken back. The mirrored file and the documents of a generation may go while its counts stay.
ALTER TABLE generation ADD COLUMN mirrored INTEGER NOT NULL DEFAULT 1;
ALTER TABLE generation ADD COLUMN indexed INTEGER NOT NULL DEFAULT 1;
-- The counts of the listed version have gone: it is not counted again.
ALTER TABLE object ADD COLUMN expired INTEGER NOT NULL DEFAULT 0;
