//! gzette.toml: where it is, its keys and defaults, paths relative to the file, unknown keys with the nearest known one.
//! The only reader of the environment.

mod find;
mod grouping;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use jiff::tz::TimeZone;
use serde::Deserialize;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::edges::store::{Location, S3Limits, S3Options, parse_url};
use crate::flows::digest::When;
use crate::shell::error::Failure;
use gzette_core::human::nearest;
use gzette_core::model::AppName;
use gzette_core::overrides::Overrides;
use gzette_core::parse::{FieldNames, Format};
use gzette_core::plan::Layout;
use gzette_core::retention::Retention;

pub use find::{ConfigFile, FILE_NAME};

/// What `gzette init` writes.
pub const TEMPLATE: &str = include_str!("../../../assets/gzette.toml");

/// A table of the configuration and the keys that it may have.
pub struct Section {
    /// How the file writes it: nothing for the top, `[site]`, `[[source]]`.
    pub header: &'static str,
    /// Its key at the top; empty for the top itself.
    pub name: &'static str,
    /// Its keys.
    pub keys: &'static [&'static str],
}

/// Every section and key; docs/config.md describes each.
pub const SECTIONS: [Section; 7] = [
    Section {
        header: "",
        name: "",
        keys: &["state_dir", "source", "site", "digest", "grouping", "group", "retention"],
    },
    Section {
        header: "[[source]]",
        name: "source",
        keys: &[
            "name",
            "url",
            "layout",
            "timezone",
            "look_back_days",
            "backfill_days",
            "format",
            "fields",
            "unlevelled",
            "keep_deleted",
            "region",
            "endpoint_url",
            "profile",
            "path_style",
            "timeout_seconds",
        ],
    },
    Section {
        header: "[site]",
        name: "site",
        keys: &[
            "dir",
            "title",
            "base_url",
            "publish",
            "region",
            "endpoint_url",
            "profile",
            "path_style",
            "timeout_seconds",
        ],
    },
    Section {
        header: "[[digest]]",
        name: "digest",
        keys: &["name", "to", "from", "transport", "ca_file", "subject_prefix", "when", "timezone"],
    },
    Section { header: "[grouping]", name: "grouping", keys: &["own", "foreign", "mask"] },
    Section { header: "[[group]]", name: "group", keys: &["name", "title", "match", "split"] },
    Section {
        header: "[retention]",
        name: "retention",
        keys: &["mirror_days", "mirror_bytes", "index_days", "counts_days"],
    },
];

/// A configuration, complete and checked.
#[derive(Clone, Debug)]
pub struct Config {
    /// Where mirror, ledger and index live.
    pub state_dir: PathBuf,
    /// Where objects come from.
    pub sources: Vec<Source>,
    /// The site.
    pub site: Site,
    /// The mails.
    pub digests: Vec<Digest>,
    /// The user's word on groups.
    pub overrides: Arc<Overrides>,
    /// How long data is kept.
    pub retention: Retention,
}

/// A `[[source]]`.
#[derive(Clone, Debug)]
pub struct Source {
    /// Its name.
    pub name: String,
    /// Its place as written, made absolute if it is a folder.
    pub url: String,
    /// Its place.
    pub location: Location,
    /// How its keys are built.
    pub layout: Layout,
    /// The zone of stamps without one.
    pub zone: TimeZone,
    /// Days listed on every run.
    pub look_back_days: u32,
    /// Days of the first run; 0 for all.
    pub backfill_days: u32,
    /// The format of its lines; detected if not named.
    pub format: Option<Format>,
    /// The names of its records' fields.
    pub fields: FieldNames,
    /// Its applications that log no levels.
    pub unlevelled: Vec<AppName>,
    /// Whether an object that is no longer listed keeps its lines.
    pub keep_deleted: bool,
    /// How to reach S3.
    pub s3: S3Options,
}

/// The `[site]`.
#[derive(Clone, Debug)]
pub struct Site {
    /// The folder it is rendered into.
    pub dir: PathBuf,
    /// The name at the top of its pages.
    pub title: String,
    /// Where people see it; for the links in mails.
    pub base_url: Option<String>,
    /// Where it is published.
    pub publish: Option<(String, Location)>,
    /// How to reach S3.
    pub s3: S3Options,
}

/// A `[[digest]]`.
#[derive(Clone, Debug)]
pub struct Digest {
    /// Its name.
    pub name: String,
    /// Who gets it.
    pub to: Vec<String>,
    /// Who sends it.
    pub from: String,
    /// `file`, `smtp://…` or `ses`.
    pub transport: String,
    /// A PEM file of further certificate authorities to trust.
    pub ca_file: Option<PathBuf>,
    /// What its subject begins with.
    pub subject_prefix: String,
    /// When it is mailed.
    pub when: When,
    /// The zone of its times and of its day.
    pub zone: TimeZone,
}

#[derive(Deserialize)]
struct RawConfig {
    #[serde(default = "default_state_dir")]
    state_dir: PathBuf,
    #[serde(default)]
    source: Vec<RawSource>,
    #[serde(default)]
    site: RawSite,
    #[serde(default)]
    digest: Vec<RawDigest>,
    #[serde(default)]
    grouping: grouping::RawGrouping,
    #[serde(default)]
    group: Vec<grouping::RawGroup>,
    #[serde(default)]
    retention: RawRetention,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct RawRetention {
    mirror_days: u32,
    mirror_bytes: u64,
    index_days: u32,
    counts_days: u32,
}

#[derive(Deserialize)]
struct RawSource {
    name: String,
    url: String,
    #[serde(default = "default_layout")]
    layout: String,
    #[serde(default = "default_timezone")]
    timezone: String,
    #[serde(default = "default_look_back_days")]
    look_back_days: u32,
    #[serde(default = "default_backfill_days")]
    backfill_days: u32,
    format: Option<String>,
    #[serde(default)]
    fields: RawFields,
    #[serde(default)]
    unlevelled: Vec<String>,
    #[serde(default = "default_keep_deleted")]
    keep_deleted: bool,
    #[serde(flatten)]
    s3: RawS3,
}

#[derive(Deserialize, Default)]
#[serde(default, deny_unknown_fields)]
struct RawFields {
    time: Vec<String>,
    level: Vec<String>,
    logger: Vec<String>,
    thread: Vec<String>,
    message: Vec<String>,
    trace: Vec<String>,
}

impl RawFields {
    /// Returns the usual names behind these.
    fn before_usual(self) -> FieldNames {
        let usual = FieldNames::default();
        FieldNames {
            time: [self.time, usual.time].concat(),
            level: [self.level, usual.level].concat(),
            logger: [self.logger, usual.logger].concat(),
            thread: [self.thread, usual.thread].concat(),
            message: [self.message, usual.message].concat(),
            trace: [self.trace, usual.trace].concat(),
        }
    }
}

#[derive(Deserialize, Default)]
struct RawS3 {
    region: Option<String>,
    endpoint_url: Option<String>,
    profile: Option<String>,
    path_style: Option<bool>,
    timeout_seconds: Option<u32>,
}

#[derive(Deserialize, Default)]
struct RawSite {
    dir: Option<PathBuf>,
    title: Option<String>,
    base_url: Option<String>,
    publish: Option<String>,
    #[serde(flatten)]
    s3: RawS3,
}

#[derive(Deserialize)]
struct RawDigest {
    name: String,
    to: Vec<String>,
    from: String,
    #[serde(default = "default_transport")]
    transport: String,
    ca_file: Option<PathBuf>,
    #[serde(default = "default_subject_prefix")]
    subject_prefix: String,
    #[serde(default = "default_when")]
    when: String,
    #[serde(default = "default_timezone")]
    timezone: String,
}

fn default_state_dir() -> PathBuf {
    "state".into()
}

fn default_layout() -> String {
    "{app}/{date:%Y%m%d}/".to_owned()
}

fn default_timezone() -> String {
    "UTC".to_owned()
}

fn default_look_back_days() -> u32 {
    4
}

fn default_backfill_days() -> u32 {
    30
}

fn default_keep_deleted() -> bool {
    true
}

fn default_transport() -> String {
    "file".to_owned()
}

fn default_subject_prefix() -> String {
    "[gzette]".to_owned()
}

fn default_when() -> String {
    "changes".to_owned()
}

impl Config {
    /// Reads the file that `--config` names, or the one that [`ConfigFile::find`] finds.
    pub fn load(path: Option<&Path>) -> Result<(Self, ConfigFile), Failure> {
        let file = ConfigFile::find(path).ok_or_else(find::not_found)?;
        let text = file.text()?;
        let dir = file.path.parent().unwrap_or(Path::new("/"));
        let config = Self::parse(&text, dir).map_err(|mut failure| {
            failure.message = format!("{}: {}", file.path.display(), failure.message);
            failure
        })?;
        Ok((config, file))
    }

    /// Reads a configuration whose paths are relative to `dir`.
    pub fn parse(text: &str, dir: &Path) -> Result<Self, Failure> {
        check_keys(text)?;
        let raw: RawConfig = toml::from_str(text).map_err(|error| syntax(text, &error))?;
        if raw.source.is_empty() {
            return Err(Failure::usage("there is no `[[source]]`").hint("`gzette init` writes an example"));
        }
        check_names("sources", raw.source.iter().map(|source| source.name.as_str()))?;
        check_names("digests", raw.digest.iter().map(|digest| digest.name.as_str()))?;
        Ok(Self {
            state_dir: dir.join(raw.state_dir),
            sources: raw
                .source
                .into_iter()
                .map(|source| checked_source(source, dir))
                .collect::<Result<_, _>>()?,
            site: checked_site(raw.site, dir)?,
            digests: raw
                .digest
                .into_iter()
                .map(|digest| checked_digest(digest, dir))
                .collect::<Result<_, _>>()?,
            overrides: Arc::new(grouping::checked(raw.grouping, raw.group)?),
            retention: Retention {
                mirror_days: raw.retention.mirror_days,
                mirror_bytes: raw.retention.mirror_bytes,
                index_days: raw.retention.index_days,
                counts_days: raw.retention.counts_days,
            },
        })
    }
}

/// Names are what the ledger knows sources and mails by.
fn check_names<'n>(what: &str, names: impl Iterator<Item = &'n str>) -> Result<(), Failure> {
    let mut seen = BTreeSet::new();
    for name in names {
        if name.is_empty() || name.chars().any(char::is_control) {
            return Err(Failure::usage(format!(
                "one of the {what} has a `name` that is empty or not printable"
            )));
        }
        if !seen.insert(name) {
            return Err(Failure::usage(format!("two {what} are named `{name}`")));
        }
    }
    Ok(())
}

/// Returns the zone of a name. For UTC, nearly everybody's, the system's zones are not read.
fn zone(name: &str) -> Result<TimeZone, String> {
    let wrong = |_| format!("`timezone = \"{name}\"` is not an IANA zone such as `UTC` or `Europe/Berlin`");
    if name == "UTC" { Ok(TimeZone::UTC) } else { TimeZone::get(name).map_err(wrong) }
}

fn checked_source(raw: RawSource, dir: &Path) -> Result<Source, Failure> {
    let wrong = |what: String| Failure::usage(format!("source `{}`: {what}", raw.name));
    let layout = Layout::parse(&raw.layout).map_err(|error| wrong(format!("`layout`: {error}")))?;
    let zone = zone(&raw.timezone).map_err(wrong)?;
    let format = match &raw.format {
        None => None,
        Some(name) => {
            Some(Format::ALL.into_iter().find(|format| format.name() == name).ok_or_else(|| {
                let known: Vec<_> = Format::ALL.iter().map(|format| format.name()).collect();
                wrong(format!("`format = \"{name}\"` is not known; one of {}", known.join(", ")))
            })?)
        }
    };
    let (url, location) = checked_place(&raw.url, dir).map_err(|what| wrong(format!("`url`: {what}")))?;
    Ok(Source {
        url,
        location,
        layout,
        zone,
        look_back_days: raw.look_back_days,
        backfill_days: raw.backfill_days,
        format,
        fields: raw.fields.before_usual(),
        unlevelled: raw.unlevelled,
        keep_deleted: raw.keep_deleted,
        s3: s3_options(raw.s3).map_err(wrong)?,
        name: raw.name,
    })
}

fn checked_site(raw: RawSite, dir: &Path) -> Result<Site, Failure> {
    let wrong = |what| Failure::usage(format!("`[site]`: {what}"));
    let publish = raw.publish.map(|url| checked_place(&url, dir)).transpose();
    check_web_address("base_url", raw.base_url.as_deref()).map_err(wrong)?;
    Ok(Site {
        dir: dir.join(raw.dir.unwrap_or_else(|| "site".into())),
        title: raw.title.unwrap_or_else(|| "gzette".to_owned()),
        base_url: raw.base_url,
        publish: publish.map_err(|what| wrong(format!("`publish`: {what}")))?,
        s3: s3_options(raw.s3).map_err(wrong)?,
    })
}

fn checked_digest(raw: RawDigest, dir: &Path) -> Result<Digest, Failure> {
    let wrong = |what: String| Failure::usage(format!("digest `{}`: {what}", raw.name));
    if raw.to.is_empty() {
        return Err(wrong("`to` names no recipient".to_owned()));
    }
    let when = raw.when.parse().map_err(wrong)?;
    let zone = zone(&raw.timezone).map_err(wrong)?;
    Ok(Digest {
        name: raw.name,
        to: raw.to,
        from: raw.from,
        transport: raw.transport,
        ca_file: raw.ca_file.map(|path| dir.join(path)),
        subject_prefix: raw.subject_prefix,
        zone,
        when,
    })
}

/// Reads a place; folders are made absolute.
fn checked_place(url: &str, dir: &Path) -> Result<(String, Location), String> {
    if url.trim().is_empty() {
        return Err("it is empty; write `s3://bucket/prefix/` or a folder".to_owned());
    }
    if let Some(mistake) = mistaken_scheme(url) {
        return Err(mistake);
    }
    match parse_url(url) {
        Location::S3 { bucket, .. } if bucket.is_empty() => {
            Err(format!("`{url}` names no bucket; write `s3://bucket/prefix/`"))
        }
        location @ Location::S3 { .. } => Ok((url.to_owned(), location)),
        Location::Dir(path) => {
            let path = dir.join(path);
            Ok((path.display().to_string(), Location::Dir(path)))
        }
    }
}

/// Returns what is wrong with a place that looks like an address of an unknown kind. A folder with such a name
/// would be created silently, and nobody would look for the data there.
fn mistaken_scheme(url: &str) -> Option<String> {
    let (scheme, rest) = url.trim().split_once(':')?;
    let is_scheme = scheme.starts_with(|first: char| first.is_ascii_alphabetic())
        && scheme.chars().all(|char| char.is_ascii_alphanumeric() || "+-.".contains(char));
    if !is_scheme || url.starts_with("s3://") || url.starts_with("file:///") {
        return None;
    }
    let path = rest.trim_start_matches('/');
    Some(match scheme.to_ascii_lowercase().as_str() {
        "s3" if path.is_empty() => format!("`{url}` names no bucket; write `s3://bucket/prefix/`"),
        "s3" | "s3a" | "s3n" => format!("`{url}` is not a place; write `s3://{path}`"),
        "file" => format!("`{url}` is not a place; write `file:///{path}` or only the path"),
        _ => format!(
            "`{url}` is neither `s3://bucket/prefix/` nor a folder; a folder of that name is written `./{url}`"
        ),
    })
}

fn s3_options(raw: RawS3) -> Result<S3Options, String> {
    check_web_address("endpoint_url", raw.endpoint_url.as_deref())?;
    let limits = match raw.timeout_seconds {
        None => S3Limits::default(),
        Some(seconds @ 1..=3600) => S3Limits::with_answer(Duration::from_secs(u64::from(seconds))),
        Some(seconds) => return Err(format!("`timeout_seconds = {seconds}` is not between 1 and 3600")),
    };
    Ok(S3Options {
        region: raw.region,
        endpoint_url: raw.endpoint_url,
        profile: raw.profile,
        profile_files: find::profile_files(),
        path_style: raw.path_style,
        limits,
        ..S3Options::default()
    })
}

fn check_web_address(key: &str, url: Option<&str>) -> Result<(), String> {
    match url.filter(|url| !url.starts_with("https://") && !url.starts_with("http://")) {
        Some(url) => Err(format!("`{key} = \"{url}\"` does not begin with `https://` or `http://`")),
        None => Ok(()),
    }
}

/// Refuses the first unknown key, naming its line and the nearest known key.
fn check_keys(text: &str) -> Result<(), Failure> {
    let file = DeTable::parse(text).map_err(|error| syntax(text, &error))?;
    for section in &SECTIONS {
        let value = if section.name.is_empty() { None } else { file.get_ref().get(section.name) };
        match value.map(Spanned::get_ref) {
            None if section.name.is_empty() => check_table(text, section, file.get_ref())?,
            Some(DeValue::Table(table)) => check_table(text, section, table)?,
            Some(DeValue::Array(tables)) => tables
                .iter()
                .filter_map(|table| table.get_ref().as_table())
                .try_for_each(|table| check_table(text, section, table))?,
            // The parsing that follows reports values of the wrong type.
            _ => {}
        }
    }
    Ok(())
}

fn check_table(text: &str, section: &Section, table: &DeTable<'_>) -> Result<(), Failure> {
    let unknown = table.keys().filter(|key| !section.keys.contains(&key.get_ref().as_ref()));
    let Some(first) = unknown.min_by_key(|key| key.span().start) else { return Ok(()) };
    let key = first.get_ref().escape_debug();
    let place = if section.header.is_empty() { String::new() } else { format!(" in `{}`", section.header) };
    let failure =
        Failure::usage(format!("line {}: unknown key `{key}`{place}", line_at(text, first.span().start)));
    Err(match nearest(first.get_ref(), section.keys.iter().copied()) {
        Some(near) => failure.hint(format!("did you mean `{near}`?")),
        None => failure.hint(format!("known keys: {}", section.keys.join(", "))),
    })
}

/// An error of the TOML reader in one line, with its place.
fn syntax(text: &str, error: &toml::de::Error) -> Failure {
    let line = error.span().map_or(1, |span| line_at(text, span.start));
    let message = error.message().lines().collect::<Vec<_>>().join(", ");
    Failure::usage(format!("line {line}: {message}"))
}

/// Returns the line, from 1, that holds a byte.
fn line_at(text: &str, offset: usize) -> usize {
    text.as_bytes().iter().take(offset).filter(|&&byte| byte == b'\n').count() + 1
}

/// Returns the password for SMTP from the environment; never from a file that others read.
#[expect(clippy::disallowed_methods, reason = "the one reader of the environment")]
pub fn smtp_password() -> Option<String> {
    std::env::var("GZETTE_SMTP_PASSWORD").ok()
}

/// Returns whether the user asked for output without colours (no-color.org).
#[expect(clippy::disallowed_methods, reason = "the one reader of the environment")]
pub fn no_colour() -> bool {
    std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Config, Failure> {
        Config::parse(text, Path::new("/etc/gzette"))
    }

    #[test]
    fn the_example_is_a_configuration() {
        let config = parse(TEMPLATE).unwrap();
        assert_eq!(config.state_dir, Path::new("/etc/gzette/state"));
        assert_eq!(config.sources[0].look_back_days, 4);
        assert_eq!(config.sources[0].backfill_days, 30);
    }

    #[test]
    fn the_example_without_its_comment_signs_is_one_too() {
        let every: String = TEMPLATE
            .lines()
            .map(|line| match line.strip_prefix("# ") {
                Some(rest) if rest.contains(" = ") || rest.starts_with('[') => format!("{rest}\n"),
                _ => format!("{line}\n"),
            })
            .collect();
        let config = parse(&every).unwrap();
        assert_eq!(config.sources[0].format, Some(Format::Json));
        assert_eq!(config.digests[0].when, When::Changes);
        for key in SECTIONS.iter().flat_map(|section| section.keys) {
            assert!(every.contains(key), "the example lacks `{key}`");
        }
    }

    #[test]
    fn names_of_fields_go_before_the_usual_ones() {
        for fields in ["fields = { level = ['how_bad'] }", "[source.fields]\nlevel = ['how_bad']"] {
            let config = parse(&format!("[[source]]\nname = 'a'\nurl = 'logs'\n{fields}")).unwrap();
            let FieldNames { level, time, .. } = &config.sources[0].fields;
            assert_eq!(level[0], "how_bad");
            assert_eq!(level[1..], FieldNames::default().level);
            assert_eq!(*time, FieldNames::default().time);
        }
        let failure = parse("[[source]]\nname = 'a'\nurl = 'logs'\nfields = { levels = ['x'] }").unwrap_err();
        assert!(failure.message.contains("unknown field `levels`"), "{}", failure.message);
    }

    #[test]
    fn folders_are_relative_to_the_file() {
        let config = parse("state_dir = '/var/lib/gzette'\n[[source]]\nname = 'a'\nurl = 'logs'").unwrap();
        assert_eq!(config.state_dir, Path::new("/var/lib/gzette"));
        assert_eq!(config.sources[0].url, "/etc/gzette/logs");
        assert_eq!(config.site.dir, Path::new("/etc/gzette/site"));
        for (url, path) in [
            ("./a:b", "/etc/gzette/./a:b"),
            ("logs/a:b", "/etc/gzette/logs/a:b"),
            ("file:///var/a:b", "/var/a:b"),
            ("2026:logs", "/etc/gzette/2026:logs"),
        ] {
            let config = parse(&format!("[[source]]\nname = 'a'\nurl = '{url}'")).unwrap();
            assert_eq!(config.sources[0].url, path);
        }
        let digest = "[[digest]]\nname = 'd'\nto = ['a@b']\nfrom = 'c@d'\nca_file = 'ca.pem'";
        let config = parse(&format!("[[source]]\nname = 'a'\nurl = 'logs'\n{digest}")).unwrap();
        assert_eq!(config.digests[0].ca_file.as_deref(), Some(Path::new("/etc/gzette/ca.pem")));
    }

    #[test]
    fn an_unknown_key_is_told_with_its_line_and_the_nearest_one() {
        let source = "[[source]]\nname = 'a'\nurl = 'x'\n";
        for (text, message, hint) in [
            ("state_dri = 'x'", "line 1: unknown key `state_dri`", "did you mean `state_dir`?"),
            (
                "lookback_days = 3",
                "line 4: unknown key `lookback_days` in `[[source]]`",
                "did you mean `look_back_days`?",
            ),
            ("[site]\nqqq = 1", "line 5: unknown key `qqq` in `[site]`", "known keys: dir, title,"),
            ("digest = [{ nam = 'x' }]", "line 1: unknown key `nam` in `[[digest]]`", "did you mean `name`?"),
        ] {
            let text =
                if message.starts_with("line 1") { text.to_owned() } else { format!("{source}{text}") };
            let failure = parse(&text).unwrap_err();
            assert_eq!(failure.message, message);
            assert!(failure.hint.unwrap().starts_with(hint), "{text}");
        }
    }

    #[test]
    fn an_expression_that_cannot_be_read_is_shown_with_the_place() {
        let group = "[[source]]\nname = 'a'\nurl = 'x'\n[[group]]\nname = 'g'\nmatch = 'a AND'";
        let failure = parse(group).unwrap_err();
        assert!(failure.message.starts_with("group `g`: `match`: "), "{}", failure.message);
        assert!(failure.message.ends_with("  a AND\n       ^"), "{}", failure.message);
    }

    #[test]
    fn a_digest_may_have_a_zone() {
        let digest = "[[source]]\nname='a'\nurl='x'\n[[digest]]\nname='d'\nto=['a@b']\nfrom='c@d'\n";
        let zone = |config: Config| config.digests[0].zone.clone();
        assert_eq!(zone(parse(digest).unwrap()), TimeZone::UTC);
        let berlin = parse(&format!("{digest}timezone = 'Europe/Berlin'")).unwrap();
        assert_eq!(zone(berlin).iana_name(), Some("Europe/Berlin"));
        let failure = parse(&format!("{digest}timezone = 'Mars'")).unwrap_err();
        assert!(failure.message.starts_with("digest `d`: `timezone = \"Mars\"`"), "{}", failure.message);
    }

    #[test]
    fn mistakes_are_named_in_one_sentence() {
        let source = "[[source]]\nname = 'a'\nurl = 'x'\n";
        let digest = "[[digest]]\nname = 'd'\nto = ['a@b']\nfrom = 'c@d'\n";
        for (text, expected) in [
            ("", "there is no `[[source]]`"),
            ("state_dir = ", "line 1: string values must be quoted, expected literal string"),
            ("[[source]]\nname = 3", "line 2: invalid type: integer `3`, expected a string"),
            ("[[source]]\nurl = 'x'", "line 1: missing field `name`"),
            (
                "[[source]]\nname='a'\nurl='x'\ntimezone='Mars'",
                "source `a`: `timezone = \"Mars\"` is not an IANA zone",
            ),
            ("[[source]]\nname='a'\nurl='s3://'", "source `a`: `url`: `s3://` names no bucket"),
            ("[[source]]\nname='a'\nurl=''", "source `a`: `url`: it is empty"),
            ("[[source]]\nname='a'\nurl='http://x'", "is neither `s3://bucket/prefix/` nor a folder"),
            ("[[source]]\nname='a'\nurl='gs://b/x'", "a folder of that name is written `./gs://b/x`"),
            (
                "[[source]]\nname='a'\nurl='s3:/b/x'",
                "source `a`: `url`: `s3:/b/x` is not a place; write `s3://b/x`",
            ),
            ("[[source]]\nname='a'\nurl='s3:b'", "write `s3://b`"),
            ("[[source]]\nname='a'\nurl='S3://b/x/'", "write `s3://b/x/`"),
            ("[[source]]\nname='a'\nurl=' s3://b/x/'", "write `s3://b/x/`"),
            ("[[source]]\nname='a'\nurl='s3:'", "`s3:` names no bucket; write `s3://bucket/prefix/`"),
            ("[[source]]\nname='a'\nurl='file://logs'", "write `file:///logs` or only the path"),
            ("[[source]]\nname='a'\nurl='FILE:/logs'", "write `file:///logs` or only the path"),
            (
                &format!("{source}[site]\npublish='s3:/x'"),
                "`[site]`: `publish`: `s3:/x` is not a place; write `s3://x`",
            ),
            (
                &format!("{source}[site]\npublish='https://b.s3.amazonaws.com/'"),
                "`[site]`: `publish`: `https://b",
            ),
            (
                "[[source]]\nname='a'\nurl='x'\nendpoint_url='x:9'",
                "`endpoint_url = \"x:9\"` does not begin with",
            ),
            ("[[source]]\nname='a'\nurl='x'\ntimeout_seconds=0", "source `a`: `timeout_seconds = 0` is not"),
            ("[[source]]\nname='a'\nurl='x'\n[[source]]\nname='a'\nurl='y'", "two sources are named `a`"),
            (&format!("{source}{digest}{digest}"), "two digests are named `d`"),
            (&format!("{source}{digest}when = 'never'"), "digest `d`: `when = \"never\"` is not known"),
            (
                &format!("{source}[grouping]\nmask = ['(']"),
                "`mask`: `(` is not a regular expression: error: unclosed",
            ),
            (&format!("{source}[grouping]\nmask = ['a*']"), "`mask`: `a*` matches an empty text"),
            (&format!("{source}[grouping]\nown = ['']"), "`own` contains an empty prefix"),
            (&format!("{source}[[group]]\nname='g'\nmatch=''"), "group `g`: `match` is empty"),
            (&format!("{source}[[group]]\nname='g'\nmatch='a'\ntitle=' '"), "group `g`: `title` is empty"),
            (&format!("{source}[[group]]\nname='g'\nmatch='a'\nsplit=''"), "group `g`: `split` is empty"),
            (&format!("{source}[site]\nbase_url = 'errors'"), "`base_url = \"errors\"` does not begin with"),
        ] {
            let failure = parse(text).unwrap_err();
            assert!(failure.message.contains(expected), "{}", failure.message);
            assert!(!failure.message.contains('\n'), "{}", failure.message);
            assert_eq!(failure.exit, crate::shell::error::Exit::Usage);
        }
    }
}
