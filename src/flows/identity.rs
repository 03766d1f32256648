//! Whether the parts of a state belong together, and whether the mirror is still there. A ledger or mirror of another
//! state would answer as well as the right one; a disk that is not mounted looks like a mirror without files.

use std::path::PathBuf;

use crate::edges::ledger::{Ledger, LedgerError};
use crate::edges::mirror::Mirror;
use crate::edges::state::State;
use crate::flows::error::StateError;
use gzette_core::model::{GenerationId, ObjectVersion, SourceName, StateId};

/// The name of the fact that says which state a ledger belongs to.
const STATE_ID: &str = "state_id";
/// The name of the fact that says up to which generation mirrored files were looked at.
const LOOKED_TO: &str = "mirror_looked_to";

/// A run checks one mirrored file in this many, so that all are checked within as many runs,
const ONE_OF: u64 = 200;
/// but at least and at most this many.
const LOOKS: (u64, u64) = (16, 1000);

/// The parts of a state that can be exchanged by mistake.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// The ledger.
    Ledger,
    /// The mirror.
    Mirror,
}

/// Which state each part says it belongs to. `None`: it does not say, or its word is unreadable.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Identity {
    dir: Option<StateId>,
    ledger: Option<StateId>,
    mirror: Option<StateId>,
}

impl Identity {
    /// Asks the parts; without a ledger, the others.
    pub fn read(state: &State, ledger: Option<&Ledger>) -> Result<Self, StateError> {
        let fact = ledger.map(|ledger| ledger.fact(STATE_ID)).transpose()?.flatten();
        Ok(Self {
            dir: state.id()?,
            ledger: fact.and_then(|text| StateId::parse(&text)),
            mirror: Mirror::new(state.mirror()).id()?,
        })
    }

    /// Returns the part that belongs to another state than the two others, if one does. Where all three differ, it is
    /// the ledger that can be made again.
    pub fn odd(&self) -> Option<Part> {
        match (self.dir, self.ledger, self.mirror) {
            // Two that agree outvote the directory, which `settle` names anew from the ledger.
            (_, Some(ledger), Some(mirror)) if ledger == mirror => None,
            (Some(dir), Some(ledger), Some(_)) if dir == ledger => Some(Part::Mirror),
            (_, Some(_), Some(_)) | (Some(_), None, Some(_)) => Some(Part::Ledger),
            (Some(dir), ledger, None) => (ledger != Some(dir)).then_some(Part::Ledger),
            (None, _, _) => None,
        }
    }

    /// Returns the state that directory or mirror belong to: that of a ledger which is lost.
    pub fn without_ledger(&self) -> Option<StateId> {
        self.dir.or(self.mirror)
    }

    /// Whether the mirror says nothing although the ledger expects it to.
    pub fn misses_mirror(&self) -> bool {
        self.ledger.is_some() && self.mirror.is_none()
    }
}

/// Gives a ledger the identity of the state that it is made for, a new one if there is none.
pub fn name_ledger(ledger: &mut Ledger, id: Option<StateId>) -> Result<(), LedgerError> {
    ledger.set_fact(STATE_ID, &id.unwrap_or_else(crate::edges::state::new_id).to_string())
}

/// Has the state directory say what the ledger says, which gets an identity if it has none.
pub fn settle(state: &State, ledger: &mut Ledger) -> Result<(), StateError> {
    let mut found = Identity::read(state, Some(ledger))?;
    if found.ledger.is_none() {
        name_ledger(ledger, found.without_ledger())?;
        found = Identity::read(state, Some(ledger))?;
    }
    if let Some(id) = found.ledger.filter(|_| found.dir != found.ledger) {
        state.set_id(id)?;
    }
    Ok(())
}

/// Has the mirror say that it belongs to the ledger.
pub fn claim_mirror(ledger: &Ledger, mirror: &Mirror) -> Result<(), StateError> {
    let id = ledger.fact(STATE_ID)?.and_then(|text| StateId::parse(&text));
    match id {
        Some(id) if mirror.id()? != Some(id) => Ok(mirror.set_id(id)?),
        _ => Ok(()),
    }
}

/// What a mirror lacks.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Lost {
    /// The folder that is not there, or that holds nothing of what the ledger knows.
    pub folder: Option<PathBuf>,
    /// Single files, and why each counts as lost. The next sync fetches them again.
    pub files: Vec<(ObjectVersion, String)>,
    /// Single files that the source no longer has either: only their counts remain.
    pub for_good: Vec<(ObjectVersion, String)>,
}

/// Returns the folder of mirrored files that is missing as a whole. Looks at a few folders only.
pub fn lost_folder(ledger: &Ledger, mirror: &Mirror) -> Result<Option<PathBuf>, LedgerError> {
    let is_there = |name: &SourceName| mirror.folder(name).is_dir();
    let mut sources = ledger.sources_in_mirror()?.into_iter();
    // While a source is being renamed, its files are still in the folder of the old name.
    let lost = sources.find(|(name, old)| !is_there(name) && !old.as_ref().is_some_and(is_there));
    Ok(lost.map(|(name, _)| mirror.folder(&name)))
}

/// Checks whether mirrored files are there: the folders, and some more files in each run. Lost files are fetched
/// again, unless everything seems lost: then it may be the wrong disk.
pub fn look_at_mirror(state: &State, ledger: &mut Ledger) -> Result<Lost, StateError> {
    let mirror = Mirror::new(state.mirror());
    if let Some(folder) = lost_folder(ledger, &mirror)? {
        return Ok(Lost { folder: Some(folder), ..Lost::default() });
    }
    let files = lost_files(ledger, &mirror)?;
    if files.is_empty() {
        // Only after the look: a wrong disk must not be given the right name.
        claim_mirror(ledger, &mirror)?;
        return Ok(Lost::default());
    }
    // Files are missing and the mirror does not say whose it is: more likely an unmounted disk than single losses.
    // Fetching all of it again would be the worst answer.
    if mirror.id()?.is_none() {
        return Ok(Lost { folder: Some(state.mirror()), ..Lost::default() });
    }
    let mut lost = Lost::default();
    for (object, reason) in files {
        if ledger.leave_lost(&object)? {
            lost.for_good.push((object, reason));
        } else {
            ledger.fetch_again(&object, &reason)?;
            lost.files.push((object, reason));
        }
    }
    Ok(lost)
}

/// Looks at the next few mirrored files.
fn lost_files(ledger: &mut Ledger, mirror: &Mirror) -> Result<Vec<(ObjectVersion, String)>, StateError> {
    let from =
        ledger.fact(LOOKED_TO)?.and_then(|text| text.parse().ok()).map_or(GenerationId(0), GenerationId);
    let all = ledger.generation_count()?;
    let looks = (all / ONE_OF).clamp(LOOKS.0, LOOKS.1).min(all);
    let objects = ledger.mirrored_after(from, looks)?;
    let mut lost = Vec::new();
    for object in &objects {
        let length = mirror.len(&object.source, &object.key, object.generation)?;
        match length {
            Some(length) if length == object.size_bytes => {}
            Some(length) => lost.push((
                object.clone(),
                format!("the mirrored file has {length} bytes instead of {}", object.size_bytes),
            )),
            None => lost.push((object.clone(), "the mirrored file is gone".to_owned())),
        }
    }
    // Goes on from there in the next run, so that the files are checked in turn.
    if let Some(last) = objects.last().filter(|_| looks < all) {
        ledger.set_fact(LOOKED_TO, &last.generation.0.to_string())?;
    }
    Ok(lost)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_part_that_differs_from_the_two_others_is_the_odd_one() {
        let id = |number: u128| (number > 0).then_some(StateId(number));
        for (dir, ledger, mirror, odd) in [
            (1, 1, 1, None),
            (2, 1, 1, None),
            (0, 1, 1, None),
            (1, 1, 0, None),
            (0, 0, 0, None),
            (0, 0, 1, None),
            (0, 1, 0, None),
            (1, 1, 2, Some(Part::Mirror)),
            (1, 2, 1, Some(Part::Ledger)),
            (1, 2, 0, Some(Part::Ledger)),
            (1, 0, 1, Some(Part::Ledger)),
            (1, 2, 3, Some(Part::Ledger)),
            (0, 1, 2, Some(Part::Ledger)),
        ] {
            let found = Identity { dir: id(dir), ledger: id(ledger), mirror: id(mirror) };
            assert_eq!(found.odd(), odd, "{found:?}");
        }
    }
}
