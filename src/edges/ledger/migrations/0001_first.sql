-- Where objects come from, by the name of their `[[source]]`.
CREATE TABLE source (
  id INTEGER PRIMARY KEY,
  name TEXT NOT NULL UNIQUE,
  url TEXT NOT NULL
) STRICT;

CREATE TABLE app (
  id INTEGER PRIMARY KEY,
  name TEXT NOT NULL UNIQUE
) STRICT;

-- One row for every prefix that was ever listed; what failed stands there until it works again.
CREATE TABLE listing (
  source_id INTEGER NOT NULL REFERENCES source (id),
  prefix TEXT NOT NULL,
  tried_ms INTEGER NOT NULL,
  listed_ms INTEGER,              -- the last complete listing
  objects INTEGER,                -- entries in it
  failure TEXT,                   -- why the last try failed; NULL when it did not
  PRIMARY KEY (source_id, prefix)
) STRICT, WITHOUT ROWID;

-- One row for every key that was ever listed, as it was listed last.
CREATE TABLE object (
  id INTEGER PRIMARY KEY,
  source_id INTEGER NOT NULL REFERENCES source (id),
  key TEXT NOT NULL,
  app_id INTEGER NOT NULL REFERENCES app (id),
  day TEXT,                       -- yyyy-mm-dd of the key, NULL when the layout has no date
  etag TEXT NOT NULL,
  size_bytes INTEGER NOT NULL,
  modified_ms INTEGER NOT NULL,
  first_listed_ms INTEGER NOT NULL,
  last_listed_ms INTEGER NOT NULL,
  -- listed: to get; mirrored: this etag is in the mirror; missing, denied, archived, failed: see reason; deleted: no longer listed
  state TEXT NOT NULL CHECK (state IN ('listed', 'mirrored', 'missing', 'denied', 'archived', 'failed', 'deleted')),
  reason TEXT,
  attempts INTEGER NOT NULL DEFAULT 0,
  UNIQUE (source_id, key)
) STRICT;
CREATE INDEX object_state ON object (state) WHERE state <> 'mirrored';

CREATE TABLE batch (
  id INTEGER PRIMARY KEY,
  committed_ms INTEGER NOT NULL,
  objects INTEGER NOT NULL
) STRICT;

-- The ingested version of an object. At most one an object; a new version replaces the row and all
-- that hangs on it. `duplicate_of` is derived: among generations of one application with the same
-- decoded bytes, the one with the smallest (source, key) counts and the others point at it.
CREATE TABLE generation (
  id INTEGER PRIMARY KEY,         -- model::GenerationId
  object_id INTEGER NOT NULL UNIQUE REFERENCES object (id),
  app_id INTEGER NOT NULL REFERENCES app (id),
  etag TEXT NOT NULL,
  size_bytes INTEGER NOT NULL,
  batch_id INTEGER NOT NULL REFERENCES batch (id),
  parser_version INTEGER NOT NULL,
  lines INTEGER NOT NULL,
  events INTEGER NOT NULL,
  continuation INTEGER NOT NULL,
  unparsed INTEGER NOT NULL,
  quarantined INTEGER NOT NULL,
  truncated INTEGER NOT NULL,
  undated INTEGER NOT NULL,
  decoded_bytes INTEGER NOT NULL,
  checksum BLOB NOT NULL,         -- BLAKE3 of the decoded bytes
  first_ms INTEGER,               -- time of the earliest and latest dated event
  last_ms INTEGER,
  blocks INTEGER NOT NULL,        -- documents in the index
  damage_offset INTEGER,
  damage_member INTEGER,
  damage_reason TEXT,
  duplicate_of INTEGER,
  CHECK (lines = events + continuation + unparsed)
) STRICT;
CREATE INDEX generation_batch ON generation (batch_id);
CREATE INDEX generation_checksum ON generation (checksum);

CREATE TABLE error_group (
  id INTEGER PRIMARY KEY,         -- model::GroupId
  version INTEGER NOT NULL,       -- of the grouping rules
  kind TEXT NOT NULL,
  title TEXT NOT NULL,
  template TEXT NOT NULL
) STRICT;

-- Ids that an older version of the grouping rules gave, so that links and triage keep working.
CREATE TABLE group_alias (
  old_id INTEGER PRIMARY KEY,
  new_id INTEGER NOT NULL,
  version INTEGER NOT NULL
) STRICT;

-- Events by generation, group (0: none, the event is no error), level and ten-minute slot.
CREATE TABLE count (
  generation_id INTEGER NOT NULL REFERENCES generation (id) ON DELETE CASCADE,
  group_id INTEGER NOT NULL,
  level INTEGER NOT NULL,
  slot INTEGER NOT NULL,
  events INTEGER NOT NULL,
  PRIMARY KEY (generation_id, group_id, level, slot)
) STRICT, WITHOUT ROWID;

-- A group's events in one generation: the earliest and the latest, with their raw lines
-- (continuation lines included, cut at 8 KiB, zstd).
CREATE TABLE sighting (
  generation_id INTEGER NOT NULL REFERENCES generation (id) ON DELETE CASCADE,
  group_id INTEGER NOT NULL REFERENCES error_group (id),
  events INTEGER NOT NULL,
  first_ms INTEGER NOT NULL,
  first_line INTEGER NOT NULL,
  first_raw BLOB NOT NULL,
  last_ms INTEGER NOT NULL,
  last_line INTEGER NOT NULL,
  last_raw BLOB NOT NULL,
  PRIMARY KEY (generation_id, group_id)
) STRICT, WITHOUT ROWID;
-- With `first_ms`, so that when a group was seen is read without the raw lines.
CREATE INDEX sighting_group ON sighting (group_id, last_ms, first_ms);

CREATE TABLE run (
  id INTEGER PRIMARY KEY,
  command TEXT NOT NULL,
  started_ms INTEGER NOT NULL,
  finished_ms INTEGER,
  exit_code INTEGER,
  summary TEXT NOT NULL DEFAULT '{}'   -- run::Summary as JSON
) STRICT;

-- Mails: the row comes first, the sending after, the mark last; the Message-ID is fixed by the row.
CREATE TABLE outbox (
  id INTEGER PRIMARY KEY,
  digest TEXT NOT NULL,
  message_id TEXT NOT NULL UNIQUE,
  created_ms INTEGER NOT NULL,
  eml BLOB NOT NULL,
  attempts INTEGER NOT NULL DEFAULT 0,
  taken_by TEXT NOT NULL DEFAULT '',   -- recipients whose server took it, one a line; a retry leaves them out
  sent_ms INTEGER,
  failure TEXT
) STRICT;

CREATE TABLE published (
  target TEXT NOT NULL,
  path TEXT NOT NULL,
  checksum BLOB NOT NULL,
  published_ms INTEGER NOT NULL,
  PRIMARY KEY (target, path)
) STRICT, WITHOUT ROWID;

-- Small facts by name: index_uuid, the requests of all runs.
CREATE TABLE fact (
  name TEXT PRIMARY KEY,
  value TEXT NOT NULL
) STRICT, WITHOUT ROWID;
