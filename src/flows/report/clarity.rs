//! Applications whose lines are not understood: their figures say less than they seem to.

use std::collections::BTreeSet;
use std::io::{self, Read};

use crate::edges::ledger::{Ledger, LedgerError};
use crate::edges::mirror::Mirror;
use gzette_core::decode::{Decoder, Limits, Lines};
use gzette_core::events::{Line, Reader, Step};
use gzette_core::model::{AppName, Level, ObjectVersion, UtcMs};
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
    parse: impl Fn(&str) -> ParseSettings,
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
    let mut examples = Vec::new();
    while let Some(line) = lines.next_line()? {
        if examples.len() == EXAMPLES {
            break;
        }
        let line = Line { number: line.number, bytes: line.bytes, is_cut: line.truncated };
        let mut is_example = false;
        reader.read(&line, &mut |step: Step<'_>| is_example |= has(&step, fault));
        if is_example {
            examples.push(String::from_utf8_lossy(line.bytes).into_owned());
        }
    }
    Ok(examples)
}

/// Whether a line has a fault.
fn has(step: &Step<'_>, fault: Fault) -> bool {
    match (step, fault) {
        (Step::Unparsed { .. }, Fault::Unparsed) => true,
        (Step::Begins(begun), Fault::Unlevelled) => begun.event.level == Level::Unknown,
        (Step::Begins(begun), Fault::Undated) => begun.event.time_ms.is_none(),
        _ => false,
    }
}
