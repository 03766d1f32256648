//! Search expressions: a line that matches is in a block whose words hold what the expression needs of them, so that
//! the index leads to it; it holds the bytes that are looked for first; what bytes alone decide is right; in pieces it
//! matches as in one; and what is printed reads the same.
#![no_main]

use arbitrary::Arbitrary;
use gzette_core::parse::{ParseSettings, Parser};
use gzette_core::query::{Expr, Facts, Need, ObjectFacts, Pieces};
use gzette_core::words::{BlockWords, grams};
use libfuzzer_sys::fuzz_target;

#[derive(Arbitrary, Debug)]
struct Case<'a> {
    text: &'a str,
    needle: &'a [u8],
    how: u8,
    piece_bytes: u8,
    lines: &'a [u8],
}

fuzz_target!(|case: Case<'_>| {
    let parsed = Expr::parse(case.text);
    if let Ok(expr) = &parsed {
        let again = Expr::parse(&expr.to_string()).expect("what is written can be read");
        assert_eq!(again.to_string(), expr.to_string(), "written and read");
    }
    let fixed = Expr::fixed([case.needle]);
    let ignoring_case = Expr::fixed_ignoring_case([case.needle]);
    let exprs = [parsed.ok(), fixed.ok(), ignoring_case.ok()];
    let exprs: Vec<Expr> = exprs.into_iter().flatten().collect();
    for expr in &exprs {
        check(expr, &case);
    }
    check(&combined(exprs, case.how), &case);
});

/// An expression of more than words and substrings.
fn combined(exprs: Vec<Expr>, how: u8) -> Expr {
    let negated = exprs
        .into_iter()
        .enumerate()
        .map(|(at, expr)| if how >> at & 1 == 1 { Expr::Not(Box::new(expr)) } else { expr });
    if how & 64 == 0 { Expr::Or(negated.collect()) } else { Expr::And(negated.collect()) }
}

fn check(expr: &Expr, case: &Case<'_>) {
    let lines = || case.lines.split(|&byte| byte == b'\n');
    let need = expr.need();
    let (mut block, mut levels) = (BlockWords::default(), 0);
    for line in lines() {
        block.add_line(line);
        levels |= with_facts(line, |facts| facts.level.bit());
    }
    let object = ObjectFacts { app: "api", place: "s3://bucket/logs/api/a.gz", has_group: &|_| true };
    let given = expr.given(&object);
    for line in lines() {
        let matches = with_facts(line, |facts| expr.holds(line, facts));
        assert!(expr.judge(line).is_none_or(|judged| judged == matches), "{expr} judged by bytes");
        if !expr.asks_about_objects() {
            let given = with_facts(line, |facts| given.holds(line, facts));
            assert_eq!(given, matches, "{expr} for an object");
        }
        let mut pieces = Pieces::new(expr);
        line.chunks(usize::from(case.piece_bytes).max(1)).for_each(|piece| pieces.add(piece));
        assert_eq!(with_facts(line, |facts| pieces.end(line, facts)), matches, "{expr} in pieces");
        if !matches {
            continue;
        }
        let mut alone = BlockWords::default();
        alone.add_line(line);
        let level = with_facts(line, |facts| facts.level.bit());
        assert!(holds(&need, &alone, level) && holds(&need, &block, levels), "{expr} needs {need:?}");
        if let Some(mut places) = expr.places(line) {
            assert!(places.next_from(0).is_some(), "{expr} has its places");
        }
    }
}

/// What is known of a line that stands alone.
fn with_facts<T>(line: &[u8], ask: impl FnOnce(&mut Facts<'_>) -> T) -> T {
    let mut parser = Parser::new(&ParseSettings::default(), None);
    let level = parser.parse_alone(line, false).map(|event| event.level).unwrap_or_default();
    ask(&mut Facts { level, group: None, head: line, is_cut: false, parser: &mut parser })
}

/// What the index answers, without its shortcuts.
fn holds(need: &Need, block: &BlockWords, levels: u8) -> bool {
    let sampled = |part: &[u8], begins, ends| {
        !block.grams.is_empty()
            && grams::Part::new(part, begins, ends).may_be_in(&block.grams.filter(1 << 16))
    };
    match need {
        Need::Anything => true,
        Need::Word(word) if grams::is_sampled(word) => sampled(word, true, true),
        Need::Word(word) => block.known().contains(word),
        Need::Prefix(part) => block.known().iter().any(|held| held.starts_with(part)) || sampled(part, true, false),
        Need::Suffix(part) => block.known().iter().any(|held| held.ends_with(part)) || sampled(part, false, true),
        Need::Inner(part) => block.known().iter().any(|held| memchr::memmem::find(held, part).is_some()) || sampled(part, false, false),
        Need::UnicodeEscape => block.has_unicode_escape,
        Need::Levels(wanted) => wanted & levels != 0,
        Need::All(needs) => needs.iter().all(|need| holds(need, block, levels)),
        Need::Any(needs) => needs.iter().any(|need| holds(need, block, levels)),
    }
}
