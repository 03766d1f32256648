//! gzette.toml: its keys and defaults, paths relative to the file, unknown keys with the nearest known one.
//! The only reader of the environment.

use std::path::{Path, PathBuf};

use jiff::tz::TimeZone;
use serde::Deserialize;

use crate::error::Failure;
use crate::parse::Format;
use crate::plan::Layout;
use crate::store::{Location, S3Options, parse_url};

/// The name of the configuration file that is looked for in the working directory.
pub const FILE_NAME: &str = "gzette.toml";

/// What `gzette init` writes.
pub const TEMPLATE: &str = include_str!("../assets/gzette.toml");

/// The keys of each table, for naming the nearest one.
const KEYS: [(&str, &[&str]); 4] = [
    ("", &["state_dir", "source", "site", "digest"]),
    (
        "source",
        &[
            "name", "url", "layout", "timezone", "look_back_days", "backfill_days", "format", "region", "endpoint_url",
            "profile", "path_style",
        ],
    ),
    ("site", &["dir", "title", "base_url", "publish", "region", "endpoint_url", "profile", "path_style"]),
    ("digest", &["name", "to", "from", "transport", "subject_prefix", "when"]),
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
    /// What its subject begins with.
    pub subject_prefix: String,
    /// `changes` or `always`.
    pub when: String,
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
    #[serde(flatten)]
    s3: RawS3,
}

#[derive(Deserialize, Default)]
struct RawS3 {
    region: Option<String>,
    endpoint_url: Option<String>,
    profile: Option<String>,
    path_style: Option<bool>,
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
    #[serde(default = "default_subject_prefix")]
    subject_prefix: String,
    #[serde(default = "default_when")]
    when: String,
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
    /// Reads the file that `--config` names, or the one in the working directory.
    pub fn load(path: Option<&Path>) -> Result<Self, Failure> {
        let path = path.unwrap_or(Path::new(FILE_NAME));
        let text = std::fs::read_to_string(path).map_err(|error| {
            Failure::usage(format!("cannot read the configuration `{}`: {error}", path.display()))
                .hint("`gzette init` writes one; `--config FILE` names another; `gzette demo` needs none")
        })?;
        let dir = path.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let dir = std::path::absolute(dir).unwrap_or_else(|_| dir.to_owned());
        Self::parse(&text, &dir).map_err(|mut failure| {
            failure.message = format!("{}: {}", path.display(), failure.message);
            failure
        })
    }

    /// Reads a configuration whose paths are relative to `dir`.
    pub fn parse(text: &str, dir: &Path) -> Result<Self, Failure> {
        let table: toml::Table = text.parse().map_err(|error: toml::de::Error| Failure::usage(one_line(&error)))?;
        check_keys(&table)?;
        let raw: RawConfig = table.try_into().map_err(|error| Failure::usage(one_line(&error)))?;
        if raw.source.is_empty() {
            return Err(Failure::usage("there is no `[[source]]`").hint("`gzette init` writes an example"));
        }
        let mut names = std::collections::BTreeSet::new();
        if let Some(twice) = raw.source.iter().find(|source| !names.insert(source.name.as_str())) {
            return Err(Failure::usage(format!("two sources are named `{}`", twice.name)));
        }
        Ok(Self {
            state_dir: dir.join(raw.state_dir),
            sources: raw.source.into_iter().map(|source| checked_source(source, dir)).collect::<Result<_, _>>()?,
            site: checked_site(raw.site, dir)?,
            digests: raw.digest.into_iter().map(checked_digest).collect::<Result<_, _>>()?,
        })
    }
}

fn checked_source(raw: RawSource, dir: &Path) -> Result<Source, Failure> {
    let wrong = |what: String| Failure::usage(format!("source `{}`: {what}", raw.name));
    if raw.name.is_empty() {
        return Err(Failure::usage("a source has an empty `name`"));
    }
    let layout = Layout::parse(&raw.layout).map_err(|error| wrong(format!("`layout`: {error}")))?;
    let zone = TimeZone::get(&raw.timezone).map_err(|_| {
        wrong(format!("`timezone = \"{}\"` is no IANA zone such as `UTC` or `Europe/Berlin`", raw.timezone))
    })?;
    let format = match &raw.format {
        None => None,
        Some(name) => Some(Format::ALL.into_iter().find(|format| format.name() == name).ok_or_else(|| {
            let known: Vec<_> = Format::ALL.iter().map(|format| format.name()).collect();
            wrong(format!("`format = \"{name}\"` is not known; one of {}", known.join(", ")))
        })?),
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
        s3: s3_options(raw.s3),
        name: raw.name,
    })
}

fn checked_site(raw: RawSite, dir: &Path) -> Result<Site, Failure> {
    let publish = raw.publish.map(|url| checked_place(&url, dir)).transpose();
    Ok(Site {
        dir: dir.join(raw.dir.unwrap_or_else(|| "site".into())),
        title: raw.title.unwrap_or_else(|| "gzette".to_owned()),
        base_url: raw.base_url,
        publish: publish.map_err(|what| Failure::usage(format!("`[site] publish`: {what}")))?,
        s3: s3_options(raw.s3),
    })
}

fn checked_digest(raw: RawDigest) -> Result<Digest, Failure> {
    let wrong = |what: String| Failure::usage(format!("digest `{}`: {what}", raw.name));
    if raw.to.is_empty() {
        return Err(wrong("`to` names nobody".to_owned()));
    }
    if !["changes", "always"].contains(&raw.when.as_str()) {
        return Err(wrong(format!("`when = \"{}\"` is not known; one of changes, always", raw.when)));
    }
    Ok(Digest {
        name: raw.name,
        to: raw.to,
        from: raw.from,
        transport: raw.transport,
        subject_prefix: raw.subject_prefix,
        when: raw.when,
    })
}

/// Reads a place; folders are made absolute.
fn checked_place(url: &str, dir: &Path) -> Result<(String, Location), String> {
    match parse_url(url) {
        Location::S3 { bucket, .. } if bucket.is_empty() => Err(format!("`{url}` names no bucket")),
        location @ Location::S3 { .. } => Ok((url.to_owned(), location)),
        Location::Dir(_) if url.contains("://") && !url.starts_with("file://") => {
            Err(format!("`{url}` is neither `s3://bucket/prefix/` nor a folder"))
        }
        Location::Dir(path) => {
            let path = dir.join(path);
            Ok((path.display().to_string(), Location::Dir(path)))
        }
    }
}

fn s3_options(raw: RawS3) -> S3Options {
    S3Options {
        region: raw.region,
        endpoint_url: raw.endpoint_url,
        profile: raw.profile,
        path_style: raw.path_style,
        ..S3Options::default()
    }
}

/// Refuses keys that nobody knows, naming the nearest known one.
fn check_keys(table: &toml::Table) -> Result<(), Failure> {
    check_table("", table)?;
    for (name, value) in table {
        match value {
            toml::Value::Table(table) => check_table(name, table)?,
            toml::Value::Array(tables) => {
                tables.iter().filter_map(toml::Value::as_table).try_for_each(|table| check_table(name, table))?;
            }
            _ => {}
        }
    }
    Ok(())
}

fn check_table(name: &str, table: &toml::Table) -> Result<(), Failure> {
    let Some((_, known)) = KEYS.iter().find(|(table, _)| *table == name) else { return Ok(()) };
    let Some(unknown) = table.keys().find(|key| !known.contains(&key.as_str())) else { return Ok(()) };
    let place = if name.is_empty() { String::new() } else { format!(" in `{name}`") };
    let nearest = known.iter().max_by(|a, b| {
        strsim::jaro_winkler(unknown, a).total_cmp(&strsim::jaro_winkler(unknown, b))
    });
    let failure = Failure::usage(format!("unknown key `{unknown}`{place}"));
    Err(match nearest.filter(|near| strsim::jaro_winkler(unknown, near) > 0.7) {
        Some(near) => failure.hint(format!("did you mean `{near}`?")),
        None => failure.hint(format!("known keys: {}", known.join(", "))),
    })
}

/// An error of the TOML reader in one line, with its place.
fn one_line(error: &toml::de::Error) -> String {
    error.to_string().lines().map(str::trim).filter(|line| !line.is_empty()).collect::<Vec<_>>().join(" ")
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
    fn an_unknown_key_names_its_nearest() {
        let failure = parse("state_dri = 'x'").unwrap_err();
        assert_eq!(failure.message, "unknown key `state_dri`");
        assert_eq!(failure.hint.as_deref(), Some("did you mean `state_dir`?"));
        let failure = parse("[[source]]\nname = 'a'\nurl = 'x'\nlookback_days = 3").unwrap_err();
        assert_eq!(failure.message, "unknown key `lookback_days` in `source`");
        assert_eq!(failure.hint.as_deref(), Some("did you mean `look_back_days`?"));
    }

    #[test]
    fn mistakes_are_named_in_one_sentence() {
        for (text, expected) in [
            ("", "there is no `[[source]]`"),
            ("[[source]]\nname='a'\nurl='x'\ntimezone='Mars'", "source `a`: `timezone = \"Mars\"` is no IANA zone"),
            ("[[source]]\nname='a'\nurl='s3://'", "source `a`: `url`: `s3://` names no bucket"),
            ("[[source]]\nname='a'\nurl='http://x'", "is neither `s3://bucket/prefix/` nor a folder"),
            ("[[source]]\nname='a'\nurl='x'\n[[source]]\nname='a'\nurl='y'", "two sources are named `a`"),
        ] {
            let failure = parse(text).unwrap_err();
            assert!(failure.message.contains(expected), "{}", failure.message);
            assert_eq!(failure.exit, crate::error::Exit::Usage);
        }
    }
}
