//! How found lines are printed: as they are, as JSON, CSV, a table, or their places.

use std::borrow::Cow;
use std::fmt::{self, Display, Formatter};
use std::io::{self, Write};
use std::sync::Arc;

use serde::{Serialize, Serializer};
use unicode_width::{UnicodeWidthChar as _, UnicodeWidthStr as _};

use super::fields::FieldReader;
use crate::flows::search::Hit;
use crate::shell::ui::{Ui, write_json};
use gzette_core::human;
use gzette_core::model::Level;
use gzette_core::query::Expr;
use gzette_core::visible::{self, Terminal};

/// How lines are printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(in crate::shell::cli) enum Output {
    /// The line itself
    Raw,
    /// Object and line number, then the line, like grep -Hn: `s3://bucket/key:12:...`
    Text,
    /// One JSON object per line: time, level, app, object, line, raw
    Json,
    /// RFC 4180 with a header: time, level, app, object, line, message, raw
    Csv,
    /// Columns: time, level, application, logger, message; cut to the width of a terminal
    Table,
    /// Only object and line, for `gzette show`
    #[value(skip)]
    Place,
    /// The same as JSON: place, object, line
    #[value(skip)]
    PlaceJson,
}

/// The widths of a table's columns are those of its first rows,
const MEASURED_ROWS: usize = 200;
/// or as many of them as exceed this many bytes.
const MEASURED_BYTES: usize = 1 << 20;
/// The column whose end says more than its beginning.
const LOGGER: usize = 3;
/// No column but the first and the last is wider.
const COLUMN_WIDTH: usize = 30;

/// Writes lines, each as it is found: one may be long, and is not held once more.
pub(super) struct Printer<'p> {
    output: Output,
    /// For a terminal: control characters are escaped and matches marked.
    screen: Option<&'p Ui>,
    expr: &'p Expr,
    with_context: bool,
    fields: FieldReader<'p>,
    has_begun: bool,
    last: Option<(Arc<str>, u64)>,
    rows: Vec<[String; 5]>,
    rows_bytes: usize,
    widths: Option<[usize; 4]>,
}

impl<'p> Printer<'p> {
    /// Returns a printer for a file or a pipe, or for a terminal.
    pub(super) fn new(
        output: Output,
        screen: Option<&'p Ui>,
        expr: &'p Expr,
        with_context: bool,
        fields: FieldReader<'p>,
    ) -> Self {
        Self {
            output,
            screen,
            expr,
            with_context,
            fields,
            has_begun: false,
            last: None,
            rows: Vec::new(),
            rows_bytes: 0,
            widths: None,
        }
    }

    /// Writes a line to `out`.
    pub(super) fn line(&mut self, hit: &Hit, out: &mut dyn Write) -> io::Result<()> {
        self.begin(out)?;
        if self.with_context && matches!(self.output, Output::Raw | Output::Text) {
            self.separate(hit, out)?;
        }
        match self.output {
            Output::Raw if self.screen.is_some() => self.shown(hit, "", out)?,
            Output::Raw => out.write_all(&hit.raw)?,
            Output::Text => self.text(hit, out)?,
            Output::Json => write_json(out, &Found::of(hit, self.with_context))?,
            Output::Csv => return self.csv(hit, out),
            Output::Table => return self.row(hit, out),
            Output::Place => write!(out, "{}", Terminal(place(hit).as_bytes()))?,
            Output::PlaceJson => write_json(out, &Opened::of(hit))?,
        }
        out.write_all(b"\n")
    }

    /// Writes the buffered output.
    pub(super) fn end(&mut self, out: &mut dyn Write) -> io::Result<()> {
        self.begin(out)?;
        self.print_rows(out)
    }

    fn begin(&mut self, out: &mut dyn Write) -> io::Result<()> {
        if !std::mem::replace(&mut self.has_begun, true) && self.output == Output::Csv {
            let header = ["time", "level", "app", "object", "line", "message", "raw", "match"];
            record(&header[..if self.with_context { 8 } else { 7 }], out)?;
        }
        Ok(())
    }

    /// Puts `--` between lines that do not follow one another.
    fn separate(&mut self, hit: &Hit, out: &mut dyn Write) -> io::Result<()> {
        let follows = |(object, line): &(Arc<str>, u64)| *object == hit.object && line + 1 == hit.line;
        let last = self.last.replace((hit.object.clone(), hit.line));
        if last.is_some_and(|last| !follows(&last)) { out.write_all(b"--\n") } else { Ok(()) }
    }

    fn text(&self, hit: &Hit, out: &mut dyn Write) -> io::Result<()> {
        let mark = if hit.is_match { ':' } else { '-' };
        let place = format!("{}{mark}{}{mark}", hit.object, hit.line);
        self.shown(hit, &place, out)
    }

    /// Writes a line for people, with its place before it: where colours are shown, context is dimmed.
    fn shown(&self, hit: &Hit, place: &str, out: &mut dyn Write) -> io::Result<()> {
        let (place, line) = (Terminal(place.as_bytes()), Terminal(&hit.raw));
        match self.screen {
            Some(ui) if !hit.is_match => write!(out, "{}", ui.dim(&format_args!("{place}{line}"))),
            Some(ui) => {
                write!(out, "{place}")?;
                self.marked(ui, &hit.raw, out)
            }
            None => write!(out, "{place}{line}"),
        }
    }

    /// Writes text with its matches marked.
    fn marked(&self, ui: &Ui, text: &[u8], out: &mut dyn Write) -> io::Result<()> {
        let mut at = 0;
        for span in self.expr.spans(text) {
            let (before, found) = (Terminal(&text[at..span.start]), Terminal(&text[span.clone()]));
            write!(out, "{before}{}", ui.mark(&found))?;
            at = span.end;
        }
        write!(out, "{}", Terminal(&text[at..]))
    }

    fn csv(&mut self, hit: &Hit, out: &mut dyn Write) -> io::Result<()> {
        let message = self.fields.message(hit);
        let (time, line) = (human::time(hit.time_ms), hit.line.to_string());
        let raw = String::from_utf8_lossy(&hit.raw);
        let is_match = if hit.is_match { "true" } else { "false" };
        let cells: [&str; 8] =
            [&time, hit.level.name(), &hit.app, &hit.object, &line, &message, &raw, is_match];
        record(&cells[..if self.with_context { 8 } else { 7 }], out)
    }

    fn row(&mut self, hit: &Hit, out: &mut dyn Write) -> io::Result<()> {
        let message = self.fields.message(hit);
        let logger = self.fields.logger(hit).unwrap_or_default();
        let time = human::time(hit.time_ms);
        let cells = [&time, hit.level.name(), &hit.app, &logger, &message];
        let row = cells.map(|cell| visible::cell(cell).into_owned());
        self.rows_bytes += row.iter().map(String::len).sum::<usize>();
        self.rows.push(row);
        // Lines are printed as they are found, so the widths cannot wait for the last row.
        let are_enough = self.rows.len() == MEASURED_ROWS || self.rows_bytes > MEASURED_BYTES;
        if self.widths.is_some() || are_enough { self.print_rows(out) } else { Ok(()) }
    }

    fn print_rows(&mut self, out: &mut dyn Write) -> io::Result<()> {
        let rows = std::mem::take(&mut self.rows);
        let room = self.screen.and_then(Ui::columns);
        let most = room.map_or(COLUMN_WIDTH, |room| COLUMN_WIDTH.min(room / 6));
        let most = |column: usize| if column == 0 { usize::MAX } else { most };
        let widest = |column: usize| rows.iter().map(|row| row[column].width()).max().unwrap_or(0);
        let widths =
            *self.widths.get_or_insert_with(|| [0, 1, 2, 3].map(|column| widest(column).min(most(column))));
        for row in rows {
            use fmt::Write as _;
            let mut line = String::new();
            for (column, width) in widths.into_iter().enumerate().filter(|(_, width)| *width > 0) {
                let cell =
                    if column == LOGGER { cut_before(&row[column], width) } else { cut(&row[column], width) };
                let _ = write!(line, "{cell}{:pad$}  ", "", pad = width - cell.width().min(width));
            }
            // On a narrow terminal the message wraps rather than vanishes.
            let left = room.map_or(usize::MAX, |room| room.saturating_sub(line.width()).max(20));
            let message = cut(&row[4], left);
            match self.screen {
                Some(ui) => {
                    out.write_all(line.as_bytes())?;
                    self.marked(ui, message.trim_end().as_bytes(), out)?;
                }
                None => out.write_all(format!("{line}{message}").trim_end().as_bytes())?,
            }
            out.write_all(b"\n")?;
        }
        Ok(())
    }
}

/// Returns a line's place as `gzette show` takes it.
fn place(hit: &Hit) -> String {
    format!("{}:{}", hit.object, hit.line)
}

/// A line's place in JSON.
#[derive(Serialize)]
struct Opened<'h> {
    place: String,
    object: &'h str,
    line: u64,
}

impl<'h> Opened<'h> {
    fn of(hit: &'h Hit) -> Self {
        Self { place: place(hit), object: &hit.object, line: hit.line }
    }
}

/// A line in JSON.
#[derive(Serialize)]
pub(in crate::shell::cli) struct Found<'h> {
    time: String,
    level: Level,
    app: &'h str,
    object: &'h str,
    line: u64,
    #[serde(serialize_with = "as_text")]
    raw: &'h [u8],
    #[serde(rename = "match", skip_serializing_if = "Option::is_none")]
    is_match: Option<bool>,
}

impl<'h> Found<'h> {
    /// Returns a line; with context it says whether it was found.
    pub(in crate::shell::cli) fn of(hit: &'h Hit, with_context: bool) -> Self {
        Self {
            time: human::time(hit.time_ms),
            level: hit.level,
            app: &hit.app,
            object: &hit.object,
            line: hit.line,
            raw: &hit.raw,
            is_match: with_context.then_some(hit.is_match),
        }
    }
}

fn as_text<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&Lossy(bytes))
}

/// Bytes as text, invalid UTF-8 as U+FFFD.
struct Lossy<'b>(&'b [u8]);

impl Display for Lossy<'_> {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        for chunk in self.0.utf8_chunks() {
            formatter.write_str(chunk.valid())?;
            if !chunk.invalid().is_empty() {
                formatter.write_str("\u{fffd}")?;
            }
        }
        Ok(())
    }
}

/// Writes a record of CSV, its cells harmless to spreadsheets and control characters visible.
pub(super) fn record(cells: &[&str], out: &mut dyn Write) -> io::Result<()> {
    // Each time its buffer is full, the writer scans the rest of the cell: with a small buffer, a cell of
    // 64 MB takes half a minute.
    let bytes = cells.iter().map(|cell| cell.len()).sum::<usize>();
    let mut writer = csv::WriterBuilder::new()
        .terminator(csv::Terminator::CRLF)
        .buffer_capacity((2 * bytes).clamp(1 << 10, 1 << 20))
        .from_writer(out);
    // Made an `io::Error` by itself, the writer's error would no longer say that the reader has gone or the disk is full.
    writer.write_record(cells.iter().map(|cell| Cell(harmless(cell)))).map_err(|error| {
        match error.into_kind() {
            csv::ErrorKind::Io(error) => error,
            other => io::Error::other(format!("{other:?}")),
        }
    })?;
    writer.flush()
}

/// A cell, as the writer of CSV wants it.
struct Cell<'c>(Cow<'c, str>);

impl AsRef<[u8]> for Cell<'_> {
    fn as_ref(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

/// Returns a cell that no spreadsheet takes for a formula (OWASP, "CSV Injection").
fn harmless(cell: &str) -> Cow<'_, str> {
    let shown = visible::cell(cell);
    // Asked of the cell as it was: in `shown`, a tab or return at its start is already made visible.
    if cell.starts_with(['=', '+', '-', '@', '\t', '\r', '\n', '＝', '＋', '－', '＠']) {
        format!("'{shown}").into()
    } else {
        shown
    }
}

/// Returns the beginning of a text that fits into `columns`, with `…` where it was cut.
pub(super) fn cut(text: &str, columns: usize) -> Cow<'_, str> {
    if text.len() <= columns || text.width() <= columns {
        return text.into();
    }
    let mut width = 0;
    let kept = text.chars().take_while(|character| {
        width += character.width().unwrap_or(0);
        width < columns
    });
    format!("{}…", kept.collect::<String>()).into()
}

/// Returns the end of a text that fits into `columns`: the name of a class, for example.
fn cut_before(text: &str, columns: usize) -> Cow<'_, str> {
    if text.width() <= columns {
        return text.into();
    }
    let mut width = 0;
    let begin = text.char_indices().rev().take_while(|(_, character)| {
        width += character.width().unwrap_or(0);
        width < columns
    });
    format!("…{}", &text[begin.last().map_or(text.len(), |(at, _)| at)..]).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_are_no_formulas_and_quoted_where_they_must_be() {
        let cells = ["=1+1", "+1", "-1", "@a", "\tb", "\rc", "a,b", "say \"x\"", "d\ne", "plain", "a=b", ""];
        let expected = "'=1+1,'+1,'-1,'@a,'\\x09b,'\\x0dc,\"a,b\",\"say \"\"x\"\"\",d\\x0ae,plain,a=b,\r\n";
        let mut written = Vec::new();
        record(&cells, &mut written).unwrap();
        assert_eq!(String::from_utf8(written).unwrap(), expected);
    }

    #[test]
    fn a_reader_that_has_gone_is_told_by_short_and_long_records() {
        struct Gone;
        impl Write for Gone {
            fn write(&mut self, _: &[u8]) -> io::Result<usize> {
                Err(io::ErrorKind::BrokenPipe.into())
            }

            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        for length in [1, 4 << 20] {
            let error = record(&[&"x".repeat(length)], &mut Gone).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::BrokenPipe, "{length} bytes");
        }
    }

    #[test]
    fn texts_are_cut_by_columns() {
        assert_eq!(cut("abcdef", 6), "abcdef");
        assert_eq!(cut("abcdef", 5), "abcd…");
        assert_eq!(cut("漢字漢字", 8), "漢字漢字");
        assert_eq!(cut("漢字漢字", 7), "漢字漢…");
        assert_eq!(cut("漢字漢字", 6), "漢字…");
        assert_eq!(cut_before("com.acme.Basket", 7), "…Basket");
        assert_eq!(cut_before("Basket", 6), "Basket");
    }
}
