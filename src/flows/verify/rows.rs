//! The first row in which the stored counts of an object differ from a recount.

use std::collections::{BTreeMap, BTreeSet};

use gzette_core::human::{plural, time};
use gzette_core::model::GroupId;
use gzette_core::partial::{Partial, Sample, Sighting};

/// A row with both versions in words.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Row {
    /// Which one.
    pub(super) what: String,
    pub(super) ledger: String,
    pub(super) found: String,
}

/// Returns the first count that differs, if one does.
pub(super) fn counts(stored: &Partial, found: &Partial) -> Option<Row> {
    (stored.counts != found.counts)
        .then(|| first_count(stored, found).unwrap_or_else(|| in_other_words("counts")))
}

/// Returns the first error group that differs, if one does.
pub(super) fn sightings(stored: &Partial, found: &Partial) -> Option<Row> {
    let is_same = stored.sightings.len() == found.sightings.len()
        && stored.sightings.iter().zip(&found.sightings).all(|(kept, found)| found.is_kept_as(kept));
    (!is_same).then(|| first_sighting(stored, found).unwrap_or_else(|| in_other_words("error groups")))
}

/// Rows that differ in something that is not shown: their order, or bytes that are not text.
fn in_other_words(what: &str) -> Row {
    Row { what: what.to_owned(), ledger: "some bytes".to_owned(), found: "others".to_owned() }
}

fn first_count(stored: &Partial, found: &Partial) -> Option<Row> {
    let by_key = |partial: &Partial| -> BTreeMap<_, _> {
        partial.counts.iter().map(|row| ((row.group, row.level, row.slot), row.events)).collect()
    };
    let (stored, found) = (by_key(stored), by_key(found));
    let keys = differing(&stored, &found);
    let (group, level, slot) = *keys.first()?;
    let events = |rows: &BTreeMap<_, u64>| rows.get(&(group, level, slot)).map_or(0, |&events| events);
    Some(Row {
        what: format!(
            "counts, {}: {}, {}, slot {}",
            place_in(keys.len()),
            group.map_or("no group".to_owned(), |group| format!("group {group}")),
            level.name(),
            time(slot.begins())
        ),
        ledger: plural(events(&stored), "event"),
        found: plural(events(&found), "event"),
    })
}

/// Returns the first error group by the first of its parts that differs.
fn first_sighting(stored: &Partial, found: &Partial) -> Option<Row> {
    let by_id = |partial: &Partial| -> BTreeMap<GroupId, Sighting> {
        partial.sightings.iter().map(|sighting| (sighting.group.id, sighting.clone())).collect()
    };
    let (stored, mut found) = (by_id(stored), by_id(found));
    for (id, found) in &mut found {
        stored.get(id).into_iter().for_each(|kept| leave_out(found, kept));
    }
    let in_parts = |sightings: BTreeMap<GroupId, Sighting>| -> BTreeMap<GroupId, Vec<String>> {
        sightings.into_iter().map(|(id, sighting)| (id, parts(&sighting))).collect()
    };
    let (stored, found) = (in_parts(stored), in_parts(found));
    let ids = differing(&stored, &found);
    let id = ids.first()?;
    let (ledger, found) = match (stored.get(id), found.get(id)) {
        (Some(stored), Some(found)) => stored
            .iter()
            .zip(found)
            .find(|(stored, found)| stored != found)
            .map(|(a, b)| (a.clone(), b.clone()))?,
        (stored, found) => {
            let events =
                |parts: Option<&Vec<String>>| parts.map_or("none".to_owned(), |parts| parts[0].clone());
            (events(stored), events(found))
        }
    };
    Some(Row { what: format!("error groups, {}: {id}", place_in(ids.len())), ledger, found })
}

/// Empties what the ledger keeps of few sightings only, and not of this one.
fn leave_out(found: &mut Sighting, kept: &Sighting) {
    if kept.group.title.is_empty() {
        found.group.title.clear();
    }
    for (found, kept) in [(&mut found.first, &kept.first), (&mut found.last, &kept.last)] {
        if kept.raw.is_empty() {
            found.raw.clear();
        }
    }
}

/// Returns the keys whose values differ or that only one side has, in order.
fn differing<K: Copy + Ord, V: PartialEq>(stored: &BTreeMap<K, V>, found: &BTreeMap<K, V>) -> Vec<K> {
    let keys: BTreeSet<K> = stored.keys().chain(found.keys()).copied().collect();
    keys.into_iter().filter(|key| stored.get(key) != found.get(key)).collect()
}

/// `the first of 3 that differ`.
fn place_in(differing: usize) -> String {
    if differing == 1 { "one differs".to_owned() } else { format!("the first of {differing} that differ") }
}

fn parts(sighting: &Sighting) -> Vec<String> {
    let Sighting { group, events, first, last } = sighting;
    vec![
        plural(*events, "event"),
        format!("the first {}", place(first)),
        format!("the last {}", place(last)),
        format!("kind {}", group.kind.name()),
        format!("title `{}`", group.title),
        format!("template `{}`", group.template),
        format!("the first `{}`", String::from_utf8_lossy(&first.raw)),
        format!("the last `{}`", String::from_utf8_lossy(&last.raw)),
    ]
}

fn place(sample: &Sample) -> String {
    format!("{} in line {}", time(sample.time_ms), sample.line)
}

#[cfg(test)]
mod tests {
    use super::*;
    use gzette_core::model::{GroupKind, Grouped, Level, LineCounts, Slot, UtcMs};
    use gzette_core::partial::Count;

    fn partial() -> Partial {
        let id = GroupId::from_bits(1);
        let sample = |time_ms, line| Sample { time_ms, line, raw: b"boom".to_vec() };
        let group =
            Grouped { id, kind: GroupKind::Message, title: "boom".to_owned(), template: "boom".to_owned() };
        Partial {
            counts: vec![
                Count { group: None, level: Level::Info, slot: Slot::new(2_949_768), events: 7 },
                Count { group: Some(id), level: Level::Error, slot: Slot::new(2_949_768), events: 2 },
            ],
            sightings: vec![Sighting {
                group,
                events: 2,
                first: sample(UtcMs::new(1_769_860_800_000), 3),
                last: sample(UtcMs::new(1_769_860_860_000), 9),
            }],
            lines: LineCounts::default(),
            decoded_bytes: 0,
            checksum: [0; 32],
            damage: None,
            span_ms: None,
            blocks: 0,
            points: Vec::new(),
            answers: Vec::new(),
        }
    }

    fn words(row: Option<Row>) -> String {
        row.map_or(String::new(), |row| format!("{}: {} / {}", row.what, row.ledger, row.found))
    }

    #[test]
    fn the_first_count_that_differs_is_named() {
        let mut other = partial();
        assert_eq!(counts(&partial(), &other), None);
        other.counts[1].events = 3;
        assert_eq!(
            words(counts(&partial(), &other)),
            "counts, one differs: group aaaaaaaaaaab, error, slot 2026-01-31T12:00:00.000Z: 2 events / 3 events"
        );
        other.counts.remove(0);
        assert_eq!(
            words(counts(&partial(), &other)),
            "counts, the first of 2 that differ: no group, info, slot 2026-01-31T12:00:00.000Z: 7 events / 0 events"
        );
    }

    #[test]
    fn nothing_that_differs_goes_unsaid() {
        let (mut turned, mut other) = (partial(), partial());
        turned.counts.reverse();
        assert_eq!(words(counts(&partial(), &turned)), "counts: some bytes / others");
        (turned.sightings[0].first.raw, other.sightings[0].first.raw) = (vec![0xff], vec![0xfe]);
        assert_eq!(words(sightings(&turned, &other)), "error groups: some bytes / others");
    }

    #[test]
    fn the_first_group_that_differs_is_named_with_what_does() {
        let mut other = partial();
        assert_eq!(sightings(&partial(), &other), None);
        other.sightings[0].last.raw = b"bang".to_vec();
        assert_eq!(
            words(sightings(&partial(), &other)),
            "error groups, one differs: aaaaaaaaaaab: the last `boom` / the last `bang`"
        );
        other.sightings.clear();
        assert_eq!(
            words(sightings(&partial(), &other)),
            "error groups, one differs: aaaaaaaaaaab: 2 events / none"
        );
    }
}
