//! Which events of a group people are shown, and their text.

use std::cmp::Reverse;

use super::settings::ReportSettings;
use super::view::{SampleRole, SampleView};
use crate::edges::ledger::{BELIEVED_FROM_MS, Ledger, SightingSpan, StoredSighting};
use crate::flows::error::StateError;
use gzette_core::events::read_sample;
use gzette_core::model::{GroupId, UtcMs};
use gzette_core::partial::{SAMPLE_BYTES, Sample};

/// The most samples of a group.
const MAX_SAMPLES: usize = 5;
/// How many places over a group's time are looked at for further samples, besides the first and the latest.
const PLACES: usize = 6;

/// The end of a sighting that a sample is taken from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    First,
    Last,
}

/// Returns the first, the latest and further events of a group, none with the text of another.
/// `spans` are the group's sightings by their latest event.
pub(super) fn read(
    ledger: &Ledger,
    group: GroupId,
    spans: &[SightingSpan],
    now_ms: UtcMs,
    settings: &ReportSettings,
) -> Result<Vec<SampleView>, StateError> {
    let mut samples: Vec<SampleView> = Vec::new();
    for (role, span, end) in candidates(spans, now_ms) {
        let Some(sighting) = ledger.sighting(span.generation, group)? else { continue };
        let sample = view(role, &sighting, end, settings);
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

/// Returns what to look at, in this order: the latest event before the first, so that it is the latest that
/// stays when both say the same; then events spread over the group's time.
fn candidates(spans: &[SightingSpan], now_ms: UtcMs) -> Vec<(SampleRole, SightingSpan, End)> {
    let is_past = |span: &SightingSpan| span.last_ms <= span.believed_until_ms.min(now_ms);
    let Some(latest) = spans.iter().rposition(is_past).or(spans.len().checked_sub(1)) else {
        return Vec::new();
    };
    let order = |span: &&SightingSpan| (span.first_ms < BELIEVED_FROM_MS, span.first_ms, span.generation);
    let first = spans.iter().min_by_key(order);
    let mut candidates = vec![(SampleRole::Latest, spans[latest], End::Last)];
    candidates.extend(first.map(|&first| (SampleRole::First, first, End::First)));
    let spread = (0..PLACES).rev().map(|step| step * latest / PLACES);
    for at in std::iter::once(latest).chain(spread) {
        candidates.push((SampleRole::Earlier, spans[at], End::First));
        candidates.push((SampleRole::Earlier, spans[at], End::Last));
    }
    candidates
}

fn view(role: SampleRole, sighting: &StoredSighting, end: End, settings: &ReportSettings) -> SampleView {
    let Sample { time_ms, line, raw } = match end {
        End::First => &sighting.first,
        End::Last => &sighting.last,
    };
    let parse = settings.parse.get(&sighting.source).unwrap_or(&settings.parse_other);
    let read = read_sample(raw, parse);
    SampleView {
        role,
        time_ms: *time_ms,
        app: sighting.app.clone(),
        level: read.level,
        logger: read.logger,
        thread: read.thread,
        text: capped(read.text),
        object: sighting.place.clone(),
        line: *line,
    }
}

/// Cuts a text to the length of its raw lines: replacement characters are longer than what they replace.
fn capped(mut text: String) -> String {
    text.truncate(text.floor_char_boundary(SAMPLE_BYTES));
    text
}
