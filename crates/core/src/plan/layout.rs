//! The template of a source's keys: which segments name the application and the day. What keys are
//! listed for it is the [`super::Survey`]'s business.

use std::fmt;

use crate::model::Day;

/// The longest template that is accepted, in bytes: that of an S3 key.
const MAX_LAYOUT_BYTES: usize = 1024;
/// The meaning of `{date}` alone.
const PLAIN_DATE: &str = "%Y%m%d";

/// A template of keys, relative to the source's prefix.
///
/// Segments are separated by `/`; each consists of literal text and
/// - `{app}`: the application, at least one character, at most once in the template;
/// - `{date}` or `{date:%Y%m%d}`: the day, from `%Y %m %d %j %H %F %%` and literal text. A format with `/` spans
///   segments (`{date:%Y/%m/%d}`), and a date may be given in several places (`year={date:%Y}/month={date:%m}/..`).
///   `%H` is read but not used;
/// - `{*}`: anything, at least one character.
///
/// Objects may be at any depth below the folders of the template. A last segment that contains `{*}` and has no `/`
/// after it is the pattern of file names (`{app}/{date}_{*}.gz`); such days cannot be distinguished by listing
/// folders. If text can be split in two ways, `{app}` and `{*}` match as little as they can.
/// Without `{app}` the source itself is the application.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layout {
    text: String,
    folders: Vec<Segment>,
    file: Option<Segment>,
}

/// What is wrong with a template.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LayoutError {
    /// A brace without its other half.
    #[error("layout `{layout}`: a brace at byte {at} has no partner")]
    Brace {
        /// The template.
        layout: String,
        /// The byte, from 0.
        at: usize,
    },
    /// A placeholder that does not exist.
    #[error("layout `{layout}`: `{{{name}}}` is not known; use `{{app}}`, `{{date:%Y%m%d}}` or `{{*}}`")]
    Unknown {
        /// The template.
        layout: String,
        /// The text between the braces.
        name: String,
    },
    /// A conversion that a date in a key cannot have.
    #[error("layout `{layout}`: `{conversion}` is not supported in a date; use %Y, %m, %d, %j, %H, %F or %%")]
    Conversion {
        /// The template.
        layout: String,
        /// The conversion.
        conversion: String,
    },
    /// A conversion of a date outside of `{date:...}`, where it would be plain text.
    #[error("layout `{layout}`: `{conversion}` is outside `{{date:...}}`; write `{example}`")]
    BareDate {
        /// The template.
        layout: String,
        /// The conversion.
        conversion: String,
        /// The template as it may be meant.
        example: String,
    },
    /// The dates of the template together do not give a day.
    #[error("layout `{layout}`: the date needs %Y, %m and %d (or %Y and %j)")]
    NoDay {
        /// The template.
        layout: String,
    },
    /// `{app}` twice.
    #[error("layout `{layout}`: `{{app}}` occurs twice")]
    TwoApps {
        /// The template.
        layout: String,
    },
    /// Two placeholders of open length that nothing separates, or two `{*}` in one segment.
    #[error("layout `{layout}`: segment {segment} is ambiguous; separate its placeholders")]
    Ambiguous {
        /// The template.
        layout: String,
        /// The segment's number, from 1.
        segment: usize,
    },
    /// A leading or doubled slash.
    #[error(
        "layout `{layout}`: segment {segment} is empty; a layout is relative to the source's prefix and starts without `/`"
    )]
    EmptySegment {
        /// The template.
        layout: String,
        /// The segment's number, from 1.
        segment: usize,
    },
    /// Longer than a key can be.
    #[error("the layout has {bytes} bytes, a key at most 1024")]
    TooLong {
        /// The length.
        bytes: usize,
    },
}

/// Where a key belongs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Placement<'k> {
    /// The application, as far as the key fits.
    pub app: Option<&'k str>,
    /// The day, as far as the key fits.
    pub day: Option<Day>,
    /// Whether the whole template fits.
    pub fits: bool,
}

/// What a prefix is to the template.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// It fits the first segments.
    Folder {
        /// Whether all folders of the template are matched, so that objects are below.
        is_leaf: bool,
        /// The days that can be below; `None` if the date has not begun.
        days: Option<(Day, Day)>,
    },
    /// A placeholder does not fit: it may hold objects all the same.
    Stray,
    /// Other literal text, or below a leaf: not of this source, or listed with the leaf.
    Outside,
}

impl Layout {
    /// Reads a template.
    pub fn parse(text: &str) -> Result<Self, LayoutError> {
        if text.len() > MAX_LAYOUT_BYTES {
            return Err(LayoutError::TooLong { bytes: text.len() });
        }
        let mut folders = segments(text)?;
        check_segments(text, &folders)?;
        let names_files =
            !text.ends_with('/') && folders.last().is_some_and(|last| last.0.contains(&Piece::Any));
        let file = if names_files { folders.pop() } else { None };
        Ok(Self { text: text.to_owned(), folders, file })
    }

    /// Returns a key that fits, relative to the source's prefix.
    pub fn example(&self) -> String {
        let segments = self.folders.iter().chain(&self.file).map(Segment::example);
        let mut key = segments.collect::<Vec<_>>().join("/");
        if self.file.is_none() {
            key.push_str("/pod-7.gz");
        }
        key.trim_start_matches('/').to_owned()
    }

    /// Returns where a key (relative to the source's prefix) belongs.
    pub fn place<'k>(&self, key: &'k str) -> Placement<'k> {
        let mut found = Found::default();
        let mut names = key.split('/').peekable();
        let mut fits = true;
        for pattern in &self.folders {
            // The last name is the object's own, never a folder's.
            let folder = names.next().filter(|_| names.peek().is_some());
            let Some(next) = folder.and_then(|name| pattern.fit(name, found)) else {
                fits = false;
                break;
            };
            found = next;
        }
        if let (true, Some(pattern)) = (fits, &self.file) {
            let name = names.next().filter(|_| names.peek().is_none());
            match name.and_then(|name| pattern.fit(name, found)) {
                Some(next) => found = next,
                None => fits = false,
            }
        }
        Placement { app: found.app, day: found.date.day(), fits }
    }

    /// Returns what a prefix (relative, empty or ending in `/`) is to the template.
    pub fn level(&self, prefix: &str) -> Level {
        let names: Vec<&str> = prefix.split_terminator('/').collect();
        let mut found = Found::default();
        for (number, name) in names.iter().enumerate() {
            let Some(pattern) = self.folders.get(number) else {
                return Level::Outside;
            };
            match pattern.fit(name, found) {
                Some(next) => found = next,
                None if name.starts_with(pattern.head()) && !pattern.is_literal() => return Level::Stray,
                None => return Level::Outside,
            }
        }
        Level::Folder { is_leaf: names.len() == self.folders.len(), days: found.date.span() }
    }

    /// Returns the prefix with the literal segments that follow it: they need no listing to be known.
    pub fn descend(&self, prefix: &str) -> String {
        let depth = prefix.split_terminator('/').count();
        let mut deep = prefix.to_owned();
        for pattern in self.folders.iter().skip(depth).take_while(|pattern| pattern.is_literal()) {
            deep.push_str(pattern.head());
            deep.push('/');
        }
        deep
    }

    /// Returns the prefix whose listing holds this key; `None` for a key that does not fit.
    pub fn leaf_of<'k>(&self, key: &'k str) -> Option<&'k str> {
        if !self.place(key).fits {
            return None;
        }
        let bytes = key.split_inclusive('/').take(self.folders.len()).map(str::len).sum();
        key.get(..bytes)
    }
}

impl fmt::Display for Layout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// The pattern of one segment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Segment(Vec<Piece>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Piece {
    Literal(String),
    App,
    Any,
    Number(Field),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Field {
    Year,
    Month,
    Day,
    YearDay,
    Hour,
}

impl Field {
    fn digits(self) -> usize {
        match self {
            Self::Year => 4,
            Self::YearDay => 3,
            Self::Month | Self::Day | Self::Hour => 2,
        }
    }
}

impl Piece {
    fn is_open(&self) -> bool {
        matches!(self, Self::App | Self::Any)
    }
}

impl Segment {
    fn is_literal(&self) -> bool {
        self.0.iter().all(|piece| matches!(piece, Piece::Literal(_)))
    }

    fn example(&self) -> String {
        let text = |piece: &Piece| match piece {
            Piece::Literal(text) => text.clone(),
            Piece::App => "checkout-api".to_owned(),
            Piece::Any => "pod-7".to_owned(),
            Piece::Number(Field::Year) => "2026".to_owned(),
            Piece::Number(Field::Month) => "01".to_owned(),
            Piece::Number(Field::Day) => "31".to_owned(),
            Piece::Number(Field::YearDay) => "031".to_owned(),
            Piece::Number(Field::Hour) => "12".to_owned(),
        };
        self.0.iter().map(text).collect()
    }

    /// The literal text it starts with.
    fn head(&self) -> &str {
        match self.0.first() {
            Some(Piece::Literal(text)) => text,
            _ => "",
        }
    }

    fn fit<'k>(&self, name: &'k str, found: Found<'k>) -> Option<Found<'k>> {
        fit(&self.0, name, found).filter(|found| found.date.is_possible())
    }

    fn push_literal(&mut self, text: char) {
        if let Some(Piece::Literal(last)) = self.0.last_mut() {
            last.push(text);
        } else {
            self.0.push(Piece::Literal(text.into()));
        }
    }
}

/// What the segments so far have said.
#[derive(Clone, Copy, Debug, Default)]
struct Found<'k> {
    app: Option<&'k str>,
    date: DateParts,
}

impl<'k> Found<'k> {
    fn with(mut self, piece: &Piece, text: &'k str) -> Option<Self> {
        match piece {
            // No key names an application so, and no page or path may be named so.
            Piece::App if text == "." || text == ".." => return None,
            Piece::App => self.app = Some(text),
            Piece::Number(field) => self.date.set(*field, text.parse().ok()?)?,
            Piece::Literal(_) | Piece::Any => {}
        }
        Some(self)
    }
}

/// Matches pieces against the whole of `text`.
fn fit<'k>(pieces: &[Piece], text: &'k str, found: Found<'k>) -> Option<Found<'k>> {
    let Some((piece, rest)) = pieces.split_first() else {
        return text.is_empty().then_some(found);
    };
    match piece {
        Piece::Literal(literal) => fit(rest, text.strip_prefix(literal.as_str())?, found),
        Piece::Number(field) => {
            let (digits, tail) = text.split_at_checked(field.digits())?;
            // Not jiff's strptime: it takes `+202` for a year and a lone `7` for a month.
            let is_number = digits.bytes().all(|byte| byte.is_ascii_digit());
            fit(rest, tail, found.with(piece, digits).filter(|_| is_number)?)
        }
        Piece::App | Piece::Any if rest.is_empty() => found.with(piece, text).filter(|_| !text.is_empty()),
        Piece::App | Piece::Any => text.char_indices().skip(1).find_map(|(end, _)| {
            let (taken, tail) = text.split_at(end);
            fit(rest, tail, found.with(piece, taken)?)
        }),
    }
}

/// The parts of a date that a key has given so far.
#[derive(Clone, Copy, Debug, Default)]
struct DateParts {
    year: Option<i16>,
    month: Option<i8>,
    day: Option<i8>,
    year_day: Option<i16>,
}

impl DateParts {
    /// Notes a part; `None` when it is out of range or contradicts an earlier one.
    fn set(&mut self, field: Field, value: i16) -> Option<()> {
        match field {
            Field::Year => agree(&mut self.year, value),
            Field::Month if (1..=12).contains(&value) => agree(&mut self.month, value as i8),
            Field::Day if (1..=31).contains(&value) => agree(&mut self.day, value as i8),
            Field::YearDay if (1..=366).contains(&value) => agree(&mut self.year_day, value),
            Field::Hour if value <= 24 => Some(()),
            _ => None,
        }
    }

    /// Returns whether the parts do not make an impossible day, such as the 30th of February.
    fn is_possible(self) -> bool {
        !self.is_complete() || self.day().is_some()
    }

    fn is_complete(self) -> bool {
        self.year.is_some() && (self.year_day.is_some() || (self.month.is_some() && self.day.is_some()))
    }

    fn day(self) -> Option<Day> {
        let year = self.year?;
        match (self.month, self.day, self.year_day) {
            (Some(month), Some(day), _) => Day::new(year, month, day).ok(),
            (_, _, Some(nth)) => Day::new(year, 1, 1).ok()?.with().day_of_year(nth).build().ok(),
            _ => None,
        }
    }

    /// The days that are still possible; `None` while the year is open.
    fn span(self) -> Option<(Day, Day)> {
        if let Some(day) = self.day() {
            return Some((day, day));
        }
        let year = self.year?;
        let first = Day::new(year, self.month.unwrap_or(1), 1).ok()?;
        let last_month = Day::new(year, self.month.unwrap_or(12), 1).ok()?;
        Some((first, last_month.last_of_month()))
    }
}

fn agree<T: PartialEq + Copy>(part: &mut Option<T>, value: T) -> Option<()> {
    (*part.get_or_insert(value) == value).then_some(())
}

/// Splits a template into its segments; a trailing slash adds none.
fn segments(text: &str) -> Result<Vec<Segment>, LayoutError> {
    let mut done = Vec::new();
    let mut segment = Segment::default();
    let mut at = 0;
    while let Some(character) = text[at..].chars().next() {
        match character {
            '{' => {
                let len = text[at..].find('}').ok_or_else(|| brace(text, at))?;
                placeholder(text, &text[at + 1..at + len], &mut segment, &mut done)?;
                at += len + 1;
                continue;
            }
            '}' => return Err(brace(text, at)),
            '%' if is_conversion(&text[at..]) => return Err(bare_date(text, at)),
            '/' => done.push(std::mem::take(&mut segment)),
            other => segment.push_literal(other),
        }
        at += character.len_utf8();
    }
    if !segment.0.is_empty() {
        done.push(segment);
    }
    Ok(done)
}

fn is_conversion(text: &str) -> bool {
    text.as_bytes().get(1).is_some_and(|letter| b"YmdjHF".contains(letter))
}

/// Shows a template with the braces that its date lacks.
fn bare_date(text: &str, at: usize) -> LayoutError {
    let rest = &text[at..];
    let stretch = &rest[..rest.find('{').unwrap_or(rest.len())];
    let last = stretch.match_indices('%').rfind(|(at, _)| is_conversion(&stretch[*at..]));
    let len = last.map_or(stretch.len(), |(at, _)| at + 2);
    let example = format!("{}{{date:{}}}{}", &text[..at], &rest[..len], &rest[len..]);
    LayoutError::BareDate { layout: text.to_owned(), conversion: rest[..2].to_owned(), example }
}

fn brace(text: &str, at: usize) -> LayoutError {
    LayoutError::Brace { layout: text.to_owned(), at }
}

/// Adds the placeholder between two braces.
fn placeholder(
    text: &str,
    name: &str,
    segment: &mut Segment,
    done: &mut Vec<Segment>,
) -> Result<(), LayoutError> {
    match (name, name.strip_prefix("date:")) {
        ("app", _) => segment.0.push(Piece::App),
        ("*", _) => segment.0.push(Piece::Any),
        ("date", _) => date(text, PLAIN_DATE, segment, done)?,
        (_, Some(format)) => date(text, format, segment, done)?,
        _ => {
            return Err(LayoutError::Unknown { layout: text.to_owned(), name: name.to_owned() });
        }
    }
    Ok(())
}

/// Adds the pieces of a date format, whose slashes end segments like any other.
fn date(text: &str, format: &str, segment: &mut Segment, done: &mut Vec<Segment>) -> Result<(), LayoutError> {
    let format = format.replace("%F", "%Y-%m-%d");
    let mut characters = format.chars();
    while let Some(character) = characters.next() {
        match character {
            '/' => done.push(std::mem::take(segment)),
            '%' => match characters.next() {
                Some('%') => segment.push_literal('%'),
                conversion => segment.0.push(Piece::Number(field(text, conversion)?)),
            },
            other => segment.push_literal(other),
        }
    }
    Ok(())
}

fn field(text: &str, conversion: Option<char>) -> Result<Field, LayoutError> {
    match conversion {
        Some('Y') => Ok(Field::Year),
        Some('m') => Ok(Field::Month),
        Some('d') => Ok(Field::Day),
        Some('j') => Ok(Field::YearDay),
        Some('H') => Ok(Field::Hour),
        other => Err(LayoutError::Conversion {
            layout: text.to_owned(),
            conversion: other.map_or_else(|| "%".to_owned(), |other| format!("%{other}")),
        }),
    }
}

fn check_segments(text: &str, segments: &[Segment]) -> Result<(), LayoutError> {
    let layout = || text.to_owned();
    for (number, Segment(pieces)) in (1..).zip(segments) {
        if pieces.is_empty() {
            return Err(LayoutError::EmptySegment { layout: layout(), segment: number });
        }
        let touches = pieces.windows(2).any(|pair| pair[0].is_open() && pair[1].is_open());
        if touches || pieces.iter().filter(|piece| **piece == Piece::Any).count() > 1 {
            return Err(LayoutError::Ambiguous { layout: layout(), segment: number });
        }
    }
    let pieces = || segments.iter().flat_map(|segment| &segment.0);
    if pieces().filter(|piece| **piece == Piece::App).count() > 1 {
        return Err(LayoutError::TwoApps { layout: layout() });
    }
    let has = |field| pieces().any(|piece| *piece == Piece::Number(field));
    let has_any = pieces().any(|piece| matches!(piece, Piece::Number(_)));
    if has_any && !(has(Field::Year) && (has(Field::YearDay) || (has(Field::Month) && has(Field::Day)))) {
        return Err(LayoutError::NoDay { layout: layout() });
    }
    Ok(())
}
