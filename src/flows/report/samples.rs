//! Which events of a group people are shown, and their text.

use std::cmp::Reverse;

use super::settings::ReportSettings;
use super::view::{SampleRole, SampleView};
use crate::edges::ledger::{Ledger, StoredSample};
use crate::flows::error::StateError;
use gzette_core::events::read_sample;
use gzette_core::model::{GroupId, UtcMs};
use gzette_core::partial::SAMPLE_BYTES;

/// The most samples of a group.
const MAX_SAMPLES: usize = 5;

/// Returns the first, the latest and further events of a group, none with the text of another.
pub(super) fn read(
    ledger: &Ledger,
    group: GroupId,
    now_ms: UtcMs,
    settings: &ReportSettings,
) -> Result<Vec<SampleView>, StateError> {
    let stored = ledger.samples(group)?;
    let mut samples: Vec<SampleView> = Vec::new();
    for (role, sample) in candidates(&stored, now_ms) {
        let sample = view(role, sample, settings);
        if !samples.iter().any(|shown| shown.text == sample.text) {
            samples.push(sample);
        }
        if samples.len() == MAX_SAMPLES {
            break;
        }
    }
    samples.sort_by_key(|sample| (sample.role, Reverse(sample.time_ms)));
    Ok(samples)
}

/// Returns what to look at, in this order: the latest event before the first, so that it is the latest that stays when both
/// say the same; then the others.
fn candidates(samples: &[StoredSample], now_ms: UtcMs) -> Vec<(SampleRole, &StoredSample)> {
    let late = |sample: &&StoredSample| {
        let end = &sample.end;
        (end.is_last, end.is_believed && end.time_ms <= now_ms, end.time_ms, end.rank)
    };
    let firsts = || samples.iter().filter(|sample| !sample.end.is_last);
    let first = firsts().min_by_key(|sample| (!sample.end.is_believed, sample.end.time_ms, sample.end.rank));
    let latest = samples.iter().max_by_key(late).map(|latest| (SampleRole::Latest, latest));
    let first = first.map(|first| (SampleRole::First, first));
    let others = firsts().map(|other| (SampleRole::Earlier, other));
    latest.into_iter().chain(first).chain(others).collect()
}

fn view(role: SampleRole, sample: &StoredSample, settings: &ReportSettings) -> SampleView {
    let parse = settings.parse.get(&sample.source).unwrap_or(&settings.parse_other);
    let read = read_sample(&sample.raw, parse);
    SampleView {
        role,
        time_ms: sample.end.time_ms,
        app: sample.app.clone(),
        level: read.level,
        logger: read.logger,
        thread: read.thread,
        text: capped(read.text),
        object: sample.place.clone(),
        line: sample.end.line,
    }
}

/// Cuts a text to the length of its raw lines: replacement characters are longer than what they replace.
fn capped(mut text: String) -> String {
    text.truncate(text.floor_char_boundary(SAMPLE_BYTES));
    text
}
