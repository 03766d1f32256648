//! gzette.toml: where it is, its keys and defaults, paths relative to the file, unknown keys with the nearest known one.
//! The only reader of the environment.

mod find;
mod grouping;
mod keys;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use jiff::tz::TimeZone;
use serde::Deserialize;

use crate::edges::store::{Location, S3Limits, S3Options, parse_url};
use crate::flows::digest::When;
use crate::shell::error::Failure;
use gzette_core::custom::CustomGrouping;
use gzette_core::model::{AppName, SourceName};
use gzette_core::parse::{FieldNames, Format};
use gzette_core::plan::Layout;
use gzette_core::retention::Retention;

use keys::{check_keys, syntax};

pub use find::{ConfigFile, FILE_NAME};
pub use keys::{SECTIONS, Section};

/// What `gzette init` writes.
pub const TEMPLATE: &str = include_str!("../../../assets/gzette.toml");

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
    pub custom: Arc<CustomGrouping>,
    /// How long data is kept.
    pub retention: Retention,
}

/// A `[[source]]`.
#[derive(Clone, Debug)]
pub struct Source {
    /// Its name.
    pub name: SourceName,
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
    name: SourceName,
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
            custom: Arc::new(grouping::checked(raw.grouping, raw.group)?),
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
        unlevelled: raw.unlevelled.into_iter().map(AppName::from).collect(),
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
/// would be created silently, and the data would be missed elsewhere.
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
