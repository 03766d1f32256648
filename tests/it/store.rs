//! One suite for every store: memory, a folder, and S3 as SeaweedFS and as moto speak it. Then what
//! only one of them can show.

mod faulty;

use std::collections::BTreeSet;
use std::fs;
use std::io::Write as _;
use std::os::unix::ffi::OsStringExt as _;
use std::os::unix::fs::symlink;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use gzette::edges::store::{
    DirStore, Listing, Location, MemoryStore, ObjectStore, PutOptions, S3Credentials, S3Limits, S3Options,
    S3Store, StoreError, StoreErrorKind, get_version, open,
};
use gzette_core::model::{KnownBytes, ListedObject, UtcMs};
use tokio::task::JoinSet;

use crate::servers::{ACCESS_KEY, SECRET_KEY, Server, free_ports, moto, seaweedfs};

/// How many objects the paging part stores: two pages of S3, whose pages end at 1,000.
const MANY: usize = 1200;
/// How many requests run at once where a test needs many.
const PARALLEL: usize = 32;

/// A store, and what the suite must know about it.
struct Subject {
    store: Arc<dyn ObjectStore>,
    /// Requests that a listing of [`MANY`] objects takes.
    pages: u64,
    /// Keys that this store cannot hold.
    refuses: &'static [&'static str],
}

#[tokio::test]
async fn memory_passes_the_suite() {
    passes(&Subject { store: Arc::new(MemoryStore::new()), pages: 1, refuses: &[] }).await;
}

#[tokio::test]
async fn a_folder_passes_the_suite() {
    let dir = tempfile::tempdir().unwrap();
    passes(&Subject {
        store: Arc::new(DirStore::new(dir.path())),
        pages: 1,
        refuses: &["odd/a//b", "odd/./b"],
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn seaweedfs_passes_the_suite() {
    passes(&Subject {
        store: Arc::new(bucket_on(seaweedfs()).await),
        pages: 2,
        refuses: &["odd/a//b", "odd/./b", "odd/back\\slash"],
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn moto_passes_the_suite() {
    passes(&Subject { store: Arc::new(bucket_on(moto()).await), pages: 2, refuses: &["odd/line\nbreak"] })
        .await;
}

async fn passes(subject: &Subject) {
    let store = &subject.store;
    what_is_put_is_listed_and_read(store).await;
    nothing_is_a_complete_listing(store).await;
    a_delimiter_lists_one_level(store).await;
    odd_keys_survive(subject).await;
    encoded_bytes_come_back_as_they_are(store).await;
    what_changed_is_not_read(store).await;
    what_is_proved_is_read_under_another_etag(store).await;
    all_pages_are_listed(subject).await;
    requests_are_counted(store).await;
}

async fn what_is_put_is_listed_and_read(store: &Arc<dyn ObjectStore>) {
    put(store, "basic/b", b"two").await;
    put(store, "basic/a", b"first").await;
    put(store, "basic/empty", b"").await;
    let listing = store.list("basic/", false).await.unwrap();
    assert_eq!(keys(&listing), ["basic/a", "basic/b", "basic/empty"]);
    assert_eq!(listing.objects[0].size_bytes, 5);
    assert!(!listing.objects[0].etag.contains('"'));
    assert_eq!(store.get(&listing.objects[0]).await.unwrap(), b"first");
    assert_eq!(store.get(&listing.objects[2]).await.unwrap(), b"");
    assert_eq!(keys(&store.list("basic/b", false).await.unwrap()), ["basic/b"]);

    store.delete("basic/b").await.unwrap();
    store.delete("basic/never-there").await.unwrap();
    let after = store.list("basic/", false).await.unwrap();
    assert_eq!(keys(&after), ["basic/a", "basic/empty"]);
}

async fn nothing_is_a_complete_listing(store: &Arc<dyn ObjectStore>) {
    for delimited in [false, true] {
        let listing = store.list("no/such/prefix/", delimited).await.unwrap();
        assert_eq!(listing, Listing::default());
    }
}

async fn a_delimiter_lists_one_level(store: &Arc<dyn ObjectStore>) {
    for key in ["level/app-b/20240101/x", "level/app-a/20240101/x", "level/app-a/y", "level/top"] {
        put(store, key, b"x").await;
    }
    let listing = store.list("level/", true).await.unwrap();
    assert_eq!(listing.prefixes, ["level/app-a/", "level/app-b/"]);
    assert_eq!(keys(&listing), ["level/top"]);
    let partial = store.list("level/app-", true).await.unwrap();
    assert_eq!(partial.prefixes, ["level/app-a/", "level/app-b/"]);
    let inner = store.list("level/app-a/", true).await.unwrap();
    assert_eq!(
        (inner.prefixes.as_slice(), keys(&inner)),
        (["level/app-a/20240101/".to_owned()].as_slice(), vec!["level/app-a/y"])
    );
}

async fn odd_keys_survive(subject: &Subject) {
    let all = [
        "odd/with space",
        "odd/plus+plus",
        "odd/%2F",
        "odd/%zz",
        "odd/ünï-日本",
        "odd/a&b<c>\"'",
        "odd/line\nbreak",
        "odd/tab\tand\u{7f}",
        "odd/a//b",
        "odd/./b",
        "odd/q?x=1#y",
        "odd/back\\slash",
        "odd/*",
        "odd/~",
        "odd/=;,@:$!()",
        "odd/\u{f7ff}private",
    ];
    let stored: Vec<&str> = all.into_iter().filter(|key| !subject.refuses.contains(key)).collect();
    for key in &stored {
        put(&subject.store, key, key.as_bytes()).await;
    }
    let listing = subject.store.list("odd/", false).await.unwrap();
    let expected: BTreeSet<&str> = stored.iter().copied().collect();
    assert_eq!(keys(&listing), expected.into_iter().collect::<Vec<_>>());
    for object in &listing.objects {
        let body = subject.store.get(object).await.unwrap();
        assert_eq!(body, object.key.as_bytes(), "{:?}", object.key);
        subject.store.delete(&object.key).await.unwrap();
    }
    assert_eq!(subject.store.list("odd/", false).await.unwrap(), Listing::default());
}

async fn encoded_bytes_come_back_as_they_are(store: &Arc<dyn ObjectStore>) {
    let gz = gzipped(b"line one\nline two\n");
    let options = PutOptions {
        content_type: "text/plain".to_owned(),
        content_encoding: Some("gzip".to_owned()),
        cache_control: Some("no-cache".to_owned()),
    };
    store.put("encoded/log.gz", gz.clone(), &options).await.unwrap();
    let object = only(&store.list("encoded/", false).await.unwrap());
    assert_eq!(object.size_bytes, gz.len() as u64);
    assert_eq!(store.get(&object).await.unwrap(), gz);
}

async fn what_changed_is_not_read(store: &Arc<dyn ObjectStore>) {
    put(store, "change/one", b"before").await;
    let listed = only(&store.list("change/", false).await.unwrap());
    let larger = ListedObject { size_bytes: 7, ..listed.clone() };
    assert_eq!(kind_of(store.get(&larger).await), StoreErrorKind::Odd);
    let smaller = ListedObject { size_bytes: 5, ..listed.clone() };
    assert_eq!(kind_of(store.get(&smaller).await), StoreErrorKind::Odd);

    put(store, "change/one", b"after!").await;
    assert_eq!(kind_of(store.get(&listed).await), StoreErrorKind::Changed);
    let again = only(&store.list("change/", false).await.unwrap());
    assert_ne!(again.etag, listed.etag);
    assert_eq!(store.get(&again).await.unwrap(), b"after!");

    store.delete("change/one").await.unwrap();
    let error = store.get(&again).await.unwrap_err();
    assert_eq!(error.kind, StoreErrorKind::Missing, "{error}");
    assert!(error.place.ends_with("change/one"), "{error}");
}

async fn what_is_proved_is_read_under_another_etag(store: &Arc<dyn ObjectStore>) {
    put(store, "moved/one", b"before").await;
    let listed = only(&store.list("moved/", false).await.unwrap());
    let moved = ListedObject { etag: "0123456789abcdef0123456789abcdef".to_owned(), ..listed.clone() };
    let none = KnownBytes { size_bytes: 6, ..KnownBytes::default() };
    let known = |bytes: &[u8]| KnownBytes { stored: Some(*blake3::hash(bytes).as_bytes()), ..none };
    let read = async |known| get_version(&**store, &moved, &known).await;
    assert_eq!(read(known(b"before")).await.unwrap(), b"before");
    assert_eq!(kind_of(read(known(b"after!")).await), StoreErrorKind::Changed);
    assert_eq!(kind_of(read(none).await), StoreErrorKind::Changed);
    assert_eq!(get_version(&**store, &listed, &none).await.unwrap(), b"before");
    put(store, "moved/one", b"much longer").await;
    assert_eq!(kind_of(read(known(b"before")).await), StoreErrorKind::Changed);
}

async fn all_pages_are_listed(subject: &Subject) {
    let mut puts = JoinSet::new();
    for number in 0..MANY {
        if puts.len() == PARALLEL {
            puts.join_next().await.unwrap().unwrap();
        }
        let store = Arc::clone(&subject.store);
        puts.spawn(async move { put(&store, &format!("many/{number:05}/x"), b"x").await });
    }
    puts.join_all().await;

    let before = subject.store.requests();
    let flat = subject.store.list("many/", false).await.unwrap();
    assert_eq!(subject.store.requests().list - before.list, subject.pages);
    let expected: Vec<String> = (0..MANY).map(|number| format!("many/{number:05}/x")).collect();
    assert_eq!(keys(&flat), expected);
    let folders = subject.store.list("many/", true).await.unwrap();
    let expected: Vec<String> = (0..MANY).map(|number| format!("many/{number:05}/")).collect();
    assert_eq!((folders.prefixes, folders.objects.len()), (expected, 0));
}

async fn requests_are_counted(store: &Arc<dyn ObjectStore>) {
    let before = store.requests();
    put(store, "count/a", b"12345").await;
    let listing = store.list("count/", false).await.unwrap();
    store.get(&listing.objects[0]).await.unwrap();
    store.get(&listing.objects[0]).await.unwrap();
    store.delete("count/a").await.unwrap();
    let after = store.requests();
    assert_eq!((after.list - before.list, after.get - before.get, after.put - before.put), (1, 2, 2));
    assert_eq!(after.received_bytes - before.received_bytes, 10);
    assert_eq!(after.sent_bytes - before.sent_bytes, 5);
}

#[tokio::test]
async fn a_bucket_that_is_not_there_is_named() {
    for server in [seaweedfs(), moto()] {
        let store = S3Store::connect("never-made", &options_for(server)).await;
        let error = store.list("", false).await.unwrap_err();
        assert_eq!(error.kind, StoreErrorKind::NoBucket, "{error}");
        let error = put_into(&store, "a").await.unwrap_err();
        assert_eq!(error.kind, StoreErrorKind::NoBucket, "{error}");
    }
}

#[tokio::test]
async fn wrong_credentials_are_told_from_a_missing_permission() {
    let wrong = |access_key: &str, secret_key: &str| S3Options {
        credentials: Some(credentials(access_key, secret_key)),
        ..options_for(seaweedfs())
    };
    for options in [wrong(ACCESS_KEY, "not the secret"), wrong("nobody", "nothing")] {
        let store = S3Store::connect("any", &options).await;
        let error = store.list("", false).await.unwrap_err();
        assert_eq!(error.kind, StoreErrorKind::Credentials, "{error}");
        assert_eq!(store.requests().list, 1, "no use in trying again");
    }
}

#[tokio::test]
async fn an_endpoint_that_nobody_listens_at_is_a_network_error() {
    let [port] = free_ports();
    let options = S3Options { endpoint_url: Some(format!("http://127.0.0.1:{port}")), ..quick_options() };
    let store = S3Store::connect("any", &options).await;
    let error = store.list("", false).await.unwrap_err();
    assert_eq!(error.kind, StoreErrorKind::Network, "{error}");
    assert!(error.reason.to_lowercase().contains("refused"), "{error}");
}

#[tokio::test]
async fn an_s3_address_opens_at_its_prefix() {
    let server = moto();
    let location = Location::S3 { bucket: "opened".to_owned(), prefix: "site/".to_owned() };
    let (store, prefix) = open(&location, &options_for(server)).await.unwrap();
    assert_eq!((prefix.as_str(), store.describe("site/a")), ("site/", "s3://opened/site/a".to_owned()));
    let nameless = Location::S3 { bucket: String::new(), prefix: String::new() };
    let error = open(&nameless, &options_for(server)).await.err().unwrap();
    assert_eq!(error.kind, StoreErrorKind::Config, "{error}");
}

#[tokio::test]
async fn a_folder_that_is_not_there_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let store = DirStore::new(dir.path().join("none"));
    assert_eq!(kind_of(store.list("", false).await), StoreErrorKind::NoBucket);
    assert_eq!(kind_of(store.get(&object("a", "b", 1)).await), StoreErrorKind::NoBucket);
}

#[tokio::test]
async fn links_are_never_followed_out_of_a_folder_and_never_lost() {
    let outside = tempfile::tempdir().unwrap();
    fs::write(outside.path().join("secret"), "secret").unwrap();
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path();
    fs::create_dir(root.join("app")).unwrap();
    fs::write(root.join("app/log"), "log").unwrap();
    symlink(root.join("app/log"), root.join("app/same")).unwrap();
    symlink(outside.path().join("secret"), root.join("app/out")).unwrap();
    symlink(outside.path(), root.join("outer")).unwrap();
    symlink(root, root.join("app/loop")).unwrap();
    symlink("nowhere", root.join("dangling")).unwrap();

    let store = DirStore::new(root);
    let listing = store.list("", false).await.unwrap();
    assert_eq!(keys(&listing), ["app/log", "app/out", "app/same", "dangling", "outer"]);
    let mut outcomes = Vec::new();
    for object in &listing.objects {
        outcomes.push(store.get(object).await.map_err(|error| error.kind));
    }
    assert_eq!(
        outcomes,
        [
            Ok(b"log".to_vec()),
            Err(StoreErrorKind::Denied),
            Ok(b"log".to_vec()),
            Err(StoreErrorKind::Missing),
            Err(StoreErrorKind::Denied),
        ]
    );
    let secret = object("outer/secret", "e", 6);
    assert_eq!(kind_of(store.get(&secret).await), StoreErrorKind::Denied);
    assert_eq!(kind_of(put_into(&store, "outer/new").await), StoreErrorKind::Denied);
    assert_eq!(kind_of(store.delete("outer/secret").await), StoreErrorKind::Denied);
    assert_eq!(fs::read_dir(outside.path()).unwrap().count(), 1);
}

#[tokio::test]
async fn a_folder_refuses_keys_that_lead_elsewhere() {
    let parent = tempfile::tempdir().unwrap();
    let root = parent.path().join("root");
    fs::create_dir(&root).unwrap();
    fs::write(parent.path().join("beside"), "x").unwrap();
    let store = DirStore::new(&root);
    for key in ["../beside", "/etc/hostname", "a/../../beside", "", "a//b", "a/./b", "a/", "..", "a\0b"] {
        assert_eq!(kind_of(put_into(&store, key).await), StoreErrorKind::Config, "{key:?}");
        assert_eq!(kind_of(store.delete(key).await), StoreErrorKind::Config, "{key:?}");
        assert_eq!(kind_of(store.get(&object(key, "e", 1)).await), StoreErrorKind::Missing, "{key:?}");
    }
    for prefix in ["../", "/", "/etc/", "a/../../"] {
        assert_eq!(store.list(prefix, false).await.unwrap(), Listing::default(), "{prefix:?}");
    }
    assert_eq!(fs::read_dir(parent.path()).unwrap().count(), 2);
}

#[tokio::test]
async fn file_names_that_are_no_utf_8_have_keys() {
    let dir = tempfile::tempdir().unwrap();
    let name = |bytes: &[u8]| dir.path().join(std::ffi::OsString::from_vec(bytes.to_vec()));
    fs::write(name(b"latin-\xe9.log"), "one").unwrap();
    fs::write(name("latin-\u{f7e9}.log".as_bytes()), "two").unwrap();
    let store = DirStore::new(dir.path());
    let listing = store.list("", false).await.unwrap();
    assert_eq!(keys(&listing), ["latin-\u{f7e9}.log", "latin-\u{f7ef}\u{f79f}\u{f7a9}.log"]);
    assert_eq!(store.get(&listing.objects[0]).await.unwrap(), b"one");
    assert_eq!(store.get(&listing.objects[1]).await.unwrap(), b"two");
}

#[tokio::test]
async fn a_cut_write_is_not_listed_and_etags_never_look_like_an_md5() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join(".gzette-put-abc"), "half").unwrap();
    fs::write(dir.path().join("whole"), "whole").unwrap();
    let object = only(&DirStore::new(dir.path()).list("", false).await.unwrap());
    assert_eq!(object.key.as_str(), "whole");
    assert_ne!(object.etag.len(), 32);
}

async fn put(store: &Arc<dyn ObjectStore>, key: &str, body: &[u8]) {
    store.put(key, body.to_vec(), &PutOptions::default()).await.unwrap();
}

async fn put_into(store: &dyn ObjectStore, key: &str) -> Result<(), StoreError> {
    store.put(key, vec![1], &PutOptions::default()).await
}

fn keys(listing: &Listing) -> Vec<&str> {
    listing.objects.iter().map(|object| object.key.as_str()).collect()
}

fn only(listing: &Listing) -> ListedObject {
    assert_eq!(listing.objects.len(), 1, "{listing:?}");
    listing.objects[0].clone()
}

fn kind_of<T: std::fmt::Debug>(outcome: Result<T, StoreError>) -> StoreErrorKind {
    outcome.unwrap_err().kind
}

fn object(key: &str, etag: &str, size_bytes: u64) -> ListedObject {
    ListedObject { key: key.into(), etag: etag.to_owned(), size_bytes, modified_ms: UtcMs::EPOCH }
}

fn gzipped(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn credentials(access_key: &str, secret_key: &str) -> S3Credentials {
    S3Credentials {
        access_key: access_key.to_owned(),
        secret_key: secret_key.to_owned(),
        session_token: None,
    }
}

fn quick_limits() -> S3Limits {
    S3Limits { attempts: 3, first_wait: Duration::from_millis(1), ..S3Limits::default() }
}

fn quick_options() -> S3Options {
    S3Options {
        region: Some("us-east-1".to_owned()),
        credentials: Some(credentials(ACCESS_KEY, SECRET_KEY)),
        limits: quick_limits(),
        ..S3Options::default()
    }
}

/// Returns the options to reach a test server.
pub(crate) fn options_for(server: &Server) -> S3Options {
    S3Options { endpoint_url: Some(server.endpoint.clone()), limits: S3Limits::default(), ..quick_options() }
}

/// Returns a new, empty bucket on a test server.
pub(crate) async fn bucket_on(server: &Server) -> S3Store {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    let name = format!("test-{}", NEXT.fetch_add(1, Ordering::SeqCst));
    let store = S3Store::connect(&name, &options_for(server)).await;
    store.create_bucket().await.unwrap();
    store
}
