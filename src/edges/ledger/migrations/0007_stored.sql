-- BLAKE3 of the stored bytes: of the listed version as it was fetched, and of the bytes that were counted. NULL: by a
-- version that did not note it.
ALTER TABLE object ADD COLUMN stored_checksum BLOB;
ALTER TABLE generation ADD COLUMN stored_checksum BLOB;
