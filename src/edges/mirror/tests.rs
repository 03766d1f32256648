//! Laws of the mirror's names, and its files.

use std::collections::HashSet;
use std::io::Read as _;
use std::path::{Component, Path};

use proptest::prelude::*;

use super::*;

fn mirror() -> (tempfile::TempDir, Mirror) {
    let dir = tempfile::tempdir().unwrap();
    let mirror = Mirror::new(dir.path().join("mirror"));
    (dir, mirror)
}

/// Keys an attacker or an odd tool would choose.
const HOSTILE: [&str; 24] = [
    "",
    "/",
    "//",
    ".",
    "..",
    "../../etc/passwd",
    "/etc/passwd",
    "a",
    "a/",
    "a/b",
    "a//b",
    "A",
    "a/.tmp",
    ".tmp",
    "a~b",
    "%",
    "%2E",
    "%h",
    "a\0b",
    "a\nb",
    "a\\b",
    "C:\\x",
    "ключ/журнал",
    "a/../b",
];

fn paths_of(keys: impl IntoIterator<Item = String>) -> Vec<PathBuf> {
    let mirror = Mirror::new("/m".into());
    keys.into_iter().map(|key| mirror.path(&"s".into(), &key.into(), GenerationId(1))).collect()
}

fn assert_safe(path: &Path) {
    let relative = path.strip_prefix("/m").unwrap();
    for component in relative.components() {
        let Component::Normal(name) = component else { panic!("{path:?} holds {component:?}") };
        assert!(name.len() <= 255 && !name.to_str().unwrap().starts_with('.'), "{path:?}");
    }
    assert!(relative.components().count() <= 1 + MAX_SEGMENTS, "{path:?}");
    assert!(relative.as_os_str().len() < 1300, "{path:?}");
    // What `components` folds away (doubled slashes, `.`) must not be there in the first place.
    assert_eq!(relative.components().collect::<PathBuf>().as_os_str(), relative.as_os_str());
}

#[test]
fn hostile_keys_have_distinct_paths_inside() {
    let paths = paths_of(HOSTILE.map(str::to_owned));
    for path in &paths {
        assert_safe(path);
    }
    assert_eq!(paths.iter().collect::<HashSet<_>>().len(), HOSTILE.len());
}

#[test]
fn the_longest_keys_are_bounded() {
    let keys = [
        "x".repeat(1024),
        "é".repeat(512),
        "/".repeat(1024),
        "é/".repeat(341),
        "../".repeat(341),
        ".".repeat(1024),
    ];
    let paths = paths_of(keys.clone());
    for path in &paths {
        assert_safe(path);
    }
    assert_eq!(paths.iter().collect::<HashSet<_>>().len(), keys.len());
}

#[test]
fn a_plain_key_stays_readable() {
    let path = Mirror::new("m".into()).path(
        &"prod".into(),
        &"logs/web/20260301/pod-1_10.gz".into(),
        GenerationId(0xabc),
    );
    assert_eq!(path, Path::new("m/prod/logs/web/20260301/pod-1_10.gz~0000000000000abc"));
}

#[test]
fn every_hostile_key_holds_its_own_bytes() {
    let (_dir, mirror) = mirror();
    for key in HOSTILE {
        mirror.write(&"s".into(), &key.into(), GenerationId(7), key.as_bytes()).unwrap();
    }
    for key in HOSTILE {
        let mut bytes = Vec::new();
        mirror.open(&"s".into(), &key.into(), GenerationId(7)).unwrap().read_to_end(&mut bytes).unwrap();
        assert_eq!(bytes, key.as_bytes(), "{key:?}");
        assert_eq!(mirror.len(&"s".into(), &key.into(), GenerationId(7)).unwrap(), Some(key.len() as u64));
    }
    assert_eq!(fs::read_dir(mirror.dir.join(TEMPORARY)).unwrap().count(), 0);
}

#[test]
fn removing_takes_empty_folders_along_and_leaves_neighbours() {
    let (_dir, mirror) = mirror();
    for key in ["a/b/c", "a/d"] {
        mirror.write(&"s".into(), &key.into(), GenerationId(1), b"x").unwrap();
    }
    assert!(mirror.remove(&"s".into(), &"a/b/c".into(), GenerationId(1)).unwrap());
    assert!(!mirror.dir.join("s/a/b").exists());
    assert_eq!(mirror.len(&"s".into(), &"a/d".into(), GenerationId(1)).unwrap(), Some(1));
    assert!(!mirror.remove(&"s".into(), &"a/b/c".into(), GenerationId(1)).unwrap());
}

#[test]
fn unfinished_files_are_cleaned_away() {
    let (_dir, mirror) = mirror();
    assert_eq!(mirror.clean().unwrap(), 0);
    mirror.write(&"s".into(), &"k".into(), GenerationId(1), b"whole").unwrap();
    fs::write(mirror.dir.join(TEMPORARY).join("half"), b"ha").unwrap();
    assert_eq!(mirror.clean().unwrap(), 1);
    assert_eq!(mirror.len(&"s".into(), &"k".into(), GenerationId(1)).unwrap(), Some(5));
}

#[test]
fn errors_name_the_path() {
    let (dir, mirror) = mirror();
    fs::write(dir.path().join("mirror"), b"a file where the folder should be").unwrap();
    let error = mirror.write(&"s".into(), &"k".into(), GenerationId(1), b"x").unwrap_err();
    assert!(error.to_string().contains("mirror"), "{error}");
    let error = mirror.open(&"s".into(), &"k".into(), GenerationId(1)).unwrap_err();
    assert!(error.to_string().starts_with("open `"), "{error}");
}

proptest! {
    #[test]
    fn different_versions_have_different_paths(
        one in (".{0,6}", "[a/.~%A\\PC]{0,40}", 0..4_i64),
        other in (".{0,6}", "[a/.~%A\\PC]{0,40}", 0..4_i64),
    ) {
        let mirror = Mirror::new("/m".into());
        let path = |(source, key, id): &(String, String, i64)| mirror.path(&source.as_str().into(), &key.as_str().into(), GenerationId(*id));
        assert_safe(&path(&one));
        prop_assert_eq!(one == other, path(&one) == path(&other));
    }

    #[test]
    fn no_file_stands_where_another_needs_a_folder(one in "[a~/]{0,6}", other in "[a~/]{0,6}", id in 0..2_i64) {
        let mirror = Mirror::new("/m".into());
        let (one, other) = (mirror.path(&"s".into(), &one.into(), GenerationId(id)), mirror.path(&"s".into(), &other.into(), GenerationId(1)));
        prop_assert!(one == other || !other.starts_with(&one));
    }

    #[test]
    fn any_length_is_bounded(key in "[a-zé/.]{0,1100}") {
        assert_safe(&Mirror::new("/m".into()).path(&"s".into(), &key.into(), GenerationId(1)));
    }
}
