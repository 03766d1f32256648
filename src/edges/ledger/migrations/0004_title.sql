-- What a group is called in this object: the title holds what the exception says, which may differ between events of one
-- group. NULL: as `error_group.title`, that of the first object that came.
ALTER TABLE sighting ADD COLUMN title TEXT;
