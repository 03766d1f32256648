-- Places within a decoded object where decoding can begin: decode::Point.
CREATE TABLE point (
  generation_id INTEGER NOT NULL REFERENCES generation (id) ON DELETE CASCADE,
  decoded_at INTEGER NOT NULL,
  stored_at INTEGER NOT NULL,
  byte INTEGER NOT NULL,
  bits INTEGER NOT NULL,
  window BLOB NOT NULL,           -- zstd
  PRIMARY KEY (generation_id, decoded_at)
) STRICT;
