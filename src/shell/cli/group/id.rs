//! `gzette group id`: which group a message belongs to.

use std::collections::HashMap;
use std::io::{self, BufRead, BufReader, Read};

use crate::shell::cli::CommandError;
use crate::shell::cli::context::Context;
use crate::shell::error::Exit;
use gzette_core::group::{families, group, template};
use gzette_core::model::{GroupId, Grouped};
use gzette_core::visible::terminal;

/// The arguments of `gzette group id`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:  echo 'order 4711 not found' | gzette group id\n\
    The id depends on the message alone: it is the same on every machine and in any order.\n\
    `[grouping]` and `[[group]]` of a configuration do not apply here; `gzette group explain` uses them.")]
pub(super) struct Args {
    /// Print the template instead: the message with its variable parts masked
    #[arg(long)]
    template: bool,
    /// Print the id of each message's family: groups that differ in one word
    #[arg(long, conflicts_with = "template")]
    families: bool,
}

/// The rest of a longer message is passed over; groups are decided long before.
const MAX_MESSAGE_BYTES: u64 = 1 << 20;

pub(super) fn run(args: &Args, context: &Context) -> Result<Exit, CommandError> {
    let &Args { template: as_template, families: by_family } = args;
    let mut input = BufReader::with_capacity(64 << 10, io::stdin().lock());
    if by_family {
        return print_families(&mut input, context);
    }
    let mut line = Vec::new();
    while next_message(&mut input, &mut line)? {
        let message = String::from_utf8_lossy(&line);
        if context.global.json {
            let Grouped { id, kind, title, template } = group(&message, None);
            let (id, kind) = (id.to_string(), kind.name());
            let json = serde_json::json!({ "id": id, "kind": kind, "title": title, "template": template });
            context.ui.result_json(&json)?;
        } else if as_template {
            context.ui.result(&terminal(&template(&message)))?;
        } else {
            context.ui.result(&group(&message, None).id.to_string())?;
        }
        // Someone who types line by line waits for each answer.
        if input.buffer().is_empty() {
            context.ui.flush()?;
        }
    }
    Ok(Exit::Fine)
}

/// Prints the family of each message, once all have been read.
fn print_families(input: &mut impl BufRead, context: &Context) -> Result<Exit, CommandError> {
    let mut groups = Vec::new();
    let mut line = Vec::new();
    while next_message(input, &mut line)? {
        groups.push(group(&String::from_utf8_lossy(&line), None));
    }
    let ids: HashMap<&str, GroupId> =
        groups.iter().map(|group| (group.template.as_str(), group.id)).collect();
    let families = families(ids.keys().copied());
    for group in &groups {
        let family = families[group.template.as_str()];
        let id = ids[family].to_string();
        if context.global.json {
            let json = serde_json::json!({ "id": group.id.to_string(), "family": id, "template": family });
            context.ui.result_json(&json)?;
        } else {
            context.ui.result(&id)?;
        }
    }
    Ok(Exit::Fine)
}

/// Reads a line without its newline; returns whether there was one.
fn next_message(input: &mut impl BufRead, line: &mut Vec<u8>) -> io::Result<bool> {
    line.clear();
    if input.by_ref().take(MAX_MESSAGE_BYTES).read_until(b'\n', line)? == 0 {
        return Ok(false);
    }
    if line.pop_if(|last| *last == b'\n').is_none() {
        input.skip_until(b'\n')?;
    }
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_end_at_newlines_and_have_a_limit() {
        let long = vec![b'x'; MAX_MESSAGE_BYTES as usize + 70_000];
        let text = [b"a\n\n".as_slice(), &long, b"\nb\xff"].concat();
        let mut input = BufReader::with_capacity(7, text.as_slice());
        let (mut line, mut lengths) = (Vec::new(), Vec::new());
        while next_message(&mut input, &mut line).unwrap() {
            lengths.push(line.len());
        }
        assert_eq!(lengths, [1, 0, MAX_MESSAGE_BYTES as usize, 2]);
    }
}
