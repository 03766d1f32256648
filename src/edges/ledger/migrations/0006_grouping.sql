-- What the groups of a generation were made by: overrides::Basis, as a number. 0: by a version that did not say.
ALTER TABLE generation ADD COLUMN grouping INTEGER NOT NULL DEFAULT 0;
-- An id that events had under an earlier basis may be several groups now: with how many of its events, so that a link
-- leads to where most went.
DROP TABLE group_alias;
CREATE TABLE group_alias (
  old_id INTEGER NOT NULL,
  new_id INTEGER NOT NULL,
  events INTEGER NOT NULL,
  PRIMARY KEY (old_id, new_id)
) STRICT, WITHOUT ROWID;
