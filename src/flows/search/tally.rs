//! Counting found lines: by what they hold, and over time. Both in bounded memory.

use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use gzette_core::model::{DAY_MS, HOUR_MS, MINUTE_MS, UtcMs, Window};

/// At most this many different keys are counted separately.
const MAX_KEYS: usize = 10_000;
/// At most this many counts over time are held; beyond that, neighbours are merged.
const MAX_BUCKETS: usize = 4096;

/// One part of what lines are counted by.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Part {
    /// The start of an hour or a day.
    Time(UtcMs),
    /// A name or a value.
    Text(Arc<str>),
    /// The line has none.
    None,
}

/// The counts by key.
#[derive(Default)]
pub struct Tally {
    counts: HashMap<Vec<Part>, u64>,
    other: u64,
}

impl Tally {
    /// Counts a line. Once there are very many keys, lines with new ones are counted together.
    pub fn add(&mut self, key: Vec<Part>) {
        if let Some(count) = self.counts.get_mut(&key) {
            *count += 1;
        } else if self.counts.len() < MAX_KEYS {
            self.counts.insert(key, 1);
        } else {
            self.other += 1;
        }
    }

    /// Returns the counts, by times where keys have such, then the largest first, and the lines of further keys.
    pub fn into_rows(self) -> (Vec<(Vec<Part>, u64)>, u64) {
        let mut rows: Vec<_> = self.counts.into_iter().collect();
        let times = |key: &[Part]| -> Vec<Part> {
            key.iter().filter(|part| matches!(part, Part::Time(_))).cloned().collect()
        };
        rows.sort_by_cached_key(|(key, count)| (times(key), Reverse(*count), key.clone()));
        (rows, self.other)
    }
}

/// The widths that a bucket of a histogram may have, each a multiple of the one before.
const WIDTHS_MS: [i64; 15] = [
    1_000,
    5_000,
    10_000,
    30_000,
    MINUTE_MS,
    5 * MINUTE_MS,
    10 * MINUTE_MS,
    30 * MINUTE_MS,
    HOUR_MS,
    3 * HOUR_MS,
    6 * HOUR_MS,
    12 * HOUR_MS,
    DAY_MS,
    7 * DAY_MS,
    28 * DAY_MS,
];

/// The counts over time.
#[derive(Default)]
pub struct Histogram {
    width: usize,
    counts: BTreeMap<i64, u64>,
}

/// A histogram's buckets, with those that are empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Buckets {
    /// How long each is.
    pub width_ms: i64,
    /// The start of each, and its lines.
    pub buckets: Vec<(UtcMs, u64)>,
}

impl Histogram {
    /// Counts a line.
    pub fn add(&mut self, time_ms: UtcMs) {
        *self.counts.entry(time_ms.stretch(width_ms(self.width))).or_default() += 1;
        while self.counts.len() > MAX_BUCKETS {
            self.widen();
        }
    }

    /// Returns at most `rows` buckets (at least two), which cover the lines and the bounded ends of the window.
    pub fn into_buckets(mut self, window: Window, rows: usize) -> Buckets {
        // Two at least: no width is so large that times before and after 1970 share a bucket, so with one row
        // this would never end.
        let rows = rows.max(2) as i64;
        loop {
            let width_ms = width_ms(self.width);
            let bounds = self.counts.keys().next().copied().zip(self.counts.keys().next_back().copied());
            let begin = (window.start_ms != UtcMs::MIN).then(|| window.start_ms.stretch(width_ms));
            // The end of the window is not in it.
            let end = (window.end_ms != UtcMs::MAX).then(|| (window.end_ms - 1).stretch(width_ms));
            let first = begin.into_iter().chain(bounds.map(|bounds| bounds.0)).min();
            let last = end.into_iter().chain(bounds.map(|bounds| bounds.1)).max();
            let (Some(first), Some(last)) = (first, last) else {
                return Buckets { width_ms, buckets: Vec::new() };
            };
            if last - first < rows {
                let count = |at| self.counts.get(&at).copied().unwrap_or(0);
                let buckets = (first..=last).map(|at| (UtcMs::EPOCH + at * width_ms, count(at))).collect();
                return Buckets { width_ms, buckets };
            }
            self.widen();
        }
    }

    fn widen(&mut self) {
        let factor = width_ms(self.width + 1) / width_ms(self.width);
        self.width += 1;
        let mut wider = BTreeMap::new();
        for (at, count) in std::mem::take(&mut self.counts) {
            *wider.entry(at.div_euclid(factor)).or_default() += count;
        }
        self.counts = wider;
    }
}

/// Returns a width; after the last named one, each is twice the one before.
fn width_ms(number: usize) -> i64 {
    match WIDTHS_MS.get(number) {
        Some(width_ms) => *width_ms,
        // A log may name any year.
        None => WIDTHS_MS[WIDTHS_MS.len() - 1] << (number + 1 - WIDTHS_MS.len()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_width_is_a_multiple_of_the_one_before() {
        for number in 1..25 {
            assert_eq!(width_ms(number) % width_ms(number - 1), 0, "{number}");
            assert!(width_ms(number) > width_ms(number - 1));
        }
    }

    #[test]
    fn nothing_is_lost_where_there_are_very_many() {
        let mut tally = Tally::default();
        let mut histogram = Histogram::default();
        for number in 0..25_000_i64 {
            tally.add(vec![Part::Text((number % 12_500).to_string().into())]);
            histogram.add(UtcMs::new(number * 7_777 - 50_000_000));
        }
        assert!(histogram.counts.len() <= MAX_BUCKETS);
        let (rows, other) = tally.into_rows();
        assert_eq!((rows.len(), other), (MAX_KEYS, 5_000));
        assert!(rows.iter().all(|row| row.1 == 2));
        let buckets = histogram.into_buckets(Window::ALL, 40).buckets;
        assert!((10..=40).contains(&buckets.len()), "{}", buckets.len());
        assert_eq!(buckets.iter().map(|bucket| bucket.1).sum::<u64>(), 25_000);
        assert!(buckets.is_sorted());
    }

    #[test]
    fn buckets_cover_the_window_or_what_was_found_with_gaps() {
        let hist = |times: &[i64]| {
            let mut histogram = Histogram::default();
            for &time_ms in times {
                histogram.add(UtcMs::new(time_ms));
            }
            histogram
        };
        let found = hist(&[0, 1, 2_000]).into_buckets(Window::ALL, 40);
        assert_eq!(
            found,
            Buckets {
                width_ms: 1_000,
                buckets: [(0, 2), (1_000, 0), (2_000, 1)].map(|(at, lines)| (UtcMs::new(at), lines)).to_vec()
            }
        );
        let window = Window { start_ms: UtcMs::EPOCH, end_ms: UtcMs::new(4 * HOUR_MS) };
        let found = hist(&[HOUR_MS]).into_buckets(window, 40);
        assert_eq!((found.width_ms, found.buckets.len()), (10 * MINUTE_MS, 24));
        assert_eq!(found.buckets[6], (UtcMs::new(HOUR_MS), 1));
        assert_eq!(hist(&[]).into_buckets(Window::ALL, 40).buckets, []);
        let far = hist(&[i64::MIN / 2, i64::MAX / 2]).into_buckets(Window::ALL, 40).buckets;
        assert_eq!(far.iter().map(|bucket| bucket.1).sum::<u64>(), 2);
    }
}
