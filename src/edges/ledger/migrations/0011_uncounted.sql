-- Versions that are in the mirror and may not be counted: an ingest looks at these, and not at all objects.
ALTER TABLE object ADD COLUMN uncounted INTEGER NOT NULL DEFAULT 0;
UPDATE object SET uncounted = 1 WHERE state = 'mirrored' AND NOT expired AND NOT EXISTS (SELECT 1 FROM generation
  WHERE object_id = object.id AND (generation.etag, generation.size_bytes) = (object.etag, object.size_bytes));
CREATE INDEX object_uncounted ON object (day, source_id, key) WHERE uncounted = 1;
-- What was read by other rules, and what was damaged, without a look at all versions.
CREATE INDEX generation_reading ON generation (grouping, parser_version);
CREATE INDEX generation_damaged ON generation (object_id) WHERE damage_reason IS NOT NULL;
-- What a search asks of every version, whatever is sought: ledger::outlines.
DROP INDEX generation_batch;
CREATE INDEX generation_outline
  ON generation (batch_id, app_id, object_id, indexed, blocks, duplicate_of, first_ms, last_ms);
