//! What a report depends on besides the ledger and the time.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::unread::SourceShape;
use gzette_core::model::{AppName, Requests, SourceName, UtcMs};
use gzette_core::parse::ParseSettings;

/// What a report depends on besides the ledger and the time.
#[derive(Clone, Debug, Default)]
pub struct ReportSettings {
    /// How the lines of each source are written, by its name.
    pub parse: HashMap<SourceName, ParseSettings>,
    /// For sources that are not named.
    pub parse_other: ParseSettings,
    /// How the keys of each source are built, by its name. Sources that are not named are not read any more.
    pub shapes: BTreeMap<SourceName, SourceShape>,
    /// Applications that log no levels.
    pub unlevelled: BTreeSet<AppName>,
    /// When the run that makes the report began, and its requests so far; `None` for those of the ledger's last run.
    pub run: Option<(UtcMs, Requests)>,
}
