//! What a configuration may say, and how its mistakes are told.

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
        let text = if message.starts_with("line 1") { text.to_owned() } else { format!("{source}{text}") };
        let failure = parse(&text).unwrap_err();
        assert_eq!(failure.message, message);
        assert!(failure.hint.unwrap().starts_with(hint), "{text}");
    }
}

#[test]
fn an_expression_that_cannot_be_read_is_shown_with_the_place() {
    let group = "[[source]]\nname = 'a'\nurl = 'x'\n[[group]]\nname = 'g'\nmatch = 'a AND'";
    let failure = parse(group).unwrap_err();
    assert!(failure.message.starts_with("custom group `g`: `match`: "), "{}", failure.message);
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
        ("[[source]]\nname='a'\nurl='x'\nendpoint_url='x:9'", "`endpoint_url = \"x:9\"` does not begin with"),
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
        (&format!("{source}[[group]]\nname='g'\nmatch=''"), "custom group `g`: `match` is empty"),
        (&format!("{source}[[group]]\nname='g'\nmatch='a'\ntitle=' '"), "custom group `g`: `title` is empty"),
        (&format!("{source}[[group]]\nname='g'\nmatch='a'\nsplit=''"), "custom group `g`: `split` is empty"),
        (&format!("{source}[site]\nbase_url = 'errors'"), "`base_url = \"errors\"` does not begin with"),
    ] {
        let failure = parse(text).unwrap_err();
        assert!(failure.message.contains(expected), "{}", failure.message);
        assert!(!failure.message.contains('\n'), "{}", failure.message);
        assert_eq!(failure.exit, crate::shell::error::Exit::Usage);
    }
}
