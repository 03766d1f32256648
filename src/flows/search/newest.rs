//! The newest lines of a search with a limit.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use super::Hit;
use super::plan::Task;
use gzette_core::model::UtcMs;

/// No more bytes of lines are held while newer ones may be found.
pub(super) const HELD_BYTES: usize = 8 << 20;

/// The newest hits seen so far, by (time, object, line), each with the number of its task.
pub(super) struct Newest {
    limit: usize,
    hits: BTreeMap<(UtcMs, Arc<str>, u64), (usize, Hit)>,
    /// The bytes in `hits`.
    held_bytes: usize,
}

impl Newest {
    pub(super) fn new(limit: usize) -> Self {
        Self { limit, hits: BTreeMap::new(), held_bytes: 0 }
    }

    pub(super) fn add(&mut self, task: usize, hits: Vec<Hit>) {
        for hit in hits {
            self.held_bytes += hit.raw.len();
            self.hits.insert((hit.time_ms, hit.object.clone(), hit.line), (task, hit));
            if self.hits.len() > self.limit {
                let oldest = self.hits.pop_first();
                self.held_bytes -= oldest.map_or(0, |(_, (_, hit))| hit.raw.len());
            }
            if self.held_bytes > HELD_BYTES {
                self.hits.values_mut().for_each(|(_, hit)| hit.forget());
                self.held_bytes = 0;
            }
        }
    }

    /// Whether no object from `next` on can hold a newer line than those kept.
    pub(super) fn is_settled(&self, next: Option<&Task>) -> bool {
        let oldest = self.hits.keys().next().filter(|_| self.hits.len() == self.limit);
        // Strictly older: lines of the same time are ordered by object and line, so an object that ends at that time
        // may still hold one.
        oldest.is_some_and(|oldest| next.is_none_or(|task| task.last_ms < oldest.0))
    }

    /// Returns the hits with their tasks, oldest first.
    pub(super) fn into_hits(self) -> Vec<(usize, Hit)> {
        self.hits.into_values().collect()
    }

    /// Returns the tasks with hits, that with the oldest hit first, and the lines of each.
    pub(super) fn into_places(self) -> Vec<(usize, HashSet<u64>)> {
        let mut places: Vec<(usize, HashSet<u64>)> = Vec::new();
        let mut place_of = HashMap::new();
        for (task, hit) in self.hits.into_values() {
            let place = *place_of.entry(task).or_insert(places.len());
            if place == places.len() {
                places.push((task, HashSet::new()));
            }
            places[place].1.insert(hit.line);
        }
        places
    }
}
