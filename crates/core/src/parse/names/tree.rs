//! Names by what they mean, as a tree of the objects that hold them.

use super::{
    AT_TOP_ALONE, DAEMONS, FieldNames, NANOS, Name, PARTS, PYTHONS, RECORDS, RESULTS, Rank, Role, Scale,
    TRACE_OBJECTS, TRACE_PARTS, scale,
};

/// The ranks of names in [`RECORDS`], at the top, in [`RESULTS`], of [`AT_TOP_ALONE`] and in [`PARTS`] begin here.
const IN_RECORD: Rank = 0;
const AT_TOP: Rank = 1024;
const IN_RESULT: Rank = 2048;
const WEAK_AT_TOP: Rank = 3072;
const IN_PART: Rank = 4096;

/// The top, the records, the parts and the results.
const OBJECTS: u16 = 4;

/// Keys are looked up by the letters that they begin and end with.
const BUCKETS: usize = 128;

/// The names of a record, and of the objects in it.
#[derive(Debug)]
pub(super) struct Tree(Vec<Object>);

/// The keys of an object that mean something.
#[derive(Debug)]
struct Object {
    /// By bucket.
    entries: Vec<Vec<Entry>>,
}

/// What a key means.
#[derive(Clone, Debug, Default)]
pub(crate) struct Entry {
    /// Without case and signs.
    key: Vec<u8>,
    /// What a text or a number under it is.
    pub(crate) name: Option<Name>,
    /// What an array or an object under it is.
    pub(crate) nested: Option<Name>,
    /// The object that holds further names.
    child: Option<u16>,
}

/// The keys of an object that mean something, as a reader walks down to them.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Node<'t> {
    tree: &'t Tree,
    at: u16,
}

impl<'t> Node<'t> {
    /// Returns what a key means.
    pub(crate) fn find(self, key: &[u8]) -> Option<&'t Entry> {
        let bucket = &self.tree.0[usize::from(self.at)].entries[bucket(key)?];
        bucket.iter().find(|entry| is_same(&entry.key, key))
    }

    /// Returns the names of the object under a key.
    pub(crate) fn below(self, entry: &Entry) -> Option<Self> {
        entry.child.map(|at| Self { at, ..self })
    }

    /// Returns whether this is the record itself.
    pub(crate) fn is_top(self) -> bool {
        self.at == 0
    }

    /// Returns whether texts under unknown keys may be the message.
    pub(crate) fn is_record(self) -> bool {
        self.at < OBJECTS
    }
}

impl Tree {
    pub(super) fn new(fields: &FieldNames) -> Self {
        // The objects of dotted names come behind these.
        let mut tree = Self((0..OBJECTS).map(|_| Object::new()).collect());
        let objects = [(0, AT_TOP), (1, IN_RECORD), (2, IN_PART), (3, IN_RESULT)];
        for (at, first) in objects {
            tree.add_all(at, first, at == 0, fields);
        }
        for (name, role) in [("eventName", Role::Call), ("errorCode", Role::Failure)] {
            tree.add(0, name, Name { role, rank: AT_TOP, is_daemons: false });
        }
        for (containers, at) in [(RECORDS, 1), (PARTS, 2), (RESULTS, 3)] {
            for container in containers.split_ascii_whitespace() {
                let known = tree.entry(0, container).child;
                match known {
                    // Some of its names have been added as dotted ones.
                    Some(known) => tree.add_all(known, objects[usize::from(at)].1, false, fields),
                    None => tree.entry(0, container).child = Some(at),
                }
            }
        }
        // A body of OpenTelemetry's that is a list of keys and values.
        let body = tree.child(0, "body");
        let list = tree.child(body, "kvlistValue");
        tree.entry(list, "values").child = Some(2);
        tree
    }

    pub(super) fn top(&self) -> Node<'_> {
        Node { tree: self, at: 0 }
    }

    fn add_all(&mut self, at: u16, first: Rank, in_top: bool, fields: &FieldNames) {
        let lists = [
            (&fields.time, Role::Time),
            (&fields.level, Role::Level(Scale::BySize)),
            (&fields.logger, Role::Logger),
            (&fields.thread, Role::Thread),
            (&fields.message, Role::Message),
            (&fields.trace, Role::Trace),
        ];
        for (list, role) in lists {
            for (rank, name) in (first..first + 999).zip(list) {
                let is_weak = AT_TOP_ALONE.split(' ').any(|weak| weak == name);
                if in_top || !is_weak {
                    let rank = if is_weak { rank - first + WEAK_AT_TOP } else { rank };
                    let role = match role {
                        Role::Level(_) => Role::Level(scale(name)),
                        Role::Time if name == "@t" => Role::CompactTime,
                        role => role,
                    };
                    let is_daemons =
                        DAEMONS.split_ascii_whitespace().any(|daemons| is_same_name(daemons, name));
                    self.add(at, name, Name { role, rank, is_daemons });
                }
            }
        }
        self.add_trace_objects(at, first + fields.trace.len() as Rank);
        for (names, role) in [(NANOS, Role::Nanos), (PYTHONS, Role::Python), (DAEMONS, Role::Daemon)] {
            for name in names.split_ascii_whitespace() {
                self.add(at, name, Name { role, rank: first, is_daemons: role == Role::Daemon });
            }
        }
    }

    /// Adds the traces in objects, and last the objects themselves.
    fn add_trace_objects(&mut self, at: u16, first: Rank) {
        let parts =
            TRACE_OBJECTS.iter().flat_map(|object| TRACE_PARTS.map(|part| format!("{object}.{part}")));
        let mut rank = first;
        for name in parts {
            self.add(at, &name, Name { role: Role::Trace, rank, is_daemons: false });
            rank += 1;
        }
        for object in TRACE_OBJECTS {
            self.entry(at, object).nested.get_or_insert(Name { role: Role::Trace, rank, is_daemons: false });
            rank += 1;
        }
    }

    /// Adds a name as a key of its own and as a path; what was added first counts.
    fn add(&mut self, at: u16, name: &str, meaning: Name) {
        self.entry(at, name).set(meaning);
        let mut place = at;
        let mut path = name;
        while let Some((object, rest)) = path.split_once('.') {
            place = self.child(place, object);
            path = rest;
        }
        if place != at {
            self.entry(place, path).set(meaning);
        }
    }

    fn child(&mut self, at: u16, object: &str) -> u16 {
        let next = self.0.len() as u16;
        let child = *self.entry(at, object).child.get_or_insert(next);
        if child == next {
            self.0.push(Object::new());
        }
        child
    }

    fn entry(&mut self, at: u16, name: &str) -> &mut Entry {
        let key: Vec<u8> = folded(name.as_bytes()).collect();
        let entries = &mut self.0[usize::from(at)].entries[bucket(&key).unwrap_or_default()];
        let known = entries.iter().position(|entry| entry.key == key);
        let place = known.unwrap_or_else(|| {
            entries.push(Entry { key, ..Entry::default() });
            entries.len() - 1
        });
        &mut entries[place]
    }
}

impl Object {
    fn new() -> Self {
        Self { entries: vec![Vec::new(); BUCKETS] }
    }
}

impl Entry {
    fn set(&mut self, meaning: Name) {
        self.name.get_or_insert(meaning);
        if matches!(meaning.role, Role::Trace | Role::Time) {
            self.nested.get_or_insert(meaning);
        }
    }
}

/// Whether two names are the same key.
fn is_same_name(one: &str, other: &str) -> bool {
    folded(one.as_bytes()).eq(folded(other.as_bytes()))
}

/// Returns the bytes by which keys compare.
fn folded(key: &[u8]) -> impl DoubleEndedIterator<Item = u8> {
    key.iter().filter(|byte| !is_sign(**byte)).map(u8::to_ascii_lowercase)
}

fn is_sign(byte: u8) -> bool {
    matches!(byte, b'_' | b'-' | b' ')
}

/// Returns the bucket of a key; `None` when it has no letters.
fn bucket(key: &[u8]) -> Option<usize> {
    let (first, last) = match key {
        [first, .., last] if !is_sign(*first) && !is_sign(*last) => {
            (first.to_ascii_lowercase(), last.to_ascii_lowercase())
        }
        _ => (folded(key).next()?, folded(key).next_back()?),
    };
    Some((usize::from(first) * 5 + usize::from(last)) % BUCKETS)
}

/// Compares a name in the tree with a key.
fn is_same(name: &[u8], key: &[u8]) -> bool {
    if name.len() >= key.len() {
        return name.len() == key.len() && name.eq_ignore_ascii_case(key);
    }
    let mut rest = name;
    for &byte in key {
        match rest {
            [first, behind @ ..] if *first == byte.to_ascii_lowercase() => rest = behind,
            _ if is_sign(byte) => {}
            _ => return false,
        }
    }
    rest.is_empty()
}
