//! What retention drops. Pure: the kept objects and today's date are parameters, the answer is a plan;
//! [`crate::prune`] carries it out.

use jiff::Span;

use crate::model::{Day, GenerationId};

/// How long data is kept; 0 is for ever.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Retention {
    /// Days that mirrored files are kept.
    pub mirror_days: u32,
    /// The most bytes of mirrored files; the oldest days go first.
    pub mirror_bytes: u64,
    /// Days that documents stay in the index.
    pub index_days: u32,
    /// Days that counts, groups' events and all else is kept.
    pub counts_days: u32,
}

/// An ingested version and what there still is of it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own")]
pub struct Kept {
    /// Its id.
    pub generation: GenerationId,
    /// The day of its key.
    pub day: Day,
    /// Its stored length.
    pub size_bytes: u64,
    /// Its blocks.
    pub blocks: u64,
    /// Whether its file is in the mirror.
    pub is_mirrored: bool,
    /// Whether its blocks are to be in the index.
    pub is_indexed: bool,
    /// Whether its file has to stay, because the index still has to be made from it.
    pub is_file_needed: bool,
    /// Whether it goes whatever its age.
    pub is_unwanted: bool,
}

/// What goes. No generation is named twice but in `unindexed` and `unmirrored`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// Generations that go with all that hangs on them.
    pub expired: Vec<GenerationId>,
    /// Generations whose documents go.
    pub unindexed: Vec<GenerationId>,
    /// Generations whose mirrored file goes.
    pub unmirrored: Vec<GenerationId>,
}

impl Retention {
    /// Returns whether everything is kept for ever.
    pub fn is_for_ever(&self) -> bool {
        *self == Self::default()
    }
}

impl Plan {
    /// Returns whether nothing goes.
    pub fn is_empty(&self) -> bool {
        self.expired.is_empty() && self.unindexed.is_empty() && self.unmirrored.is_empty()
    }
}

/// Returns what goes of what is `kept`, on the day `today`. With a limit of N days, today and the N days before it
/// stay.
pub fn plan(retention: &Retention, kept: &[Kept], today: Day) -> Plan {
    let mut plan = Plan::default();
    let mut files = Vec::new();
    for one in kept {
        if one.is_unwanted || is_past(one.day, retention.counts_days, today) {
            plan.expired.push(one.generation);
            continue;
        }
        if one.is_indexed && is_past(one.day, retention.index_days, today) {
            plan.unindexed.push(one.generation);
        }
        if one.is_mirrored {
            files.push(one);
        }
    }
    plan.unmirrored = files_past(retention, files, today);
    plan
}

/// Returns which files go, by their age and, the oldest days first, by what all of them take.
fn files_past(retention: &Retention, mut files: Vec<&Kept>, today: Day) -> Vec<GenerationId> {
    // The sort is stable: files of one day go in the order of the ledger, and a dry run names the same ones.
    files.sort_by_key(|one| one.day);
    let mut bytes: u64 = files.iter().map(|one| one.size_bytes).sum();
    let mut past = Vec::new();
    for one in files {
        let is_over = retention.mirror_bytes > 0 && bytes > retention.mirror_bytes;
        if !one.is_file_needed && (is_over || is_past(one.day, retention.mirror_days, today)) {
            bytes -= one.size_bytes;
            past.push(one.generation);
        }
    }
    past
}

fn is_past(day: Day, days: u32, today: Day) -> bool {
    let first = Span::new().try_days(i64::from(days)).and_then(|span| today.checked_sub(span));
    days > 0 && first.is_ok_and(|first| day < first)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use jiff::ToSpan as _;
    use jiff::civil::date;
    use proptest::prelude::*;

    use super::*;

    const TODAY: Day = date(2026, 3, 1);

    fn kept(number: i64, days_ago: i64, size_bytes: u64) -> Kept {
        Kept {
            generation: GenerationId(number),
            day: TODAY - days_ago.days(),
            size_bytes,
            blocks: 1,
            is_mirrored: true,
            is_indexed: true,
            is_file_needed: false,
            is_unwanted: false,
        }
    }

    /// What remains after a plan was carried out.
    fn left(all: &[Kept], plan: &Plan) -> Vec<Kept> {
        let of = |ids: &[GenerationId]| ids.iter().copied().collect::<HashSet<_>>();
        let (expired, unindexed, unmirrored) = (of(&plan.expired), of(&plan.unindexed), of(&plan.unmirrored));
        let mut all = all.to_vec();
        all.retain(|one| !expired.contains(&one.generation));
        for one in &mut all {
            one.is_indexed &= !unindexed.contains(&one.generation);
            one.is_mirrored &= !unmirrored.contains(&one.generation);
        }
        all
    }

    #[test]
    fn each_part_has_its_own_age_and_the_limit_itself_stays() {
        let all: Vec<_> = (0..10).map(|number| kept(number, number, 5)).collect();
        let retention = Retention { mirror_days: 3, index_days: 5, counts_days: 7, ..Retention::default() };
        let plan = plan(&retention, &all, TODAY);
        let ids = |numbers: &[i64]| numbers.iter().map(|&number| GenerationId(number)).collect::<Vec<_>>();
        assert_eq!(plan.expired, ids(&[8, 9]));
        assert_eq!(plan.unindexed, ids(&[6, 7]));
        assert_eq!(plan.unmirrored, ids(&[7, 6, 5, 4]));
    }

    #[test]
    fn the_oldest_files_go_until_the_rest_fits() {
        let all = [kept(1, 1, 10), kept(2, 9, 10), kept(3, 5, 10), kept(4, 5, 10)];
        let within =
            |mirror_bytes| plan(&Retention { mirror_bytes, ..Retention::default() }, &all, TODAY).unmirrored;
        assert_eq!(within(40), []);
        assert_eq!(within(39), [GenerationId(2)]);
        assert_eq!(within(25), [GenerationId(2), GenerationId(3)]);
        assert_eq!(within(1).len(), 4);
    }

    #[test]
    fn a_limit_beyond_the_calendar_drops_nothing() {
        let retention = Retention { mirror_days: u32::MAX, index_days: 4_000_000, ..Retention::default() };
        assert!(plan(&retention, &[kept(1, 700_000, 1)], TODAY).is_empty());
    }

    prop_compose! {
        fn some_kept()(rows in prop::collection::vec((0i64..60, 0u64..1000, any::<[bool; 4]>()), 0..60)) -> Vec<Kept> {
            let one = |(number, (days, bytes, flags)): (usize, (i64, u64, [bool; 4]))| {
                let [is_mirrored, is_indexed, is_file_needed, is_unwanted] = flags;
                Kept { is_mirrored, is_indexed, is_file_needed, is_unwanted, ..kept(number as i64, days, bytes) }
            };
            rows.into_iter().enumerate().map(one).collect()
        }
    }

    prop_compose! {
        fn some_retention()(mirror_days in 0u32..60, mirror_bytes in 0u64..20_000, index_days in 0u32..60,
                counts_days in 0u32..60) -> Retention {
            Retention { mirror_days, mirror_bytes, index_days, counts_days }
        }
    }

    proptest! {
        #[test]
        fn a_second_prune_finds_nothing_to_do(retention in some_retention(), all in some_kept()) {
            let rest = left(&all, &plan(&retention, &all, TODAY));
            prop_assert!(plan(&retention, &rest, TODAY).is_empty());
        }

        #[test]
        fn what_is_needed_stays_and_what_stays_fits(retention in some_retention(), all in some_kept()) {
            let plan = plan(&retention, &all, TODAY);
            for one in all.iter().filter(|one| one.is_file_needed) {
                prop_assert!(!plan.unmirrored.contains(&one.generation));
            }
            let files: Vec<_> = left(&all, &plan).into_iter().filter(|one| one.is_mirrored).collect();
            let bytes: u64 = files.iter().map(|one| one.size_bytes).sum();
            prop_assert!(retention.mirror_bytes == 0 || bytes <= retention.mirror_bytes
                || files.iter().all(|one| one.is_file_needed || one.size_bytes == 0));
        }

        #[test]
        fn for_ever_drops_only_what_is_unwanted(all in some_kept()) {
            let plan = plan(&Retention::default(), &all, TODAY);
            let unwanted = all.iter().filter(|one| one.is_unwanted).map(|one| one.generation);
            prop_assert_eq!(plan, Plan { expired: unwanted.collect(), ..Plan::default() });
        }

        #[test]
        fn more_days_keep_no_less(retention in some_retention(), all in some_kept(), more in 1u32..30) {
            let retention = Retention { mirror_bytes: 0, ..retention };
            let longer = |days: u32| if days == 0 { 0 } else { days + more };
            let wide = Retention {
                mirror_days: longer(retention.mirror_days),
                index_days: longer(retention.index_days),
                counts_days: longer(retention.counts_days),
                mirror_bytes: 0,
            };
            let (narrow, wide) = (left(&all, &plan(&retention, &all, TODAY)), left(&all, &plan(&wide, &all, TODAY)));
            for one in narrow {
                let same = wide.iter().find(|other| other.generation == one.generation);
                prop_assert!(same.is_some_and(|same| same.is_mirrored >= one.is_mirrored && same.is_indexed >= one.is_indexed));
            }
        }
    }
}
