//! What each publish target holds, so that only changes are sent; and the outcome of the last try.

use std::collections::BTreeMap;

use rusqlite::params;
use serde::{Deserialize, Serialize};

use super::{Ledger, LedgerError, Result};
use gzette_core::model::UtcMs;

/// The checksum of a published file: BLAKE3 over its bytes and how they are served.
pub type PublishedChecksum = [u8; 32];

/// The fact that keeps [`PagesState`].
const PAGES: &str = "pages";

/// The state of the pages after they were last made.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PagesState {
    /// Where people see them: a publish target or the site's folder.
    pub place: String,
    /// When they were last made and put there whole.
    pub good_ms: Option<UtcMs>,
    /// Since when that fails.
    pub failed_ms: Option<UtcMs>,
    /// Why, as a clause; `None` when the last try did not fail.
    pub failure: Option<String>,
}

impl Ledger {
    /// Returns the state of the pages after they were last made; the default if the stored note is unreadable.
    pub fn pages(&self) -> Result<PagesState> {
        let text = self.fact(PAGES)?.unwrap_or_default();
        Ok(serde_json::from_str(&text).unwrap_or_default())
    }

    /// Records the state of the pages: whether `place` has those of `now_ms`, and what failed if something did.
    pub fn note_pages(
        &mut self,
        place: &str,
        are_there: bool,
        failure: Option<&str>,
        now_ms: UtcMs,
    ) -> Result<PagesState> {
        // What is known of another place says nothing of this one.
        let before = Some(self.pages()?).filter(|pages| pages.place == place).unwrap_or_default();
        let pages = PagesState {
            place: place.to_owned(),
            good_ms: if are_there { Some(now_ms) } else { before.good_ms },
            failed_ms: failure.map(|_| before.failed_ms.unwrap_or(now_ms)),
            failure: failure.map(str::to_owned),
        };
        self.set_fact(PAGES, &serde_json::to_string(&pages).unwrap_or_default())?;
        Ok(pages)
    }

    /// Returns the files at `target` by path; `None` where a write was started but never confirmed, so that
    /// it is unknown which bytes are there.
    pub fn published(&self, target: &str) -> Result<BTreeMap<String, Option<PublishedChecksum>>> {
        let mut statement =
            self.connection.prepare_cached("SELECT path, checksum FROM published WHERE target = ?1")?;
        let mut rows = statement.query([target])?;
        let mut files = BTreeMap::new();
        while let Some(row) = rows.next()? {
            let checksum: Vec<u8> = row.get(1)?;
            files.insert(row.get(0)?, known(&checksum)?);
        }
        Ok(files)
    }

    /// Marks files as about to be written. Until [`Ledger::confirm_published`], a crash leaves them
    /// unknown: they are sent again, and can still be deleted.
    pub fn begin_publish(&mut self, target: &str, paths: &[&str], now_ms: UtcMs) -> Result<()> {
        let files: Vec<(&str, &[u8])> = paths.iter().map(|&path| (path, [].as_slice())).collect();
        self.write_published(target, &files, now_ms)
    }

    /// Records files that have been written, with their checksums.
    pub fn confirm_published(
        &mut self,
        target: &str,
        files: &[(&str, PublishedChecksum)],
        now_ms: UtcMs,
    ) -> Result<()> {
        let files: Vec<(&str, &[u8])> =
            files.iter().map(|(path, checksum)| (*path, checksum.as_slice())).collect();
        self.write_published(target, &files, now_ms)
    }

    /// Forgets a file that has been deleted.
    pub fn forget_published(&mut self, target: &str, path: &str) -> Result<()> {
        self.connection
            .prepare_cached("DELETE FROM published WHERE target = ?1 AND path = ?2")?
            .execute([target, path])?;
        Ok(())
    }

    fn write_published(&mut self, target: &str, files: &[(&str, &[u8])], now_ms: UtcMs) -> Result<()> {
        let transaction = self.connection.transaction()?;
        {
            let mut statement = transaction.prepare_cached(
                "INSERT INTO published (target, path, checksum, published_ms) VALUES (?1, ?2, ?3, ?4)
                 ON CONFLICT (target, path) DO UPDATE SET checksum = ?3, published_ms = ?4",
            )?;
            for (path, checksum) in files {
                statement.execute(params![target, path, checksum, now_ms.get()])?;
            }
        }
        transaction.commit()?;
        Ok(())
    }
}

fn known(checksum: &[u8]) -> Result<Option<PublishedChecksum>> {
    if checksum.is_empty() {
        return Ok(None);
    }
    let unreadable = |_| LedgerError::Unreadable { what: "published.checksum" };
    checksum.try_into().map(Some).map_err(unreadable)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_that_fail_say_since_when_and_of_when_the_last_good_ones_are() {
        let mut ledger = Ledger::in_memory().unwrap();
        assert_eq!(ledger.pages().unwrap(), PagesState::default());
        ledger.note_pages("s3://a/", true, None, UtcMs::new(10)).unwrap();
        ledger.note_pages("s3://a/", false, Some("no answer"), UtcMs::new(20)).unwrap();
        let pages = ledger.note_pages("s3://a/", false, Some("denied"), UtcMs::new(30)).unwrap();
        assert_eq!((pages.good_ms, pages.failed_ms), (Some(UtcMs::new(10)), Some(UtcMs::new(20))));
        assert_eq!(ledger.pages().unwrap(), pages);
        let elsewhere = ledger.note_pages("s3://b/", false, Some("denied"), UtcMs::new(40)).unwrap();
        assert_eq!((elsewhere.good_ms, elsewhere.failed_ms), (None, Some(UtcMs::new(40))));
        let good = ledger.note_pages("s3://b/", true, None, UtcMs::new(50)).unwrap();
        assert_eq!((good.good_ms, good.failed_ms, good.failure), (Some(UtcMs::new(50)), None, None));
    }

    #[test]
    fn a_begun_write_is_unknown_until_it_is_confirmed() {
        let mut ledger = Ledger::in_memory().unwrap();
        ledger.begin_publish("t", &["a", "b"], UtcMs::new(1)).unwrap();
        ledger.confirm_published("t", &[("a", [7; 32])], UtcMs::new(2)).unwrap();
        let files = ledger.published("t").unwrap();
        assert_eq!(
            files.into_iter().collect::<Vec<_>>(),
            [("a".to_owned(), Some([7; 32])), ("b".to_owned(), None)]
        );
        ledger.begin_publish("t", &["a"], UtcMs::new(3)).unwrap();
        assert_eq!(ledger.published("t").unwrap()["a"], None);
        ledger.forget_published("t", "a").unwrap();
        assert_eq!(ledger.published("t").unwrap().len(), 1);
        assert!(ledger.published("other").unwrap().is_empty());
    }
}
