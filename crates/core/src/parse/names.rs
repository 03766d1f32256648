//! The names that fields may have, and what a record holds under them.

#[cfg(test)]
mod tests;
mod tree;

use std::sync::{Arc, LazyLock};

use self::tree::Tree;
pub(super) use self::tree::{Entry, Node};
use super::level::{self, Scale};
use super::time::{self, Clock};
use crate::model::{Event, Field, Level, UtcMs};

/// The names that the fields of a JSON, logfmt or LTSV record may have, the first readable of a list before the others.
///
/// Names compare without case and without `_` and `-`: `log_level` is `LogLevel`. A name with a dot is a key of that name, or
/// a path into nested objects.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
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

const TIMES: &str = "@timestamp time timestamp date ts datetime @t asctime timeMillis instant.epochSecond \
    eventTime event.created log_time @time __REALTIME_TIMESTAMP _SOURCE_REALTIME_TIMESTAMP timestamp_ms timeUnixNano \
    time.repr time.timestamp t.$date timestamp.$date time.$date timestamp.seconds time.seconds timestampSeconds \
    timestamp_iso8601 time_iso8601 time_local start_time log_timestamp event_timestamp created createdAt created_at dt t \
    syslog_timestamp observedTimestamp observedTimeUnixNano unixtime epoch epoch_ms when utc timegenerated TimeGenerated ibm_datetime";
const LEVELS: &str = "logLevel level severity lvl log.level levelname severity_text level_name level.name level.levelStr @l @level \
    levelStr level_str severity_label loglvl syslog_severity severity.name log.severity log.syslog.severity.name \
    log.syslog.severity.code priority at event.severity level_value severity_number levelno level.no severity_code s status \
    type label";
const LOGGERS: &str = "logClass logger logger_name log.logger loggerName logger.name categoryName SourceContext channel category target \
    logging.logger component class name SYSLOG_IDENTIFIER syslog_identifier program ident appname \
    instrumentationScope.name scope.name module c _SYSTEMD_UNIT eventSource";
const THREADS: &str = "thread thread_name process.thread.name threadName thread.name threadid thread.id ctx tid \
    processName process.name";
const MESSAGES: &str = "origLogEntry message msg log @m @message short_message textPayload body body.stringValue body.text \
    event log.message log.msg RenderedMessage renderedMessage @mt MessageTemplate text log_message full_message \
    message.message message.msg message.text message.errorMessage msg.message exception.message error.message err.message \
    thrown.message exc.message exception.value error_message err_msg errorMessage exception_message error err exc \
    error_description reason description detail details title summary cause errors error.type error.name";
const TRACES: &str = "stack_trace stackTrace @x exception.stacktrace error.stack_trace exc_info exc_text traceback thrown \
    exception stack throwable errorVerbose backtrace error.traceback trace errorStack stacktraceString";

/// Objects that hold a trace in one of [`TRACE_PARTS`].
const TRACE_OBJECTS: [&str; 8] = ["error", "err", "exception", "thrown", "exc", "throwable", "ex", "cause"];
const TRACE_PARTS: [&str; 8] = [
    "stack_trace",
    "stack",
    "extendedStackTrace",
    "traceback",
    "backtrace",
    "trace",
    "formatted",
    "stackTraceString",
];

/// Times of whole seconds have their nanoseconds beside them.
const NANOS: &str = "instant.nanoOfSecond timestamp.nanos time.nanos timestampNanos";
/// Names that only Python's `logging` gives.
const PYTHONS: &str = "levelno funcName lineno asctime pathname relativeCreated";

/// Names that only journald and syslog give: beside them, a number under `priority` is a severity.
const DAEMONS: &str = "SYSLOG_IDENTIFIER SYSTEMD_UNIT REALTIME_TIMESTAMP SOURCE_REALTIME_TIMESTAMP SYSLOG_FACILITY facility \
    TRANSPORT BOOT_ID";

/// Objects that hold the application's record beside what a collector says of it, and go before that.
const RECORDS: &str = "log_processed jsonPayload @fields";
/// Objects that hold a record too, but may be what the record at the top is about: names there go before.
const RESULTS: &str = "record parsed";
/// Objects that hold parts of the record.
const PARTS: &str = "fields data context attributes properties payload body message msg json structured extra_data mdc details";
/// Names that often hold something else: they count only at the top of a record.
const AT_TOP_ALONE: &str = "s at status type label t c ctx e name title when class tid utc text";

impl Default for FieldNames {
    fn default() -> Self {
        let names = |text: &str| text.split_ascii_whitespace().map(str::to_owned).collect();
        Self {
            time: names(TIMES),
            level: names(LEVELS),
            logger: names(LOGGERS),
            thread: names(THREADS),
            message: names(MESSAGES),
            trace: names(TRACES),
        }
    }
}

/// What a field says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    Time,
    /// The time of Serilog's compact format.
    CompactTime,
    Nanos,
    Level(Scale),
    Logger,
    Thread,
    Message,
    Trace,
    /// That Python wrote the record.
    Python,
    /// That journald or syslog wrote it.
    Daemon,
    /// What was called, in the trail of a cloud's calls.
    Call,
    /// Why the call failed.
    Failure,
}

/// The place of a field among those that say the same; a smaller one goes before.
type Rank = u16;

/// A name's meaning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Name {
    pub(super) role: Role,
    pub(super) rank: Rank,
    /// Whether it tells, too, that journald or syslog wrote the record.
    pub(super) is_daemons: bool,
}

/// [`FieldNames`], ready to be looked up.
#[derive(Clone, Debug)]
pub(super) struct Names(Arc<Tree>);

static USUAL: LazyLock<(FieldNames, Names)> = LazyLock::new(|| {
    let fields = FieldNames::default();
    let tree = Tree::new(&fields);
    (fields, Names(Arc::new(tree)))
});

impl Names {
    pub(super) fn new(fields: &FieldNames) -> Self {
        let (usual, names) = &*USUAL;
        if fields == usual { names.clone() } else { Self(Arc::new(Tree::new(fields))) }
    }

    /// Returns what the keys at the top of a record mean.
    pub(super) fn top(&self) -> Node<'_> {
        self.0.top()
    }
}

/// Candidates for the time that are kept.
const TIMES_KEPT: usize = 4;

/// What a record holds under the [`FieldNames`].
#[expect(clippy::struct_excessive_bools, reason = "each tells of another writer of the record")]
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Fields<'a> {
    /// The best first.
    times: [Option<(Rank, Field<'a>)>; TIMES_KEPT],
    nanos: Option<Field<'a>>,
    level: Option<(Rank, Level, Field<'a>)>,
    logger: Option<(Rank, Field<'a>)>,
    thread: Option<(Rank, Field<'a>)>,
    message: Option<(Rank, Field<'a>)>,
    trace: Option<(Rank, Field<'a>)>,
    is_python: bool,
    is_compact: bool,
    /// Whether a key is one that collectors write.
    pub(super) is_collected: bool,
    is_daemons: bool,
    /// Whether there is a message that says nothing.
    has_blank: bool,
    /// A severity of syslog's, if it is one.
    priority: Option<Level>,
    call: Option<Field<'a>>,
    failure: Option<Field<'a>>,
    /// The longest of the other texts.
    longest: Option<Field<'a>>,
}

impl<'a> Fields<'a> {
    /// Keeps a value unless it is unreadable or there is one of a name that goes before; the last of duplicates stays.
    #[inline]
    pub(super) fn put(&mut self, name: Name, value: Field<'a>) {
        let rank = name.rank;
        let goes_before = |kept: Option<Rank>| kept.is_none_or(|kept| rank <= kept);
        self.is_daemons |= name.is_daemons;
        self.has_blank |= name.role == Role::Message && value.is_empty();
        match name.role {
            Role::Message if !value.is_empty() && goes_before(self.message.map(|kept| kept.0)) => {
                let less = self.message.replace((rank, value));
                self.put_trace_of(less.map(|(_, text)| text));
            }
            Role::Message => self.put_trace_of(Some(value)),
            Role::Level(Scale::Priority) if value.raw.first().is_some_and(u8::is_ascii_digit) => {
                self.priority = level::read(value.raw, Scale::Syslog).or(self.priority);
            }
            Role::Level(scale) if goes_before(self.level.map(|kept| kept.0)) => {
                if let Some(level) = level::read(value.raw, scale) {
                    self.level = Some((rank, level, value));
                }
            }
            Role::Time => self.put_time(rank, value),
            Role::CompactTime => {
                self.is_compact = true;
                self.put_time(rank, value);
            }
            Role::Logger if is_name(&value) && goes_before(self.logger.map(|kept| kept.0)) => {
                self.logger = Some((rank, value));
            }
            Role::Thread if is_name(&value) && goes_before(self.thread.map(|kept| kept.0)) => {
                self.thread = Some((rank, value));
            }
            Role::Trace if goes_before(self.trace.map(|kept| kept.0)) && is_trace(&value) => {
                self.trace = Some((rank, value));
            }
            Role::Nanos => self.nanos = Some(value),
            Role::Python => self.is_python = true,
            Role::Call if is_name(&value) => self.call = Some(value),
            Role::Failure if is_name(&value) => self.failure = Some(value),
            _ => {}
        }
    }

    /// Keeps a text that is not the message as the trace, if it holds one: loguru's `text` beside its record.
    fn put_trace_of(&mut self, text: Option<Field<'a>>) {
        let Some(text) = text.filter(|text| text.escaped && self.trace.is_none()) else { return };
        if memchr::memmem::find(text.raw, b"\\nTraceback (most recent call last):").is_some() {
            self.trace = Some((Rank::MAX, text));
        }
    }

    fn put_time(&mut self, rank: Rank, value: Field<'a>) {
        // `-` and the empty text. A number before 1973 is how long something took.
        let is_short = value.raw.iter().take_while(|byte| byte.is_ascii_digit()).count() < 9;
        if value.raw.len() < 5 || is_short && value.raw.iter().all(|byte| matches!(byte, b'0'..=b'9' | b'.'))
        {
            return;
        }
        let mut at = self.times.iter().take_while(|kept| kept.is_some_and(|kept| kept.0 < rank)).count();
        if let Some(Some(kept)) = self.times.get_mut(at)
            && kept.0 == rank
        {
            *kept = (rank, value);
            return;
        }
        let mut next = Some((rank, value));
        while let Some(place) = self.times.get_mut(at)
            && next.is_some()
        {
            std::mem::swap(place, &mut next);
            at += 1;
        }
    }

    /// Keeps a text under a name that says nothing, when it is longer than those before and reads like a message.
    pub(super) fn put_other(&mut self, value: Field<'a>) {
        let longest = self.longest.map_or(MIN_TEXT_BYTES, |longest| longest.raw.len());
        if self.message.is_none() && value.raw.len() > longest && reads_like_message(value.raw) {
            self.longest = Some(value);
        }
    }

    /// Returns the time: the first of those that can be read.
    pub(super) fn time(&self, clock: &mut Clock) -> Option<UtcMs> {
        let times = || self.times.iter().flatten().map(|(_, value)| value);
        let dated = times().find_map(|value| time_of(value, clock));
        let time_ms = dated.or_else(|| times().find_map(|value| time_of_day(value, clock)))?;
        let nanos = self.nanos.filter(|nanos| time_ms.get() % 1000 == 0 && nanos.raw.len() <= 9);
        let ms = nanos.and_then(|nanos| std::str::from_utf8(nanos.raw).ok()?.parse::<i64>().ok());
        Some(time_ms + ms.map_or(0, |nanos| nanos.max(0) / 1_000_000))
    }

    /// Whether the record says nothing but when: a blank line of an application, in a record of a collector.
    pub(super) fn is_blank(&self) -> bool {
        self.has_blank
            && self.message.is_none()
            && self.level.is_none()
            && self.logger.is_none()
            && self.trace.is_none()
            && self.longest.is_none()
    }

    /// Whether the record is one of AWS `CloudTrail`, which says no level: what was called, where, when, and why it failed.
    fn is_call(&self) -> bool {
        self.call.is_some() && self.logger.is_some() && self.times[0].is_some()
    }

    /// Returns whether the record says a time or a level, or has a message under a known name.
    pub(super) fn says_something(&self) -> bool {
        self.times[0].is_some() || self.level.is_some() || self.message.is_some()
    }

    /// Returns the message, if it is under a known name.
    pub(super) fn message(&self) -> Option<Field<'a>> {
        self.message.map(|(_, value)| value)
    }

    /// Returns the stack trace.
    pub(super) fn trace(&self) -> Option<Field<'a>> {
        self.trace.map(|(_, value)| value)
    }

    /// Returns whether the record says anything but a message.
    pub(super) fn has_more(&self) -> bool {
        self.level.is_some()
            || self.times[0].is_some()
            || self.logger.is_some()
            || self.thread.is_some()
            || self.trace.is_some()
    }

    /// Returns the event without its time. The message of a record that has neither message nor trace is its longest text
    /// that reads like one, else `record`.
    pub(super) fn event(&self, record: &'a [u8]) -> Event<'a> {
        let called = self.failure.filter(|_| self.is_call()).or(self.call);
        let message = self.message().or(called).or(self.longest);
        let trace = self.trace();
        Event {
            time_ms: None,
            level: self.level(),
            logger: self.logger.map(|(_, value)| value),
            thread: self.thread.map(|(_, value)| value),
            message: match message {
                Some(message) => message,
                None if trace.is_some() => Field::default(),
                None => Field::plain(record),
            },
            trace,
        }
    }

    fn level(&self) -> Level {
        match self.level {
            Some((_, _, Field { raw: [tens @ b'1'..=b'5', b'0'..=b'9'], .. })) if self.is_python => {
                level::python(u32::from(tens - b'0') * 10)
            }
            Some((_, level, _)) => level,
            None if self.is_daemons && self.priority.is_some() => self.priority.unwrap_or_default(),
            None if self.is_call() => {
                if self.failure.is_some() {
                    Level::Error
                } else {
                    Level::Info
                }
            }
            // Serilog's compact format leaves the level out where it is the usual one.
            None if self.is_compact => Level::Info,
            None => Level::Unknown,
        }
    }
}

/// Reads a field as a time; the example of LTSV's specification writes it as access logs do, in brackets.
fn time_of(field: &Field<'_>, clock: &mut Clock) -> Option<UtcMs> {
    let escaped = field.escaped.then(|| field.text());
    match escaped.as_deref().map_or(field.raw, str::as_bytes) {
        [b'[', time @ .., b']'] | time => time::read(time, clock),
    }
}

/// Reads a field that is a time without a date.
fn time_of_day(field: &Field<'_>, clock: &mut Clock) -> Option<UtcMs> {
    let (time_ms, used) = time::scan_time_of_day(field.raw, clock)?;
    time_ms.filter(|_| used == field.raw.len())
}

/// A text of fewer bytes says too little to be taken for the message.
const MIN_TEXT_BYTES: usize = 7;

/// Returns whether a value names something.
fn is_name(value: &Field<'_>) -> bool {
    !matches!(value.raw, b"" | b"-")
}

/// Returns whether a value may be a trace: `"exc_info": true` and empty ones are not.
fn is_trace(value: &Field<'_>) -> bool {
    let word = value.raw.trim_ascii();
    if value.nested {
        return !value.text().is_empty();
    }
    !matches!(word, b"" | b"true" | b"false" | b"None" | b"-" | b"n/a")
        && !word.iter().all(u8::is_ascii_digit)
}

/// Returns whether a value reads like a message: words, mostly of letters. What a browser calls itself does not.
fn reads_like_message(raw: &[u8]) -> bool {
    let head = &raw[..raw.len().min(256)];
    let letters = head.iter().filter(|byte| byte.is_ascii_alphabetic() || !byte.is_ascii()).count();
    memchr::memchr(b' ', head).is_some() && letters * 2 > head.len() && !head.starts_with(b"Mozilla/")
}

/// The scale of a level's name.
fn scale(name: &str) -> Scale {
    match name {
        "priority" => Scale::Priority,
        "syslog_severity" | "log.syslog.severity.code" | "severity_code" => Scale::Syslog,
        "severity_number" => Scale::OpenTelemetry,
        "levelno" | "level.no" => Scale::Python,
        "severity" => Scale::GoogleCloud,
        "status" | "type" | "label" | "at" => Scale::WordsAlone,
        _ => Scale::BySize,
    }
}
