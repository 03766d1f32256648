//! A sum by key that is cheap to add to and no larger than its keys.

/// The fewest items to sort at a time.
const MIN_ROOM: usize = 1 << 14;

/// Numbers added up by key: appended, and sorted and merged whenever the pile has doubled.
#[derive(Debug)]
pub(super) struct Pile<K> {
    items: Vec<(K, u64)>,
    room: usize,
}

impl<K> Default for Pile<K> {
    fn default() -> Self {
        Self { items: Vec::new(), room: MIN_ROOM }
    }
}

impl<K: Copy + Ord> Pile<K> {
    /// Adds `number` to what `key` has.
    pub(super) fn add(&mut self, key: K, number: u64) {
        if let Some(last) = self.items.last_mut().filter(|last| last.0 == key) {
            last.1 = last.1.saturating_add(number);
            return;
        }
        if self.items.len() >= self.room {
            self.merge();
            self.room = MIN_ROOM.max(2 * self.items.len());
        }
        self.items.push((key, number));
    }

    /// Returns the sums in the order of their keys.
    pub(super) fn into_sorted(mut self) -> Vec<(K, u64)> {
        self.merge();
        self.items
    }

    fn merge(&mut self) {
        self.items.sort_unstable_by_key(|item| item.0);
        self.items.dedup_by(|later, kept| {
            let same = later.0 == kept.0;
            if same {
                kept.1 = kept.1.saturating_add(later.1);
            }
            same
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pile_is_no_larger_than_its_keys() {
        let mut pile = Pile::default();
        for turn in 0..200_000_u64 {
            pile.add(turn % 1_000, 1);
        }
        assert!(pile.items.capacity() <= 2 * MIN_ROOM);
        let sums = pile.into_sorted();
        assert_eq!(sums.len(), 1_000);
        assert!(sums.iter().enumerate().all(|(at, &(key, sum))| key == at as u64 && sum == 200));
    }
}
