//! A complete listing against what the ledger knows, and which objects are asked for.

use std::collections::HashMap;

use crate::model::{AppName, Day, ListedObject, ObjectKey, SourceName};

use super::{Layout, UNPLACED_APP};

/// What has become of an object, as the ledger spells it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum ObjectState {
    /// To get.
    Listed,
    /// The listed version is in the mirror.
    Mirrored,
    /// Listed, and not there when read.
    Missing,
    /// No permission to read it.
    Denied,
    /// In an archive tier.
    Archived,
    /// Reading failed otherwise.
    Failed,
    /// No longer listed.
    Deleted,
}

impl ObjectState {
    /// All states.
    pub const ALL: [Self; 7] = [
        Self::Listed,
        Self::Mirrored,
        Self::Missing,
        Self::Denied,
        Self::Archived,
        Self::Failed,
        Self::Deleted,
    ];

    /// Returns the state's name in the ledger.
    pub fn name(self) -> &'static str {
        match self {
            Self::Listed => "listed",
            Self::Mirrored => "mirrored",
            Self::Missing => "missing",
            Self::Denied => "denied",
            Self::Archived => "archived",
            Self::Failed => "failed",
            Self::Deleted => "deleted",
        }
    }

    /// Returns the state of that name.
    pub fn of_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.name() == name)
    }
}

/// An object as the ledger knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KnownObject {
    /// The row.
    pub id: i64,
    /// The whole key.
    pub key: ObjectKey,
    /// The etag listed last.
    pub etag: String,
    /// The size listed last.
    pub size_bytes: u64,
    /// What has become of it.
    pub state: ObjectState,
    /// Its application.
    pub app: AppName,
    /// Its day.
    pub day: Option<Day>,
}

/// A listed object with its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlacedObject {
    /// The entry.
    pub object: ListedObject,
    /// Its application.
    pub app: AppName,
    /// Its day.
    pub day: Option<Day>,
}

/// The entries of a listing, sorted out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Arranged {
    /// The source's objects.
    pub objects: Vec<PlacedObject>,
    /// How many of them do not fit the layout, and the first such key.
    pub unplaced: u64,
    /// The first key that does not fit.
    pub first_unplaced: Option<ObjectKey>,
    /// Empty entries with a trailing slash that consoles make for folders; left out.
    pub folder_markers: u64,
    /// Entries whose day is before the backfill; left out.
    pub too_old: u64,
}

/// Sorts out the entries of a listing below the source's `prefix`.
///
/// Nothing that may hold lines is left out for its name: a key that does not fit the layout goes to the
/// application it names before it stops fitting, or to [`UNPLACED_APP`], and is counted. Without `{app}` in the
/// layout, the application is `source`.
pub fn arrange(
    listed: Vec<ListedObject>,
    layout: &Layout,
    prefix: &str,
    source: &SourceName,
    floor: Day,
) -> Arranged {
    let mut arranged = Arranged::default();
    for object in listed {
        // The S3 console makes such an object for every folder that it creates.
        if object.size_bytes == 0 && object.key.ends_with('/') {
            arranged.folder_markers += 1;
            continue;
        }
        let relative = object.key.strip_prefix(prefix).unwrap_or(&object.key);
        let place = layout.place(relative);
        if place.day.is_some_and(|day| day < floor) {
            arranged.too_old += 1;
            continue;
        }
        let app = match place.app {
            Some(app) => app,
            None if place.fits => source,
            None => UNPLACED_APP,
        };
        let (app, day) = (AppName::from(app), place.day);
        if !place.fits {
            arranged.unplaced += 1;
            arranged.first_unplaced.get_or_insert_with(|| object.key.clone());
        }
        arranged.objects.push(PlacedObject { object, app, day });
    }
    arranged
}

/// What a complete listing changes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Diff {
    /// Keys not known, or known as deleted: to get.
    pub new: Vec<PlacedObject>,
    /// Known keys with another etag or size: to get, the old generation stays until it is replaced.
    pub changed: Vec<PlacedObject>,
    /// Known and the same, but the layout now gives another application or day.
    pub moved: Vec<PlacedObject>,
    /// Rows of all that are known and the same, `moved` included.
    pub kept: Vec<i64>,
    /// Rows of known keys that are listed no more.
    pub gone: Vec<i64>,
}

/// Compares a complete listing with the known objects under the same prefix. A failed listing is never
/// brought here: it changes nothing.
pub fn diff(listed: Vec<PlacedObject>, known: &[KnownObject]) -> Diff {
    let mut left: HashMap<&str, &KnownObject> =
        known.iter().map(|object| (object.key.as_str(), object)).collect();
    let mut diff = Diff::default();
    for placed in listed {
        let entry = &placed.object;
        match left.remove(entry.key.as_str()) {
            None => diff.new.push(placed),
            // Whatever its etag: the file may have been removed since it was deleted.
            Some(known) if known.state == ObjectState::Deleted => diff.new.push(placed),
            Some(known) if known.etag != entry.etag || known.size_bytes != entry.size_bytes => {
                diff.changed.push(placed);
            }
            Some(known) => {
                diff.kept.push(known.id);
                if known.app != placed.app || known.day != placed.day {
                    diff.moved.push(placed);
                }
            }
        }
    }
    diff.gone = left
        .into_values()
        .filter(|known| known.state != ObjectState::Deleted)
        .map(|known| known.id)
        .collect();
    // The map has no order, and the ledger's writes should have one.
    diff.gone.sort_unstable();
    diff
}
