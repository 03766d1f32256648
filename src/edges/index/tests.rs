//! Words of all kinds are found in segments as they were built and after a merge.

use std::collections::HashSet;

use super::*;
use gzette_core::model::{Level, UtcMs, Window};
use gzette_core::query::Need;
use gzette_core::words::BlockWords;

/// One is deleted whole, and one more than is left alone remains.
const SEGMENTS: i64 = 102;

fn block() -> Block {
    Block {
        first_line: 1,
        lines: 1,
        length: 100,
        last_ms: UtcMs::new(1),
        levels: Level::Info.bit(),
        ..Block::default()
    }
}

fn line(number: i64) -> String {
    format!("common word{number} id {:016x} order {}", number * 7_919_777_777_777, 10_000_000 + number)
}

/// Commits segments of one block each.
fn built(dir: &Path, segments: i64) -> Index {
    let index = Index::create(dir).unwrap();
    let mut writer = index.writer().unwrap();
    for number in 1..=segments {
        let segments = Segments::default();
        let mut builder = index.segment_builder(&segments);
        let mut words = BlockWords::default();
        words.add_line(line(number).as_bytes());
        builder.add(GenerationId(number), number, &block(), &words).unwrap();
        builder.finish().unwrap();
        writer.commit(&segments, &Payload { batch: number, uuid: index.uuid().to_owned() }).unwrap();
    }
    drop(writer);
    index
}

/// The generations of the blocks that may hold what is needed.
fn found(index: &Index, need: &Need) -> Vec<i64> {
    found_up_to(index, need, SEGMENTS).unwrap()
}

/// The same of an index that has to hold all batches up to one.
fn found_up_to(index: &Index, need: &Need, batch: i64) -> Result<Vec<i64>> {
    let generations: HashSet<_> = (1..=SEGMENTS).map(GenerationId).collect();
    let wanted = Wanted { need, generations: &generations, window: Window::ALL, levels: u8::MAX, batch };
    Ok(index.candidates(&wanted)?.blocks.iter().map(|block| block.generation.0).collect())
}

/// The lines that are still there and fulfil a condition.
fn lines_with(condition: impl Fn(&str) -> bool) -> Vec<i64> {
    (1..=SEGMENTS).filter(|&number| number != 13 && condition(&line(number))).collect()
}

fn segments(index: &Index) -> usize {
    index.inner.searchable_segment_ids().unwrap().len()
}

#[test]
fn a_merge_loses_no_word_and_keeps_what_was_deleted_out() {
    let dir = tempfile::tempdir().unwrap();
    let index = built(dir.path(), SEGMENTS);
    let payload = Payload { batch: SEGMENTS, uuid: index.uuid().to_owned() };
    let mut writer = index.writer().unwrap();
    writer.delete_generation(GenerationId(13));
    writer.commit(&Segments::default(), &payload).unwrap();
    let before = segments(&index);
    writer.merge_if_many(&payload.clone()).unwrap();
    drop(writer);
    let index = Index::open(dir.path(), &payload.uuid).unwrap();
    assert!(segments(&index) < before, "{before} segments stay {}", segments(&index));
    assert_eq!(index.payload(), Some(payload));
    assert!(index.damaged_files().unwrap().is_empty());
    for number in 1..=SEGMENTS {
        let line = line(number);
        for word in line.split(' ') {
            let holding = lines_with(|line| line.split(' ').any(|other| other == word));
            assert_eq!(found(&index, &Need::word(word.as_bytes())), holding, "{word}");
        }
        for part in [&line[4..40], &line[20..29], &line[24..29]] {
            let holding = lines_with(|line| line.contains(part));
            let found = found(&index, &Need::substring(part.as_bytes()));
            assert!(holding.iter().all(|number| found.contains(number)), "{part}: {found:?}");
            assert!(!found.contains(&13));
        }
    }
    assert!(found(&index, &Need::word(b"absent")).is_empty());
}

#[test]
fn a_search_notices_a_repair_that_gave_up_blocks() {
    let dir = tempfile::tempdir().unwrap();
    let index = built(dir.path(), 3);
    assert_eq!(found_up_to(&index, &Need::Anything, 3).unwrap(), [1, 2, 3]);
    let segment = index.segment_names().unwrap().remove(0);
    std::fs::remove_file(dir.path().join(format!("{segment}.store"))).unwrap();
    Index::open(dir.path(), index.uuid()).unwrap().repair().unwrap();
    let asked = found_up_to(&index, &Need::Anything, 3);
    assert!(matches!(asked, Err(IndexError::Replaced)), "{asked:?}");
    let left = found_up_to(&index, &Need::Anything, INCOMPLETE).unwrap();
    assert_eq!(left.len(), 2);
}
