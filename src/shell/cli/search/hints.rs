//! What to type instead, where nothing was found and it is plain why. Nothing is searched for that: the ledger is asked, and
//! the first lines of the newest objects are read for the names of their fields.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::ops::ControlFlow;

use serde_json::{Map, Value};

use super::fields::FieldReader;
use super::{Asked, CommandError};
use crate::edges::ledger::GenerationRow;
use crate::flows::search::{Hit, Request, search};
use gzette_core::human;
use gzette_core::model::{UtcMs, Window};
use gzette_core::query::{Advice, Expr};
use gzette_core::visible::cell;

/// The fields of so many objects are looked at, the newest one of each application,
const OBJECTS: usize = 3;
/// in this many of their lines.
const LINES: u64 = 200;
/// Deeper fields are not gathered.
const DEPTH: usize = 4;

impl Asked<'_> {
    /// Returns a hint for a search that found nothing; `None` where the reason is not known. `text` is the expression, if there
    /// is one.
    pub(super) fn hint(&self, request: &Request, text: Option<&str>) -> Result<Option<String>, CommandError> {
        if self.library.ledger.generation_count()? == 0 {
            return Ok(Some("nothing was ingested yet: `gzette run`".to_owned()));
        }
        let is_filtered = !request.apps.is_empty() || request.only.is_some() || request.window != Window::ALL;
        if let Some(hint) = if is_filtered { self.of_objects(request)? } else { None } {
            return Ok(Some(hint));
        }
        for advice in text.map(Advice::on).unwrap_or_default() {
            let hint = match advice {
                Advice::Wildcard { text, regex } => Some(format!(
                    "a `*` stands only for the end of a word; instead of `{}` write `'{}'`",
                    cell(&text),
                    cell(&regex)
                )),
                Advice::Unspaced(word) => Some(format!(
                    "`{word}` is searched as a whole word; write `{word}*` for the start of one, or `--fixed {word}` for any part"
                )),
                Advice::Field { name, is_sure } => {
                    let mut rows = self.library.ledger.generations()?;
                    rows.retain(|row| is_chosen(request, row));
                    self.of_field(&name, is_sure, &rows)?
                }
            };
            if hint.is_some() {
                return Ok(hint);
            }
        }
        Ok(None)
    }

    /// What to do where the filters leave no object.
    fn of_objects(&self, request: &Request) -> Result<Option<String>, CommandError> {
        let (mut objects, mut meeting, mut whole) = (0, 0, None::<(UtcMs, UtcMs)>);
        self.library.ledger.each_outline(&request.apps, |object| {
            if request.only.as_ref().is_some_and(|only| !only.contains(&object.object_id)) {
                return;
            }
            objects += 1;
            let Some((first_ms, last_ms)) = object.span_ms else { return };
            meeting += u64::from(request.window.meets(first_ms, last_ms));
            let (first, last) = whole.unwrap_or((first_ms, last_ms));
            whole = Some((first.min(first_ms), last.max(last_ms)));
        })?;
        if objects == 0 && self.args.last_run {
            return Ok(Some("the last run took in nothing; leave out `--last-run` to search all".to_owned()));
        }
        if objects == 0 {
            let known = self.library.ledger.app_names()?;
            let others = known.iter().filter(|name| !request.apps.contains(name));
            let others: Vec<_> = others.take(OBJECTS).map(|name| format!("`{name}`")).collect();
            return Ok(Some(format!(
                "there are no objects of this application; others are {}",
                others.join(", ")
            )));
        }
        if meeting > 0 {
            return Ok(None);
        }
        Ok(whole.map(|(first_ms, last_ms)| {
            let (first, last) = (second(first_ms), second(last_ms));
            format!("no events are of that time: they go from {first} to {last}; write `--from {first}`")
        }))
    }

    /// What to do where the newest lines have no such field.
    fn of_field(
        &self,
        name: &str,
        is_sure: bool,
        rows: &[GenerationRow],
    ) -> Result<Option<String>, CommandError> {
        let mut reader = FieldReader::new(self.settings);
        let (mut names, mut is_there) = (BTreeSet::new(), false);
        for row in newest(rows) {
            self.first_lines(row, &mut |hit| {
                is_there |= !reader.values(hit, name).is_empty();
                add_names(&hit.raw, &mut names);
            })?;
        }
        if is_there {
            return Ok(None);
        }
        let near = human::nearest(name, names.iter().map(String::as_str)).filter(|near| *near != name);
        let name = cell(name);
        Ok(match near {
            Some(near) => {
                Some(format!("the newest lines have no field `{name}`; did you mean `{}`?", cell(near)))
            }
            None if is_sure => Some(format!(
                "the newest lines have no field `{name}`; put it in quotes to find it as a text"
            )),
            None => None,
        })
    }

    fn first_lines(
        &self,
        row: &GenerationRow,
        take: &mut (dyn FnMut(&Hit) + Send),
    ) -> Result<(), CommandError> {
        let only = Some(HashSet::from([row.object_id]));
        let request = Request { only, ..Request::new(Expr::Everything) };
        let library = crate::flows::search::Library { progress: None, ..*self.library };
        let mut lines = 0;
        search(&library, &request, &mut |hit| {
            take(&hit);
            lines += 1;
            if lines < LINES { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
        })?;
        Ok(())
    }
}

/// Whether an object is one of those chosen by options.
fn is_chosen(request: &Request, row: &GenerationRow) -> bool {
    (request.apps.is_empty() || request.apps.contains(&row.object.app))
        && request.only.as_ref().is_none_or(|only| only.contains(&row.object_id))
}

/// Returns the newest object of each application that is in the mirror, of the applications with the newest ones.
fn newest(rows: &[GenerationRow]) -> impl Iterator<Item = &GenerationRow> {
    let mut of_app = BTreeMap::new();
    for row in rows.iter().filter(|row| row.mirrored && row.span_ms.is_some()) {
        let newest = of_app.entry(&row.object.app).or_insert(row);
        if newest.span_ms.map(|span| span.1) < row.span_ms.map(|span| span.1) {
            *newest = row;
        }
    }
    let mut newest: Vec<_> = of_app.into_values().collect();
    newest.sort_by_key(|row| std::cmp::Reverse(row.span_ms.map(|span| span.1)));
    newest.into_iter().take(OBJECTS)
}

/// Adds the names of a line's fields: of JSON, keys of nested objects joined by dots, or of LTSV.
fn add_names(line: &[u8], names: &mut BTreeSet<String>) {
    if let Ok(object) = serde_json::from_slice::<Map<String, Value>>(line) {
        return add_keys(&object, "", DEPTH, names);
    }
    let labels = line
        .split(|&byte| byte == b'\t')
        .filter_map(|field| std::str::from_utf8(field).ok()?.split_once(':'));
    names.extend(labels.map(|(label, _)| label.to_owned()));
}

fn add_keys(object: &Map<String, Value>, before: &str, depth: usize, names: &mut BTreeSet<String>) {
    for (key, value) in object {
        let name = format!("{before}{key}");
        match value {
            Value::Object(inner) if depth > 0 => add_keys(inner, &format!("{name}."), depth - 1, names),
            _ => {
                names.insert(name);
            }
        }
    }
}

fn second(time_ms: UtcMs) -> String {
    let time = human::time(time_ms);
    time.split_once('.').map_or(time.clone(), |(second, _)| format!("{second}Z"))
}
