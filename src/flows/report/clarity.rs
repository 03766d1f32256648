//! Applications whose lines are not understood: their figures say less than they seem to.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Read};

use crate::edges::ledger::{Ledger, LedgerError};
use crate::edges::mirror::Mirror;
use gzette_core::decode::{Decoder, Limits, Lines};
use gzette_core::events::{Line, Reader, Step};
use gzette_core::model::{AppName, Level, ObjectVersion, SourceName, UtcMs};
use gzette_core::parse::ParseSettings;
use gzette_core::stats::{Fault, JUDGED_MS, Unclear};

/// The lines that are shown as examples.
const EXAMPLES: usize = 3;
/// The applications that get examples: no page or mail names more of them.
const EXAMPLE_APPS: usize = 20;
/// The decoded bytes in which they are looked for.
const SEARCHED_BYTES: u64 = 1 << 20;

/// Returns the applications of which too much is not understood, by their names. Those in `unlevelled` log no levels.
pub fn unclear(
    ledger: &Ledger,
    now_ms: UtcMs,
    unlevelled: &BTreeSet<AppName>,
) -> Result<Vec<Unclear>, LedgerError> {
    let judged = ledger.clarity(now_ms - JUDGED_MS)?.into_iter().map(|(app, clarity)| {
        let faults = clarity.faults(!unlevelled.contains(&app));
        Unclear { app, faults, examples: Vec::new() }
    });
    Ok(judged.filter(|unclear| !unclear.faults.is_empty()).collect())
}

/// Adds lines of the newest object of each application as examples, where the mirror has it.
///
/// # Errors
/// Those of the ledger. An object that cannot be read gives no examples.
pub fn add_examples(
    unclear: &mut [Unclear],
    ledger: &Ledger,
    mirror: &Mirror,
    parse: impl Fn(&SourceName) -> ParseSettings,
) -> Result<(), LedgerError> {
    for unclear in unclear.iter_mut().take(EXAMPLE_APPS) {
        let (Some(version), Some(&(fault, _))) =
            (ledger.newest_version(&unclear.app)?, unclear.faults.first())
        else {
            continue;
        };
        unclear.examples = examples(mirror, &version, &parse(&version.source), fault).unwrap_or_default();
    }
    Ok(())
}

fn examples(
    mirror: &Mirror,
    version: &ObjectVersion,
    settings: &ParseSettings,
    fault: Fault,
) -> io::Result<Vec<String>> {
    let file = mirror.open(&version.source, &version.key, version.generation)?;
    let limits = Limits::default();
    let decoder = Decoder::new(io::BufReader::new(file), &limits).take(SEARCHED_BYTES);
    let mut lines = Lines::new(decoder, limits.max_line_bytes);
    let mut reader = Reader::new(settings, version.day, UtcMs::EPOCH);
    // What is told of a line may come lines later.
    let (mut held, mut faulty) = (BTreeMap::new(), BTreeSet::new());
    while let Some(line) = lines.next_line()?
        && faulty.len() < EXAMPLES
    {
        if reader.is_settled() {
            held.retain(|number, _| faulty.contains(number));
        }
        held.insert(line.number, String::from_utf8_lossy(line.bytes).into_owned());
        let line = Line { number: line.number, bytes: line.bytes, is_cut: line.truncated };
        reader.read(&line, &mut |step: Step<'_>| faulty.extend(faulty_line(&step, fault)));
    }
    reader.end(&mut |step| faulty.extend(faulty_line(&step, fault)));
    Ok(faulty.iter().filter_map(|number| held.remove(number)).take(EXAMPLES).collect())
}

/// Returns the number of a line that has a fault.
fn faulty_line(step: &Step<'_>, fault: Fault) -> Option<u64> {
    match (step, fault) {
        (Step::Unparsed { line, .. }, Fault::Unparsed) => Some(*line),
        (Step::Begins(begun), Fault::Unlevelled) if begun.event.level == Level::Unknown => Some(begun.line),
        (Step::Begins(begun), Fault::Undated) if begun.event.time_ms.is_none() => Some(begun.line),
        _ => None,
    }
}
