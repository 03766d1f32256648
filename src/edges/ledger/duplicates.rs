//! Objects with the same bytes: which of them counts.

use rusqlite::Connection;

use super::Result;

/// Among the generations of one application with these bytes, the smallest (source, key) counts.
/// Objects without a line are not duplicates of one another.
pub(super) fn mark_duplicates(connection: &Connection, checksum: &[u8]) -> Result<()> {
    // Nearly all objects differ from all others.
    let sql = "SELECT count(*) < 2 AND max(duplicate_of) IS NULL FROM generation WHERE checksum = ?1";
    if connection.prepare_cached(sql)?.query_row([checksum], |row| row.get(0))? {
        return Ok(());
    }
    connection
        .prepare_cached(
            // By name and key, not by time: the same copy counts in whatever order they arrived.
            "WITH ranked AS (
                SELECT generation.id, first_value(generation.id) OVER (
                    PARTITION BY generation.app_id ORDER BY source.name, object.key) AS counting
                FROM generation JOIN object ON object.id = generation.object_id
                JOIN source ON source.id = object.source_id
                WHERE generation.checksum = ?1 AND generation.lines > 0)
             UPDATE generation SET duplicate_of = nullif(ranked.counting, generation.id)
             FROM ranked WHERE ranked.id = generation.id",
        )?
        .execute([checksum])?;
    Ok(())
}
