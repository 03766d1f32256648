//! The order in which objects are read: newest days first, within a day the prefixes in turn. Groups that kept others
//! waiting go to the back. A plain value: [`super::Run`] carries it out.

use std::cmp::Reverse;
use std::collections::{BTreeMap, HashSet, VecDeque};
use std::sync::Arc;

use gzette_core::model::{AppName, Day};

/// After this many slow applications, the whole source counts as slow.
const SLOW_APPS: usize = 3;

/// What objects that are listed together have in common.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Group {
    /// The number of the source.
    pub(super) at: usize,
    /// The prefix in which they were listed.
    pub(super) prefix: String,
    /// The application.
    pub(super) app: AppName,
    /// The day.
    pub(super) day: Option<Day>,
}

/// An object to read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Waiting {
    /// The object's row.
    pub(super) id: i64,
    /// What it was listed with.
    pub(super) group: Arc<Group>,
    /// Whether an earlier run has failed to read it and has told so.
    pub(super) is_known: bool,
    /// Whether its etag is not compared.
    pub(super) is_loose: bool,
}

/// How soon a group is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Level {
    /// At once.
    Fresh,
    /// Others of its application have kept the rest waiting.
    Suspect,
    /// It has kept others waiting.
    Slow,
}

/// The position of a group: the turn makes groups of one day alternate.
type Place = (Level, Reverse<Option<Day>>, u64);

/// The objects to read.
#[derive(Default)]
pub(super) struct Queue {
    groups: BTreeMap<Place, (Arc<Group>, VecDeque<Waiting>)>,
    turn: u64,
    slow_prefixes: HashSet<(usize, String)>,
    slow_apps: HashSet<(usize, AppName)>,
}

impl Queue {
    /// Adds objects of one group.
    pub(super) fn push(&mut self, group: &Arc<Group>, objects: VecDeque<Waiting>) {
        if objects.is_empty() {
            return;
        }
        self.turn += 1;
        let place = (self.level(group), Reverse(group.day), self.turn);
        self.groups.insert(place, (Arc::clone(group), objects));
    }

    /// Returns how soon the next object is to be read; `None` when there is none.
    pub(super) fn next_level(&self) -> Option<Level> {
        self.groups.keys().next().map(|place| place.0)
    }

    /// Takes the next object.
    pub(super) fn pop(&mut self) -> Option<Waiting> {
        let (place, (group, mut objects)) = self.groups.pop_first()?;
        let next = objects.pop_front();
        if !objects.is_empty() {
            self.turn += 1;
            // Behind the other groups of its day, so that one large prefix does not keep the others waiting.
            self.groups.insert((place.0, place.1, self.turn), (group, objects));
        }
        next
    }

    /// Moves groups that kept others waiting to the back.
    pub(super) fn demote(&mut self, slow: &[Arc<Group>]) {
        for group in slow {
            self.slow_prefixes.insert((group.at, group.prefix.clone()));
            self.slow_apps.insert((group.at, group.app.clone()));
        }
        // Groups are ordered by their level, so those whose level changes have to be put in again.
        let groups = std::mem::take(&mut self.groups);
        for ((_, day, turn), (group, objects)) in groups {
            self.groups.insert((self.level(&group), day, turn), (group, objects));
        }
    }

    /// Takes out all objects of a source.
    pub(super) fn drain(&mut self, at: usize) -> Vec<Waiting> {
        let mut left = Vec::new();
        self.groups.retain(|_, (group, objects)| {
            if group.at == at {
                left.extend(objects.drain(..));
            }
            group.at != at
        });
        left
    }

    /// Returns how soon a group is to be read.
    pub(super) fn level(&self, group: &Group) -> Level {
        let slow_apps = || self.slow_apps.iter().filter(|(at, _)| *at == group.at).count();
        if self.slow_prefixes.contains(&(group.at, group.prefix.clone())) {
            Level::Slow
        } else if self.slow_apps.contains(&(group.at, group.app.clone())) || slow_apps() >= SLOW_APPS {
            Level::Suspect
        } else {
            Level::Fresh
        }
    }
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;

    fn group(at: usize, app: &str, day: i8) -> Arc<Group> {
        let prefix = format!("{app}/{day}/");
        Arc::new(Group { at, prefix, app: app.into(), day: Some(date(2026, 3, day)) })
    }

    fn push(queue: &mut Queue, group: &Arc<Group>, ids: std::ops::Range<i64>) {
        let waiting = |id| Waiting { id, group: Arc::clone(group), is_known: false, is_loose: false };
        queue.push(group, ids.map(waiting).collect());
    }

    fn order(queue: &mut Queue) -> Vec<i64> {
        std::iter::from_fn(|| queue.pop()).map(|waiting| waiting.id).collect()
    }

    #[test]
    fn newest_days_come_first_and_the_prefixes_of_a_day_alternate() {
        let mut queue = Queue::default();
        push(&mut queue, &group(0, "web", 1), 0..2);
        push(&mut queue, &group(0, "web", 2), 10..13);
        push(&mut queue, &group(1, "api", 2), 20..22);
        assert_eq!(order(&mut queue), [10, 20, 11, 21, 12, 0, 1]);
    }

    #[test]
    fn what_keeps_others_waiting_goes_behind_them() {
        let mut queue = Queue::default();
        for (at, app) in ["web", "api"].into_iter().enumerate() {
            for day in 1..=2 {
                let first = at as i64 * 100 + i64::from(day) * 10;
                push(&mut queue, &group(0, app, day), first..first + 1);
            }
        }
        queue.demote(&[group(0, "web", 2)]);
        assert_eq!(queue.next_level(), Some(Level::Fresh));
        // Whole applications are suspected, so that not every day of one keeps the others waiting again.
        assert_eq!(order(&mut queue), [120, 110, 10, 20]);
        push(&mut queue, &group(1, "web", 2), 5..6);
        assert_eq!(queue.next_level(), Some(Level::Fresh), "another source is not concerned");
    }

    #[test]
    fn a_source_with_several_slow_applications_is_suspected_as_a_whole() {
        let mut queue = Queue::default();
        queue.demote(&[group(0, "a", 1), group(0, "b", 1), group(0, "c", 1)]);
        assert_eq!(queue.level(&group(0, "d", 2)), Level::Suspect);
        assert_eq!(queue.level(&group(1, "d", 2)), Level::Fresh);
    }

    #[test]
    fn a_source_that_fails_is_taken_out() {
        let mut queue = Queue::default();
        push(&mut queue, &group(0, "web", 1), 0..2);
        push(&mut queue, &group(1, "web", 1), 5..6);
        assert_eq!(queue.drain(0).len(), 2);
        assert_eq!(order(&mut queue), [5]);
    }
}
