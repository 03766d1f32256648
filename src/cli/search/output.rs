//! How found lines are printed: as they are, as JSON, CSV, a table, or their places.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::sync::Arc;

use unicode_width::{UnicodeWidthChar as _, UnicodeWidthStr as _};

use super::fields::FieldReader;
use crate::human;
use crate::search::Hit;
use crate::ui::{self, Ui, visible};

/// How lines are printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(in crate::cli) enum Output {
    /// The line itself
    Raw,
    /// Object and line, then the line, as grep -Hn: `s3://bucket/key:12:...`
    Text,
    /// One JSON object a line: time, level, app, object, line, raw
    Json,
    /// RFC 4180 with a header: time, level, app, object, line, message, raw
    Csv,
    /// Columns: time, level, application, logger, message; cut to the width of a terminal
    Table,
    /// Only object and line, for `gzette show`
    #[value(skip)]
    Place,
}

/// The widths of a table's columns are those of its first rows.
const MEASURED_ROWS: usize = 200;
/// The column of which the end says more than the beginning.
const LOGGER: usize = 3;
/// No column but the first and the last is wider.
const COLUMN_WIDTH: usize = 30;

/// Turns lines into what is written.
pub(super) struct Printer<'p> {
    output: Output,
    /// For a terminal: control characters become visible.
    screen: Option<&'p Ui>,
    with_context: bool,
    fields: FieldReader<'p>,
    has_begun: bool,
    last: Option<(Arc<str>, u64)>,
    rows: Vec<[String; 5]>,
    widths: Option<[usize; 4]>,
}

impl<'p> Printer<'p> {
    /// Returns a printer for a file or a pipe, or for a terminal.
    pub(super) fn new(
        output: Output,
        screen: Option<&'p Ui>,
        with_context: bool,
        fields: FieldReader<'p>,
    ) -> Self {
        Self {
            output,
            screen,
            with_context,
            fields,
            has_begun: false,
            last: None,
            rows: Vec::new(),
            widths: None,
        }
    }

    /// Adds a line to `out`.
    pub(super) fn line(&mut self, hit: &Hit, out: &mut Vec<u8>) {
        self.begin(out);
        if self.with_context && matches!(self.output, Output::Raw | Output::Text) {
            self.separate(hit, out);
        }
        match self.output {
            Output::Raw if self.screen.is_some() => self.shown(hit, &visible(&hit.raw), out),
            Output::Raw => out.extend_from_slice(&hit.raw),
            Output::Text => self.text(hit, out),
            Output::Json => out.extend(json(hit, self.with_context).to_string().bytes()),
            Output::Csv => return self.csv(hit, out),
            Output::Table => return self.row(hit, out),
            Output::Place => out.extend(visible(place(hit).as_bytes()).bytes()),
        }
        out.push(b'\n');
    }

    /// Adds what was held back.
    pub(super) fn end(&mut self, out: &mut Vec<u8>) {
        self.begin(out);
        self.print_rows(out);
    }

    fn begin(&mut self, out: &mut Vec<u8>) {
        if !std::mem::replace(&mut self.has_begun, true) && self.output == Output::Csv {
            let header = ["time", "level", "app", "object", "line", "message", "raw", "match"];
            out.extend(record(&header[..if self.with_context { 8 } else { 7 }]));
        }
    }

    /// Puts `--` between lines that do not follow one another.
    fn separate(&mut self, hit: &Hit, out: &mut Vec<u8>) {
        let follows = |(object, line): &(Arc<str>, u64)| *object == hit.object && line + 1 == hit.line;
        if self.last.as_ref().is_some_and(|last| !follows(last)) {
            out.extend_from_slice(b"--\n");
        }
        self.last = Some((hit.object.clone(), hit.line));
    }

    fn text(&self, hit: &Hit, out: &mut Vec<u8>) {
        let mark = if hit.is_match { ':' } else { '-' };
        let place = format!("{}{mark}{}{mark}", hit.object, hit.line);
        let line = format!("{}{}", visible(place.as_bytes()), visible(&hit.raw));
        self.shown(hit, &line, out);
    }

    /// Adds text for people: context is dimmed where colours are shown.
    fn shown(&self, hit: &Hit, text: &str, out: &mut Vec<u8>) {
        match self.screen {
            Some(ui) if !hit.is_match => out.extend(ui.dim(text).bytes()),
            _ => out.extend(text.bytes()),
        }
    }

    fn csv(&mut self, hit: &Hit, out: &mut Vec<u8>) {
        let message = self.fields.message(hit);
        let (time, line) = (human::time(hit.time_ms), hit.line.to_string());
        let raw = String::from_utf8_lossy(&hit.raw);
        let is_match = if hit.is_match { "true" } else { "false" };
        let cells: [&str; 8] =
            [&time, hit.level.name(), &hit.app, &hit.object, &line, &message, &raw, is_match];
        out.extend(record(&cells[..if self.with_context { 8 } else { 7 }]));
    }

    fn row(&mut self, hit: &Hit, out: &mut Vec<u8>) {
        let message = self.fields.message(hit);
        let logger = self.fields.logger(hit).unwrap_or_default();
        let time = human::time(hit.time_ms);
        let cells = [&time, hit.level.name(), &hit.app, &logger, &message];
        self.rows.push(cells.map(one_line));
        if self.widths.is_some() || self.rows.len() == MEASURED_ROWS {
            self.print_rows(out);
        }
    }

    fn print_rows(&mut self, out: &mut Vec<u8>) {
        let rows = std::mem::take(&mut self.rows);
        let room = self.screen.and_then(Ui::columns);
        let most = room.map_or(COLUMN_WIDTH, |room| COLUMN_WIDTH.min(room / 6));
        let most = |column: usize| if column == 0 { usize::MAX } else { most };
        let widest = |column: usize| rows.iter().map(|row| row[column].width()).max().unwrap_or(0);
        let widths =
            *self.widths.get_or_insert_with(|| [0, 1, 2, 3].map(|column| widest(column).min(most(column))));
        for row in rows {
            let mut line = String::new();
            for (column, width) in widths.into_iter().enumerate().filter(|(_, width)| *width > 0) {
                let cell =
                    if column == LOGGER { cut_before(&row[column], width) } else { cut(&row[column], width) };
                let _ = write!(line, "{cell}{:pad$}  ", "", pad = width - cell.width().min(width));
            }
            let left = room.map_or(usize::MAX, |room| room.saturating_sub(line.width()).max(20));
            line.push_str(&cut(&row[4], left));
            out.extend(line.trim_end().bytes());
            out.push(b'\n');
        }
    }
}

/// Returns a line's place as `gzette show` takes it.
fn place(hit: &Hit) -> String {
    format!("{}:{}", hit.object, hit.line)
}

/// Returns a line as JSON; with context it says whether it was found.
pub(in crate::cli) fn json(hit: &Hit, with_context: bool) -> serde_json::Value {
    let mut json = serde_json::json!({
        "time": human::time(hit.time_ms),
        "level": hit.level,
        "app": &*hit.app,
        "object": &*hit.object,
        "line": hit.line,
        "raw": String::from_utf8_lossy(&hit.raw),
    });
    if with_context {
        json["match"] = hit.is_match.into();
    }
    json
}

/// Returns a record of CSV, its cells harmless to spreadsheets and control characters visible.
pub(super) fn record(cells: &[&str]) -> Vec<u8> {
    let mut record = Vec::new();
    let mut writer = csv::WriterBuilder::new()
        .terminator(csv::Terminator::CRLF)
        .buffer_capacity(1 << 10)
        .from_writer(&mut record);
    // Writing into memory cannot fail.
    let _ = writer.write_record(cells.iter().map(|cell| harmless(cell)));
    let _ = writer.flush();
    drop(writer);
    record
}

/// Returns a cell that no spreadsheet takes for a formula (OWASP, "CSV Injection").
fn harmless(cell: &str) -> String {
    let shown = one_line(cell);
    if cell.starts_with(['=', '+', '-', '@', '\t', '\r', '\n', '＝', '＋', '－', '＠']) {
        format!("'{shown}")
    } else {
        shown
    }
}

/// Returns text whose control characters, tabs too, are visible.
fn one_line(text: &str) -> String {
    ui::visible(text.as_bytes()).replace('\t', "\\x09")
}

/// Returns the beginning of a text that has room in so many columns, with `…` where it was cut.
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

/// Returns the end of a text that has room in so many columns: of a class, its name.
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
        assert_eq!(String::from_utf8(record(&cells)).unwrap(), expected);
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
