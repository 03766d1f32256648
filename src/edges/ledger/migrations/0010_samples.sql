-- Raw lines of error groups, a few for each: of its first and latest event and of some others (partial::chosen).
CREATE TABLE sample (
  group_id INTEGER NOT NULL,
  generation_id INTEGER NOT NULL REFERENCES generation (id) ON DELETE CASCADE,
  is_last INTEGER NOT NULL,       -- the group's latest event in that generation, else the earliest
  rank INTEGER NOT NULL,          -- the object's place in an order that has nothing to do with time
  is_believed INTEGER NOT NULL,   -- whether its stamp can be believed
  time_ms INTEGER NOT NULL,
  line INTEGER NOT NULL,
  title TEXT,                     -- of the group in this object; NULL: as error_group.title
  raw BLOB,                       -- lines (continuation lines included, cut at 8 KiB, zstd); NULL: still to be read
  PRIMARY KEY (group_id, generation_id, is_last)
) STRICT, WITHOUT ROWID;
CREATE INDEX sample_generation ON sample (generation_id);
CREATE INDEX sample_unread ON sample (generation_id) WHERE raw IS NULL;
-- Groups that lost a sample with its generation: the next ingest chooses again.
CREATE TABLE short_group (
  group_id INTEGER PRIMARY KEY
) STRICT;

CREATE TEMP TABLE chosen AS
SELECT group_id, generation_id, is_last, rank, is_believed FROM (
  SELECT group_id, generation_id, 1 AS is_last, generation_id AS rank, believed AS is_believed,
    row_number() OVER (PARTITION BY group_id ORDER BY believed DESC, last_ms DESC, generation_id DESC) AS place, 1 AS most
  FROM (SELECT group_id, generation_id, sighting.last_ms,
      sighting.last_ms <= max(object.modified_ms, object.first_listed_ms) + 86400000 AS believed
    FROM sighting JOIN generation ON generation.id = generation_id JOIN object ON object.id = object_id)
  UNION ALL
  SELECT group_id, generation_id, 0, generation_id, first_ms >= 946684800000,
    row_number() OVER (PARTITION BY group_id ORDER BY first_ms < 946684800000, first_ms, generation_id), 1
  FROM sighting
  UNION ALL
  SELECT group_id, generation_id, 0, generation_id, first_ms >= 946684800000,
    row_number() OVER (PARTITION BY group_id ORDER BY generation_id), 5
  FROM sighting)
WHERE place <= most;
INSERT OR IGNORE INTO sample
SELECT group_id, generation_id, is_last, rank, is_believed, iif(is_last, last_ms, first_ms),
  iif(is_last, last_line, first_line), title, iif(is_last, last_raw, first_raw)
FROM chosen JOIN sighting USING (generation_id, group_id);
DROP TABLE chosen;

-- A group's events in one generation: the earliest and the latest.
CREATE TABLE span (
  generation_id INTEGER NOT NULL REFERENCES generation (id) ON DELETE CASCADE,
  group_id INTEGER NOT NULL REFERENCES error_group (id),
  events INTEGER NOT NULL,
  first_ms INTEGER NOT NULL,
  first_line INTEGER NOT NULL,
  last_ms INTEGER NOT NULL,
  last_line INTEGER NOT NULL,
  PRIMARY KEY (generation_id, group_id)
) STRICT, WITHOUT ROWID;
INSERT INTO span SELECT generation_id, group_id, events, first_ms, first_line, last_ms, last_line FROM sighting;
DROP TABLE sighting;
ALTER TABLE span RENAME TO sighting;
CREATE INDEX sighting_group ON sighting (group_id, last_ms, first_ms);
