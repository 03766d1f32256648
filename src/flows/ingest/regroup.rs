//! What a change of the rules touches: versions it does not are taken over, those whose files were pruned get their
//! groups from samples, and the rest is read again.

use std::collections::{BTreeMap, HashSet};

use crate::edges::index::{INCOMPLETE, Index, Wanted};
use crate::edges::ledger::{GenerationRow, Ledger, LedgerError, object_place, reading_fact};
use crate::flows::error::StateError;
use gzette_core::custom::{Basis, Touched, stored_template};
use gzette_core::human::plural;
use gzette_core::model::{GenerationId, GroupId, Window};
use gzette_core::parse::FieldNames;
use gzette_core::partial::{About, Ingested, Partial, SourceSettings};
use gzette_core::query::ObjectFacts;

/// The name of the fact that holds the basis of the groups, as JSON.
const BASIS: &str = "grouping";

/// Takes over the versions that a change of the rules since the last ingest does not touch.
pub(super) fn take_over(
    ledger: &mut Ledger,
    index: &Index,
    settings: &SourceSettings,
) -> Result<(), StateError> {
    let basis = settings.other.custom.basis();
    let earlier = ledger.fact(BASIS)?;
    // What an unreadable fact was the basis of is read again.
    let earlier: Option<Basis> = earlier.and_then(|text| serde_json::from_str(&text).ok());
    if earlier.as_ref() == Some(&basis) {
        return Ok(());
    }
    let from = earlier.as_ref().map_or(0, Basis::fingerprint);
    let touched = match earlier.map_or(Touched::Everything, |earlier| basis.touched_since(&earlier)) {
        Touched::Nothing => HashSet::new(),
        Touched::Groups { old, new } => of_custom_groups(ledger, index, settings, &old, &new)?,
        Touched::Errors => ledger.generations_with_errors()?,
        Touched::Everything => ledger.generation_ids()?,
    };
    let value = serde_json::json!(basis).to_string();
    ledger.take_grouping_over((from, basis.fingerprint()), &touched, (BASIS, &value))?;
    Ok(())
}

/// Returns the key whose change made one reading of a source another.
fn what_changed(earlier: &str, now: &str) -> &'static str {
    let mut pairs = earlier.split('\n').zip(now.split('\n'));
    match pairs.position(|(earlier, now)| earlier != now) {
        Some(0) => "timezone",
        Some(1) => "format",
        _ => "fields",
    }
}

/// Marks the versions of sources to be read again whose time zone, format or field names have changed. Returns what
/// changed.
pub(super) fn outdate_sources(
    ledger: &mut Ledger,
    settings: &SourceSettings,
) -> Result<Vec<String>, StateError> {
    let usual = FieldNames::default();
    let mut notes = Vec::new();
    let mut sources: Vec<_> = settings.sources.iter().collect();
    sources.sort_by_key(|(name, _)| name.as_str());
    for (name, read) in sources {
        let zone =
            read.parse.zone.iana_name().map_or_else(|| format!("{:?}", read.parse.zone), str::to_owned);
        let fields =
            if read.parse.fields == usual { String::new() } else { format!("\n{:?}", read.parse.fields) };
        let value = format!("{zone}\n{:?}{fields}", read.parse.format);
        let fact = reading_fact(name);
        let earlier = ledger.fact(&fact)?;
        if earlier.as_ref() == Some(&value) {
            continue;
        }
        let Some(earlier) = earlier else {
            ledger.set_fact(&fact, &value)?;
            continue;
        };
        let versions = ledger.outdate_source(name, (&fact, &value))?;
        let what = what_changed(&earlier, &value);
        notes.push(format!("{what} of `{name}` changed: {} read again", plural(versions, "object")));
    }
    Ok(notes)
}

/// Returns the versions with events of the `old` custom groups, or that may have events of the `new` ones.
fn of_custom_groups(
    ledger: &Ledger,
    index: &Index,
    settings: &SourceSettings,
    old: &[String],
    new: &[String],
) -> Result<HashSet<GenerationId>, StateError> {
    let mut touched = HashSet::new();
    for name in old {
        touched.extend(ledger.generations_with_template(&stored_template(name))?);
    }
    let with_errors = ledger.generations_with_errors()?;
    let mut rows = ledger.generations()?;
    rows.retain(|row| with_errors.contains(&row.object.generation));
    for group in settings.other.custom.groups.iter().filter(|group| new.contains(&group.name)) {
        let may_hold = |row: &&GenerationRow| {
            let object = ObjectFacts { app: &row.object.app, place: &row.place(), has_group: &|_| true };
            !group.condition.given(&object).is_nothing()
        };
        let (indexed, unindexed): (Vec<_>, Vec<_>) =
            rows.iter().filter(may_hold).partition(|row| row.indexed);
        // What the index does not hold may hold anything.
        touched.extend(unindexed.iter().map(|row| row.object.generation));
        let generations = indexed.iter().map(|row| row.object.generation).collect();
        let need = group.condition.need();
        let (window, levels, batch) = (Window::ALL, u8::MAX, INCOMPLETE);
        let wanted = Wanted { need: &need, generations: &generations, window, levels, batch };
        touched.extend(index.candidates(&wanted)?.blocks.iter().map(|block| block.generation));
    }
    Ok(touched)
}

/// Returns lines of the groups of which a version has none itself: those of their latest events elsewhere.
fn latest_lines(ledger: &Ledger, stored: &Partial) -> Result<BTreeMap<GroupId, Vec<u8>>, LedgerError> {
    let mut lines = BTreeMap::new();
    for sighting in stored.sightings.iter().filter(|sighting| sighting.last.raw.is_empty()) {
        let samples = ledger.samples(sighting.group.id)?;
        let latest = samples.into_iter().max_by_key(|sample| (sample.end.is_last, sample.end.time_ms));
        lines.extend(latest.map(|latest| (sighting.group.id, latest.raw)));
    }
    Ok(lines)
}

/// Regroups versions whose files are gone from their samples; returns how many.
pub(super) fn from_samples(ledger: &mut Ledger, settings: &SourceSettings) -> Result<u64, StateError> {
    let reading = settings.reading();
    let outdated = ledger.outdated_and_pruned(reading.grouping)?;
    let urls = ledger.source_urls()?;
    for object in &outdated {
        let Some(stored) = ledger.stored_partial(object.generation)? else { continue };
        let lines = latest_lines(ledger, &stored)?;
        let place = urls.get(&object.source).map_or_else(String::new, |url| object_place(url, &object.key));
        let about = About { day: object.day, app: &object.app, place: &place, asked: &[] };
        let partial =
            stored.regrouped(settings.of(&object.source), &about, |group| lines.get(&group).cloned());
        let object = object.clone();
        let item = Ingested { object, partial, reading, stored_checksum: None, is_read_again: true };
        ledger.regroup(&item)?;
    }
    Ok(outdated.len() as u64)
}
