//! Groups of an object whose lines are no longer there: what the samples that were kept of it say.

use std::borrow::Cow;
use std::collections::BTreeMap;

use super::{About, EventGrouper, Partial, ReadSettings, SAMPLE_BYTES, Sighting};
use crate::events::{Line, Reader, Step};
use crate::model::{GroupId, Grouped, UtcMs};

impl Partial {
    /// Returns the partial with the groups that its samples have by `settings`: all events of a group go where its
    /// latest one does. The answers say where that is. `elsewhere` gives lines of a group in another object, for groups
    /// of which this one has none.
    #[must_use]
    pub fn regrouped(
        mut self,
        settings: &ReadSettings,
        about: &About<'_>,
        elsewhere: impl Fn(GroupId) -> Option<Vec<u8>>,
    ) -> Self {
        let mut groups: BTreeMap<GroupId, GroupId> = BTreeMap::new();
        let mut sightings: BTreeMap<GroupId, Sighting> = BTreeMap::new();
        for mut sighting in std::mem::take(&mut self.sightings) {
            let old = sighting.group.id;
            let raw = Some(&sighting.last.raw).filter(|raw| !raw.is_empty()).map(Cow::Borrowed);
            let raw = raw.or_else(|| elsewhere(old).map(Cow::Owned));
            let group = raw.and_then(|raw| group_of_sample(&raw, settings, about));
            sighting.group = group.unwrap_or(sighting.group);
            let new = sighting.group.id;
            groups.insert(old, new);
            self.answers.push((sighting.last.line, new));
            match sightings.remove(&new) {
                Some(other) => sightings.insert(new, other.joined(sighting)),
                None => sightings.insert(new, sighting),
            };
        }
        self.sightings = sightings.into_values().collect();
        self.answers.sort_unstable();
        let mut counts = BTreeMap::new();
        for count in std::mem::take(&mut self.counts) {
            let group = count.group.map(|old| groups.get(&old).copied().unwrap_or(old));
            let count = super::Count { group, ..count };
            // Two old groups that are one now have their counts added: a partial counts each slot of a group once.
            let key = (count.group, count.level, count.slot);
            counts.entry(key).or_insert(super::Count { events: 0, ..count }).events += count.events;
        }
        self.counts = counts.into_values().collect();
        self
    }
}

impl Sighting {
    /// Returns one of the events of both.
    fn joined(self, other: Self) -> Self {
        let by_place = |sample: &super::Sample| (sample.time_ms, sample.line);
        let first = if by_place(&self.first) <= by_place(&other.first) { self.first } else { other.first };
        let (last, group) = if by_place(&self.last) >= by_place(&other.last) {
            (self.last, self.group)
        } else {
            (other.last, other.group)
        };
        Self { group, events: self.events + other.events, first, last }
    }
}

/// Returns the group of an event from the lines that a sample kept of it.
fn group_of_sample(raw: &[u8], settings: &ReadSettings, about: &About<'_>) -> Option<Grouped> {
    let mut reader = Reader::new(&settings.parse, about.day, UtcMs::EPOCH);
    let mut grouper = EventGrouper::new(settings, about);
    let mut first = None;
    let mut group = None;
    // A sample that has its full length was cut, most likely in its last line, which must not be parsed as if
    // it were whole.
    let cut_at =
        if raw.len() >= SAMPLE_BYTES { 1 + memchr::memchr_iter(b'\n', raw).count() as u64 } else { 0 };
    let mut told = |step: Step<'_>| match step {
        Step::Begins(begun) if first.is_none() => {
            first = Some(begun.slot);
            grouper.begin(&begun);
        }
        Step::Continues(continued) if first == Some(continued.slot) && group.is_none() => {
            grouper.add(&continued);
        }
        Step::Ends { slot } if first == Some(slot) && group.is_none() => {
            group = Some(grouper.close(slot).map(|(group, _)| group));
        }
        _ => {}
    };
    for (number, bytes) in (1..).zip(raw.split(|&byte| byte == b'\n')) {
        reader.read(&Line { number, bytes, is_cut: number == cut_at }, &mut told);
    }
    reader.end(&mut told);
    group.flatten()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::custom::{CustomGroup, CustomGrouping};
    use crate::partial::read_object;
    use crate::query::Expr;
    use std::io;
    use std::sync::Arc;

    const TEXT: &str = r#"{"time":"2026-03-01T10:00:00Z","level":"ERROR","message":"disk 7 full"}
{"time":"2026-03-01T10:01:00Z","level":"INFO","message":"fine"}
{"time":"2026-03-01T10:02:00Z","level":"ERROR","message":"quota exceeded"}
{"time":"2026-03-01T10:03:00Z","level":"ERROR","message":"disk 8 full"}
{"time":"2026-03-01T10:30:00Z","level":"ERROR","message":"a.B: c\n\tat com.acme.X.y(X.java:1)"}
"#;

    fn read(settings: &ReadSettings) -> Partial {
        read_object::<_, io::Error>(TEXT.as_bytes(), settings, &About::default(), |_, _| Ok(())).unwrap()
    }

    #[test]
    fn samples_say_what_the_lines_would() {
        let before = read(&ReadSettings::default());
        let unchanged = before.clone().regrouped(&ReadSettings::default(), &About::default(), |_| None);
        assert_eq!(unchanged.sightings, before.sightings);
        assert_eq!(unchanged.counts, before.counts);
        let custom = CustomGroup {
            name: "room".to_owned(),
            title: Some("No room".to_owned()),
            condition: Expr::parse("full OR exceeded").unwrap(),
            text: String::new(),
            split: None,
        };
        let custom = CustomGrouping { groups: vec![custom], ..CustomGrouping::default() };
        let settings = ReadSettings { custom: Arc::new(custom), ..ReadSettings::default() };
        let (after, expected) =
            (before.clone().regrouped(&settings, &About::default(), |_| None), read(&settings));
        assert_eq!(after.sightings, expected.sightings);
        assert_eq!(after.sightings.len(), 2);
        assert_eq!(after.counts, expected.counts);
        assert_eq!(after.answers.len(), 3, "one for each group before");

        // Of a group without lines here, those of another object say it.
        let lines: BTreeMap<_, _> =
            before.sightings.iter().map(|seen| (seen.group.id, seen.last.raw.clone())).collect();
        let mut bare = before;
        bare.sightings.iter_mut().for_each(|sighting| sighting.last.raw.clear());
        let again = bare.regrouped(&settings, &About::default(), |group| lines.get(&group).cloned());
        assert_eq!((&again.counts, &again.answers), (&after.counts, &after.answers));
        assert!(
            again.sightings.iter().all(|sighting| sighting.last.raw.is_empty()),
            "they are another object's"
        );
    }
}
