//! The site: the same bytes for the same view, hostile text never alive, no link into nothing, and a browser's
//! opinion of it all.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
#![expect(clippy::case_sensitive_file_extension_comparisons, reason = "the site's own names are lower case")]

mod fixture;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use gzette::flows::report::{GroupView, View};
use gzette::flows::site::{File, SiteSettings, Written, render, write};
use gzette_core::model::{GroupId, HOUR_MS, MINUTE_MS};

use fixture::{APPS, NOW, empty_view, view};

fn site_of(view: &View) -> BTreeMap<String, String> {
    let files = render(view, &SiteSettings::default());
    let count = files.len();
    let site: BTreeMap<String, String> =
        files.into_iter().map(|file| (file.path, String::from_utf8(file.bytes).unwrap())).collect();
    assert_eq!(site.len(), count, "two files have one path");
    site
}

fn pages(site: &BTreeMap<String, String>) -> impl Iterator<Item = (&str, &str)> {
    site.iter().filter(|(path, _)| path.ends_with(".html")).map(|(path, page)| (path.as_str(), page.as_str()))
}

/// Returns the values of `name="..."` in a page.
fn values<'a>(page: &'a str, name: &str) -> Vec<&'a str> {
    let open = format!(" {name}=\"");
    page.split(&open).skip(1).map(|rest| rest.split('"').next().unwrap()).collect()
}

#[test]
fn the_same_view_gives_the_same_bytes_and_index_comes_last() {
    let settings = SiteSettings::default();
    let first = render(&view(), &settings);
    assert_eq!(first, render(&view(), &settings));
    assert_eq!(first.last().unwrap().path, "index.html");
    // Eight applications, 37 groups and two of their earlier ids, overview, groups, ingest, about, status.js and three
    // assets.
    assert_eq!(first.len(), 8 + 37 + 2 + 4 + 1 + 3);
}

#[test]
fn pages_of_groups_without_news_keep_their_bytes_from_run_to_run() {
    let mut later = view();
    later.now_ms += 10 * MINUTE_MS;
    later.completeness.objects_mirrored += 5;
    later.completeness.lines.total += 1000;
    let (before, after) = (site_of(&view()), site_of(&later));
    let changed: BTreeSet<&String> = before.keys().filter(|path| before[*path] != after[*path]).collect();
    assert!(changed.iter().any(|path| *path == "status.js"));
    assert!(changed.iter().all(|path| !path.contains('/')), "{changed:?}");
}

#[test]
fn every_link_leads_to_a_file_of_the_site() {
    for view in [view(), empty_view()] {
        let site = site_of(&view);
        for (path, page) in pages(&site) {
            let folder = Path::new(path).parent().unwrap();
            for link in values(page, "href").into_iter().chain(values(page, "src")) {
                if let Some(id) = link.strip_prefix('#') {
                    assert!(values(page, "id").contains(&id), "{path}: #{id}");
                    continue;
                }
                assert!(!link.contains(':') && !link.starts_with('/'), "{path}: {link}");
                let target = link.strip_prefix("../").map_or_else(|| folder.join(link), PathBuf::from);
                assert!(site.contains_key(target.to_str().unwrap()), "{path}: {link}");
            }
        }
    }
}

/// The tags of a page without the values of their attributes: `a href= class=`.
fn tags(page: &str) -> Vec<String> {
    page.split('<')
        .skip(1)
        .map(|rest| {
            let tag = rest.split('>').next().unwrap();
            tag.split('"').step_by(2).collect()
        })
        .collect()
}

#[test]
fn hostile_text_is_never_alive() {
    const TAGS: &str = " a article b bdi body button caption code dd details div dl dt figure footer h1 h2 h3 head \
        header html img input label li line link main meta nav output p path pre rect script section span strong \
        summary svg table tbody td text th thead time title tr ul ";
    let site = site_of(&view());
    for (path, page) in pages(&site) {
        for tag in tags(page) {
            let mut parts = tag.split_whitespace();
            let name = parts.next().unwrap().trim_start_matches('/');
            assert!(TAGS.contains(&format!(" {name} ")) || name == "!DOCTYPE", "{path}: <{tag}>");
            assert!(parts.all(|part| !part.starts_with("on") && part != "style="), "{path}: <{tag}>");
            assert!(
                name != "script" || ["script src=", "/script"].contains(&tag.as_str()),
                "{path}: <{tag}>"
            );
            assert!(name != "img" || tag == "img src= alt= width= height=", "{path}: <{tag}>");
        }
        let raw = |c: char| {
            (c.is_control() && c != '\n' && c != '\t')
                || ('\u{202a}'..='\u{202e}').contains(&c)
                || c == '\u{ffff}'
        };
        assert_eq!(page.chars().find(|c| raw(*c)), None, "{path}");
    }
    let hostile_group = &view().groups[22];
    let page = &site[&format!("g/{}.html", hostile_group.id)];
    assert!(page.contains("‹ESC›[31mred‹ESC›[0m ‹BEL›bell ‹NUL›nul"));
}

#[test]
fn hostile_names_get_plain_paths_of_their_own() {
    let site = site_of(&view());
    let apps: Vec<&String> = site.keys().filter(|path| path.starts_with("a/")).collect();
    assert_eq!(apps.len(), APPS.len());
    for path in site.keys() {
        assert!(
            path.chars().all(|c| c.is_ascii_alphanumeric() || "-_./".contains(c)) && !path.contains(".."),
            "{path}"
        );
    }
}

#[test]
fn pages_have_a_strict_policy_and_nothing_inline() {
    for (path, page) in pages(&site_of(&view())) {
        assert!(page.contains("default-src &#39;none&#39;") || page.contains("default-src 'none'"), "{path}");
        assert!(
            !page.contains("unsafe") && !page.contains("<style") && values(page, "style").is_empty(),
            "{path}"
        );
        assert!(page.contains("base-uri 'none'; form-action 'none'"), "{path}");
    }
}

#[test]
fn an_empty_ledger_says_so_in_words() {
    let site = site_of(&empty_view());
    let index = &site["index.html"];
    for words in [
        "All quiet",
        "No errors in the last 24 hours.",
        "No errors in the last 7 days.",
        "No errors in the last 28 days.",
        "no sources",
    ] {
        assert!(index.contains(words), "{words}");
    }
    assert!(site["ingest.html"].contains("Every listed object was fully read."));
    assert!(pages(&site).all(|(_, page)| !page.contains("NaN")));
}

fn compressed(bytes: &[u8]) -> usize {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap().len()
}

/// Text that no compressor makes small.
fn noise(chars: usize, seed: &mut u64) -> String {
    (0..chars)
        .map(|_| {
            *seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            char::from_u32(0x4e00 + (*seed >> 40) as u32 % 20_000).unwrap()
        })
        .collect()
}

/// A view in which every text is as long and as random as the logs could make it.
fn worst_view() -> View {
    let mut view = view();
    let mut seed = 1;
    let model = view.groups[3].clone();
    view.groups.extend((0..700).map(|place| worst_group(&model, place, &mut seed)));
    view.attention = (37..737).collect();
    view.apps[0].groups = (0..737).collect();
    for problem in &mut view.completeness.problems {
        problem.reason = noise(9000, &mut seed);
        problem.place = noise(4000, &mut seed);
    }
    let problems = view.completeness.problems.iter().cycle().take(400).cloned().collect();
    view.completeness.problems = problems;
    let model = view.apps[2].clone();
    view.apps.extend((0..300).map(|_| {
        let mut app = model.clone();
        app.name = noise(400, &mut seed).into();
        app
    }));
    view
}

fn worst_group(model: &GroupView, place: u64, seed: &mut u64) -> GroupView {
    let mut group = model.clone();
    group.id = GroupId::from_bits(place);
    group.title = noise(300, seed);
    group.template = noise(30_000, seed);
    group.apps = (0..50).map(|_| (noise(300, seed).into(), 3, 9)).collect();
    group.reason = noise(2000, seed);
    group.samples = vec![model.samples[0].clone(); if place < 4 { 9 } else { 0 }];
    for sample in &mut group.samples {
        sample.text = noise(30_000, seed);
        sample.object = noise(4000, seed);
        sample.logger = Some(noise(4000, seed));
        // Control characters: each turns into several.
        if place == 3 {
            sample.text = sample.text.chars().map(|c| char::from(c as u8 % 32)).collect();
        }
    }
    group
}

#[test]
fn pages_stay_light_whatever_the_logs_hold() {
    let view = worst_view();
    let shared: usize = site_assets(&view);
    for file in render(&view, &SiteSettings::default()).iter().filter(|file| file.path.ends_with(".html")) {
        let limit = if file.path == "index.html" { 150_000 } else { 100_000 };
        let weight = compressed(&file.bytes) + shared;
        assert!(weight <= limit, "{} weighs {weight} bytes compressed", file.path);
    }
}

fn site_assets(view: &View) -> usize {
    render(view, &SiteSettings::default())
        .iter()
        .filter(|file| !file.path.ends_with(".html"))
        .map(|file| compressed(&file.bytes))
        .sum()
}

#[test]
fn the_script_is_small() {
    let files = render(&empty_view(), &SiteSettings::default());
    let script = files
        .iter()
        .find(|file| file.path.starts_with("assets/site.") && file.path.ends_with(".js"))
        .unwrap();
    assert!(script.immutable && compressed(&script.bytes) < 10_000);
}

#[test]
fn groups_beyond_the_limit_are_counted_not_linked() {
    let mut view = view();
    view.groups.truncate(5);
    view.attention.retain(|group| *group < 5);
    view.apps.iter_mut().for_each(|app| app.groups.retain(|group| *group < 5));
    let files = render(&view, &SiteSettings::default());
    // One of the two earlier ids leads to a group without a page.
    assert_eq!(files.iter().filter(|file| file.path.starts_with("g/")).count(), 5 + 1);
    let page = |path: &str| {
        String::from_utf8(files.iter().find(|file| file.path == path).unwrap().bytes.clone()).unwrap()
    };
    assert!(page("groups.html").contains("and 32 more groups"));
    assert!(page("groups.html").contains("37 groups with events in the last 14 days. The 5 that need"));
    assert!(page("index.html").contains("5 of 37 groups of the last 14 days"));
    let known: BTreeSet<&str> = files.iter().map(|file| file.path.as_str()).collect();
    for file in files.iter().filter(|file| file.path.starts_with("a/")) {
        for link in values(std::str::from_utf8(&file.bytes).unwrap(), "href") {
            assert!(link.starts_with('#') || known.contains(link.trim_start_matches("../")), "{link}");
        }
    }
}

fn files(of: &[(&str, &str)]) -> Vec<File> {
    of.iter()
        .map(|(path, text)| File {
            path: (*path).to_owned(),
            content_type: "text/html; charset=utf-8",
            bytes: text.as_bytes().to_vec(),
            immutable: false,
        })
        .collect()
}

#[test]
fn writing_touches_only_what_changed_and_removes_only_its_own() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("notes.txt"), "mine").unwrap();
    let first =
        write(dir.path(), &files(&[("g/a.html", "1"), ("g/b.html", "1"), ("index.html", "1")])).unwrap();
    assert_eq!(first, Written { changed: 3, unchanged: 0, removed: 0 });

    let untouched = fs::metadata(dir.path().join("g/a.html")).unwrap().modified().unwrap();
    let second = write(dir.path(), &files(&[("g/a.html", "1"), ("index.html", "2")])).unwrap();
    assert_eq!(second, Written { changed: 1, unchanged: 1, removed: 1 });
    assert_eq!(fs::metadata(dir.path().join("g/a.html")).unwrap().modified().unwrap(), untouched);
    assert!(!dir.path().join("g/b.html").exists());
    assert_eq!(fs::read_to_string(dir.path().join("index.html")).unwrap(), "2");
    assert_eq!(fs::read_to_string(dir.path().join("notes.txt")).unwrap(), "mine");

    let third = write(dir.path(), &files(&[("g/a.html", "1"), ("index.html", "2")])).unwrap();
    assert_eq!(third, Written { changed: 0, unchanged: 2, removed: 0 });
}

#[test]
fn a_foreign_page_is_left_alone_before_anything_is_written() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("index.html"), "my home page").unwrap();
    let error = write(dir.path(), &files(&[("g/a.html", "1"), ("index.html", "2")])).unwrap_err();
    assert!(error.to_string().contains("was not made by gzette"), "{error}");
    assert_eq!(fs::read_to_string(dir.path().join("index.html")).unwrap(), "my home page");
    assert!(!dir.path().join("g").exists());
}

#[test]
fn a_manifest_cannot_lead_out_of_the_folder() {
    let dir = tempfile::tempdir().unwrap();
    let outside = dir.path().join("outside.html");
    fs::write(&outside, "keep").unwrap();
    let site = dir.path().join("site");
    fs::create_dir(&site).unwrap();
    fs::write(site.join(".gzette-site"), format!("../outside.html\n{}\n", outside.display())).unwrap();
    let written = write(&site, &files(&[("index.html", "1")])).unwrap();
    assert_eq!(written.removed, 0);
    assert!(outside.exists());
    assert!(write(&site, &files(&[("../x.html", "1")])).is_err());
}

#[test]
fn a_write_that_was_cut_short_is_finished_by_the_next() {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), &files(&[("g/a.html", "1"), ("index.html", "1")])).unwrap();
    // As after a crash between the first manifest and the last: a page is there that only the union names.
    fs::write(dir.path().join(".gzette-site"), "g/a.html\ng/new.html\nindex.html\n").unwrap();
    fs::write(dir.path().join("g/new.html"), "half the work").unwrap();
    let written = write(dir.path(), &files(&[("g/a.html", "1"), ("index.html", "1")])).unwrap();
    assert_eq!(written, Written { changed: 0, unchanged: 2, removed: 1 });
    assert!(!dir.path().join("g/new.html").exists());
}

/// Writes a site for the browser; what the checks leave behind is beside it.
fn site_for_browser(name: &str, view: &View) -> (PathBuf, PathBuf) {
    let tools = crate::servers::tools_dir().join("site");
    assert!(
        tools.join("node_modules/playwright-core").exists(),
        "`{}` has no browser tools; run `tests/run`, which installs them",
        tools.display()
    );
    let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    write(&dir.join("site"), &render(view, &SiteSettings::default())).unwrap();
    (tools, dir)
}

fn run_node(script: &Path, arguments: &[&str]) {
    let output = Command::new("node").arg(script).args(arguments).output().expect("node runs");
    let said = [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
    assert!(output.status.success(), "{}", said.join("\n"));
}

fn check(name: &str, view: &View, options: &[&str]) {
    let (tools, dir) = site_for_browser(name, view);
    let (site, out) = (dir.join("site"), dir.join("check"));
    let mut arguments = vec![site.to_str().unwrap(), "--out", out.to_str().unwrap(), "--no-full"];
    arguments.extend(options);
    run_node(&tools.join("check_site.mjs"), &arguments);
}

#[test]
fn a_browser_finds_no_fault() {
    let view = view();
    // The pages with the worst texts, and the first linked page of each kind.
    let hostile: Vec<String> =
        [9, 22, 24, 28].map(|place| format!("g/{}.html", view.groups[place].id)).into();
    let mut options = vec!["--file", "--insecure", "--nojs", "--validate", "--fast", "--budget-kb", "146"];
    options.extend(["--max", "16", "--start", "index.html"]);
    options.extend(hostile.iter().flat_map(|path| ["--start", path.as_str()]));
    check("browser", &view, &options);
}

#[test]
fn a_browser_finds_no_fault_in_an_empty_site() {
    let mut view = empty_view();
    view.now_ms = NOW - HOUR_MS;
    check("browser-empty", &view, &["--file", "--nojs", "--validate"]);
}

#[test]
fn the_script_does_its_part_from_a_folder() {
    let (tools, dir) = site_for_browser("browser-script", &view());
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/site/check_script.mjs");
    run_node(&script, &[tools.to_str().unwrap(), dir.join("site").to_str().unwrap()]);
}
