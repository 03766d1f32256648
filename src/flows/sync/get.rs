//! The getting half of a sync.

use std::collections::{HashMap, HashSet};
use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::task::AbortHandle;

use crate::edges::ledger::{GetRecord, PendingObject};
use crate::edges::mirror::Mirror;
use crate::edges::store::{ObjectStore, StoreError, StoreErrorKind, get_version};
use crate::flows::error::StateError;
use gzette_core::decode::Limits;
use gzette_core::model::{Checksum, GenerationId, KnownBytes, ListedObject, ObjectKey, SourceName};
use gzette_core::plan::{ObjectState, is_to_try};
use gzette_core::proof::prove;

use super::queue::{Group, Level, Waiting};
use super::{Doubt, Event, Place, ProblemKind, Run, ends_source};

/// The most outcomes that one transaction holds.
pub(super) const RECORDS_AT_ONCE: usize = 64;
/// The slowest read that is not given up for others, in bytes a second.
const SLOWEST_READ: u64 = 256 << 10;
/// The slowest line of a source that counts as one, in bytes a second over all its reads.
const SLOWEST_LINE: u64 = 1 << 10;

/// The outcome for one object.
enum Outcome {
    /// With the checksum of its bytes.
    Got(Checksum),
    /// It was in the mirror already.
    Adopted(Checksum),
    Refused(StoreError),
    Disk(io::Error),
}

/// An object that has been dealt with.
pub(super) struct Done {
    /// The number of the read: a version that has been listed meanwhile is read for the same row.
    number: u64,
    id: i64,
    object: ListedObject,
    outcome: Outcome,
}

/// A read at work.
struct Running {
    waiting: Waiting,
    object: ListedObject,
    since: Instant,
    task: AbortHandle,
    /// The bytes of whole objects that were begun later.
    passed_bytes: u64,
}

/// The reads at work, and how much of the room in memory they take.
#[derive(Default)]
pub(super) struct Gets {
    next: Option<(Waiting, ListedObject)>,
    running: HashMap<u64, Running>,
    started: u64,
    bytes_in_flight: u64,
    last_end: Option<Instant>,
    /// The bytes of each source when its line was last known to work, and when that was.
    heard: HashMap<usize, (u64, Instant)>,
}

impl Gets {
    /// Notes that a whole object has come whose read was begun after others that are still at work.
    fn note_passed(&mut self, number: u64, size_bytes: u64) {
        for (_, running) in self.running.iter_mut().filter(|(other, _)| **other < number) {
            running.passed_bytes = running.passed_bytes.saturating_add(size_bytes);
        }
    }
}

impl Running {
    /// Returns whether it takes longer than a read of its size should.
    fn is_slow(&self, slow: Duration) -> bool {
        self.since.elapsed() >= slow + Duration::from_secs(self.object.size_bytes / SLOWEST_READ)
    }

    /// Returns whether others have had so much of the line meanwhile that it would have ended, had it had its share.
    fn is_passed(&self, parallel: usize) -> bool {
        self.passed_bytes >= self.object.size_bytes.max(1).saturating_mul(parallel as u64)
    }
}

impl Place<'_> {
    /// Returns the objects that this run asks for.
    pub(super) fn to_try(&self, mut pending: Vec<PendingObject>) -> Vec<PendingObject> {
        pending.retain(|object| is_to_try(object.state, object.next_try_ms, self.reach.now_ms));
        pending
    }
}

impl Run<'_> {
    /// Starts as many reads as there is room for. One that is too large waits for its turn instead of being overtaken.
    pub(super) fn start_gets(&mut self) -> Result<(), StateError> {
        while self.gets.running.len() < self.options.parallel_gets.max(1) {
            if self.gets.next.is_none() {
                if !self.may_take_next() {
                    return Ok(());
                }
                let Some(waiting) = self.queue.pop() else { return Ok(()) };
                let Some(object) = self.ledger.pending_object(waiting.id)? else {
                    // It has been listed as gone, or read for another listing, since it came into the queue.
                    self.fronts[waiting.group.at].counts.1 += 1;
                    continue;
                };
                self.gets.next = Some((waiting, object));
            }
            let size_bytes = self.gets.next.as_ref().map_or(0, |(_, object)| object.size_bytes);
            let bytes = self.gets.bytes_in_flight.saturating_add(size_bytes);
            let is_full = bytes > self.options.max_bytes_in_flight && !self.gets.running.is_empty();
            if is_full || self.is_over() {
                return Ok(());
            }
            if let Some((waiting, object)) = self.gets.next.take() {
                if self.has_failed(waiting.group.at) {
                    self.leave_object(waiting.group.at, &object.key);
                } else {
                    self.start_get(waiting, object)?;
                }
            }
        }
        Ok(())
    }

    /// Returns whether the next object of the queue may start: slow groups leave half of the places to objects still
    /// being listed.
    fn may_take_next(&self) -> bool {
        let is_slow = |running: &&Running| self.queue.level(&running.waiting.group) == Level::Slow;
        let half = (self.options.parallel_gets / 2).max(1);
        self.queue.next_level() != Some(Level::Slow)
            || self.gets.running.values().filter(is_slow).count() < half
            || !(0..self.fronts.len()).any(|at| self.fronts[at].is_listing() && !self.has_failed(at))
    }

    fn start_get(&mut self, waiting: Waiting, object: ListedObject) -> Result<(), StateError> {
        let source = self.place(waiting.group.at).source;
        let known = self.ledger.known_bytes(waiting.id, &object.etag, object.size_bytes)?;
        let to = Shelf { mirror: self.mirror.clone(), source: source.name.clone(), known };
        let (id, number) = (waiting.id, self.gets.started);
        self.gets.started += 1;
        let work = get(source.store.clone(), to, object.clone(), waiting.is_loose);
        let task = self.running.spawn(async move {
            let (object, outcome) = work.await;
            Event::Got(Done { number, id, object, outcome })
        });
        self.gets.bytes_in_flight = self.gets.bytes_in_flight.saturating_add(object.size_bytes);
        let running = Running { waiting, object, since: Instant::now(), task, passed_bytes: 0 };
        self.gets.running.insert(number, running);
        Ok(())
    }

    /// Gives up reads that keep others waiting: when half of all are slow, or none has ended for a while. They are begun
    /// again when the others are done. Reads that are as slow as the line they share are left alone.
    pub(super) fn make_room(&mut self) {
        let silent = self.silent_sources();
        let (slow, parallel, gets) = (self.options.slow, self.options.parallel_gets, &mut self.gets);
        let next = gets.next.as_ref().map(|(waiting, _)| self.queue.level(&waiting.group));
        let is_waited_for = next.or(self.queue.next_level()).is_some_and(|level| level < Level::Slow);
        let is_overdue = |running: &Running| {
            let is_hung = silent.contains(&running.waiting.group.at) || running.is_passed(parallel);
            is_hung && running.is_slow(slow)
        };
        let overdue: Vec<u64> =
            gets.running.iter().filter(|(_, running)| is_overdue(running)).map(|(id, _)| *id).collect();
        let has_stopped = gets.last_end.is_none_or(|end| end.elapsed() >= slow);
        let is_half = overdue.len() * 2 >= parallel;
        if !is_waited_for || self.over_since.is_some() || !(has_stopped || is_half) {
            return;
        }
        let mut given_up = Vec::new();
        for id in overdue {
            let Some(running) = gets.running.remove(&id) else { continue };
            running.task.abort();
            gets.bytes_in_flight = gets.bytes_in_flight.saturating_sub(running.object.size_bytes);
            given_up.push(running.waiting);
        }
        let groups: Vec<Arc<Group>> = given_up.iter().map(|waiting| Arc::clone(&waiting.group)).collect();
        self.queue.demote(&groups);
        for waiting in given_up {
            let group = Arc::clone(&waiting.group);
            self.queue.push(&group, [waiting].into());
        }
    }

    /// Returns the sources from which next to nothing has arrived for a while.
    fn silent_sources(&mut self) -> HashSet<usize> {
        let (slow, now) = (self.options.slow, Instant::now());
        let drip = (slow.as_millis() as u64 * SLOWEST_LINE / 1000).max(1);
        let mut silent = HashSet::new();
        for (at, front) in self.fronts.iter().enumerate() {
            let received = front.place.source.store.requests().received_bytes;
            let (bytes, since) = self.gets.heard.entry(at).or_insert((received, now));
            if received >= *bytes + drip {
                (*bytes, *since) = (received, now);
            } else if since.elapsed() >= slow {
                silent.insert(at);
            }
        }
        silent
    }

    /// Names the objects of a source that were not reached; they remain to be fetched.
    pub(super) fn leave_objects(&mut self, at: usize) -> Result<(), StateError> {
        if !self.has_failed(at) {
            self.queue_pending(at)?;
        }
        if self.gets.next.as_ref().is_some_and(|(waiting, _)| waiting.group.at == at)
            && let Some((_, object)) = self.gets.next.take()
        {
            self.leave_object(at, &object.key);
        }
        for waiting in self.queue.drain(at) {
            if !waiting.is_known {
                let key = self.ledger.listed_object(waiting.id)?.key;
                self.leave_object(at, &key);
            }
        }
        let doubts: Vec<Doubt> =
            std::mem::take(&mut self.fronts[at].doubts).into_values().flatten().collect();
        doubts.iter().try_for_each(|doubt| self.tell_doubt(doubt))
    }

    fn leave_object(&mut self, at: usize, key: &ObjectKey) {
        let reason = format!("not fetched, {}", self.why_left(at));
        self.add_problem(at, key, ProblemKind::Object, reason);
    }

    /// Names the reads that were cut when the time was up; those that gave no answer for long have failed.
    pub(super) fn leave_running(&mut self) -> Result<(), StateError> {
        let slow = self.options.slow;
        let mut records = Vec::new();
        for running in std::mem::take(&mut self.gets.running).into_values() {
            let Running { waiting, object, since, .. } = running;
            if since.elapsed() < slow {
                self.leave_object(waiting.group.at, &object.key);
                continue;
            }
            let reason = format!("not read within {:.0?}, when time ran out", since.elapsed());
            self.report.failed += 1;
            if !waiting.is_known {
                self.add_problem(waiting.group.at, &object.key, ProblemKind::Object, reason.clone());
            }
            let (object_id, etag, size_bytes) = (waiting.id, object.etag, object.size_bytes);
            let (state, reason) = (ObjectState::Failed, Some(reason));
            records.push(GetRecord { object_id, etag, size_bytes, state, reason, stored_checksum: None });
        }
        Ok(self.ledger.record_gets(&records, self.options.now_ms)?)
    }

    /// Writes down what came, then stops if the disk refused.
    pub(super) fn record_batch(&mut self, batch: Vec<Done>) -> Result<(), StateError> {
        if batch.is_empty() {
            return Ok(());
        }
        let mut records = Vec::with_capacity(batch.len());
        let (mut disk_error, mut doubts) = (None, Vec::new());
        for done in batch {
            // A read that was given up but finished anyway is in the mirror and is adopted from there.
            let Some(running) = self.gets.running.remove(&done.number) else { continue };
            let size_bytes = running.object.size_bytes;
            self.gets.bytes_in_flight = self.gets.bytes_in_flight.saturating_sub(size_bytes);
            self.gets.last_end = Some(Instant::now());
            if matches!(done.outcome, Outcome::Got(_)) {
                self.gets.note_passed(done.number, size_bytes);
            }
            let at = running.waiting.group.at;
            self.fronts[at].counts.1 += 1;
            match self.judge(running.waiting, done, &mut doubts) {
                Ok(record) => records.extend(record),
                Err(error) => disk_error = Some(error),
            }
            let (total, done, bytes) = self.fronts[at].counts;
            self.progress.got(self.place(at).name(), done, total, bytes);
        }
        self.ledger.record_gets(&records, self.options.now_ms)?;
        if let Some(error) = disk_error {
            return Err(StateError::Mirror(error));
        }
        doubts.into_iter().try_for_each(|doubt| self.look_again(doubt))
    }

    /// Counts one outcome. Returns what the ledger is to say of the object, if anything.
    fn judge(
        &mut self,
        waiting: Waiting,
        done: Done,
        doubts: &mut Vec<Doubt>,
    ) -> io::Result<Option<GetRecord>> {
        let Done { id: object_id, object, outcome, .. } = done;
        let at = waiting.group.at;
        let mut stored_checksum = None;
        let (state, reason) = match outcome {
            Outcome::Got(checksum) => {
                stored_checksum = Some(checksum);
                self.report.got += 1;
                self.report.got_bytes += object.size_bytes;
                let front = &mut self.fronts[at];
                front.counts.2 += object.size_bytes;
                if waiting.is_loose {
                    front.unmatched += 1;
                } else {
                    front.matched += 1;
                }
                (ObjectState::Mirrored, None)
            }
            Outcome::Adopted(checksum) => {
                stored_checksum = Some(checksum);
                self.report.adopted += 1;
                (ObjectState::Mirrored, None)
            }
            Outcome::Refused(error) if ends_source(error.kind) => {
                self.add_problem(at, &object.key, ProblemKind::Object, error.reason.clone());
                self.report.fail_source(self.fronts[at].place.name(), error);
                return Ok(None);
            }
            Outcome::Refused(error) => {
                self.report.note_refused(&error);
                let StoreError { kind, reason, .. } = error;
                let doubt = Doubt { waiting, object: object.clone(), kind, reason: reason.clone() };
                if matches!(kind, StoreErrorKind::Missing | StoreErrorKind::Changed) {
                    doubts.push(doubt);
                } else {
                    self.tell_refused(&doubt);
                }
                (state_after(kind), Some(reason))
            }
            Outcome::Disk(error) => return Err(error),
        };
        let ListedObject { etag, size_bytes, .. } = object;
        Ok(Some(GetRecord { object_id, etag, size_bytes, state, reason, stored_checksum }))
    }

    /// Lists the prefix of an object again that was not what had been listed.
    fn look_again(&mut self, doubt: Doubt) -> Result<(), StateError> {
        let at = doubt.waiting.group.at;
        let prefix = self.place(at).leaf_of(&doubt.object.key).filter(|_| !doubt.waiting.is_loose);
        let Some(prefix) = prefix.filter(|_| !self.has_failed(at)) else { return self.tell_doubt(&doubt) };
        let front = &mut self.fronts[at];
        if front.list_again(&prefix) || front.doubts.contains_key(&prefix) {
            front.doubts.entry(prefix).or_default().push(doubt);
            return Ok(());
        }
        // It has been, a moment ago.
        self.settle(doubt)
    }

    /// Handles the objects that still differ from the listing after their prefix was listed again.
    pub(super) fn settle_doubts(
        &mut self,
        at: usize,
        prefix: &str,
        is_listed: bool,
    ) -> Result<(), StateError> {
        for doubt in self.fronts[at].doubts.remove(prefix).unwrap_or_default() {
            if is_listed {
                self.settle(doubt)?;
            } else {
                self.tell_doubt(&doubt)?;
            }
        }
        Ok(())
    }

    /// Listed with one etag a moment ago and read with another, the server has two: the object is read once more
    /// whatever its etag.
    fn settle(&mut self, doubt: Doubt) -> Result<(), StateError> {
        let Doubt { waiting, object, kind, .. } = &doubt;
        let is_other = *kind == StoreErrorKind::Changed && !waiting.is_loose;
        if !is_other || !self.ledger.is_pending(waiting.id, &object.etag, object.size_bytes)? {
            return self.tell_doubt(&doubt);
        }
        let group = Arc::clone(&waiting.group);
        self.fronts[group.at].counts.0 += 1;
        self.queue.push(&group, [Waiting { is_loose: true, ..doubt.waiting }].into());
        Ok(())
    }

    /// Names an object that is listed as it was and cannot be read so. Another version of it is read by itself.
    fn tell_doubt(&mut self, doubt: &Doubt) -> Result<(), StateError> {
        if self.ledger.is_pending(doubt.waiting.id, &doubt.object.etag, doubt.object.size_bytes)? {
            self.tell_refused(doubt);
        }
        Ok(())
    }

    /// Remembers that a server gives other etags for reading than for listing.
    pub(super) fn note_etags(&mut self, at: usize) -> Result<(), StateError> {
        let (place, front) = (self.place(at), &self.fronts[at]);
        if place.is_loose || front.unmatched == 0 || front.matched > 0 {
            return Ok(());
        }
        self.ledger.set_fact(&etags_fact(place.id), &self.options.now_ms.get().to_string())?;
        self.report.notes.push(format!(
            "source `{}`: the server returns other etags for reads than for listings (a proxy or an encryption \
             gateway); objects are checked by size, and by checksum or a second read",
            place.name()
        ));
        Ok(())
    }

    fn tell_refused(&mut self, doubt: &Doubt) {
        self.report.failed += 1;
        if !doubt.waiting.is_known {
            self.add_problem(
                doubt.waiting.group.at,
                &doubt.object.key,
                ProblemKind::Object,
                doubt.reason.clone(),
            );
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
        // A file of another version, or an unreadable one, is replaced.
        Ok(prove(&mut file, &object.etag, &self.known, &Limits::default()).ok())
    }

    fn put(&self, object: &ListedObject, bytes: &[u8]) -> io::Result<Checksum> {
        self.mirror.write(&self.source, &object.key, self.generation(object), bytes)?;
        Ok(*blake3::hash(bytes).as_bytes())
    }
}

/// Returns the name of the fact that says since when a source's etags do not match.
pub(super) fn etags_fact(source_id: i64) -> String {
    format!("etags_differ:{source_id}")
}

/// Reads one object into the mirror.
async fn get(
    store: Arc<dyn ObjectStore>,
    to: Shelf,
    object: ListedObject,
    is_loose: bool,
) -> (ListedObject, Outcome) {
    let outcome = got(store, Arc::new(to), &object, is_loose).await;
    (object, outcome.unwrap_or_else(Outcome::Disk))
}

async fn got(
    store: Arc<dyn ObjectStore>,
    to: Arc<Shelf>,
    object: &ListedObject,
    is_loose: bool,
) -> io::Result<Outcome> {
    let (shelf, wanted) = (Arc::clone(&to), object.clone());
    if let Some(checksum) = on_disk(move || shelf.adopt(&wanted)).await? {
        return Ok(Outcome::Adopted(checksum));
    }
    let read = if is_loose {
        store.get_unmatched(object).await
    } else {
        get_version(&*store, object, &to.known).await
    };
    let bytes = match read {
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

/// The state of an object that was refused. A changed one remains to be fetched: its prefix is listed again.
fn state_after(kind: StoreErrorKind) -> ObjectState {
    match kind {
        StoreErrorKind::Missing => ObjectState::Missing,
        StoreErrorKind::Changed => ObjectState::Listed,
        StoreErrorKind::Archived => ObjectState::Archived,
        StoreErrorKind::Denied => ObjectState::Denied,
        _ => ObjectState::Failed,
    }
}
