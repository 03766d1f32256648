//! Traces of C, C++, Swift and Objective-C: of debuggers, sanitizers, core dumps, glibc, glog and abseil, Boost and the
//! standard library of C++23, and of Swift's own backtracer; and what a runtime says before it aborts.

use std::borrow::Cow;

use super::{Exception, Frame, MAX_FRAMES, lines, numbered, without_line};

/// What C++ writes when nothing catches an exception.
pub(super) const TERMINATED: [&str; 3] = [
    "terminate called after throwing an instance of '",
    "terminating due to uncaught exception of type ",
    "terminating with uncaught exception of type ",
];

/// Reads the first thread of a text. What C++ says of an uncaught exception needs no frames.
pub(super) fn exceptions(text: &str) -> Vec<Exception<'_>> {
    let mut exception = Exception::default();
    let mut is_thrown = false;
    for line in lines(text) {
        let trimmed = line.trim();
        if let Some(frame) = frame(trimmed) {
            // The next thread, or what the sanitizer says of the past.
            if restarts(trimmed) && !exception.frames.is_empty() {
                break;
            }
            if exception.frames.len() < MAX_FRAMES {
                exception.frames.push(frame);
            }
        } else if let Some(thrown) = terminated(trimmed) {
            (exception.kind, exception.message, is_thrown) = (thrown.kind, thrown.message, true);
        } else if let Some(said) = trimmed.strip_prefix("what():") {
            exception.message = said.trim_start();
        } else if !is_thrown
            && exception.frames.is_empty()
            && let Some(said) = said(trimmed)
        {
            exception.message = said;
        }
    }
    let has_any = is_thrown || !exception.frames.is_empty();
    has_any.then_some(exception).into_iter().collect()
}

/// Reads `terminate called after throwing an instance of 'TYPE'` or `…exception of type TYPE: message`.
pub(super) fn terminated(line: &str) -> Option<Exception<'_>> {
    let (at, mark) = TERMINATED.iter().find_map(|mark| Some((line.find(mark)?, mark)))?;
    let rest = &line[at + mark.len()..];
    let (kind, message) = match rest.strip_suffix('\'') {
        Some(kind) => (kind, ""),
        None => rest.split_once(": ").unwrap_or((rest, "")),
    };
    Some(Exception { kind, message, ..Exception::default() })
}

/// Lines that sanitizers, Swift and C++ write beside frames.
pub(super) const NOTES: [&str; 11] = [
    "PC: @ ",
    "Aborted",
    "READ of size ",
    "WRITE of size ",
    "freed by thread ",
    "previously allocated by ",
    "allocated by thread ",
    "Thread ",
    "SUMMARY: ",
    "Shadow ",
    "0x",
];

/// What a line says of the reason of a crash; addresses that it ends with say nothing.
pub(super) fn said(line: &str) -> Option<&str> {
    const SIGNS: [&str; 6] = [
        "Fatal error: ",
        "ERROR: AddressSanitizer: ",
        "ERROR: ThreadSanitizer: ",
        "WARNING: ThreadSanitizer: ",
        "Program terminated with signal ",
        "Program received signal ",
    ];
    if let Some((at, mark)) = SIGNS.iter().find_map(|mark| Some((line.find(mark)?, mark))) {
        let text = &line[at + mark.len()..];
        let end = [" on address ", " on unknown address "].iter().find_map(|end| text.find(end));
        return Some(end.map_or(text, |end| &text[..end]));
    }
    let signal =
        line.strip_prefix("*** ").or_else(|| line.find(": Assertion `").map(|at| &line[at + 2..]))?;
    let is_signal =
        signal.starts_with("SIG") || signal.starts_with("Assertion") || signal.starts_with("Signal ");
    is_signal.then(|| signal.split(" received").next().unwrap_or(signal))
}

/// Whether a frame is the first of a thread.
fn restarts(line: &str) -> bool {
    let line = line.strip_prefix('#').unwrap_or(line);
    line.starts_with('0') && !line.starts_with("0x")
}

/// Reads a frame of any of these.
pub(super) fn frame(line: &str) -> Option<Frame<'_>> {
    match line.as_bytes().first()? {
        b'#' => hashed(numbered(&line[1..])?),
        b'@' => addressed(line[1..].trim_start()),
        b'0'..=b'9' => numbered(line).and_then(|rest| match rest.strip_prefix("# ") {
            Some(rest) => Some(boost(rest)),
            None => swift(rest),
        }),
        _ => symbols(line),
    }
}

/// Reads `  0x55d in Cart::pay (n=1) at cart.cpp:31`, `: Cart::pay() [0x55d]`, `  0x7f raise (libc.so.6 + 0x3c050)`.
fn hashed(rest: &str) -> Option<Frame<'_>> {
    let is_envoy = rest.starts_with(": ");
    let rest = rest.strip_prefix(':').unwrap_or(rest).trim_start();
    let (has_address, rest) = match after_address(rest) {
        Some(rest) => (true, rest),
        None => (false, rest),
    };
    let has_in = rest.starts_with("in ");
    let rest = rest.strip_prefix("in ").unwrap_or(rest);
    let name = function(rest);
    let place = &rest[name.len()..];
    let file = place
        .rsplit_once(" at ")
        .or_else(|| place.rsplit_once(" from "))
        .or_else(|| place.rsplit_once(' '))
        .map_or("", |(_, file)| without_line(file));
    let has_place =
        place.trim_start().starts_with('(') && (place.contains(") at ") || place.contains(") from "));
    let is_frame = has_in || has_address || is_envoy || has_place;
    (is_frame && is_name(name) && place.starts_with([' ', '(']) || has_address && rest.starts_with('('))
        .then(|| Frame { name: if is_name(name) { name } else { "??" }, file: file.trim_matches(['(', ')']) })
}

/// Reads `0x7f8b  Cart::pay()` of glog, and `0x7f8b  64  Cart::pay()` of abseil.
fn addressed(rest: &str) -> Option<Frame<'_>> {
    let rest = after_address(rest)?;
    let rest = numbered(rest).map_or(rest, str::trim_start);
    let rest = rest.strip_prefix("(unknown)").map_or(rest, str::trim_start);
    let name = function(rest);
    Some(Frame { name: if name.is_empty() { "??" } else { name }, file: "" })
}

/// Reads `Cart::pay(int) at /src/cart.cpp:31` or `Cart::pay(int) in /lib/libx.so`.
fn boost(rest: &str) -> Frame<'_> {
    let rest = after_address(rest).unwrap_or(rest);
    let name = function(rest);
    let place = rest.rsplit_once(" at ").or_else(|| rest.rsplit_once(" in "));
    let file = place.map_or("", |(_, file)| without_line(file));
    Frame { name: if is_name(name) { name } else { "??" }, file }
}

/// Reads `    shop    0x000055 Cart.pay(order:) + 31` and ` [ra] 0x55 Cart.pay(order:) + 31 in shop at /src/Cart.swift:31:9`.
fn swift(rest: &str) -> Option<Frame<'_>> {
    let rest = rest.strip_prefix([' ', '\t'])?.trim_start();
    let at = rest.find("0x")?;
    let (image, rest) = (rest[..at].trim_end(), after_address(&rest[at..])?);
    let (name, place) = rest.split_once(" + ")?;
    let is_plain = image.is_empty() || image.starts_with('[') || !image.contains(' ');
    let file = place.split_once(" in ").map_or("", |(_, file)| without_line(file));
    let file =
        if image.is_empty() || image.starts_with("[ra]") && !image.contains("system") { file } else { image };
    is_plain.then_some(Frame { name, file })
}

/// Reads `./app(_ZN4Cart3payEi+0x1d)[0x55d]` of glibc.
fn symbols(line: &str) -> Option<Frame<'_>> {
    let (rest, address) = line.strip_suffix(']')?.rsplit_once("[0x")?;
    let (file, symbol) = rest.trim_end().strip_suffix(')')?.split_once('(')?;
    let is_hex = !address.is_empty() && address.bytes().all(|byte| byte.is_ascii_hexdigit());
    let name = symbol.split("+0x").next().unwrap_or(symbol);
    (is_hex && !file.is_empty() && !file.contains(' '))
        .then_some(Frame { name: if name.is_empty() { "??" } else { name }, file })
}

/// Strips `0x55d ` and what is blank behind it.
fn after_address(text: &str) -> Option<&str> {
    let digits = text.strip_prefix("0x")?;
    let len = digits.bytes().take_while(u8::is_ascii_hexdigit).count();
    let rest = &digits[len..];
    (len > 0 && (rest.is_empty() || rest.starts_with([' ', '\t', ':'])))
        .then(|| rest.trim_start_matches([' ', '\t', ':']))
}

/// The function at the start of a text: up to its arguments, which may follow a blank, or to its place. A blank belongs to
/// it in template arguments, behind `operator`, in `(anonymous namespace)` and in `-[Cart pay]`.
fn function(text: &str) -> &str {
    let text = text.split(" at /").next().unwrap_or(text);
    let is_objc = text.starts_with(['-', '+']);
    let mut depth = 0_i32;
    for (at, letter) in text.char_indices() {
        let (before, rest) = (&text[..at], &text[at..]);
        let is_kept = || {
            before.ends_with("operator") || rest.starts_with("(anonymous") || rest.starts_with(" namespace)")
        };
        match letter {
            '<' => depth += 1,
            '>' => depth -= 1,
            '(' | ' ' if depth <= 0 && !is_objc && !is_kept() => return before,
            ']' if is_objc => return &text[..=at],
            _ => {}
        }
    }
    text
}

fn is_name(name: &str) -> bool {
    name.starts_with(|first: char| first.is_alphabetic() || "_~-+<(:?".contains(first))
}

/// A function without arguments, clones, and the closures of Swift.
pub(super) fn normalised(name: &str) -> Cow<'_, str> {
    let name = name.rsplit(" in ").next().unwrap_or(name);
    let mut name = name;
    for prefix in ["static ", "specialized ", "@objc ", "merged ", "partial apply for ", "implicit closure "]
    {
        name = name.strip_prefix(prefix).unwrap_or(name);
    }
    let name = name.split(" [clone ").next().unwrap_or(name);
    let clone =
        [".constprop.", ".isra.", ".part.", ".cold", ".lto_priv."].iter().find_map(|mark| name.find(mark));
    let name = clone.map_or(name, |at| &name[..at]);
    let is_objc = name.starts_with(['-', '+']);
    let end = if is_objc {
        None
    } else {
        name.find('(').filter(|&at| at > 0 && !name[at..].starts_with("(anonymous"))
    };
    Cow::Borrowed(end.map_or(name, |end| &name[..end]))
}
