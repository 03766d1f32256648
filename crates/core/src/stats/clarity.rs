//! Whether the lines of an application are understood. Where many are not, a count of no errors says nothing.

use crate::model::{AppName, DAY_MS};

/// How far back lines are judged: two days, so that undated lines, which take the start of their key's day, are in.
pub const JUDGED_MS: i64 = 2 * DAY_MS;
/// Fewer lines are not judged.
const FEWEST_LINES: u64 = 20;
/// The largest share that may be unclear: one line in five.
const LARGEST_SHARE: f64 = 0.2;

/// How an application's recent lines were read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Clarity {
    /// Lines.
    pub lines: u64,
    /// Lines that start an event.
    pub events: u64,
    /// Lines of no known format.
    pub unparsed: u64,
    /// Events without a time of their own.
    pub undated: u64,
    /// Events without a level.
    pub unlevelled: u64,
}

/// What is not understood.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fault {
    /// Lines are of no known format.
    Unparsed,
    /// Events have no level.
    Unlevelled,
    /// Events have no time.
    Undated,
}

/// An application of which too much is not understood.
#[derive(Clone, Debug, PartialEq)]
pub struct Unclear {
    /// The application.
    pub app: AppName,
    /// The faults, each with the share of lines or events that have it, 0 to 1.
    pub faults: Vec<(Fault, f64)>,
    /// The first lines that have the first fault, as examples.
    pub examples: Vec<String>,
}

impl Clarity {
    /// Returns what is not understood of too many lines; `needs_levels` is false for applications that log none.
    pub fn faults(&self, needs_levels: bool) -> Vec<(Fault, f64)> {
        if self.lines < FEWEST_LINES {
            return Vec::new();
        }
        let of = |part: u64, all: u64| if all == 0 { 0.0 } else { part as f64 / all as f64 };
        let shares = [
            (Fault::Unparsed, of(self.unparsed, self.lines)),
            (Fault::Unlevelled, if needs_levels { of(self.unlevelled, self.events) } else { 0.0 }),
            (Fault::Undated, of(self.undated, self.events)),
        ];
        shares.into_iter().filter(|&(_, share)| share > LARGEST_SHARE).collect()
    }
}

impl Fault {
    /// Returns what is wrong, as in `97 % of its lines have no known format`.
    pub fn sentence(self, of: f64) -> String {
        let what = match self {
            Self::Unparsed => "of its lines have no known format",
            Self::Unlevelled => "of its events have no level",
            Self::Undated => "of its events have no time",
        };
        format!("{} {what}", percent(of))
    }

    /// Returns what people can do about it.
    pub fn remedy(self) -> &'static str {
        match self {
            Self::Unparsed => "set `format` in its `[[source]]`",
            Self::Unlevelled => {
                "name the field in `fields` of its `[[source]]`, or list the application in `unlevelled` there if it logs no levels"
            }
            Self::Undated => "name the field in `fields` of its `[[source]]`",
        }
    }
}

impl Unclear {
    /// Returns what is not understood, as one sentence without the application's name.
    pub fn why(&self) -> String {
        self.faults.iter().map(|&(fault, share)| fault.sentence(share)).collect::<Vec<_>>().join(", ")
    }

    /// Returns what people can do about the first fault.
    pub fn remedy(&self) -> &'static str {
        self.faults.first().map_or("", |(fault, _)| fault.remedy())
    }
}

/// Returns a share as percent; what is not all is never shown as all.
fn percent(of: f64) -> String {
    // 99.7 % is not all of them, so it is not rounded to 100.
    let whole = (of * 100.0).round();
    format!("{} %", if of < 1.0 { whole.min(99.0) } else { whole })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn more_than_one_line_in_five_is_too_many() {
        let lines = Clarity { lines: 100, events: 100, ..Clarity::default() };
        let faults =
            |of: Clarity| -> Vec<Fault> { of.faults(true).into_iter().map(|(fault, _)| fault).collect() };
        assert_eq!(faults(lines), []);
        assert_eq!(faults(Clarity { unlevelled: 20, undated: 20, unparsed: 20, ..lines }), []);
        let most = Clarity { unlevelled: 21, undated: 21, unparsed: 21, ..lines };
        assert_eq!(faults(most), [Fault::Unparsed, Fault::Unlevelled, Fault::Undated]);
        assert_eq!(most.faults(false).len(), 2);
        let few = Clarity { lines: 19, events: 19, unlevelled: 19, undated: 19, unparsed: 0 };
        assert_eq!(faults(few), [], "too few to judge");
        let all = Clarity { lines: 100, unparsed: 100, ..Clarity::default() };
        assert_eq!(all.faults(true), [(Fault::Unparsed, 1.0)]);
        assert_eq!(Fault::Unparsed.sentence(0.973), "97 % of its lines have no known format");
        assert_eq!(Fault::Undated.sentence(0.9999), "99 % of its events have no time");
    }
}
