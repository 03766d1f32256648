//! Samples that the ledger lacks since a version of an object has gone are read from what is left in the mirror.

use std::sync::atomic::Ordering;

use super::{IngestReport, ReadError, Reader};
use crate::edges::ledger::Ledger;
use crate::flows::error::StateError;
use gzette_core::model::{KnownBytes, ObjectVersion};
use gzette_core::partial::{About, Partial, read_object};
use gzette_core::proof::prove;

/// Chooses and reads what is lacking, as long as no stop is asked for: then the next ingest goes on.
pub(super) fn fill(
    ledger: &mut Ledger,
    reader: &Reader<'_>,
    report: &mut IngestReport,
) -> Result<(), StateError> {
    ledger.choose_lacking_samples()?;
    for object in ledger.unread_samples()? {
        if reader.stop.load(Ordering::Relaxed) {
            break;
        }
        let known = ledger.known_bytes_of(&object)?;
        match partial(reader, &object, &known) {
            Ok(partial) => ledger.keep_samples(object.generation, &partial)?,
            Err(ReadError::Io(error)) => {
                let reason = error.to_string();
                ledger.fetch_again(&object, &reason)?;
                report.unreadable.push((object.key, reason));
            }
            Err(ReadError::Index(error)) => return Err(error.into()),
        }
    }
    Ok(())
}

/// Reads an object once more, as its batch did.
fn partial(reader: &Reader<'_>, object: &ObjectVersion, known: &KnownBytes) -> Result<Partial, ReadError> {
    let settings = reader.settings.of(&object.source);
    let mut file = reader.mirror.open(&object.source, &object.key, object.generation)?;
    prove(&mut file, &object.etag, known, &settings.limits)?;
    let place = reader.place(object);
    let about = About { day: object.day, app: &object.app, place: &place, asked: &[] };
    read_object(file, settings, &about, |_, _| Ok::<_, ReadError>(()))
}
