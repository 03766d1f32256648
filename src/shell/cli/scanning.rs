//! The progress of a search, shown after a second.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use indicatif::ProgressBar;

use crate::flows::search::Progress;
use crate::shell::ui::Ui;
use gzette_core::human;

/// Nothing is said of what takes less.
const PATIENCE: Duration = Duration::from_secs(1);

/// The progress line of a search.
pub(super) struct Scanning<'u> {
    ui: &'u Ui,
    bar: ProgressBar,
    is_shown: AtomicBool,
}

impl<'u> Scanning<'u> {
    /// Returns a line that is not shown yet; never, unless wanted.
    pub(super) fn new(ui: &'u Ui, is_wanted: bool) -> Self {
        Self { ui, bar: ProgressBar::hidden(), is_shown: AtomicBool::new(!is_wanted) }
    }

    pub(super) fn tell(&self, progress: &Progress) {
        if self.bar.elapsed() < PATIENCE {
            return;
        }
        self.bar.set_message(told(progress));
        if !self.is_shown.swap(true, Ordering::Relaxed) {
            self.ui.show_progress(&self.bar, "search");
        }
    }

    /// Restarts after results were shown.
    pub(super) fn begin(&self) {
        self.bar.reset();
        self.is_shown.store(false, Ordering::Relaxed);
    }

    /// Takes the line away, before results are shown.
    pub(super) fn end(&self) {
        self.is_shown.store(true, Ordering::Relaxed);
        if !self.bar.is_finished() {
            self.bar.finish_and_clear();
        }
    }
}

fn told(progress: &Progress) -> String {
    let Progress { objects, of, bytes, hits } = *progress;
    let (objects, of) = (human::count(objects), human::plural(of, "object"));
    format!("{objects} of {of}, {}, {}", human::bytes(bytes), found(hits))
}

fn found(hits: u64) -> String {
    if hits == 1 { "1 match".to_owned() } else { format!("{} matches", human::count(hits)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_says_how_far_a_search_is() {
        let progress = Progress { objects: 551, of: 1574, bytes: 7_600_000, hits: 1 };
        assert_eq!(told(&progress), "551 of 1,574 objects, 7.6 MB, 1 match");
    }
}
