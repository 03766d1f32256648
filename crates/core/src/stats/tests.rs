//! States, limits, silences and windows on made-up pasts.

use super::*;
use crate::model::{DAY_MS, HOUR_MS, MINUTE_MS, SLOT_MS, Slot, UtcMs, Window};

/// 2023-10-30 12:00 UTC, a Monday.
const NOON_MS: UtcMs = UtcMs::new(1_698_667_200_000);
const NOON: Slot = Slot::of(NOON_MS);

/// A group's past, told in hours before noon.
#[derive(Clone)]
struct Past {
    points: Vec<(Slot, u64)>,
    app_points: Vec<(Slot, u64)>,
    earlier: Option<(Slot, Slot)>,
    reach: Option<Slot>,
    quiet_days: u32,
    hour_end: Slot,
}

impl Past {
    fn new() -> Self {
        Self {
            points: Vec::new(),
            app_points: Vec::new(),
            earlier: None,
            reach: Some(NOON - 28 * DAY_SLOTS),
            quiet_days: 7,
            hour_end: NOON,
        }
    }

    /// `events` in the hour that ends `hours_ago` hours before noon.
    fn hour(mut self, hours_ago: i64, events: u64) -> Self {
        self.points.push((NOON - hours_ago * HOUR_SLOTS - 1, events));
        self
    }

    /// `events` in each of the hours from the one that ends `first` to the one that ends `last` hours ago.
    fn hours(self, first: i64, last: i64, events: u64) -> Self {
        (last..=first).fold(self, |past, hours_ago| past.hour(hours_ago, events))
    }

    /// The application logged something else so many hours ago.
    fn other_event(mut self, hours_ago: i64) -> Self {
        self.app_points.push((NOON - hours_ago * HOUR_SLOTS, 1));
        self
    }

    fn judge(&self) -> Judgement {
        let events = series(&self.points);
        let app_events = series(&[self.points.clone(), self.app_points.clone()].concat());
        let history = GroupHistory {
            events: &events,
            earlier: self.earlier,
            hour_end: self.hour_end,
            reach: self.reach,
            app_events: &[&app_events],
            quiet_days: self.quiet_days,
            now_ms: NOON_MS,
        };
        judge(&history, &Windows::new(NOON_MS, None))
    }

    fn says(&self) -> (GroupState, String) {
        let judgement = self.judge();
        (judgement.state, judgement.reason)
    }
}

#[test]
fn a_steady_group_may_have_six_times_its_average() {
    assert!((hourly_limit(&[10; HISTORY_HOURS], NOON, NOON) - 60.0).abs() < 1e-9);
}

#[test]
fn a_bursty_group_may_have_twice_its_largest_hour() {
    let hours: Vec<u64> = (0..HISTORY_HOURS).map(|hour| if hour % 24 == 0 { 100 } else { 0 }).collect();
    // avg 4.17, σ 20.04, cv 4.81: 5·e^(−3.13) is below 2; the spike term would be 4.17 + 8·4.17.
    assert!((hourly_limit(&hours, NOON, NOON) - 200.0).abs() < 1e-9);
}

#[test]
fn the_same_weekday_counts_twice() {
    // The oldest 12 and the newest 12 of 168 hours before Monday noon are on Mondays.
    let hours: Vec<u64> =
        (0..HISTORY_HOURS).map(|hour| if (12..156).contains(&hour) { 10 } else { 12 }).collect();
    let average = (24.0 * 12.0 + 144.0 * 10.0) / 168.0;
    let weighted = (2.0 * 24.0 * 12.0 + 144.0 * 10.0) / 192.0;
    assert!((hourly_limit(&hours, NOON, NOON) - (weighted + 5.0 * average)).abs() < 1e-9);
    assert_eq!(weekday_of_slot(NOON), 0);
    assert_eq!(weekday_of_slot(NOON - 12 * HOUR_SLOTS - 1), 6);
    assert_eq!(weekday_of_slot(Slot::new(-1)), 2);
}

#[test]
fn without_history_there_is_no_limit() {
    assert!(hourly_limit(&[0; HISTORY_HOURS], NOON, NOON).abs() < f64::EPSILON);
    assert!(hourly_limit(&[], NOON, NOON).abs() < f64::EPSILON);
    assert!((young_limit(&[1, 7, 3]) - 70.0).abs() < f64::EPSILON);
}

#[test]
fn a_group_over_its_limit_spikes() {
    let past = Past::new().hours(300, 1, 10);
    assert_eq!(past.clone().hour(0, 60).judge().state, GroupState::Ongoing);
    let spike = past.hour(0, 90).judge();
    assert_eq!(spike.state, GroupState::Spiking);
    assert_eq!(spike.reason, "90 in the last hour; its limit is 60, its usual hour has 10");
    assert_eq!(spike.factor, Some(1.5));
}

#[test]
fn a_spike_that_goes_on_is_still_one() {
    let past = Past::new().hours(300, 20, 10).hours(19, 0, 90);
    assert_eq!(past.judge().state, GroupState::Spiking);
    let usual_by_now = Past::new().hours(300, 60, 10).hours(59, 0, 90);
    assert_eq!(usual_by_now.judge().state, GroupState::Ongoing);
    let young = Past::new().hours(30, 5, 3).hours(4, 0, 40);
    assert_eq!(young.judge().state, GroupState::Spiking);
}

#[test]
fn few_events_are_no_spike() {
    let past = Past::new().hour(300, 1).hour(30, 1);
    assert_eq!(past.clone().hour(0, 9).judge().state, GroupState::Ongoing);
    assert_eq!(past.hour(0, 10).judge().state, GroupState::Spiking);
}

#[test]
fn a_young_group_spikes_at_ten_times_its_largest_hour() {
    let past = Past::new().hours(60, 1, 3);
    assert_eq!(past.clone().hour(0, 30).judge().state, GroupState::Ongoing);
    assert_eq!(
        past.hour(0, 31).says(),
        (
            GroupState::Spiking,
            "31 in the last hour; its limit is 30, its largest hour before had 3".to_owned()
        )
    );
}

#[test]
fn the_first_rush_of_a_new_group_is_no_spike() {
    let past = Past::new().hour(2, 1).hour(0, 500);
    assert_eq!(past.says(), (GroupState::New, "first seen 2 hours ago; 501 since then".to_owned()));
}

#[test]
fn the_hour_that_is_judged_ends_where_delivered_events_end() {
    let mut past = Past::new().hours(300, 2, 10).hour(1, 90);
    assert_eq!(past.judge().state, GroupState::Ongoing);
    past.hour_end = NOON - HOUR_SLOTS;
    assert_eq!(past.says().1, "90 in the hour to 11:00 UTC; its limit is 60, its usual hour has 10");
}

#[test]
fn nothing_is_new_before_there_is_history() {
    let mut past = Past::new().hour(3, 41);
    assert_eq!(past.judge().state, GroupState::New);
    past.reach = Some(NOON - 2 * DAY_SLOTS);
    assert_eq!(past.judge().state, GroupState::New);
    past.reach = Some(NOON - 2 * DAY_SLOTS + 1);
    let expected = "41 in the last 24 hours; first run: no history yet".to_owned();
    assert_eq!(past.says(), (GroupState::Ongoing, expected));
}

#[test]
fn a_group_that_comes_back_has_regressed() {
    let past = Past::new().hour(9 * 24 + 2, 5).other_event(100).hour(2, 4).hour(0, 400);
    assert_eq!(
        past.says(),
        (GroupState::Regressed, "back after 9 days without an event; 404 since then".to_owned())
    );
    let mut patient = past.clone();
    patient.quiet_days = 10;
    assert_ne!(patient.judge().state, GroupState::Regressed);
}

#[test]
fn a_group_older_than_what_was_read_comes_back_too() {
    let mut past = Past::new().hour(2, 4).other_event(100);
    past.earlier = Some((NOON - 50 * DAY_SLOTS, NOON - 40 * DAY_SLOTS));
    assert_eq!(past.says().1, "back after 39 days without an event; 4 since then");
}

#[test]
fn an_absence_without_any_events_of_the_application_is_no_absence() {
    let past = Past::new().hour(9 * 24, 5).hour(2, 4);
    assert_eq!(past.judge().state, GroupState::Ongoing);
}

#[test]
fn an_ongoing_group_is_compared_with_the_day_before() {
    let past = Past::new().hour(300, 1).hour(30, 1_200).hour(3, 1_234);
    assert_eq!(
        past.says(),
        (GroupState::Ongoing, "1,234 in the last 24 hours, 1,200 the day before".to_owned())
    );
    assert_eq!(Past::new().hour(80, 1).says(), (GroupState::Quiet, "last seen 3 days ago".to_owned()));
}

#[test]
fn windows_that_meet_share_no_slot() {
    let cut = NOON_MS + 1;
    let before = slots_starting_in(Window { start_ms: NOON_MS - SLOT_MS, end_ms: cut });
    let after = slots_starting_in(Window { start_ms: cut, end_ms: cut + SLOT_MS });
    assert_eq!(before, NOON - 1..NOON + 1);
    assert_eq!(after, NOON + 1..NOON + 2);
    let all = slots_starting_in(Window::ALL);
    assert!(all.contains(&NOON) && all.contains(&Slot::new(-NOON.number())));
}

#[test]
fn what_is_not_delivered_yet_is_left_out_of_comparisons() {
    let now_ms = NOON_MS + 5 * MINUTE_MS;
    let delivered = Windows::new(now_ms, Some(NOON - 6));
    assert_eq!(delivered.day(), NOON + 1 - DAY_SLOTS..NOON + 1);
    assert_eq!(delivered.day_before(1), NOON + 1 - 2 * DAY_SLOTS..NOON - 5 - DAY_SLOTS);
    let stale = Windows::new(now_ms, Some(NOON - 60));
    assert_eq!(stale.day_before(7).end, NOON + 1 - WEEK_SLOTS);
}

#[test]
fn comparisons_need_a_ledger_that_reaches_back() {
    let windows = Windows::new(NOON_MS, None);
    let compare =
        |days: i64, slots: i64| windows.compare(Some(NOON - days * DAY_SLOTS + slots), |slots| slots.end);
    assert_eq!(compare(2, 0), (NOON, Some(NOON - DAY_SLOTS), None));
    assert_eq!(compare(2, 1), (NOON, None, None));
    assert_eq!(compare(8, 0).2, Some(NOON - WEEK_SLOTS));
    assert_eq!(windows.compare(None, |slots| slots.end), (NOON, None, None));
}

/// An application with an event every ten minutes, but none in `gap`, up to noon.
fn presence(days: i64, gap: std::ops::Range<Slot>) -> Series {
    Series::from_sorted(
        (1..=days * DAY_SLOTS)
            .rev()
            .map(|back| NOON - back)
            .filter(|slot| !gap.contains(slot))
            .map(|slot| (slot, 5)),
    )
}

fn silence_after(events: &Series, minutes: i64, delivery_ms: &[i64]) -> Option<i64> {
    let presence =
        Presence { events, newest_ms: NOON_MS, known_until_ms: NOON_MS + minutes * MINUTE_MS, delivery_ms };
    let found = habit(&presence).filter(|habit| presence.silent_ms() > habit.limit_ms);
    found.map(|habit| habit.habit_ms)
}

#[test]
fn silence_is_longer_than_the_longest_gap() {
    let steady = presence(14, NOON..NOON);
    assert_eq!(silence_after(&steady, 30, &[]), None);
    assert_eq!(silence_after(&steady, 31, &[]), Some(SLOT_MS));
    let nightly = presence(14, NOON - 100..NOON - 64);
    assert_eq!(silence_after(&nightly, 380, &[]), None);
    assert_eq!(silence_after(&nightly, 381, &[]), Some(37 * SLOT_MS));
}

#[test]
fn objects_may_take_their_usual_time_to_come() {
    let steady = presence(14, NOON..NOON);
    let hourly = [70 * MINUTE_MS, 68 * MINUTE_MS, 4 * DAY_MS];
    assert_eq!(silence_after(&steady, 100, &hourly), None);
    assert!(silence_after(&steady, 101, &hourly).is_some());
    assert!(
        silence_after(&steady, 31, &[3 * DAY_MS, 2 * DAY_MS, HOUR_MS]).is_some(),
        "copied objects say nothing"
    );
}

#[test]
fn an_application_with_little_history_is_not_called_silent() {
    assert_eq!(silence_after(&presence(1, NOON..NOON), 1000, &[]), None, "a day");
    let sparse = Series::from_sorted((1..=20).rev().map(|half_days| (NOON - half_days * 72, 1)));
    assert_eq!(silence_after(&sparse, 9000, &[]), None, "few events");
    let short = presence(3, NOON..NOON);
    assert_eq!(silence_after(&short, 60, &[]), None);
    assert!(silence_after(&short, 61, &[]).is_some(), "twice the limit within the first week");
}

/// Returns the series of points in any order.
fn series(points: &[(Slot, u64)]) -> Series {
    let mut points = points.to_vec();
    points.sort_unstable();
    Series::from_sorted(points)
}
