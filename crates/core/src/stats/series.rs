//! Events by ten-minute slot, sparse.

use std::ops::Range;

use crate::model::Slot;

/// Events by slot: sorted by slot, each slot once, none with zero events.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Series {
    points: Vec<(Slot, u64)>,
}

impl Series {
    /// Returns the series of points that come in the order of their slots; equal slots are added up.
    pub fn from_sorted(points: impl IntoIterator<Item = (Slot, u64)>) -> Self {
        let mut series = Self::default();
        for (slot, events) in points.into_iter().filter(|&(_, events)| events > 0) {
            match series.points.last_mut() {
                Some(last) if last.0 == slot => last.1 = last.1.saturating_add(events),
                _ => series.points.push((slot, events)),
            }
        }
        series
    }

    /// Returns the points inside `slots`.
    pub fn within(&self, slots: Range<Slot>) -> &[(Slot, u64)] {
        let from = self.points.partition_point(|&(slot, _)| slot < slots.start);
        let length = self.points[from..].partition_point(|&(slot, _)| slot < slots.end);
        &self.points[from..from + length]
    }

    /// Returns the events inside `slots`.
    pub fn sum(&self, slots: Range<Slot>) -> u64 {
        self.within(slots).iter().fold(0, |sum, &(_, events)| sum.saturating_add(events))
    }

    /// Returns the events of `number` stretches of `width` slots each, oldest first; the last one ends
    /// before `end`.
    pub fn stretches(&self, end: Slot, width: i64, number: usize) -> Vec<u64> {
        let start = end - width * number as i64;
        let mut sums = vec![0_u64; number];
        for &(slot, events) in self.within(start..end) {
            let sum = &mut sums[((slot - start) / width) as usize];
            *sum = sum.saturating_add(events);
        }
        sums
    }

    /// Returns the first slot inside `slots` that has events.
    pub fn first_in(&self, slots: Range<Slot>) -> Option<Slot> {
        self.within(slots).first().map(|&(slot, _)| slot)
    }

    /// Returns the last slot inside `slots` that has events.
    pub fn last_in(&self, slots: Range<Slot>) -> Option<Slot> {
        self.within(slots).last().map(|&(slot, _)| slot)
    }

    /// Returns all points.
    pub fn points(&self) -> &[(Slot, u64)] {
        &self.points
    }
}
