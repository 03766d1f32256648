//! The getting half of a sync.

use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::sync::Arc;

use tokio::task::JoinSet;

use crate::decode::Limits;
use crate::ledger::{GetRecord, PendingObject};
use crate::mirror::Mirror;
use crate::model::{Checksum, GenerationId, KnownBytes, ListedObject, ObjectKey, SourceName};
use crate::plan::{ObjectState, is_to_try};
use crate::proof::prove;
use crate::store::{ObjectStore, StoreError, StoreErrorKind};

use super::{Doubt, Place, ProblemKind, Run, SyncError, ends_source};

/// The most outcomes that one transaction holds.
const RECORDS_AT_ONCE: usize = 64;

/// What came of one object.
enum Outcome {
    /// With the checksum of its bytes.
    Got(Checksum),
    /// It was in the mirror already.
    Adopted(Checksum),
    Refused(StoreError),
    Disk(io::Error),
}

/// An object that has been dealt with.
struct Done {
    id: i64,
    object: ListedObject,
    outcome: Outcome,
}

/// The gets of one source, and how much of the room in memory they take.
#[derive(Default)]
struct Gets {
    waiting: VecDeque<i64>,
    next: Option<(i64, ListedObject)>,
    running: JoinSet<Done>,
    on_its_way: BTreeMap<i64, ObjectKey>,
    bytes_in_flight: u64,
    total: u64,
    done: u64,
    bytes: u64,
    doubts: Vec<Doubt>,
}

impl Place<'_> {
    /// Returns the objects that this run asks for.
    pub(super) fn to_try(&self, pending: &[PendingObject]) -> Vec<i64> {
        let (last_ms, now_ms) = (self.reach.last_run_ms, self.reach.now_ms);
        let is_now =
            |object: &&PendingObject| is_to_try(object.id, object.state, object.attempts, last_ms, now_ms);
        pending.iter().filter(is_now).map(|object| object.id).collect()
    }
}

impl Run<'_> {
    /// Gets objects into the mirror, in this order. Returns those that were no longer what had been listed.
    pub(super) async fn get_objects(
        &mut self,
        place: &Place<'_>,
        ids: Vec<i64>,
    ) -> Result<Vec<Doubt>, SyncError> {
        let mut gets = Gets { total: ids.len() as u64, waiting: ids.into(), ..Gets::default() };
        loop {
            self.start_gets(place, &mut gets)?;
            let Some(done) = self.next_of(&mut gets.running).await? else {
                break;
            };
            let mut batch = vec![done];
            while batch.len() < RECORDS_AT_ONCE {
                let Some(done) = gets.running.try_join_next() else {
                    break;
                };
                batch.push(done.map_err(|_| SyncError::Panicked)?);
            }
            self.record_batch(place, &mut gets, batch)?;
        }
        self.leave_objects(place, &mut gets)?;
        Ok(gets.doubts)
    }

    /// Names the objects that were not reached; they stay to be gotten.
    fn leave_objects(&mut self, place: &Place<'_>, gets: &mut Gets) -> Result<(), SyncError> {
        let reason = format!("not fetched, {}", self.why_left(place));
        let cut = std::mem::take(&mut gets.on_its_way).into_values();
        let mut left: Vec<ObjectKey> = cut.chain(gets.next.take().map(|(_, object)| object.key)).collect();
        for id in gets.waiting.drain(..) {
            left.push(self.ledger.listed_object(id)?.key);
        }
        for key in left {
            self.add_problem(place, &key, ProblemKind::Object, reason.clone());
        }
        Ok(())
    }

    /// Starts as many as there is room for. One that is too large waits for its turn instead of being overtaken.
    fn start_gets(&mut self, place: &Place<'_>, gets: &mut Gets) -> Result<(), SyncError> {
        while gets.running.len() < self.options.parallel_gets.max(1) {
            if gets.next.is_none() {
                let Some(id) = gets.waiting.pop_front() else {
                    return Ok(());
                };
                gets.next = Some((id, self.ledger.listed_object(id)?));
            }
            let size_bytes = gets.next.as_ref().map_or(0, |(_, object)| object.size_bytes);
            let is_full = gets.bytes_in_flight.saturating_add(size_bytes) > self.options.max_bytes_in_flight;
            if (is_full && !gets.running.is_empty()) || self.report.has_failed(place.name()) || self.is_over()
            {
                return Ok(());
            }
            if let Some((id, object)) = gets.next.take() {
                gets.bytes_in_flight = gets.bytes_in_flight.saturating_add(size_bytes);
                gets.on_its_way.insert(id, object.key.clone());
                let known = self.ledger.known_bytes(id, &object.etag, object.size_bytes)?;
                let to = Shelf { mirror: self.mirror.clone(), source: place.name().to_owned(), known };
                gets.running.spawn(get(place.source.store.clone(), to, id, object));
            }
        }
        Ok(())
    }

    /// Writes down what came, then stops if the disk refused.
    fn record_batch(
        &mut self,
        place: &Place<'_>,
        gets: &mut Gets,
        batch: Vec<Done>,
    ) -> Result<(), SyncError> {
        let mut records = Vec::with_capacity(batch.len());
        let mut disk_error = None;
        for done in batch {
            gets.done += 1;
            gets.on_its_way.remove(&done.id);
            gets.bytes_in_flight = gets.bytes_in_flight.saturating_sub(done.object.size_bytes);
            match self.judge(place, gets, done) {
                Ok(record) => records.extend(record),
                Err(error) => disk_error = Some(error),
            }
        }
        self.ledger.record_gets(&records)?;
        self.progress.got(place.name(), gets.done, gets.total, gets.bytes);
        disk_error.map_or(Ok(()), |error| Err(SyncError::Mirror(error)))
    }

    /// Counts one outcome. Returns what the ledger is to say of the object, if anything.
    fn judge(&mut self, place: &Place<'_>, gets: &mut Gets, done: Done) -> io::Result<Option<GetRecord>> {
        let Done { id: object_id, object, outcome } = done;
        let mut stored_checksum = None;
        let (state, reason) = match outcome {
            Outcome::Got(checksum) => {
                stored_checksum = Some(checksum);
                self.report.got += 1;
                self.report.got_bytes += object.size_bytes;
                gets.bytes += object.size_bytes;
                (ObjectState::Mirrored, None)
            }
            Outcome::Adopted(checksum) => {
                stored_checksum = Some(checksum);
                self.report.adopted += 1;
                (ObjectState::Mirrored, None)
            }
            Outcome::Refused(error) if ends_source(error.kind) => {
                self.add_problem(place, &object.key, ProblemKind::Object, error.reason.clone());
                self.report.fail_source(place.name(), error);
                return Ok(None);
            }
            Outcome::Refused(StoreError { kind, reason, .. }) => {
                self.note_refusal(place, gets, (object_id, &object.key), (kind, &reason));
                (state_after(kind), Some(reason))
            }
            Outcome::Disk(error) => return Err(error),
        };
        let ListedObject { etag, size_bytes, .. } = object;
        Ok(Some(GetRecord { object_id, etag, size_bytes, state, reason, stored_checksum }))
    }

    /// Tells of a refused object, or leaves that to the second look at its prefix.
    fn note_refusal(
        &mut self,
        place: &Place<'_>,
        gets: &mut Gets,
        (id, key): (i64, &str),
        (kind, reason): (StoreErrorKind, &str),
    ) {
        let is_stale = matches!(kind, StoreErrorKind::Missing | StoreErrorKind::Changed);
        if let Some(prefix) = place.leaf_of(key).filter(|_| is_stale) {
            gets.doubts.push(Doubt { id, key: key.to_owned(), reason: reason.to_owned(), prefix });
        } else {
            self.report.failed += 1;
            self.add_problem(place, key, ProblemKind::Object, reason.to_owned());
        }
    }
}

/// Where the bytes of one version go.
struct Shelf {
    mirror: Mirror,
    source: SourceName,
    known: KnownBytes,
}

impl Shelf {
    fn generation(&self, object: &ListedObject) -> GenerationId {
        GenerationId::of(&self.source, &object.key, &object.etag, object.size_bytes)
    }

    /// Returns the checksum of the file that is there already, if it is the version.
    fn adopt(&self, object: &ListedObject) -> io::Result<Option<Checksum>> {
        let generation = self.generation(object);
        let length = self.mirror.len(&self.source, &object.key, generation)?;
        if length != Some(object.size_bytes) {
            return Ok(None);
        }
        let mut file = self.mirror.open(&self.source, &object.key, generation)?;
        // What is not the version, or cannot be read, is replaced.
        Ok(prove(&mut file, &object.etag, &self.known, &Limits::default()).ok())
    }

    fn put(&self, object: &ListedObject, bytes: &[u8]) -> io::Result<Checksum> {
        self.mirror.write(&self.source, &object.key, self.generation(object), bytes)?;
        Ok(*blake3::hash(bytes).as_bytes())
    }
}

/// Reads one object into the mirror.
async fn get(store: Arc<dyn ObjectStore>, to: Shelf, id: i64, object: ListedObject) -> Done {
    let outcome = got(store, Arc::new(to), &object).await;
    Done { id, outcome: outcome.unwrap_or_else(Outcome::Disk), object }
}

async fn got(store: Arc<dyn ObjectStore>, to: Arc<Shelf>, object: &ListedObject) -> io::Result<Outcome> {
    let (shelf, wanted) = (Arc::clone(&to), object.clone());
    if let Some(checksum) = on_disk(move || shelf.adopt(&wanted)).await? {
        return Ok(Outcome::Adopted(checksum));
    }
    let bytes = match store.get(object).await {
        Ok(bytes) => bytes,
        Err(error) => return Ok(Outcome::Refused(error)),
    };
    let wanted = object.clone();
    on_disk(move || to.put(&wanted, &bytes)).await.map(Outcome::Got)
}

/// Does work of the disk off the threads that wait for the network.
async fn on_disk<T: Send + 'static>(work: impl FnOnce() -> io::Result<T> + Send + 'static) -> io::Result<T> {
    tokio::task::spawn_blocking(work).await.map_err(io::Error::other)?
}

/// The state of an object that was refused. A changed one stays to be gotten: its prefix is listed again.
fn state_after(kind: StoreErrorKind) -> ObjectState {
    match kind {
        StoreErrorKind::Missing => ObjectState::Missing,
        StoreErrorKind::Changed => ObjectState::Listed,
        StoreErrorKind::Archived => ObjectState::Archived,
        StoreErrorKind::Denied => ObjectState::Denied,
        _ => ObjectState::Failed,
    }
}
