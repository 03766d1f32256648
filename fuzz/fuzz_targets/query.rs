//! Search expressions: a line that matches is in a block whose words hold what the expression needs of them, so that
//! the index leads to it; it holds the bytes that are looked for first; and in pieces it matches as in one.
#![no_main]

use arbitrary::Arbitrary;
use gzette_fuzz::query::{Expr, Need, Pieces};
use gzette_fuzz::words::BlockWords;
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
    let fixed = Expr::fixed(case.lines.split(|&byte| byte == b'\n').take(1).chain([case.needle]));
    let exprs = [Expr::parse(case.text).ok(), Expr::fixed([case.needle]).ok(), fixed.ok()];
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
    let mut block = BlockWords::default();
    lines().for_each(|line| block.add_line(line));
    for line in lines() {
        let matches = expr.matches(line);
        let mut pieces = Pieces::new(expr);
        line.chunks(usize::from(case.piece_bytes).max(1)).for_each(|piece| pieces.add(piece));
        assert_eq!(pieces.end(), matches, "{expr:?} in pieces");
        if !matches {
            continue;
        }
        let mut alone = BlockWords::default();
        alone.add_line(line);
        assert!(holds(&need, &alone) && holds(&need, &block), "{expr:?} needs {need:?}");
        if let Some(finder) = expr.required_bytes() {
            assert!(finder.find(line).is_some(), "{expr:?} requires {:?}", finder.needle());
        }
    }
}

/// What the index answers, without its shortcuts.
fn holds(need: &Need, block: &BlockWords) -> bool {
    match need {
        Need::Anything => true,
        Need::Word(word) => block.iter().any(|held| held == word),
        Need::Prefix(part) => block.iter().any(|held| held.starts_with(part)),
        Need::Suffix(part) => block.iter().any(|held| held.ends_with(part)),
        Need::Inner(part) => block.iter().any(|held| memchr::memmem::find(held, part).is_some()),
        Need::UnicodeEscape => block.has_unicode_escape,
        Need::LongWord => block.has_long,
        Need::All(needs) => needs.iter().all(|need| holds(need, block)),
        Need::Any(needs) => needs.iter().any(|need| holds(need, block)),
    }
}
