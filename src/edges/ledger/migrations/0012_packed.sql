-- Groups by the small numbers that `counted` knows them by.
CREATE TABLE group_number (
  number INTEGER PRIMARY KEY,     -- from 1; 0 stands for events without a group
  group_id INTEGER NOT NULL UNIQUE
) STRICT;

-- The counts and the sightings of one generation, packed: partial::packed. What the tables `count` and `sighting` hold of
-- older ledgers is packed by the first that writes, which drops them.
CREATE TABLE counted (
  generation_id INTEGER PRIMARY KEY REFERENCES generation (id) ON DELETE CASCADE,
  groups BLOB NOT NULL,
  counts BLOB NOT NULL,
  spans BLOB NOT NULL
) STRICT;
