-- Versions that others have replaced and whose mirrored file is still to be removed.
CREATE TABLE replaced (
  object_id INTEGER NOT NULL REFERENCES object (id) ON DELETE CASCADE,
  etag TEXT NOT NULL,
  size_bytes INTEGER NOT NULL,
  PRIMARY KEY (object_id, etag, size_bytes)
) STRICT, WITHOUT ROWID;
