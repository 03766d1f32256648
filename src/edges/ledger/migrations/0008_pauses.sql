-- What failed is left alone for a while: until when, and since when it has been failing. The run that began then has told
-- it one by one; later runs count it.
ALTER TABLE object ADD COLUMN next_try_ms INTEGER NOT NULL DEFAULT 0;
ALTER TABLE object ADD COLUMN failing_since_ms INTEGER;
ALTER TABLE listing ADD COLUMN attempts INTEGER NOT NULL DEFAULT 0;
ALTER TABLE listing ADD COLUMN next_try_ms INTEGER NOT NULL DEFAULT 0;
ALTER TABLE listing ADD COLUMN failing_since_ms INTEGER;
-- Keys and folders that do not fit the layout, by the prefix that is listed for them, and when they were told.
CREATE TABLE stray (
  source_id INTEGER NOT NULL REFERENCES source (id) ON DELETE CASCADE,
  prefix TEXT NOT NULL,
  place TEXT NOT NULL,            -- the first key, or the folder
  number INTEGER NOT NULL,        -- how many
  told_ms INTEGER NOT NULL,
  PRIMARY KEY (source_id, prefix)
) STRICT, WITHOUT ROWID;
