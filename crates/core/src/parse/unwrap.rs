//! A line as its writer meant it. What a collector put around it is taken off, up to [`MAX_DEPTH`] records deep: the
//! application's own line is found under the names of a message, and read as if it stood alone. The record's own time
//! and level count only where that line says none, since it says when it was written.

use std::borrow::Cow;

use super::envelope::{self, Envelope};
use super::names::{Fields, Names};
use super::text::Mark;
use super::time::Clock;
use super::wrap::Wrap;
use super::{Format, ParseSettings, csv, json, ltsv, message_fields, strip, text};
use crate::model::{Day, Event, Field, Level, UtcMs};

/// JSON in a string, and JSON in a string of that.
const MAX_DEPTH: usize = 2;

/// The memory of unescaped lines, one for each depth.
pub(crate) type Scratch = [Vec<u8>; MAX_DEPTH + 1];

/// How a line stands to those before it in its stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// It has a head of its own: it begins an event.
    Headed,
    /// A record of an application: it begins an event unless its message is only a line of a stack trace.
    Record,
    /// A line without a head that a collector made a record of.
    Headless,
}

/// What the syntax of a line says.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Read<'a> {
    /// What the record tells.
    pub(crate) event: Event<'a>,
    /// The application's own line.
    pub(crate) text: &'a [u8],
    /// How it stands to the lines before it.
    pub(crate) form: Form,
    /// How the line is written, what stands around it included.
    pub(crate) format: Format,
    /// How the application's own line is written.
    own: Format,
    /// The stream that the line belongs to; 0 for the only one.
    pub(crate) key: u64,
    /// Whether the line goes on with the next one of its stream.
    pub(crate) goes_on: bool,
    /// Whether the line stands in another.
    pub(crate) is_wrapped: bool,
    /// The level that a collector gave it.
    pub(crate) outer_level: Level,
    /// Whether it has a time, or a message under one of the names.
    is_told: bool,
}

/// What stands around a line.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Outer {
    /// The time that the collector gave it.
    pub(crate) time_ms: Option<UtcMs>,
    /// The level that the collector gave it.
    pub(crate) level: Level,
    depth: usize,
}

/// Reads single lines.
#[derive(Clone, Debug)]
pub(crate) struct LineParser {
    pub(super) format: Option<Format>,
    names: Names,
    clock: Clock,
}

impl LineParser {
    /// Returns a parser of lines of an object whose key names `day`.
    pub(crate) fn new(settings: &ParseSettings, day: Option<Day>) -> Self {
        Self {
            format: settings.format,
            names: Names::new(&settings.fields),
            clock: Clock::new(&settings.zone).on(day),
        }
    }

    /// Goes on behind a line of this time.
    pub(crate) fn after(&mut self, time_ms: UtcMs) {
        self.clock.after(time_ms);
    }

    /// Reads a line out of its order; `None` also where its time depends on the lines before it.
    pub(crate) fn read_alone<'a>(&mut self, line: &'a [u8], scratch: &'a mut Scratch) -> Option<Read<'a>> {
        let before = self.clock.before_ms();
        self.clock.go_back_to(None);
        let read = self.read(line, false, scratch);
        let is_sure = self.clock.go_back_to(before);
        read.filter(|_| is_sure)
    }

    /// Reads a line; `None` when no format accepts it. One that is `cut` may break off anywhere.
    pub(crate) fn read<'a>(
        &mut self,
        line: &'a [u8],
        cut: bool,
        scratch: &'a mut Scratch,
    ) -> Option<Read<'a>> {
        let line = strip(line);
        if self.format == Some(Format::SingleValue) {
            return Some(self.single_value(line));
        }
        if let Some(fields) = self.fields(line, cut) {
            return Some(self.record(line, &fields, cut, Outer::default(), scratch));
        }
        match envelope::open(line, &mut self.clock) {
            Some(envelope) if self.is_sound(&envelope, cut) => self.enveloped(&envelope, cut, scratch),
            _ => self.plain(line, cut),
        }
    }

    /// Returns the fields of a JSON object.
    fn fields<'a>(&self, line: &'a [u8], cut: bool) -> Option<Fields<'a>> {
        let is_object = line.trim_ascii_start().first() == Some(&b'{');
        if is_object { json::fields(line, &self.names, cut) } else { None }
    }

    /// Reads the application's own line, of which a collector said this.
    pub(crate) fn read_inner<'a>(
        &mut self,
        line: &'a [u8],
        cut: bool,
        outer: Outer,
        scratch: &'a mut Scratch,
    ) -> Read<'a> {
        let mut event = Event {
            time_ms: outer.time_ms,
            level: outer.level,
            message: Field::plain(line),
            ..Event::default()
        };
        let inner = self.inner(line, cut, Outer { depth: 1, ..outer }, scratch);
        let form = merge(&mut event, inner.as_ref(), Form::Headless);
        let own = inner.map_or(Format::Json, |inner| inner.own);
        Read { event, form, own, ..Read::headless(outer, line) }
    }

    fn is_sound(&self, envelope: &Envelope<'_>, cut: bool) -> bool {
        !envelope.is_record || json::fields(envelope.body, &self.names, cut).is_some()
    }

    fn enveloped<'a>(
        &mut self,
        envelope: &Envelope<'a>,
        cut: bool,
        scratch: &'a mut Scratch,
    ) -> Option<Read<'a>> {
        let Envelope { time_ms, key, goes_on, is_record, body } = *envelope;
        if is_record {
            let (fields, outer) = (self.fields(body, cut)?, Outer { time_ms, ..Outer::default() });
            let read = self.record(body, &fields, cut, outer, scratch);
            return Some(Read { key: key.rotate_left(1) ^ read.key, format: Format::OutFile, ..read });
        }
        if goes_on {
            let event = Event { time_ms, message: Field::plain(body), ..Event::default() };
            let read = Read::of(event, body, Form::Headless, Format::Text);
            return Some(Read { key, goes_on, is_wrapped: true, ..read });
        }
        let read = self.read_inner(body, cut, Outer { time_ms, ..Outer::default() }, scratch);
        Some(Read { key, format: Format::Text, ..read })
    }

    /// Reads a JSON object, and the line that it holds.
    fn record<'a>(
        &mut self,
        line: &'a [u8],
        fields: &Fields<'a>,
        cut: bool,
        outer: Outer,
        scratch: &'a mut [Vec<u8>],
    ) -> Read<'a> {
        let wrap = if outer.depth == 0 && fields.is_collected { Wrap::of(line) } else { Wrap::default() };
        let time_ms = fields.time(&mut self.clock).or(outer.time_ms);
        let event = Event { time_ms, ..fields.event(line) };
        let read = Read {
            key: wrap.key,
            goes_on: wrap.goes_on,
            is_told: time_ms.is_some() || fields.message().is_some(),
            outer_level: event.level,
            ..Read::of(event, line, Form::Record, Format::Json)
        };
        if fields.message().is_none() && (wrap.is_part || outer.depth == 0 && fields.is_blank()) {
            // The last part of a line may be empty, and so may a line.
            return Read { text: b"", form: Form::Headless, is_wrapped: true, ..read };
        }
        let says_all = event.level != Level::Unknown && time_ms.is_some() && !wrap.is_collector;
        let message =
            fields.message().filter(|message| !message.nested && (!says_all || may_be_line(message)));
        let (Some(message), Some((buffer, rest))) = (message, scratch.split_first_mut()) else {
            return read;
        };
        let is_collector = wrap.is_collector || !fields.has_more();
        self.with_line(read, message, is_collector, cut, outer.depth, (buffer, rest))
    }

    /// Completes a record by the line under the name of its message.
    fn with_line<'a>(
        &mut self,
        mut read: Read<'a>,
        message: Field<'a>,
        is_collector: bool,
        cut: bool,
        depth: usize,
        (buffer, rest): (&'a mut Vec<u8>, &'a mut [Vec<u8>]),
    ) -> Read<'a> {
        read.is_wrapped = true;
        read.text = plain_text(&message, read.goes_on, buffer);
        read.event.message = Field::plain(read.text);
        let form = if is_collector { Form::Headless } else { Form::Record };
        read.form = form;
        if read.goes_on {
            return read;
        }
        let around = Outer { time_ms: read.event.time_ms, level: read.event.level, depth: depth + 1 };
        let inner = self.inner(read.text, cut, around, rest);
        read.form = merge(&mut read.event, inner.as_ref(), form);
        if let Some(inner) = inner {
            read.text = inner.text;
            read.own = inner.own;
        }
        read
    }

    fn inner<'a>(
        &mut self,
        line: &'a [u8],
        cut: bool,
        outer: Outer,
        scratch: &'a mut [Vec<u8>],
    ) -> Option<Read<'a>> {
        if outer.depth <= MAX_DEPTH
            && let Some(fields) = self.fields(line, cut)
        {
            let outer = Outer { time_ms: None, level: Level::Unknown, ..outer };
            return Some(self.record(line, &fields, cut, outer, scratch));
        }
        self.plain(line, cut)
    }

    /// Returns where the lines begin that a collector joined to one record, if each begins an event of its own: the first,
    /// and those with a head that says when.
    pub(crate) fn heads_in(&mut self, text: &[u8]) -> Vec<usize> {
        let behind = memchr::memchr_iter(b'\n', text).map(|newline| newline + 1);
        let starts = behind.filter(|&at| matches!(text.get(at), Some(b'0'..=b'9' | b'[' | b'<')));
        let is_dated = |at: &usize| {
            let line = text[*at..].split(|&byte| byte == b'\n').next().unwrap_or_default();
            text::event(line, &self.names, &mut self.clock).is_some_and(|event| event.time_ms.is_some())
        };
        std::iter::once(0).chain(starts.filter(is_dated)).collect()
    }

    /// Reads a line that is not JSON.
    fn plain<'a>(&mut self, line: &'a [u8], cut: bool) -> Option<Read<'a>> {
        let is_ltsv = self.format == Some(Format::Ltsv);
        if self.format != Some(Format::Text)
            && let Some(fields) = ltsv::fields(line, &self.names, is_ltsv, cut)
        {
            return Some(self.labeled(line, &fields));
        }
        if let Some(event) = csv::event(line, &mut self.clock) {
            return Some(Read::of(event, line, Form::Headed, Format::Text));
        }
        if let Some(event) = text::event(line, &self.names, &mut self.clock) {
            return Some(Read::of(event, line, Form::Headed, Format::Text));
        }
        let fields = ltsv::fields(line, &self.names, is_ltsv, cut)?;
        Some(self.labeled(line, &fields))
    }

    fn labeled<'a>(&mut self, line: &'a [u8], fields: &Fields<'a>) -> Read<'a> {
        let mut event = Event { time_ms: fields.time(&mut self.clock), ..fields.event(line) };
        if (event.level == Level::Unknown || event.time_ms.is_none()) && fields.message().is_some() {
            self.read_message_head(&mut event);
        }
        Read::of(event, line, Form::Record, Format::Ltsv)
    }

    /// Takes a line as a message.
    fn single_value<'a>(&mut self, line: &'a [u8]) -> Read<'a> {
        let mut event = Event { message: Field::plain(line), ..Event::default() };
        self.read_message_head(&mut event);
        let has_head = event.time_ms.is_some() || event.level != Level::Unknown;
        let form = if has_head { Form::Headed } else { Form::Headless };
        Read::of(event, line, form, Format::SingleValue)
    }

    /// Takes what a line says with fields or as a message from the head of the message.
    fn read_message_head(&mut self, event: &mut Event<'_>) {
        let Some(head) = text::event(event.message.raw, &self.names, &mut self.clock) else {
            return;
        };
        event.time_ms = event.time_ms.or(head.time_ms);
        if event.level == Level::Unknown {
            event.level = head.level;
        }
        event.logger = event.logger.or(head.logger);
        event.thread = event.thread.or(head.thread);
    }

    /// Returns the values that `path` names in a line: in its fields, those of the JSON that its message holds as text, and
    /// where these have none, those that the message gives the name.
    pub(super) fn values<'a>(
        &mut self,
        line: &'a [u8],
        path: &str,
        cut: bool,
        scratch: &'a mut Scratch,
    ) -> Vec<Field<'a>> {
        let line = strip(line);
        if self.format == Some(Format::SingleValue) {
            return message_fields::values(&Field::plain(line), path);
        }
        if self.fields(line, cut).is_some() {
            return self.values_of_record(line, path, cut, scratch);
        }
        match envelope::open(line, &mut self.clock) {
            Some(envelope) if self.is_sound(&envelope, cut) => {
                self.values_of_record(envelope.body, path, cut, scratch)
            }
            _ => self.values_of_line(line, path, cut),
        }
    }

    fn values_of_record<'a>(
        &mut self,
        line: &'a [u8],
        path: &str,
        cut: bool,
        scratch: &'a mut [Vec<u8>],
    ) -> Vec<Field<'a>> {
        let Some(fields) = self.fields(line, cut) else { return self.values_of_line(line, path, cut) };
        let mut values = json::values(line, path, cut).unwrap_or_default();
        let message = fields.message().filter(|message| !message.nested);
        if let (Some(message), Some((buffer, rest))) = (message, scratch.split_first_mut()) {
            let text = plain_text(&message, false, buffer);
            if values.is_empty() || text.first() == Some(&b'{') {
                values.extend(self.values_of_record(text, path, cut, rest));
            }
        }
        values
    }

    fn values_of_line<'a>(&mut self, line: &'a [u8], path: &str, cut: bool) -> Vec<Field<'a>> {
        match self.plain(line, cut) {
            Some(read) if read.format == Format::Ltsv => {
                let values = ltsv::values(line, path);
                if values.is_empty() { message_fields::values(&read.event.message, path) } else { values }
            }
            // The whole line: its head holds pairs, too.
            _ => message_fields::values(&Field::plain(line), path),
        }
    }
}

impl Outer {
    /// Returns what an event around a line says of it.
    pub(crate) fn of(event: &Event<'_>) -> Self {
        Self { time_ms: event.time_ms, level: event.level, depth: 0 }
    }
}

impl<'a> Read<'a> {
    /// Returns a line without a head, of which a collector said this.
    pub(crate) fn headless(outer: Outer, text: &'a [u8]) -> Self {
        let Outer { time_ms, level, .. } = outer;
        let event = Event { time_ms, level, message: Field::plain(text), ..Event::default() };
        let read = Self::of(event, text, Form::Headless, Format::Json);
        Self { is_wrapped: true, outer_level: level, ..read }
    }

    /// Returns a line with a head of its own that says this.
    pub(crate) fn headed(event: Event<'a>, text: &'a [u8]) -> Self {
        Self::of(event, text, Form::Headed, Format::Text)
    }

    /// Returns the line with what it says together with another.
    pub(crate) fn saying<'b>(&self, event: Event<'b>) -> Read<'b>
    where
        'a: 'b,
    {
        Read { event, ..*self }
    }

    /// Whether the head goes on in the next line, which has the level: this one says when and where alone.
    pub(crate) fn awaits_level(&self) -> bool {
        let Event { time_ms, level, logger, message, .. } = &self.event;
        *level == Level::Unknown
            && time_ms.is_some()
            && logger.is_none()
            && self.form == Form::Headed
            && self.is_text()
            && text::is_place_alone(self.text, message.raw)
    }

    /// Whether the line is the second of such a head: `SEVERE: it broke`.
    pub(crate) fn is_level_line(&self) -> bool {
        self.form == Form::Headed && text::is_level_line(self.text)
    }

    /// Whether the application's own line is text.
    pub(crate) fn is_text(&self) -> bool {
        self.own == Format::Text
    }

    /// Whether the event may only go on with the one before it, which no look at it alone can tell.
    pub(crate) fn may_go_on(&self) -> bool {
        let Event { level, message, trace, .. } = &self.event;
        match self.form {
            Form::Headless => true,
            Form::Headed if *level == Level::Unknown || trace.is_some() => false,
            Form::Headed => self.mark().is_some() || text::is_written_in_calls(self.text),
            Form::Record => {
                trace.is_none() && (text::is_trace_line(message) || level.is_error() && self.mark().is_some())
            }
        }
    }

    /// Returns what the event is to a trace whose lines each have a head.
    pub(super) fn mark(&self) -> Option<Mark> {
        let Event { level, message, .. } = &self.event;
        if message.escaped || self.form == Form::Record {
            let message = message.text();
            let inner = message.trim_start();
            let indent = message.len() - inner.len();
            return text::mark(inner.as_bytes(), if indent == 0 { 0 } else { indent + 1 }, level.is_error());
        }
        let indent = text::indent(self.text, message.raw);
        text::mark(text::without_tags(message.raw), indent, level.is_error())
    }

    /// Whether the event begins a traceback of Python.
    pub(super) fn begins_calls(&self) -> bool {
        self.event.level.is_error()
            && self.event.message.raw.starts_with(b"Traceback (most recent call last)")
    }

    /// Whether the message is blank, of a logger that writes one in several calls.
    pub(super) fn is_blank_call(&self, line: &[u8]) -> bool {
        text::is_written_in_calls(line) && text::without_tags(self.event.message.raw).trim_ascii().is_empty()
    }

    /// Returns what the line adds to the event that it goes on with: of one with a head its message with the blanks in front
    /// of it, without the tags of tagged loggers.
    pub(crate) fn added_text(&self) -> Cow<'a, [u8]> {
        let message = &self.event.message;
        let text = match self.form {
            Form::Headless => self.text,
            _ if message.escaped => return Cow::Owned(message.text().into_owned().into_bytes()),
            Form::Record => message.raw,
            Form::Headed => {
                let indent = text::indent(self.text, message.raw).saturating_sub(1);
                let start = (message.raw.as_ptr() as usize).wrapping_sub(self.text.as_ptr() as usize);
                let start = start.wrapping_sub(indent);
                self.text.get(start..).unwrap_or(message.raw)
            }
        };
        text::untagged(text)
    }

    fn of(event: Event<'a>, text: &'a [u8], form: Form, format: Format) -> Self {
        Self {
            event,
            text,
            form,
            format,
            own: format,
            key: 0,
            goes_on: false,
            is_wrapped: false,
            outer_level: Level::Unknown,
            is_told: true,
        }
    }
}

/// Gives an event what its own line says, which is `inner`, and returns the form of both.
fn merge<'a>(event: &mut Event<'a>, inner: Option<&Read<'a>>, headless: Form) -> Form {
    let Some(read) = inner else { return headless };
    let inner = &read.event;
    let is_record = read.form != Form::Headed;
    // A level of the record's own may be the application's, and its message a text that looks like a line.
    let has_both = inner.level != Level::Unknown && (inner.time_ms.is_some() || is_record && read.is_told);
    if event.level != Level::Unknown && !has_both {
        return Form::Record;
    }
    *event = Event {
        time_ms: inner.time_ms.or(event.time_ms),
        level: if inner.level == Level::Unknown { event.level } else { inner.level },
        logger: inner.logger.or(event.logger),
        thread: inner.thread.or(event.thread),
        message: inner.message,
        trace: inner.trace.or(event.trace),
    };
    read.form
}

/// Returns whether a message may be a line of its own although its record says time and level.
fn may_be_line(message: &Field<'_>) -> bool {
    matches!(message.raw.first(), Some(b'{' | b'[' | b'0'..=b'9' | b'<' | b'\\'))
}

/// Returns the text of a message without the newline at its end; `goes_on`: with it. Escapes are resolved into `buffer`.
fn plain_text<'a>(message: &Field<'a>, goes_on: bool, buffer: &'a mut Vec<u8>) -> &'a [u8] {
    let raw = if goes_on { message.raw } else { without_newline(message.raw, message.escaped) };
    if !message.escaped || memchr::memchr(b'\\', raw).is_none() {
        return raw;
    }
    buffer.clear();
    Field { raw, escaped: true, nested: false }.unescape_into(buffer);
    buffer
}

fn without_newline(raw: &[u8], escaped: bool) -> &[u8] {
    let mut raw = raw;
    loop {
        raw = match raw {
            [rest @ .., b'\n' | b'\r'] => rest,
            [rest @ .., b'\\', b'n' | b'r'] if escaped && !ends_in_backslash(rest) => rest,
            _ => return raw,
        };
    }
}

/// Whether the last byte is a backslash that escapes what follows.
fn ends_in_backslash(raw: &[u8]) -> bool {
    raw.iter().rev().take_while(|&&byte| byte == b'\\').count() % 2 == 1
}
