//! A message cut into tokens: what varies from event to event is already told from what does not.

use super::words::{
    is_code_key, is_name_with_digits, is_separator, is_status_key, is_top_level_domain, roles,
};

/// A piece of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Token<'m> {
    /// A run of white space.
    Space,
    /// Something that varies, shown as `<*>`.
    Variable,
    /// Text that stays: a word, or punctuation.
    Text(&'m [u8]),
}

impl<'m> Token<'m> {
    pub(super) fn is(self, text: &[u8]) -> bool {
        self == Token::Text(text)
    }

    pub(super) fn text(self) -> Option<&'m [u8]> {
        match self {
            Token::Text(text) => Some(text),
            Token::Space | Token::Variable => None,
        }
    }

    /// Whether it is text with a letter or digit in it.
    pub(super) fn is_word(self) -> bool {
        self.text().is_some_and(|text| text.iter().any(|&byte| is_alphanumeric(byte)))
    }
}

/// Bytes from 0x80 on are parts of letters.
pub(super) fn is_alphanumeric(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte >= 0x80
}

fn is_word_byte(byte: u8) -> bool {
    is_alphanumeric(byte) || byte == b'_'
}

pub(super) fn is_space(byte: u8) -> bool {
    class::OF[usize::from(byte)] == class::SPACE
}

/// What a byte may be part of. The union over a word says which rules it can fit.
mod class {
    pub(super) const SPACE: u16 = 1;
    pub(super) const STRUCTURE: u16 = 1 << 1;
    pub(super) const DIGIT: u16 = 1 << 2;
    /// A letter that is not a hex digit.
    pub(super) const LETTER: u16 = 1 << 3;
    pub(super) const DOT: u16 = 1 << 4;
    pub(super) const COLON: u16 = 1 << 5;
    pub(super) const SLASH: u16 = 1 << 6;
    pub(super) const BACKSLASH: u16 = 1 << 7;
    pub(super) const AT: u16 = 1 << 8;
    /// A mark of no meaning of its own.
    pub(super) const MARK: u16 = 1 << 9;

    pub(super) static OF: [u16; 256] = table();

    const fn table() -> [u16; 256] {
        let mut out = [0; 256];
        let mut byte = 0;
        while byte < 256 {
            out[byte] = of(byte as u8);
            byte += 1;
        }
        out
    }

    const fn of(byte: u8) -> u16 {
        match byte {
            b' ' | b'\t'..=b'\r' | 0x1c..=0x1f => SPACE,
            b',' | b';' | b'(' | b')' | b'[' | b']' | b'{' | b'}' | b'"' | b'\'' | b'=' | b'<' | b'>'
            | b'|' | b'`' => STRUCTURE,
            b'0'..=b'9' => DIGIT,
            b'a'..=b'f' | b'A'..=b'F' => 0,
            b'a'..=b'z' | b'A'..=b'Z' | 0x80.. => LETTER,
            b'.' => DOT,
            b':' => COLON,
            b'/' => SLASH,
            b'\\' => BACKSLASH,
            b'@' => AT,
            _ => MARK,
        }
    }
}

fn class_of(text: &[u8]) -> u16 {
    text.iter().fold(0, |union, &byte| union | class::OF[usize::from(byte)])
}

fn is_structure(byte: u8) -> bool {
    class::OF[usize::from(byte)] == class::STRUCTURE
}

/// How a variable is shown.
pub(super) const VARIABLE: &str = "<*>";

/// Some tokens of a message, in order.
pub(super) type TokenList<'m> = Vec<Token<'m>>;

/// Whether a token can stand in a list of variables.
pub(super) fn is_listed(token: Token<'_>) -> bool {
    match token {
        Token::Variable | Token::Space => true,
        Token::Text(text) => is_separator(text),
    }
}

/// A message cut into tokens, and what was seen in it.
pub(super) struct Tokens<'m> {
    pub(super) list: Vec<Token<'m>>,
    /// The roles of all words together.
    pub(super) roles: u8,
    /// Whether there is an `=` or the colon of a JSON key.
    pub(super) has_values: bool,
    /// Whether there is a bracket of any kind.
    pub(super) has_brackets: bool,
    /// Whether each word became one token as it stands: cut again, its template gives the same tokens.
    pub(super) is_plain: bool,
}

impl<'m> Tokens<'m> {
    #[inline]
    fn text(&mut self, text: &'m [u8]) {
        self.roles |= roles(text);
        self.list.push(Token::Text(text));
    }

    fn variable(&mut self) {
        self.list.push(Token::Variable);
    }
}

/// Cuts a message into tokens.
pub(super) fn tokens(message: &[u8]) -> Tokens<'_> {
    let list = Vec::with_capacity(message.len() / 4 + 8);
    let mut out = Tokens { list, roles: 0, has_values: false, has_brackets: false, is_plain: true };
    let mut at = 0;
    while at < message.len() {
        let byte = message[at];
        at = if is_space(byte) {
            out.list.push(Token::Space);
            end_of(message, at, is_space)
        } else if byte == b':' && out.list.last().is_some_and(|last| last.is(b"\"")) {
            out.has_values = true;
            out.list.push(Token::Text(b":"));
            at + 1
        } else if let Some(end) = path_at(message, at, &mut out) {
            end
        } else if byte == b'<' && message[at..].starts_with(VARIABLE.as_bytes()) {
            out.variable();
            at + VARIABLE.len()
        } else if is_structure(byte) {
            out.has_values |= byte == b'=';
            out.has_brackets |= b"([{<>".contains(&byte);
            out.list.push(Token::Text(&message[at..=at]));
            at + 1
        } else {
            let end = atom_end(message, at);
            atom(&message[at..end], &mut out);
            end
        };
    }
    out
}

/// The end of the run of bytes that `belongs`.
fn end_of(bytes: &[u8], start: usize, belongs: impl Fn(u8) -> bool) -> usize {
    bytes[start..].iter().position(|&byte| !belongs(byte)).map_or(bytes.len(), |len| start + len)
}

/// Reads an absolute path at `at`; returns its end.
fn path_at<'m>(message: &'m [u8], at: usize, out: &mut Tokens<'m>) -> Option<usize> {
    if message[at] != b'/' {
        return None;
    }
    let end = end_of(message, at, |byte| !is_space(byte) && !b"\"'<>,;()[]{}|`".contains(&byte));
    let (path, stop) = split_stop(&message[at..end]);
    if path.len() < 2 {
        return None;
    }
    out.variable();
    out.is_plain &= stop.is_empty();
    push_text(stop, out);
    Some(end)
}

fn push_text<'m>(text: &'m [u8], out: &mut Tokens<'m>) {
    if !text.is_empty() {
        out.text(text);
    }
}

/// Splits the marks at the end of a sentence off.
fn split_stop(text: &[u8]) -> (&[u8], &[u8]) {
    let len = text.iter().rposition(|byte| !b".:!?".contains(byte)).map_or(0, |last| last + 1);
    text.split_at(len)
}

/// The end of the atom at `start`: up to white space or structure; `can't` is one, and so is a URL.
fn atom_end(message: &[u8], start: usize) -> usize {
    let mut end = start;
    let mut union = 0;
    while let Some(&byte) = message.get(end) {
        let class = class::OF[usize::from(byte)];
        if class & (class::SPACE | class::STRUCTURE) != 0 {
            let apostrophe = byte == b'\''
                && end > start
                && message.get(end + 1).is_some_and(|&next| next.is_ascii_lowercase() || next >= 0x80);
            if !apostrophe {
                break;
            }
        }
        union |= class;
        end += 1;
    }
    let may_be_url = union & class::COLON != 0 && union & class::SLASH != 0;
    if may_be_url && memchr::memmem::find(&message[start..end], b"://").is_some() {
        // A URL may hold what otherwise ends a word, such as `=` in its query.
        let url = end_of(message, start, |byte| !is_space(byte) && !b"\"'<>|`,;)]}".contains(&byte));
        return url.max(end);
    }
    end
}

/// Tokens of a run without white space and structure: marks before and after it are separated from its core.
fn atom<'m>(text: &'m [u8], out: &mut Tokens<'m>) {
    let (core, stop) = split_stop(text);
    if core.is_empty() {
        return out.text(text);
    }
    let union = class_of(core);
    if union & !(class::DIGIT | class::LETTER) == 0 {
        plain_word(core, union, out);
        return push_text(stop, out);
    }
    let lead = lead_len(core);
    let (lead, inner) = core.split_at(lead);
    let inner = if lead.is_empty() && is_relative_path(core) { core } else { without_hashes(inner) };
    let is_whole = lead.is_empty() && inner.len() == core.len();
    let before = out.list.len();
    word(inner, out, 0);
    if !lead.is_empty() && out.list.get(before) != Some(&Token::Variable) {
        out.list.insert(before, Token::Text(lead));
    }
    out.is_plain &= is_whole && out.list.len() == before + 1;
    push_text(stop, out);
}

/// Takes the `#` off the end of a word; of hashes alone one stays.
fn without_hashes(text: &[u8]) -> &[u8] {
    let len = text.iter().rposition(|&byte| byte != b'#').map_or(0, |last| last + 1);
    if len == 0 { &text[..1] } else { &text[..len] }
}

/// The length of the marks before a word, as in `#42`, `--verbose` or `$HOME`; 0 for a relative path.
fn lead_len(core: &[u8]) -> usize {
    let len = end_of(core, 0, |byte| b"#@$~*+!?&^-.".contains(&byte));
    let goes_on = core.get(len).is_some_and(|&byte| is_word_byte(byte) || byte == b'/' || byte == b'\\');
    if goes_on && !is_relative_path(core) { len } else { 0 }
}

/// `./x`, `../x` or `~/x`.
fn is_relative_path(text: &[u8]) -> bool {
    let rest =
        text.strip_prefix(b"..").or_else(|| text.strip_prefix(b".")).or_else(|| text.strip_prefix(b"~"));
    matches!(rest, Some([b'/', next, ..]) if is_word_byte(*next))
}

/// Words nest only through their separators, and no real one more often than this.
const MAX_DEPTH: u32 = 32;

/// Tokens of a word: the first rule that fits decides.
fn word<'m>(text: &'m [u8], out: &mut Tokens<'m>, depth: u32) {
    // The function calls itself: a hostile word with thousands of colons must not overflow the stack.
    if depth > MAX_DEPTH {
        return out.variable();
    }
    let union = class_of(text);
    if union & !(class::DIGIT | class::LETTER) == 0 {
        return plain_word(text, union, out);
    }
    let has = |classes: u16| union & classes == classes;
    if has(class::DOT)
        && let Some((left, right)) = split_dots(text)
    {
        word(left, out, depth + 1);
        out.text(b"..");
        return word(right, out, depth + 1);
    }
    if has(class::COLON | class::SLASH) && is_url(text)
        || has(class::AT | class::DOT) && is_email(text)
        || union & (class::SLASH | class::BACKSLASH) != 0 && is_path(text)
        || has(class::COLON) && is_colon_hex(text)
    {
        return out.variable();
    }
    if has(class::COLON) {
        if memchr::memmem::find(text, b"::").is_some() && has_letters(text, 3) {
            return split_word(text, b"::", out, depth);
        }
        if let Some((key, rest)) = split_key(text) {
            out.text(key);
            out.text(b":");
            if !rest.is_empty() {
                word(rest, out, depth + 1);
            }
            return;
        }
    }
    let slashes = if has(class::SLASH) { memchr::memchr_iter(b'/', text).count() } else { 0 };
    if has(class::BACKSLASH) && has_between_words(text, b'\\')
        || slashes >= 2 && has_between_words(text, b'/')
    {
        return out.variable();
    }
    if has(class::DIGIT) {
        return word_with_digits(text, out, depth);
    }
    if is_host(text) { out.variable() } else { out.text(text) }
}

/// A word of letters and digits alone.
fn plain_word<'m>(text: &'m [u8], union: u16, out: &mut Tokens<'m>) {
    let is_hex = union & class::LETTER == 0 && text.len() >= 8;
    let varies =
        if union & class::DIGIT == 0 { is_hex || text == b"localhost" } else { !keeps_digits(text, out) };
    if varies { out.variable() } else { out.text(text) }
}

/// Whether a word with digits is a name or a code.
fn keeps_digits(text: &[u8], out: &Tokens<'_>) -> bool {
    is_name_with_digits(text) || is_error_code(text) || is_told_code(text, &out.list)
}

fn word_with_digits<'m>(text: &'m [u8], out: &mut Tokens<'m>, depth: u32) {
    if keeps_digits(text, out) {
        out.text(text);
    } else if let Some(name) = name_before_offset(text) {
        out.text(name);
        out.text(b"+");
        out.variable();
    } else if memchr::memchr(b'/', text).is_some() {
        split_word(text, b"/", out, depth);
    } else if let Some(name) = name_before_number(text) {
        out.text(name);
        out.text(b".");
        out.variable();
    } else {
        out.variable();
    }
}

fn split_word<'m>(text: &'m [u8], separator: &'static [u8], out: &mut Tokens<'m>, depth: u32) {
    let mut rest = text;
    loop {
        let at = memchr::memmem::find(rest, separator);
        let part = &rest[..at.unwrap_or(rest.len())];
        if !part.is_empty() {
            word(part, out, depth + 1);
        }
        let Some(at) = at else { return };
        out.text(separator);
        rest = &rest[at + separator.len()..];
    }
}

/// Splits at the first run of two or more dots, if there is text on both sides.
fn split_dots(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let start = memchr::memmem::find(text, b"..")?;
    let end = end_of(text, start, |byte| byte == b'.');
    (start > 0 && end < text.len()).then(|| (&text[..start], &text[end..]))
}

fn is_url(text: &[u8]) -> bool {
    let Some(at) = memchr::memmem::find(text, b"://") else {
        return false;
    };
    text[0].is_ascii_alphabetic()
        && text[..at].iter().all(|byte| byte.is_ascii_alphanumeric() || b"+.-".contains(byte))
}

fn is_email(text: &[u8]) -> bool {
    let mut ats = memchr::memchr_iter(b'@', text);
    let (Some(at), None) = (ats.next(), ats.next()) else {
        return false;
    };
    at > 0 && text.contains(&b'.') && !text[..at].iter().any(|byte| b":/".contains(byte))
}

fn is_path(text: &[u8]) -> bool {
    let drive = matches!(text, [letter, b':', b'\\' | b'/', ..] if letter.is_ascii_alphabetic());
    drive || text.starts_with(b"\\\\") || is_relative_path(text) || text[0] == b'/' && text.len() > 1
}

/// A hardware address or an IPv6 address.
fn is_colon_hex(text: &[u8]) -> bool {
    text.len() >= 8
        && text.iter().all(|byte| byte.is_ascii_hexdigit() || *byte == b':')
        && memchr::memchr_iter(b':', text).count() >= 3
}

fn has_letters(text: &[u8], in_a_row: usize) -> bool {
    text.windows(in_a_row).any(|window| window.iter().all(u8::is_ascii_alphabetic))
}

fn is_key_start(byte: u8) -> bool {
    byte.is_ascii_alphabetic() || byte == b'_' || byte == b'$'
}

fn is_key_byte(byte: u8) -> bool {
    is_key_start(byte) || byte == b'.' || byte == b'-'
}

/// Splits `key:rest`. Not `localhost:8080`, nor `db.example:5432`, which is a host and its port.
fn split_key(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let (key, rest) = text.split_at(memchr::memchr(b':', text)?);
    let rest = &rest[1..];
    let is_key =
        key.first().is_some_and(|&first| is_key_start(first)) && key.iter().all(|&byte| is_key_byte(byte));
    let is_port = !rest.is_empty() && rest.iter().all(u8::is_ascii_digit);
    // `db.example.org:5432` is a host with its port; `java.lang.Error:42` is a key, as packages have classes
    // in capitals.
    let is_host = key.contains(&b'.') && is_port && !key.iter().any(u8::is_ascii_uppercase);
    (is_key && key != b"localhost" && !is_host).then_some((key, rest))
}

fn has_between_words(text: &[u8], separator: u8) -> bool {
    text.windows(3).any(|window| window[1] == separator && is_word_byte(window[0]) && is_word_byte(window[2]))
}

/// `ORA-00001`, `TNS-12541`, `SQL0911N`, `E12345`: codes that name an error.
fn is_error_code(text: &[u8]) -> bool {
    let digits = |text: &[u8], count: usize| text.len() == count && text.iter().all(u8::is_ascii_digit);
    if let Some(number) = text.strip_prefix(b"ORA-").or_else(|| text.strip_prefix(b"TNS-")) {
        return digits(number, 5);
    }
    if let Some(rest) = text.strip_prefix(b"SQL") {
        let number =
            rest.strip_suffix(b"N").or_else(|| rest.strip_suffix(b"W")).or_else(|| rest.strip_suffix(b"C"));
        let number = number.unwrap_or(rest);
        return digits(number, 4) || digits(number, 5);
    }
    text.strip_prefix(b"E").is_some_and(|number| digits(number, 5))
}

/// The longest code that is a number, in digits: what is longer is an id.
const MAX_CODE_DIGITS: usize = 5;

/// A number that the key before it, or the word `HTTP`, calls a code: `HTTP 404`, `statusCode: 404`,
/// `"errorCode":1045`, `SQLSTATE[23505]`. It tells errors apart, except a status that reports success.
fn is_told_code(text: &[u8], before: &[Token<'_>]) -> bool {
    if text.len() > MAX_CODE_DIGITS || !text.iter().all(u8::is_ascii_digit) {
        return false;
    }
    let is_mark = |token: Token<'_>| [b":", b"=", b"\"", b"["].iter().any(|&mark| token.is(mark));
    let mut before = before.iter().rev().copied();
    let (mut is_key, mut is_value) = (false, false);
    let key = before.find(|&token| {
        is_key |= is_mark(token);
        is_value |= token.is(b"=") || token.is(b"\"");
        token != Token::Space && !is_mark(token)
    });
    let Some(Token::Text(key)) = key else { return false };
    let is_failure = text.len() == 3 && matches!(text[0], b'4' | b'5');
    // `status: 404 len: 1893` is how access logs go on about one event.
    let is_status = is_key && is_status_key(key) || is_value && key.eq_ignore_ascii_case(b"status");
    is_key && is_code_key(key) || is_failure && (key == b"HTTP" || is_status)
}

/// The name in `do_IRQ+0x1fd/0x2e0`, a place in a function.
fn name_before_offset(text: &[u8]) -> Option<&[u8]> {
    let plus = memchr::memchr(b'+', text)?;
    let (name, offset) = (&text[..plus], text[plus + 1..].strip_prefix(b"0x")?);
    let is_name = is_key_start(*name.first()?) && name.iter().all(|&byte| is_word_byte(byte) || byte == b'.');
    let is_offset = offset.iter().all(|&byte| byte.is_ascii_hexdigit() || b"x/".contains(&byte));
    (is_name && is_offset).then_some(name)
}

/// The name in `name.17`.
fn name_before_number(text: &[u8]) -> Option<&[u8]> {
    let dot = memchr::memrchr(b'.', text)?;
    let (name, number) = (&text[..dot], &text[dot + 1..]);
    let is_number = !number.is_empty() && number.iter().all(u8::is_ascii_digit);
    let is_name = name.len() >= 2
        && is_key_start(name[0])
        && is_key_start(name[name.len() - 1])
        && name.iter().all(|&byte| is_key_byte(byte));
    (is_number && is_name).then_some(name)
}

fn is_host(text: &[u8]) -> bool {
    if text == b"localhost" || text.starts_with(b"localhost:") {
        return true;
    }
    let last = text.rsplit(|&byte| byte == b'.').next().unwrap_or_default();
    last.len() < text.len()
        && is_top_level_domain(last)
        && text.split(|&byte| byte == b'.').all(|label| !label.is_empty())
        && text.iter().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"_.-".contains(byte))
}
