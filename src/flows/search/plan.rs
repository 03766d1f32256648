//! What a search has to read: the objects that may hold a line, and the stretches of each.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use super::fetch::StoredBytes;
use super::range::Range;
use super::{Library, Request, SearchReport};
use crate::edges::index::{Candidates, Index, IndexedBlock, Wanted};
use crate::edges::ledger::{GenerationRow, Ledger, LedgerError};
use crate::edges::mirror::Mirror;
use crate::flows::error::StateError;
use gzette_core::custom;
use gzette_core::decode::Point;
use gzette_core::group::families;
use gzette_core::model::{AppName, GenerationId, GroupId, GroupKind, Grouped, ObjectVersion, UtcMs, Window};
use gzette_core::partial::SourceSettings;
use gzette_core::query::{Expr, Need, ObjectFacts};

/// Starting at an access point costs about as much as decoding this many bytes.
const WORTH_A_JUMP_BYTES: u64 = 256 << 10;

/// One object and the stretches of it to read.
#[derive(Clone)]
pub(super) struct Task {
    pub(super) row: GenerationRow,
    /// Its bytes, where it is read in several parts: all are of one version.
    pub(super) opened: Option<StoredBytes>,
    /// What its lines have to fulfil.
    pub(super) expr: Arc<Expr>,
    pub(super) ranges: Vec<Range>,
    /// Access points to start at when two stretches are far apart.
    pub(super) points: Vec<Point>,
    /// The stretches that hold the lines around those, and places to begin at.
    pub(super) around: Vec<Range>,
    pub(super) around_points: Vec<Point>,
    pub(super) first_ms: UtcMs,
    pub(super) last_ms: UtcMs,
    /// Whether its object counts as read with it: of several tasks of one object, the newest.
    pub(super) counts: bool,
}

/// What objects hold, by application: another object with the same bytes is a duplicate.
type Contents = HashSet<(AppName, [u8; 32])>;

/// The objects that need no plan any more. A plan does not add to them: it may be made again, by another state of the
/// ledger.
#[derive(Default)]
pub(super) struct Settled {
    objects: HashSet<i64>,
    contents: Contents,
    /// If these are known: the objects that do need one.
    unsettled: Option<HashSet<i64>>,
}

impl Settled {
    /// Settles the objects of some tasks.
    pub(super) fn add(&mut self, tasks: &[Task]) {
        for GenerationRow { object_id, object, checksum, .. } in tasks.iter().map(|task| &task.row) {
            if self.objects.insert(*object_id) {
                self.contents.insert((object.app.clone(), *checksum));
            }
        }
    }

    /// Settles all objects but some.
    pub(super) fn leave(&mut self, objects: HashSet<i64>) {
        self.unsettled = Some(objects);
    }

    fn holds(&self, object_id: i64) -> bool {
        self.objects.contains(&object_id)
            || self.unsettled.as_ref().is_some_and(|unsettled| !unsettled.contains(&object_id))
    }

    /// Whether an object is a duplicate of one that is settled, or of one in `planned`, to which it is added otherwise.
    /// Once some objects were settled by an earlier state of the ledger, its own mark of duplicates is not enough.
    fn has_twin(&self, row: &GenerationRow, planned: &mut Contents) -> bool {
        if self.objects.is_empty() {
            return row.duplicate;
        }
        let content = (row.object.app.clone(), row.checksum);
        // Objects without a line share a checksum and are not duplicates of one another.
        row.blocks > 0 && (self.contents.contains(&content) || !planned.insert(content))
    }
}

/// What to read of each object, by one state of the ledger.
pub(super) struct Plan {
    pub(super) tasks: Vec<Task>,
    /// The start of a report.
    pub(super) report: SearchReport,
    /// The objects for which the index was trusted, by their versions.
    pub(super) indexed: HashMap<GenerationId, i64>,
    /// The objects passed over because another one holds the same.
    pub(super) duplicates: HashSet<i64>,
}

/// Returns what to read of each object that is not settled.
pub(super) fn plan(library: &Library<'_>, request: &Request, settled: &Settled) -> Result<Plan, StateError> {
    let mut report = SearchReport::default();
    let expr = in_present_ids(request.condition(), library.ledger)?;
    let indexed_batch = library.indexed_batch();
    let mut chosen = chosen(library, request, &expr, settled)?;
    report.objects = (chosen.indexed.len() + chosen.others.len()) as u64 + chosen.empty;
    report.duplicates = chosen.duplicates.len() as u64;
    let mut tasks = Vec::new();
    let (mut candidates, mut need) = (Candidates::default(), Need::Anything);
    if let (Some(index), true) = (library.index, indexed_batch > 0) {
        let generations = chosen.indexed.keys().copied().collect();
        // The group of an event depends on all its lines, wherever the words are.
        if !expr.asks_about_groups() && !request.with_groups {
            need = expr.need();
        }
        let Request { window, levels, .. } = *request;
        let asked = Wanted { need: &need, generations: &generations, window, levels, batch: indexed_batch };
        candidates = index.candidates(&asked)?;
        report.blocks = candidates.of;
        report.blocks_read = candidates.blocks.len() as u64;
    }
    let blocks = &candidates.blocks;
    let mut wanted = chosen.rows(library.ledger, blocks)?;
    for blocks in blocks.chunk_by(|a, b| a.generation == b.generation) {
        let Some((row, expr)) = wanted.get(&blocks[0].generation) else {
            continue;
        };
        tasks.push(of_blocks(library.ledger, row, expr, blocks)?);
    }
    if request.limit.is_some() && request.around.is_none() && need != Need::Anything {
        in_parts(library, blocks, &mut tasks)?;
    }
    if let (Some(index), false) = (library.index, request.around.is_none()) {
        add_surroundings(library, (index, indexed_batch), request, &mut tasks)?;
    }
    // A batch that is in the ledger and not in the index, or what the retention took out of the index.
    wanted.retain(|generation, _| chosen.others.contains(generation));
    tasks.extend(wanted.into_values().map(|(row, expr)| whole(library.settings, row, expr)));
    tasks.retain(|task| request.window.meets(task.first_ms, task.last_ms));
    Ok(Plan { tasks, report, indexed: chosen.indexed, duplicates: chosen.duplicates })
}

/// Returns the task to read some blocks of an object.
fn of_blocks(
    ledger: &Ledger,
    row: &GenerationRow,
    expr: &Arc<Expr>,
    blocks: &[IndexedBlock],
) -> Result<Task, LedgerError> {
    let ranges: Vec<_> = blocks.iter().map(Range::of_block).collect();
    Ok(Task {
        row: row.clone(),
        opened: None,
        expr: expr.clone(),
        points: points_for(ledger, row, &ranges)?,
        ranges,
        around: Vec::new(),
        around_points: Vec::new(),
        first_ms: blocks.iter().map(|indexed| indexed.block.first_ms).min().unwrap_or_default(),
        last_ms: blocks.iter().map(|indexed| indexed.block.last_ms).max().unwrap_or_default(),
        counts: true,
    })
}

/// With a limit, this many of the newest objects are read backwards from their end, in parts,
const OBJECTS_IN_PARTS: usize = 8;
/// of this many blocks each.
const PART_BLOCKS: usize = 16;

/// Anything closer to the start of an object is reached quickly without an access point.
const NEAR_BYTES: u64 = 4 << 20;

/// Splits the newest objects, so that the newest lines are found without reading older ones in the same object.
fn in_parts(
    library: &Library<'_>,
    blocks: &[IndexedBlock],
    tasks: &mut Vec<Task>,
) -> Result<(), LedgerError> {
    tasks.sort_by_key(|task| std::cmp::Reverse(task.last_ms));
    for whole in tasks.drain(..tasks.len().min(OBJECTS_IN_PARTS)).collect::<Vec<_>>() {
        let generation = whole.row.object.generation;
        let start = blocks.partition_point(|block| block.generation < generation);
        let of_object = blocks[start..].iter().take_while(|block| block.generation == generation);
        let of_object: Vec<_> = of_object.cloned().collect();
        let parts = of_object.chunks(PART_BLOCKS);
        let parts = parts.map(|part| of_blocks(library.ledger, &whole.row, &whole.expr, part));
        let mut parts = parts.collect::<Result<Vec<_>, _>>()?;
        // Without a point to begin at, each part would be reached from the object's start.
        let is_reached = |part: &Task| !part.points.is_empty() || part.ranges[0].bytes().0 < NEAR_BYTES;
        let opened = if parts.iter().all(is_reached) { open(library.mirror, &whole.row) } else { None };
        if opened.is_none() {
            tasks.push(whole);
            continue;
        }
        for part in &mut parts {
            part.opened.clone_from(&opened);
        }
        parts.iter_mut().rev().skip(1).for_each(|part| part.counts = false);
        tasks.append(&mut parts);
    }
    Ok(())
}

/// With fewer tasks than this for each worker, large ones are shared out between the workers,
const TASKS_A_WORKER: usize = 4;
/// in parts of at least this many bytes, so that each point begins one,
const PART_BYTES: u64 = 1 << 20;
/// that begin at most this far after a point.
const PART_BEHIND_BYTES: u64 = 256 << 10;

/// Splits large tasks when there are too few to keep all workers busy until the end. The parts
/// replace the whole, in the order of their lines.
pub(super) fn share_out(
    library: &Library<'_>,
    request: &Request,
    workers: usize,
    tasks: Vec<Task>,
) -> Result<Vec<Task>, LedgerError> {
    // The context of lines, and the group of an event, may need lines of another part.
    if tasks.len() >= TASKS_A_WORKER * workers || !request.around.is_none() || request.with_groups {
        return Ok(tasks);
    }
    let mut shared = Vec::new();
    for task in tasks {
        let is_whole = task.expr.asks_about_groups();
        match if is_whole { None } else { parts_of(library, &task)? } {
            Some(parts) => shared.extend(parts),
            None => shared.push(task),
        }
    }
    Ok(shared)
}

/// Opens an object's mirrored file, for all parts of it; `None` where it is not there: each part would fetch it again.
fn open(mirror: &Mirror, row: &GenerationRow) -> Option<StoredBytes> {
    let ObjectVersion { source, key, generation, size_bytes, .. } = &row.object;
    let file = mirror.open_whole(source, key, *generation, *size_bytes).ok()?;
    Some(StoredBytes::File(Arc::new(file)))
}

/// Returns the parts of a large task; `None` for one that is small, or that cannot be begun in its middle.
fn parts_of(library: &Library<'_>, task: &Task) -> Result<Option<Vec<Task>>, LedgerError> {
    let ledger = library.ledger;
    let (mut parts, mut part, mut bytes) = (Vec::new(), Vec::new(), 0);
    let mut points = ledger.point_places(task.row.object.generation)?.into_iter().peekable();
    let mut point = None;
    for range in &task.ranges {
        let (start, end) = range.bytes();
        while let Some(next) = points.next_if(|&next| next <= start) {
            point = Some(next);
        }
        let is_near = point.is_some_and(|point| start - point <= PART_BEHIND_BYTES);
        if is_near && bytes >= PART_BYTES {
            parts.push(std::mem::take(&mut part));
            bytes = 0;
        }
        part.push(range.clone());
        bytes += end - start;
    }
    let opened = if parts.is_empty() { None } else { open(library.mirror, &task.row) };
    if opened.is_none() {
        return Ok(None);
    }
    parts.push(part);
    let part_of = |(number, ranges): (usize, Vec<Range>)| {
        let points = points_for(ledger, &task.row, &ranges)?;
        let (row, expr, counts) = (task.row.clone(), task.expr.clone(), task.counts && number == 0);
        let (opened, around, around_points) = (opened.clone(), Vec::new(), Vec::new());
        Ok(Task { row, opened, expr, ranges, points, around, around_points, counts, ..*task })
    };
    parts.into_iter().enumerate().map(part_of).collect::<Result<_, _>>().map(Some)
}

/// The context is looked up for objects with this many blocks at a time. Each lookup scans the whole index.
const ASKED_BLOCKS: u64 = 1 << 18;

/// Adds the stretches that hold the context of what may be found.
fn add_surroundings(
    library: &Library<'_>,
    index: (&Index, i64),
    request: &Request,
    tasks: &mut [Task],
) -> Result<(), StateError> {
    let mut rest = tasks;
    while !rest.is_empty() {
        let mut blocks = 0;
        let mut is_asked = |task: &Task| {
            blocks += task.row.blocks;
            blocks <= ASKED_BLOCKS
        };
        let asked = rest.iter().take_while(|task| is_asked(task)).count().max(1);
        let (tasks, others) = rest.split_at_mut(asked);
        add_surroundings_of(library, index, request, tasks)?;
        rest = others;
    }
    Ok(())
}

fn add_surroundings_of(
    library: &Library<'_>,
    index: (&Index, i64),
    request: &Request,
    tasks: &mut [Task],
) -> Result<(), StateError> {
    let blocks = blocks_of(index, &tasks.iter().map(|task| task.row.object.generation).collect())?;
    let mut of = HashMap::new();
    for blocks in blocks.chunk_by(|a, b| a.generation == b.generation) {
        of.insert(blocks[0].generation, blocks);
    }
    for task in tasks {
        let blocks = of.get(&task.row.object.generation).copied().unwrap_or_default();
        task.around = request.around.of_blocks(blocks, &task.ranges);
        task.around_points = points_for(library.ledger, &task.row, &task.around)?;
    }
    Ok(())
}

/// Returns all blocks of some objects, ordered by object and place, from an index that holds the batches up to `batch`.
fn blocks_of(
    (index, batch): (&Index, i64),
    generations: &HashSet<GenerationId>,
) -> Result<Vec<IndexedBlock>, StateError> {
    let wanted = Wanted { need: &Need::Anything, generations, window: Window::ALL, levels: u8::MAX, batch };
    Ok(index.candidates(&wanted)?.blocks)
}

/// Returns the known stretches of an object: its blocks, or where the index has not all of them, the whole object.
pub(super) fn stretches_of(library: &Library<'_>, row: &GenerationRow) -> Result<Vec<Range>, StateError> {
    let batch = library.indexed_batch();
    if let (Some(index), true) = (library.index, row.indexed && row.batch <= batch) {
        let blocks = blocks_of((index, batch), &HashSet::from([row.object.generation]))?;
        if blocks.len() as u64 == row.blocks {
            return Ok(blocks.iter().map(Range::of_block).collect());
        }
    }
    Ok(vec![Range::whole(library.settings.of(&row.object.source), row.object.day)])
}

/// Returns the expression with the ids that groups have by the present rules, families and custom groups as the groups in them.
fn in_present_ids(expr: Expr, ledger: &Ledger) -> Result<Expr, LedgerError> {
    if !expr.asks_about_groups() {
        return Ok(expr);
    }
    let aliases = ledger.group_aliases()?;
    let described = if expr.asks_about_sets_of_groups() { ledger.groups_described()? } else { Vec::new() };
    let messages = described.iter().filter(|group| group.kind == GroupKind::Message);
    let families = families(messages.map(|group| group.template.as_str()));
    let family_of = |group: &Grouped| families.get(group.template.as_str());
    let ids = |wanted: &dyn Fn(&&Grouped) -> bool| -> Vec<GroupId> {
        described.iter().filter(|group| wanted(group)).map(|group| group.id).collect()
    };
    let present = |id: &GroupId| aliases.get(id).copied().unwrap_or(*id);
    Ok(expr.with_groups(&|leaf| match leaf {
        Expr::Group(id) => vec![present(id)],
        Expr::Family(id) => {
            let id = present(id);
            let family = described.iter().find(|group| group.id == id).and_then(family_of);
            if family.is_none() { vec![id] } else { ids(&|group| family_of(group) == family) }
        }
        Expr::Custom(name) => {
            ids(&|group| group.kind == GroupKind::Custom && custom::name_of(&group.template) == Some(name))
        }
        _ => Vec::new(),
    }))
}

/// Returns the task to read all of an object. Lines before its first event have the time of its day.
fn whole(settings: &SourceSettings, row: GenerationRow, expr: Arc<Expr>) -> Task {
    let range = Range::whole(settings.of(&row.object.source), row.object.day);
    let (first_ms, last_ms) = row.span_ms.unwrap_or((range.place().time_ms, range.place().time_ms));
    Task {
        first_ms: first_ms.min(range.place().time_ms),
        last_ms: last_ms.max(range.place().time_ms),
        ranges: vec![range.clone()],
        opened: None,
        points: Vec::new(),
        around: vec![range],
        around_points: Vec::new(),
        counts: true,
        row,
        expr,
    }
}

/// Returns the access points that avoid decoding the data before and between stretches.
pub(super) fn points_for(
    ledger: &Ledger,
    row: &GenerationRow,
    ranges: &[Range],
) -> Result<Vec<Point>, LedgerError> {
    let mut points = Vec::new();
    let mut at = 0;
    for (start, end) in ranges.iter().map(Range::bytes) {
        if start.saturating_sub(at) >= WORTH_A_JUMP_BYTES {
            points.extend(ledger.point_between(row.object.generation, at, start)?);
        }
        at = end;
    }
    Ok(points)
}

/// The objects to search, each with what its lines have to fulfil.
type WantedObjects = BTreeMap<GenerationId, (GenerationRow, Arc<Expr>)>;

/// The objects that may hold a line.
#[derive(Default)]
struct Chosen {
    /// Those that the index has whole.
    indexed: HashMap<GenerationId, i64>,
    /// Those that are read whole: of a batch that is in the ledger and not in the index, or what the retention took out of
    /// the index.
    others: HashSet<GenerationId>,
    /// How many of the rest hold no line.
    empty: u64,
    /// Those that are duplicates of others.
    duplicates: HashSet<i64>,
    /// What their lines have to fulfil, where that is the same for all.
    expr: Option<Arc<Expr>>,
    /// All that is known of them, where it decided.
    rows: WantedObjects,
}

impl Chosen {
    /// Adds an object; `is_indexed` says whether the index has all of it.
    fn add(&mut self, (generation, object_id): (GenerationId, i64), blocks: u64, is_indexed: bool) {
        if is_indexed {
            self.indexed.insert(generation, object_id);
        } else if blocks > 0 {
            self.others.insert(generation);
        } else {
            self.empty += 1;
        }
    }

    /// Returns what is known of the objects that are read: those with candidates, and those that the index does not have.
    fn rows(&mut self, ledger: &Ledger, blocks: &[IndexedBlock]) -> Result<WantedObjects, LedgerError> {
        let Some(expr) = &self.expr else { return Ok(std::mem::take(&mut self.rows)) };
        let mut wanted = self.others.clone();
        wanted.extend(blocks.iter().map(|block| block.generation));
        let rows = ledger.generations_of(&wanted)?.into_iter();
        Ok(rows.map(|row| (row.object.generation, (row, Arc::clone(expr)))).collect())
    }
}

/// Returns the objects that may hold a line for which `expr` holds.
fn chosen(
    library: &Library<'_>,
    request: &Request,
    expr: &Expr,
    settled: &Settled,
) -> Result<Chosen, StateError> {
    // A little is known of all objects without reading their rows, and mostly that is enough.
    if expr.asks_about_objects() || !settled.objects.is_empty() {
        return chosen_by_rows(library, request, expr, settled);
    }
    let mut chosen = Chosen { expr: Some(Arc::new(expr.clone())), ..Chosen::default() };
    if expr.is_nothing() {
        return Ok(chosen);
    }
    let indexed_batch = library.indexed_batch();
    library.ledger.each_outline(&request.apps, |object| {
        if !is_asked(request, settled, object.object_id) {
            return;
        }
        if object.is_duplicate {
            chosen.duplicates.insert(object.object_id);
        } else {
            let is_indexed = object.is_indexed && object.batch <= indexed_batch;
            chosen.add((object.generation, object.object_id), object.blocks, is_indexed);
        }
    })?;
    Ok(chosen)
}

/// Whether an object is asked for and not settled.
fn is_asked(request: &Request, settled: &Settled, object_id: i64) -> bool {
    !settled.holds(object_id) && request.only.as_ref().is_none_or(|only| only.contains(&object_id))
}

/// As [`chosen`], by all that is known of the objects.
fn chosen_by_rows(
    library: &Library<'_>,
    request: &Request,
    expr: &Expr,
    settled: &Settled,
) -> Result<Chosen, StateError> {
    let mut sighted = HashMap::new();
    for group in expr.groups() {
        sighted.insert(group, library.ledger.generations_with_group(group)?);
    }
    let whole = Arc::new(expr.clone());
    // Compiled expressions may be large, and most ask the same of every object.
    let is_shared = !expr.asks_about_objects();
    let (mut chosen, mut planned) = (Chosen::default(), Contents::new());
    let indexed_batch = library.indexed_batch();
    for row in library.ledger.generations()? {
        let object = &row.object;
        let is_of_app = request.apps.is_empty() || request.apps.contains(&object.app);
        if !is_of_app || !is_asked(request, settled, row.object_id) {
            continue;
        }
        let has_twin = settled.has_twin(&row, &mut planned);
        let expr = if is_shared { Arc::clone(&whole) } else { Arc::new(given(expr, &row, &sighted)) };
        if expr.is_nothing() {
            continue;
        }
        if has_twin {
            chosen.duplicates.insert(row.object_id);
        } else {
            let is_indexed = row.indexed && row.batch <= indexed_batch;
            chosen.add((object.generation, row.object_id), row.blocks, is_indexed);
            chosen.rows.insert(object.generation, (row, expr));
        }
    }
    Ok(chosen)
}

/// Returns what lines of an object have to fulfil, given the facts about it.
fn given(expr: &Expr, row: &GenerationRow, sighted: &HashMap<GroupId, HashSet<GenerationId>>) -> Expr {
    let has_group = |group| sighted.get(&group).is_some_and(|seen| seen.contains(&row.object.generation));
    expr.given(&ObjectFacts { app: row.object.app.as_str(), place: &row.place(), has_group: &has_group })
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// An object whose bytes have this checksum.
    pub(in crate::flows::search) fn row(object_id: i64, checksum: u8) -> GenerationRow {
        let object = ObjectVersion {
            source: "logs".into(),
            key: format!("api/{object_id}.gz").into(),
            etag: String::new(),
            size_bytes: 100,
            app: "api".into(),
            day: None,
            generation: GenerationId(object_id),
        };
        GenerationRow {
            object_id,
            object,
            batch: 1,
            blocks: 1,
            span_ms: None,
            duplicate: false,
            checksum: [checksum; 32],
            source_url: "s3://logs".to_owned(),
            mirrored: true,
            indexed: true,
            reading: gzette_core::partial::Reading::default(),
        }
    }

    #[test]
    fn an_object_that_is_planned_again_is_not_its_own_duplicate() {
        let contents = Contents::from([("api".into(), [7; 32])]);
        let settled = Settled { objects: HashSet::from([1]), contents, unsettled: None };
        for _ in 0..2 {
            let mut planned = Contents::new();
            let mut has_twin = |row| settled.has_twin(&row, &mut planned);
            assert!(has_twin(row(2, 7)), "a settled object has its bytes");
            assert!(!has_twin(row(3, 8)));
            assert!(has_twin(row(4, 8)), "a planned object has its bytes");
        }
    }
}
