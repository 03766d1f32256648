//! The names that fields may have, and what a line holds under them.

use crate::model::Field;

/// Keys up to this length are found by their length.
const LENGTHS: usize = 32;

/// The names that the fields of a JSON or LTSV line may have. Where a line has several of a list, the first of the list
/// counts. A name with a dot is that name, not a path into nested objects.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldNames {
    /// Names of the time.
    pub time: Vec<String>,
    /// Names of the level.
    pub level: Vec<String>,
    /// Names of the logger or class.
    pub logger: Vec<String>,
    /// Names of the thread.
    pub thread: Vec<String>,
    /// Names of the message.
    pub message: Vec<String>,
    /// Names of the stack trace.
    pub trace: Vec<String>,
}

impl Default for FieldNames {
    fn default() -> Self {
        let names = |text: &str| text.split(' ').map(str::to_owned).collect();
        Self {
            time: names("@timestamp time timestamp date ts"),
            level: names("logLevel level severity lvl log.level levelname"),
            logger: names("logClass logger logger_name log.logger loggerName"),
            thread: names("thread thread_name process.thread.name threadName"),
            message: names("origLogEntry message msg log"),
            trace: names("stack_trace stackTrace exception error.stack_trace stack"),
        }
    }
}

/// The values of a line that have one of the [`FieldNames`]: strings, numbers, `true` and `false`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Fields<'a> {
    pub(super) time: Option<Field<'a>>,
    pub(super) level: Option<Field<'a>>,
    pub(super) logger: Option<Field<'a>>,
    pub(super) thread: Option<Field<'a>>,
    pub(super) message: Option<Field<'a>>,
    pub(super) trace: Option<Field<'a>>,
}

const ROLES: usize = 6;

#[derive(Clone, Copy)]
struct Slot<'a> {
    value: Option<Field<'a>>,
    rank: u8,
}

impl Slot<'_> {
    const EMPTY: Self = Slot { value: None, rank: u8::MAX };
}

/// The values of a line so far.
pub(super) struct Slots<'a>([Slot<'a>; ROLES]);

impl<'a> Slots<'a> {
    pub(super) const EMPTY: Self = Self([Slot::EMPTY; ROLES]);

    /// Keeps a value unless there is one of a name that goes before; the last of duplicates stays.
    #[inline]
    pub(super) fn put(&mut self, name: &Name, value: Field<'a>) {
        let slot = &mut self.0[usize::from(name.role)];
        if name.rank <= slot.rank {
            *slot = Slot { value: Some(value), rank: name.rank };
        }
    }

    pub(super) fn into_fields(self) -> Fields<'a> {
        let [time, level, logger, thread, message, trace] = self.0.map(|slot| slot.value);
        Fields { time, level, logger, thread, message, trace }
    }
}

/// [`FieldNames`] by the length of the name.
#[derive(Clone, Debug)]
pub(super) struct Names {
    /// Sorted by length.
    names: Vec<Name>,
    /// Where the names of each length start; the last entry is for all longer ones.
    starts: [u16; LENGTHS + 2],
}

#[derive(Clone, Debug)]
pub(super) struct Name {
    text: Vec<u8>,
    role: u8,
    rank: u8,
}

impl Names {
    pub(super) fn new(fields: &FieldNames) -> Self {
        let FieldNames { time, level, logger, thread, message, trace } = fields;
        let mut names: Vec<Name> = Vec::new();
        for (role, list) in (0..).zip([time, level, logger, thread, message, trace]) {
            names.extend((0..u8::MAX).zip(list).map(|(rank, text)| Name {
                text: text.as_bytes().to_vec(),
                role,
                rank,
            }));
        }
        names.sort_by_key(|name| name.text.len());
        let mut starts = [0; LENGTHS + 2];
        for (length, start) in starts.iter_mut().enumerate() {
            *start = names.partition_point(|name| name.text.len() < length) as u16;
        }
        Self { names, starts }
    }

    pub(super) fn find(&self, key: &[u8]) -> Option<&Name> {
        let first = usize::from(self.starts[key.len().min(LENGTHS + 1)]);
        let rest = self.names.get(first..)?;
        let candidates = rest.iter().take_while(|name| name.text.len() <= key.len());
        candidates.into_iter().find(|name| name.text == key)
    }
}
