//! The counts and the sightings of one object as bytes: about five and ten bytes for a group with one event, where rows of a
//! database take a hundred. Groups are numbers that the ledger gives them.
//!
//! Three parts, so that who asks only which groups an object has reads a tenth. All numbers are LEB128; what may be negative
//! is zigzag first.
//!
//! - groups: the numbers in ascending order, each as its distance to the one before; 0 stands for events without a group.
//! - counts: the base, the first slot of all; then for each group how many counts it has, and for each count the slot after
//!   the base, the level and whether there is more than one event in one number, and if so how many less two.
//! - spans: the base, the earliest time of all; then for each group its events (0: it was not sighted), and if it has any the
//!   first time after the base, its line, the last time after the first, and its line after that of the first.

use std::collections::BTreeMap;

use super::UtcMs;
use crate::model::{Level, Slot};

/// The bits of a count beside its slot: three of the level, one that says whether a number of events follows.
const COUNT_BITS: u32 = 4;

/// The number of a group in a ledger. 0 stands for events without a group.
pub type GroupNumber = u32;

/// Where a group's events are in an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// How many events, at least one.
    pub events: u64,
    /// The time and the line of the earliest.
    pub first: (UtcMs, u64),
    /// The same of the latest.
    pub last: (UtcMs, u64),
}

/// What an object holds of a group.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GroupPart {
    /// Events by level and slot, in order.
    pub counts: Vec<(Level, Slot, u64)>,
    /// Where they are.
    pub span: Option<Span>,
}

/// Counts and sightings as bytes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Packed {
    /// Which groups.
    pub groups: Vec<u8>,
    /// Their counts.
    pub counts: Vec<u8>,
    /// Their spans.
    pub spans: Vec<u8>,
}

/// Bytes that [`Packed::of`] does not write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Malformed;

impl Packed {
    /// Packs what an object holds. A slot is the slot of a time.
    pub fn of(parts: &BTreeMap<GroupNumber, GroupPart>) -> Self {
        let mut packed = Self::default();
        packed.put_groups(parts);
        packed.put_counts(parts);
        packed.put_spans(parts);
        packed
    }

    fn put_groups(&mut self, parts: &BTreeMap<GroupNumber, GroupPart>) {
        let mut before = 0;
        for &number in parts.keys() {
            put(&mut self.groups, u64::from(number - before));
            before = number;
        }
    }

    fn put_counts(&mut self, parts: &BTreeMap<GroupNumber, GroupPart>) {
        let slots = parts.values().flat_map(|part| &part.counts).map(|count| count.1);
        let base = slots.min().unwrap_or(Slot::new(0));
        put(&mut self.counts, zigzag(base.number()));
        for part in parts.values() {
            put(&mut self.counts, part.counts.len() as u64);
            for &(level, slot, events) in &part.counts {
                let offset = slot.number().wrapping_sub(base.number()) as u64;
                let beside = u64::from(level as u8) << 1 | u64::from(events != 1);
                put(&mut self.counts, offset << COUNT_BITS | beside);
                if events != 1 {
                    put(&mut self.counts, events.wrapping_sub(2));
                }
            }
        }
    }

    fn put_spans(&mut self, parts: &BTreeMap<GroupNumber, GroupPart>) {
        let spans = || parts.values().filter_map(|part| part.span);
        let Some(base) = spans().map(|span| span.first.0.get()).min() else { return };
        put(&mut self.spans, zigzag(base));
        for part in parts.values() {
            let Some(Span { events, first, last }) = part.span else {
                self.spans.push(0);
                continue;
            };
            put(&mut self.spans, events);
            put(&mut self.spans, zigzag(first.0.get().wrapping_sub(base)));
            put(&mut self.spans, first.1);
            put(&mut self.spans, zigzag(last.0.get().wrapping_sub(first.0.get())));
            put(&mut self.spans, zigzag(last.1.wrapping_sub(first.1) as i64));
        }
    }
}

/// Calls `visit` with each group of the first part.
pub fn each_group(groups: &[u8], mut visit: impl FnMut(GroupNumber)) -> Result<(), Malformed> {
    let mut groups = Groups::new(groups);
    while let Some(number) = groups.next()? {
        visit(number);
    }
    Ok(())
}

/// Calls `visit` with each count: group, level, slot and events.
pub fn each_count(
    groups: &[u8],
    counts: &[u8],
    mut visit: impl FnMut(GroupNumber, Level, Slot, u64),
) -> Result<(), Malformed> {
    let (mut groups, mut counts) = (Groups::new(groups), Numbers(counts));
    let base = counts.signed()?;
    while let Some(number) = groups.next()? {
        for _ in 0..counts.next()? {
            let count = counts.next()?;
            let events = if count & 1 == 0 { 1 } else { counts.next()?.wrapping_add(2) };
            let slot = Slot::new(base.wrapping_add((count >> COUNT_BITS) as i64));
            visit(number, Level::from_number((count >> 1 & 7) as u8), slot, events);
        }
    }
    Ok(())
}

/// Calls `visit` with each span and its group.
pub fn each_span(
    groups: &[u8],
    spans: &[u8],
    mut visit: impl FnMut(GroupNumber, Span),
) -> Result<(), Malformed> {
    if spans.is_empty() {
        return Ok(());
    }
    let (mut groups, mut spans) = (Groups::new(groups), Numbers(spans));
    let base = spans.signed()?;
    while let Some(number) = groups.next()? {
        let events = spans.next()?;
        if events == 0 {
            continue;
        }
        let first = (base.wrapping_add(spans.signed()?), spans.next()?);
        let last = (first.0.wrapping_add(spans.signed()?), first.1.wrapping_add(spans.signed()? as u64));
        let place = |(time_ms, line)| (UtcMs::new(time_ms), line);
        visit(number, Span { events, first: place(first), last: place(last) });
    }
    Ok(())
}

/// The numbers of groups, as they are read.
struct Groups<'b> {
    distances: Numbers<'b>,
    before: GroupNumber,
}

impl<'b> Groups<'b> {
    fn new(bytes: &'b [u8]) -> Self {
        Self { distances: Numbers(bytes), before: 0 }
    }

    fn next(&mut self) -> Result<Option<GroupNumber>, Malformed> {
        if self.distances.0.is_empty() {
            return Ok(None);
        }
        let distance = GroupNumber::try_from(self.distances.next()?).map_err(|_| Malformed)?;
        self.before = self.before.checked_add(distance).ok_or(Malformed)?;
        Ok(Some(self.before))
    }
}

/// Bytes that are read number by number.
struct Numbers<'b>(&'b [u8]);

impl Numbers<'_> {
    #[inline]
    fn next(&mut self) -> Result<u64, Malformed> {
        let mut number = 0;
        for (at, &byte) in self.0.iter().enumerate().take(10) {
            number |= u64::from(byte & 0x7f) << (7 * at);
            if byte < 0x80 {
                self.0 = &self.0[at + 1..];
                return Ok(number);
            }
        }
        Err(Malformed)
    }

    fn signed(&mut self) -> Result<i64, Malformed> {
        let number = self.next()?;
        Ok((number >> 1) as i64 ^ -((number & 1) as i64))
    }
}

fn put(bytes: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        bytes.push(number as u8 | 0x80);
        number >>= 7;
    }
    bytes.push(number as u8);
}

fn zigzag(number: i64) -> u64 {
    (number << 1 ^ number >> 63) as u64
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn part() -> impl Strategy<Value = GroupPart> {
        let level = prop::sample::select(&Level::ALL[..]);
        let slot = prop_oneof![2_900_000_i64..2_900_300, -(1_i64 << 44)..1 << 44];
        let events = prop_oneof![Just(1_u64), 1_u64..300, any::<u64>()];
        let counts = prop::collection::vec((level, slot.prop_map(Slot::new), events), 0..5);
        let place = || (any::<i64>().prop_map(UtcMs::new), any::<u64>());
        let span = (1_u64.., place(), place()).prop_map(|(events, first, last)| Span { events, first, last });
        (counts, prop::option::of(span)).prop_map(|(counts, span)| GroupPart { counts, span })
    }

    type Parts = BTreeMap<GroupNumber, GroupPart>;

    fn parts() -> impl Strategy<Value = Parts> {
        let number = prop_oneof![0_u32..300, any::<u32>()];
        prop::collection::btree_map(number, part(), 0..20)
    }

    fn unpacked(packed: &Packed) -> Result<Parts, Malformed> {
        let mut parts = Parts::new();
        each_group(&packed.groups, |number| {
            parts.entry(number).or_default();
        })?;
        each_count(&packed.groups, &packed.counts, |number, level, slot, events| {
            parts.entry(number).or_default().counts.push((level, slot, events));
        })?;
        each_span(&packed.groups, &packed.spans, |number, span| {
            parts.entry(number).or_default().span = Some(span);
        })?;
        Ok(parts)
    }

    proptest! {
        #[test]
        fn what_is_packed_comes_back(parts in parts()) {
            prop_assert_eq!(unpacked(&Packed::of(&parts)).unwrap(), parts);
        }

        /// A damaged row is an error or other numbers, and never more of them than it has bytes.
        #[test]
        fn any_bytes_are_read_or_refused(
            groups in prop::collection::vec(any::<u8>(), 0..40),
            counts in prop::collection::vec(any::<u8>(), 0..80),
            spans in prop::collection::vec(any::<u8>(), 0..80),
        ) {
            let mut number = 0;
            let _ = each_count(&groups, &counts, |_, _, _, _| number += 1);
            prop_assert!(number <= counts.len());
            let _ = each_span(&groups, &spans, |_, _| number += 1);
            prop_assert!(number <= counts.len() + spans.len());
        }

        #[test]
        fn what_is_cut_is_refused(parts in parts(), from_end in 1_usize..9) {
            let packed = Packed::of(&parts);
            let cut = |bytes: &[u8]| bytes[..bytes.len().saturating_sub(from_end)].to_vec();
            let counts = cut(&packed.counts);
            let is_refused = each_count(&packed.groups, &counts, |_, _, _, _| ()).is_err();
            prop_assert!(is_refused);
            if packed.spans.len() > from_end {
                let spans = cut(&packed.spans);
                let is_refused = each_span(&packed.groups, &spans, |_, _| ()).is_err();
                prop_assert!(is_refused);
            }
        }
    }

    #[test]
    fn a_group_with_one_event_takes_few_bytes() {
        let one = |number: i64| GroupPart {
            counts: vec![(Level::Error, Slot::new(2_949_768 + number % 144), 1)],
            span: Some(Span {
                events: 1,
                first: (UtcMs::new(1_769_860_800_000 + number * 17_000), number as u64 + 1),
                last: (UtcMs::new(1_769_860_800_000 + number * 17_000), number as u64 + 1),
            }),
        };
        let packed = Packed::of(&(1..=5000).map(|number| (number, one(number.into()))).collect());
        let bytes = packed.groups.len() + packed.counts.len() + packed.spans.len();
        assert!(bytes < 5000 * 14, "{bytes}");
    }
}
