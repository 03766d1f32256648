//! How long a mail that was not taken is tried again: it waits as long again as it has waited already, from the time
//! between two runs to some hours, and is given up after days (RFC 5321, 4.5.4.1: at least 4 to 5).

use crate::edges::ledger::{MailCause, MailWait, UnsentMail};
use crate::edges::mail::{MailError, MailErrorKind};
use gzette_core::model::{DAY_MS, HOUR_MS, MINUTE_MS, UtcMs};

const SHORTEST_PAUSE_MS: i64 = 10 * MINUTE_MS;
const LONGEST_PAUSE_MS: i64 = 4 * HOUR_MS;
/// How long a mail is tried,
const GIVEN_UP_MS: i64 = 5 * DAY_MS;
/// and how often at least, should gzette not have run for days or the clock have jumped.
const FEWEST_TRIES: u32 = 10;
/// Runs do not begin to the second.
const SLACK_MS: i64 = MINUTE_MS;

/// Which waiting mails a command tries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tries {
    /// Those whose pause is over, and those that a new mail would overtake.
    Due,
    /// All.
    All,
}

/// Returns how a mail waits after a try that failed at `now_ms`.
pub(super) fn wait_after(mail: &UnsentMail, setting: &str, now_ms: UtcMs) -> MailWait {
    // A first failure ahead of the clock is one of a clock that went back.
    let first_failed_ms = mail.wait.first_failed_ms.filter(|&first_ms| first_ms <= now_ms).unwrap_or(now_ms);
    let waited_ms = now_ms - first_failed_ms;
    let is_last = waited_ms >= GIVEN_UP_MS && mail.attempts + 1 >= FEWEST_TRIES;
    MailWait {
        first_failed_ms: Some(first_failed_ms),
        next_try_ms: now_ms + waited_ms.clamp(SHORTEST_PAUSE_MS, LONGEST_PAUSE_MS),
        cause: MailCause::None,
        setting: setting.to_owned(),
        failure: Some("the try was interrupted".to_owned()),
        given_up_ms: is_last.then_some(now_ms),
    }
}

/// Returns the same for the case that the process dies in the try: the first time, the next run tries again at once.
pub(super) fn if_broken_off(wait: &MailWait, now_ms: UtcMs) -> MailWait {
    let is_first = wait.first_failed_ms == Some(now_ms);
    MailWait { next_try_ms: if is_first { now_ms } else { wait.next_try_ms }, ..wait.clone() }
}

/// Returns the same for a failure that is known. A folder is tried with every run, which costs nothing.
pub(super) fn because(wait: MailWait, error: &MailError, now_ms: UtcMs) -> MailWait {
    let is_local = error.kind == MailErrorKind::Local;
    MailWait {
        cause: cause_of(error.kind),
        failure: Some(error.to_string()),
        next_try_ms: if is_local { now_ms } else { wait.next_try_ms },
        ..wait
    }
}

/// Returns for each of a digest's mails, oldest first, whether it is tried at `now_ms`. A mail that is due has those
/// before it tried as well, so that the order is kept; one that was refused for good lets it pass. Where the setting
/// is at fault, nothing is tried before the pause is over or the setting is another one.
pub(super) fn turns(pending: &[&UnsentMail], setting: &str, now_ms: UtcMs, tries: Tries) -> Vec<bool> {
    let is_due = |mail: &UnsentMail| tries == Tries::All || is_due(&mail.wait, setting, now_ms);
    let is_barred = |mail: &UnsentMail| matches!(mail.wait.cause, MailCause::Auth | MailCause::Config);
    if pending.iter().any(|mail| is_barred(mail) && !is_due(mail)) {
        return vec![false; pending.len()];
    }
    let last = pending.iter().rposition(|mail| is_due(mail));
    let is_passed = |at, mail: &UnsentMail| Some(at) < last && mail.wait.cause != MailCause::Refused;
    pending.iter().enumerate().map(|(at, mail)| is_due(mail) || is_passed(at, mail)).collect()
}

fn is_due(wait: &MailWait, setting: &str, now_ms: UtcMs) -> bool {
    let is_over = wait.next_try_ms <= now_ms + SLACK_MS;
    // No pause is that long: the clock went back.
    let is_odd = wait.next_try_ms > now_ms + LONGEST_PAUSE_MS;
    // A changed setting is what the mail waited for.
    is_over || is_odd || wait.setting != setting
}

/// Returns a failure as the mail remembers it.
fn cause_of(kind: MailErrorKind) -> MailCause {
    match kind {
        MailErrorKind::Config => MailCause::Config,
        MailErrorKind::Auth | MailErrorKind::Denied => MailCause::Auth,
        MailErrorKind::Refused => MailCause::Refused,
        MailErrorKind::Later => MailCause::Later,
        MailErrorKind::Network => MailCause::Network,
        MailErrorKind::Local => MailCause::Local,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: UtcMs = UtcMs::new(1_795_510_800_000);

    fn mail(cause: MailCause, next_try_ms: UtcMs) -> UnsentMail {
        let wait = MailWait {
            first_failed_ms: Some(NOW),
            next_try_ms,
            cause,
            setting: "s".to_owned(),
            ..MailWait::default()
        };
        UnsentMail {
            id: 1,
            digest: "ops".to_owned(),
            message_id: "<1@x>".to_owned(),
            subject: String::new(),
            created_ms: NOW,
            attempts: 1,
            wait,
            is_told: false,
        }
    }

    fn new() -> UnsentMail {
        UnsentMail { wait: MailWait::default(), attempts: 0, ..mail(MailCause::None, UtcMs::EPOCH) }
    }

    fn turns_of(pending: &[UnsentMail]) -> Vec<bool> {
        turns(&pending.iter().collect::<Vec<_>>(), "s", NOW, Tries::Due)
    }

    #[test]
    fn pauses_double_from_ten_minutes_to_four_hours_for_five_days() {
        let mut waiting =
            UnsentMail { attempts: 0, wait: MailWait::default(), ..mail(MailCause::None, UtcMs::EPOCH) };
        let (mut now_ms, mut pauses) = (NOW, Vec::new());
        loop {
            waiting.wait = wait_after(&waiting, "s", now_ms);
            waiting.attempts += 1;
            if waiting.wait.given_up_ms.is_some() {
                break;
            }
            pauses.push((waiting.wait.next_try_ms - now_ms) / MINUTE_MS);
            now_ms = waiting.wait.next_try_ms;
        }
        assert_eq!(pauses[..7], [10, 10, 20, 40, 80, 160, 240]);
        assert!(pauses[7..].iter().all(|&minutes| minutes == 240), "{pauses:?}");
        assert_eq!((now_ms - NOW) / HOUR_MS, 121, "five days, to the end of a pause");
        assert_eq!(waiting.attempts, 36);
    }

    #[test]
    fn days_without_a_run_or_a_clock_that_jumps_give_no_mail_up() {
        let mut waiting = mail(MailCause::Network, NOW);
        waiting.wait.first_failed_ms = Some(NOW - 300 * DAY_MS);
        assert_eq!(wait_after(&waiting, "s", NOW).given_up_ms, None, "tried once in all that time");
        waiting.attempts = 50;
        assert_eq!(wait_after(&waiting, "s", NOW).given_up_ms, Some(NOW));
        waiting.wait.first_failed_ms = Some(NOW + DAY_MS);
        let wait = wait_after(&waiting, "s", NOW);
        assert_eq!((wait.first_failed_ms, wait.given_up_ms), (Some(NOW), None), "the clock went back");
        waiting.wait.next_try_ms = NOW + DAY_MS;
        assert_eq!(turns_of(&[waiting]), [true]);
    }

    #[test]
    fn a_new_mail_has_those_before_it_tried_and_passes_one_that_is_refused() {
        let later = NOW + 2 * HOUR_MS;
        assert_eq!(
            turns_of(&[mail(MailCause::Network, later), mail(MailCause::Network, later)]),
            [false, false]
        );
        assert_eq!(
            turns_of(&[mail(MailCause::Network, later), mail(MailCause::Later, later), new()]),
            [true, true, true]
        );
        assert_eq!(turns_of(&[mail(MailCause::Refused, later), new()]), [false, true]);
        assert_eq!(turns_of(&[new(), mail(MailCause::Network, later)]), [true, false]);
        assert_eq!(
            turns_of(&[mail(MailCause::Network, NOW + SLACK_MS)]),
            [true],
            "runs do not begin to the second"
        );
    }

    #[test]
    fn a_cause_of_another_version_stops_no_mail() {
        let odd = mail(MailCause::Other("quota".to_owned()), NOW + HOUR_MS);
        assert_eq!(turns_of(&[odd, new()]), [true, true]);
    }

    #[test]
    fn wrong_credentials_are_not_tried_again_until_the_pause_is_over_or_they_change() {
        let queue = [mail(MailCause::Auth, NOW + HOUR_MS), new()];
        assert_eq!(turns_of(&queue), [false, false]);
        let queue: Vec<_> = queue.iter().collect();
        assert_eq!(turns(&queue, "another", NOW, Tries::Due), [true, true]);
        assert_eq!(turns(&queue, "s", NOW + HOUR_MS, Tries::Due), [true, true]);
        assert_eq!(turns(&queue, "s", NOW, Tries::All), [true, true]);
    }
}
