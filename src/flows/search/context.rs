//! The lines before and after matches, as grep's `-B` and `-A` show them.

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;

use super::Hit;
use super::lines::Lines;
use super::range::Range;
use crate::edges::index::IndexedBlock;
use crate::edges::ledger::GenerationRow;

/// How many lines are wanted beside those found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Around {
    /// Before each.
    pub before: u64,
    /// After each match.
    pub after: u64,
}

impl Around {
    /// Whether none is wanted.
    pub fn is_none(self) -> bool {
        self == Self::default()
    }

    /// Returns the blocks, of all those of an object, that hold the lines around some stretches of it.
    pub(super) fn of_blocks(self, blocks: &[IndexedBlock], stretches: &[Range]) -> Vec<Range> {
        let mut wanted = vec![false; blocks.len()];
        let first_line = |indexed: &IndexedBlock| indexed.block.first_line;
        let end_line = |indexed: &IndexedBlock| indexed.block.first_line + indexed.block.lines;
        for stretch in stretches {
            let after = blocks.partition_point(|block| first_line(block) <= stretch.first_line());
            let at = after.saturating_sub(1);
            let Some(own) = blocks.get(at) else { continue };
            let first = first_line(own).saturating_sub(self.before);
            let last = end_line(own).saturating_add(self.after);
            let begin = blocks[..at].partition_point(|block| end_line(block) <= first);
            let end = at + blocks[at..].partition_point(|block| first_line(block) < last);
            wanted[begin..end].fill(true);
        }
        let chosen = blocks.iter().zip(wanted).filter(|(_, is_wanted)| *is_wanted);
        chosen.map(|(block, _)| Range::of_block(block)).collect()
    }
}

/// Puts the context of an object's hits between them, no line twice.
pub(super) struct Weaver<'w> {
    lines: Lines<'w>,
    around: Around,
    row: &'w GenerationRow,
    place: Arc<str>,
    /// The last line put out.
    last: u64,
    /// The last line that the context after the last hit includes.
    owed: u64,
    /// The last lines that were found and do not count by themselves: as context they are still matches.
    aside: VecDeque<u64>,
    /// Hits and context so far, to be taken.
    pub(super) woven: Vec<Hit>,
    /// The bytes in `woven`.
    pub(super) held_bytes: usize,
}

impl<'w> Weaver<'w> {
    pub(super) fn new(lines: Lines<'w>, around: Around, row: &'w GenerationRow) -> Self {
        Self {
            lines,
            around,
            row,
            place: row.place().into(),
            last: 0,
            owed: 0,
            aside: VecDeque::new(),
            woven: Vec::new(),
            held_bytes: 0,
        }
    }

    /// Adds the next hit and the lines before it. A hit that does not count is only shown as context of others.
    pub(super) fn add(&mut self, hit: Hit, counts: bool) -> io::Result<()> {
        if !counts && hit.line > self.owed {
            self.aside.push_back(hit.line);
            if self.aside.len() as u64 > self.around.before {
                self.aside.pop_front();
            }
            return Ok(());
        }
        self.put_up_to(self.owed.min(hit.line - 1))?;
        if counts {
            // Skips what lies between the contexts of two hits: it is never read.
            self.last = self.last.max(hit.line.saturating_sub(self.around.before.saturating_add(1)));
            self.put_up_to(hit.line - 1)?;
            self.owed = hit.line.saturating_add(self.around.after);
        }
        self.last = hit.line;
        self.put(hit);
        Ok(())
    }

    /// Adds the lines after the last hit.
    pub(super) fn end(&mut self) -> io::Result<()> {
        self.put_up_to(self.owed)
    }

    /// Adds the lines after the last one, up to this line.
    fn put_up_to(&mut self, line: u64) -> io::Result<()> {
        while self.last < line {
            let Some(found) = self.lines.line(self.last + 1)? else { break };
            self.last += 1;
            let hit = Hit {
                time_ms: found.time_ms,
                level: found.level,
                app: self.row.object.app.as_str().into(),
                source: Arc::new(self.row.object.source.clone()),
                day: self.row.object.day,
                object: Arc::clone(&self.place),
                line: self.last,
                length: found.raw.len(),
                raw: found.raw,
                group: None,
                is_match: self.aside.binary_search(&self.last).is_ok(),
            };
            self.put(hit);
        }
        self.last = self.last.max(line);
        Ok(())
    }

    fn put(&mut self, hit: Hit) {
        self.held_bytes += hit.raw.len() + 64;
        self.woven.push(hit);
    }
}
