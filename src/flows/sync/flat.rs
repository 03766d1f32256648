//! One listing of everything below a source, where that takes far fewer requests than its many prefixes. It changes nothing
//! else: the survey asks for the same prefixes, and each answer is cut out of the one listing. When it fails, or is longer
//! than expected, the prefixes are listed one by one, as they are otherwise.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::sync::OnceCell;
use tokio::time::timeout;

use crate::edges::store::{Listing, ObjectStore};
use gzette_core::model::{DAY_MS, ListedObject, UtcMs};
use gzette_core::plan::{ListTask, Prices, Why};

/// Fewer requests than this are not worth another way of listing.
const MANY_PREFIXES: u64 = 100;
/// The pages of one listing follow one another, while so many prefixes are listed at a time.
const PREFIXES_A_PAGE: u64 = 8;
/// The most pages: what they hold is kept in memory, at about 150 bytes a key.
const MOST_PAGES: u64 = 100;
/// How long such a listing may keep the prefixes waiting.
const WAIT: Duration = Duration::from_secs(20);

/// A listing of everything below a prefix, made when the first answer is asked for.
pub(super) struct Flat {
    root: String,
    most_pages: u64,
    is_asked: AtomicBool,
    all: OnceCell<Option<Vec<ListedObject>>>,
}

impl Flat {
    /// Returns the listing of a source that is worth its price; `None` where prefixes are cheaper, or where it was refused
    /// less than a day ago.
    pub(super) fn new(
        root: String,
        prices: Prices,
        refused_ms: Option<UtcMs>,
        now_ms: UtcMs,
    ) -> Option<Self> {
        let most_pages = (prices.by_prefix / PREFIXES_A_PAGE).min(MOST_PAGES);
        let is_cheaper = prices.by_prefix >= MANY_PREFIXES && prices.flat <= most_pages;
        // A time in the future comes from a wrong clock.
        let is_refused = refused_ms.is_some_and(|since_ms| since_ms <= now_ms && now_ms - since_ms < DAY_MS);
        (is_cheaper && !is_refused).then(|| Self {
            root,
            most_pages,
            is_asked: AtomicBool::new(false),
            all: OnceCell::new(),
        })
    }

    /// Returns what the listing of a prefix would answer; `None` if that has to be asked for.
    pub(super) async fn answer(&self, store: &dyn ObjectStore, task: &ListTask) -> Option<Listing> {
        // What is listed again has changed since.
        if task.why == Why::Again || !task.prefix.starts_with(&self.root) {
            return None;
        }
        let all = self.all.get_or_init(|| self.list(store)).await;
        Some(below(all.as_deref()?, &task.prefix, task.delimited))
    }

    /// Returns whether it was asked for in vain, also when the run ended before the answer: with a short `--deadline`, a
    /// listing that hangs would otherwise keep the prefixes waiting in every run.
    pub(super) fn is_refused(&self) -> bool {
        self.is_asked.load(Ordering::Relaxed) && self.all.get().is_none_or(Option::is_none)
    }

    async fn list(&self, store: &dyn ObjectStore) -> Option<Vec<ListedObject>> {
        self.is_asked.store(true, Ordering::Relaxed);
        // Why it fails is of no interest: the prefixes that are listed instead fail with the same reason, or do not.
        let listing = timeout(WAIT, store.list_within(&self.root, self.most_pages)).await.ok()?.ok()??;
        let is_inside = listing.objects.iter().all(|object| object.key.starts_with(&self.root));
        is_inside.then_some(listing.objects)
    }
}

/// Returns the name of the fact that says when a source's one listing was refused.
pub(super) fn refused_fact(source_id: i64) -> String {
    format!("flat_refused:{source_id}")
}

/// Returns the listing of a prefix, cut out of one of everything in the order of keys.
fn below(all: &[ListedObject], prefix: &str, delimited: bool) -> Listing {
    let start = all.partition_point(|object| object.key.as_str() < prefix);
    let inside = all[start..].iter().take_while(|object| object.key.starts_with(prefix));
    let mut listing = Listing::default();
    for object in inside {
        match object.key[prefix.len()..].find('/').filter(|_| delimited) {
            Some(slash) => {
                let folder = &object.key[..=prefix.len() + slash];
                if listing.prefixes.last().is_none_or(|last| last != folder) {
                    listing.prefixes.push(folder.to_owned());
                }
            }
            None => listing.objects.push(object.clone()),
        }
    }
    listing
}

#[cfg(test)]
mod tests {
    use std::task::{Context, Waker};

    use proptest::prelude::*;

    use super::*;
    use crate::edges::store::{MemoryStore, PutOptions};

    proptest! {
        #[test]
        fn an_answer_is_what_the_listing_of_the_prefix_would_be(
            keys in prop::collection::btree_set("[ab/0-]{1,7}", 0..20),
            prefixes in prop::collection::vec("([ab0]{1,2}/){0,2}", 1..8),
        ) {
            let store = MemoryStore::default();
            let work = async {
                for key in &keys {
                    store.put(key, Vec::new(), &PutOptions::default()).await.unwrap();
                }
                let all = store.list("", false).await.unwrap().objects;
                for prefix in &prefixes {
                    for delimited in [false, true] {
                        assert_eq!(below(&all, prefix, delimited), store.list(prefix, delimited).await.unwrap());
                    }
                }
            };
            tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(work);
        }
    }

    #[test]
    fn a_listing_that_was_cut_off_is_refused() {
        let prices = Prices { by_prefix: 6001, flat: 4 };
        let flat = Flat::new(String::new(), prices, None, UtcMs::EPOCH).unwrap();
        assert!(!flat.is_refused(), "nothing was asked");
        let store = MemoryStore::default();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        let guard = runtime.enter();
        let mut asked = Box::pin(flat.list(&store));
        drop(asked.as_mut().poll(&mut Context::from_waker(Waker::noop())));
        drop((asked, guard));
        assert!(flat.is_refused());
    }

    #[test]
    fn many_prefixes_with_few_objects_are_worth_one_listing() {
        let now_ms = UtcMs::new(5 * DAY_MS);
        let is_worth = |by_prefix, flat, refused_ms: Option<i64>| {
            Flat::new(String::new(), Prices { by_prefix, flat }, refused_ms.map(UtcMs::new), now_ms).is_some()
        };
        assert!(is_worth(6001, 4, None));
        assert!(!is_worth(99, 1, None), "few prefixes");
        assert!(!is_worth(400, 51, None), "eight prefixes are listed while one page follows another");
        assert!(!is_worth(100_000, 101, None), "more than is kept in memory");
        assert!(!is_worth(6001, 4, Some(4 * DAY_MS + 1)), "refused today");
        assert!(is_worth(6001, 4, Some(4 * DAY_MS)) && is_worth(6001, 4, Some(6 * DAY_MS)));
    }
}
