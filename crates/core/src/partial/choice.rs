//! Which raw lines of a group are kept: those of its first and its latest event, and of a few others. The choice is by where
//! the events are, so it is the same in whatever order objects come, and may be made of parts that were chosen from before.

use super::UtcMs;
use crate::model::GenerationId;

/// How many events are kept besides the first and the latest.
const VARIED: usize = 5;

/// The first or the last event of a group in a version of an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct End {
    /// The version.
    pub generation: GenerationId,
    /// Whether it is the last one, else the first.
    pub is_last: bool,
    /// The object's place in an order that has nothing to do with time: a hash of its key.
    pub rank: i64,
    /// Whether its stamp can be believed.
    pub is_believed: bool,
    /// When it happened.
    pub time_ms: UtcMs,
    /// The number of its first line.
    pub line: u64,
}

impl End {
    /// What the first event of a group has least of.
    fn early(&self) -> (bool, UtcMs, i64) {
        (!self.is_believed, self.time_ms, self.rank)
    }

    /// What the latest event of a group has most of.
    fn late(&self) -> (bool, UtcMs, i64) {
        (self.is_believed, self.time_ms, self.rank)
    }

    /// Whether a group whose samples were chosen with `gone` can be chosen again from what is left and this, an end of the
    /// version that replaces it: no other event can take the place of the one that has gone.
    pub fn replaces(&self, gone: &Self) -> bool {
        let is_at_least =
            if self.is_last { self.late() >= gone.late() } else { self.early() <= gone.early() };
        (self.is_last, self.rank) == (gone.is_last, gone.rank) && is_at_least
    }
}

/// Returns the ends of which raw lines are kept: the first event of all, the latest, and the first ones in the objects that
/// rank lowest. They are a spread over the group's objects that does not change when later ones come.
pub fn chosen(ends: &[End]) -> Vec<End> {
    let firsts = || ends.iter().filter(|end| !end.is_last);
    let mut varied: Vec<&End> = firsts().collect();
    varied.sort_unstable_by_key(|end| (end.rank, end.generation));
    varied.dedup();
    varied.truncate(VARIED);
    let latest = ends.iter().filter(|end| end.is_last).max_by_key(|end| end.late());
    let first = firsts().min_by_key(|end| end.early());
    let mut chosen: Vec<End> = varied.into_iter().chain(first).chain(latest).copied().collect();
    chosen.sort_unstable();
    chosen.dedup();
    chosen
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Both ends of a group's events in some objects, each with one version.
    fn ends() -> impl Strategy<Value = Vec<End>> {
        let sighting = (0_i64..40, 0_i64..9, 0_i64..9, any::<bool>(), any::<bool>());
        prop::collection::vec(sighting, 0..40).prop_map(|sightings| {
            let ends = sightings.into_iter().flat_map(|(number, from, more, is_early, is_late)| {
                let first = End {
                    generation: GenerationId(number),
                    is_last: false,
                    rank: number * 7 % 40,
                    is_believed: is_early,
                    time_ms: UtcMs::new(from),
                    line: 1,
                };
                let time_ms = UtcMs::new(from + more);
                [first, End { is_last: true, is_believed: is_late, time_ms, ..first }]
            });
            let mut ends: Vec<End> = ends.collect();
            ends.sort_unstable_by_key(|end| (end.generation, end.is_last));
            ends.dedup_by_key(|end| (end.generation, end.is_last));
            ends
        })
    }

    proptest! {
        #[test]
        fn parts_in_any_order_give_the_same(mut ends in ends(), seed: u64, at in 0_usize..80) {
            let whole = chosen(&ends);
            ends.sort_unstable_by_key(|end| (end.generation.0 as u64 ^ seed).wrapping_mul(seed | 1));
            let (one, other) = ends.split_at(at.min(ends.len()));
            let again = chosen(&[chosen(other), chosen(one)].concat());
            prop_assert_eq!(&again, &whole);
            prop_assert!(whole.len() <= VARIED + 2);
            prop_assert_eq!(whole.is_empty(), ends.is_empty());
        }

        #[test]
        fn what_is_replaced_needs_no_other(ends in ends(), of in any::<prop::sample::Index>(), later in -3_i64..9) {
            prop_assume!(!ends.is_empty());
            let gone = ends[of.index(ends.len())].generation;
            let (gone, left): (Vec<End>, Vec<End>) = ends.iter().partition(|end| end.generation == gone);
            let (was, new): (Vec<End>, Vec<End>) = gone
                .iter()
                .map(|end| (*end, End { generation: GenerationId(99), time_ms: end.time_ms + later, ..*end }))
                .unzip();
            let kept = chosen(&ends);
            let is_replaced = was.iter().filter(|end| kept.contains(end)).all(|was| new.iter().any(|new| new.replaces(was)));
            if is_replaced {
                let rest: Vec<End> = kept.iter().filter(|end| !was.contains(end)).copied().collect();
                prop_assert_eq!(chosen(&[rest, new.clone()].concat()), chosen(&[left, new].concat()));
            }
        }
    }

    #[test]
    fn an_event_of_a_wrong_clock_is_neither_first_nor_latest() {
        let end = |number, is_last, is_believed, time_ms| End {
            generation: GenerationId(number),
            is_last,
            rank: number,
            is_believed,
            time_ms: UtcMs::new(time_ms),
            line: 1,
        };
        let ends: Vec<End> = (0..9)
            .flat_map(|at| [end(at, false, at != 8, 100 - at), end(at, true, at != 7, 200 + at)])
            .collect();
        let kept = chosen(&ends);
        assert!(kept.contains(&ends[2 * 7]) && !kept.contains(&ends[2 * 8]), "{kept:?}");
        assert!(kept.contains(&ends[2 * 8 + 1]) && !kept.contains(&ends[2 * 7 + 1]), "{kept:?}");
    }
}
