//! An S3 server that misbehaves on purpose.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use gzette::edges::store::{ObjectStore as _, S3Limits, S3Options, S3Store, StoreErrorKind};

use super::{gzipped, keys, kind_of, object, quick_limits, quick_options};

#[tokio::test]
async fn odd_pages_are_errors_and_never_an_end() {
    let cases = [
        (
            vec![page("<KeyCount>2</KeyCount><IsTruncated>false</IsTruncated>", "a")],
            "states 2 keys, but has 1",
        ),
        (vec![page("<KeyCount>1</KeyCount>", "a")], "whether it is the last"),
        (vec![page("<IsTruncated>true</IsTruncated>", "a")], "no continuation token"),
        (vec![more("t", "a"), more("t", "b")], "came twice"),
        (vec![more("t", "a"), page("<IsTruncated>false</IsTruncated>", "a")], "listed twice"),
        (
            vec![ok("<html><body>Please log in</body></html>", "text/html")],
            "the answer is HTML, not S3's XML",
        ),
        (vec![xml("")], "no root element"),
    ];
    for (answers, expected) in cases {
        let faulty = Faulty::start(answers.clone());
        let error = faulty.store().await.list("", false).await.unwrap_err();
        assert_eq!(error.kind, StoreErrorKind::Odd, "{error}");
        assert!(error.reason.contains(expected), "{error} / {expected}");
        assert_eq!(faulty.served(), answers.len());
    }
}

#[tokio::test]
async fn refusals_that_pass_are_tried_again_and_counted() {
    let busy = || Answer::whole("503 Slow Down", "application/xml", b"<Error><Code>SlowDown</Code></Error>");
    let faulty = Faulty::start(vec![busy(), busy(), page("<IsTruncated>false</IsTruncated>", "a")]);
    let store = faulty.store().await;
    assert_eq!(keys(&store.list("", false).await.unwrap()), ["a"]);
    assert_eq!(store.requests().list, 3);

    let html = Answer::whole("502 Bad Gateway", "text/html", b"<html>gateway</html>");
    let faulty = Faulty::start(vec![html; 3]);
    let store = faulty.store().await;
    assert_eq!(kind_of(store.list("", false).await), StoreErrorKind::Network);
    assert_eq!((store.requests().list, faulty.served()), (3, 3));
}

#[tokio::test]
async fn a_body_that_was_cut_is_read_again() {
    let faulty = Faulty::start(vec![
        Answer::whole("200 OK", "text/plain", b"hello").cut_after(2, End::Close),
        Answer::whole("200 OK", "text/plain", b"hel"),
        Answer::whole("200 OK", "text/plain", b"hello"),
    ]);
    let store = faulty.store().await;
    let body = store.get(&object("a", "opaque", 5)).await.unwrap();
    assert_eq!((body.as_slice(), store.requests().get), (b"hello".as_slice(), 3));
    assert_eq!(store.requests().received_bytes, 2 + 3 + 5);
    assert!(faulty.requests().iter().all(|head| head.contains("if-match: \"opaque\"")));
}

#[tokio::test]
async fn a_server_that_goes_quiet_is_left() {
    let silent = Answer::whole("200 OK", "text/plain", b"hello").cut_after(2, End::Hold);
    let headless = Answer { bytes: Vec::new(), end: End::Hold };
    let faulty = Faulty::start(vec![silent, headless, Answer::whole("200 OK", "text/plain", b"hello")]);
    let options = S3Options {
        limits: S3Limits { answer: Duration::from_secs(1), stall: Duration::from_secs(1), ..quick_limits() },
        ..faulty.options()
    };
    let store = S3Store::connect("bucket", &options).await;
    assert_eq!(store.get(&object("a", "opaque", 5)).await.unwrap(), b"hello");
    assert_eq!(store.requests().get, 3);
}

#[tokio::test]
async fn an_object_has_a_time_limit_over_all_attempts() {
    let silent = Answer::whole("200 OK", "text/plain", b"hello").cut_after(2, End::Hold);
    let faulty = Faulty::start(vec![silent; 3]);
    let options = S3Options {
        limits: S3Limits { total: Duration::from_millis(200), ..quick_limits() },
        ..faulty.options()
    };
    let store = S3Store::connect("bucket", &options).await;
    let error = store.get(&object("a", "opaque", 5)).await.unwrap_err();
    assert_eq!(error.kind, StoreErrorKind::Network, "{error}");
    assert_eq!(error.reason, "not complete within 200ms");
    assert_eq!(store.requests().get, 1);
}

#[tokio::test]
async fn a_wrong_checksum_is_odd_unless_the_etag_is_none() {
    let etag = "5d41402abc4b2a76b9719d911017c592";
    let right = Answer::whole("200 OK", "text/plain", b"hello");
    let wrong = Answer::whole("200 OK", "text/plain", b"hallo");
    let faulty = Faulty::start(vec![wrong.clone(), right]);
    let listed = object("a", etag, 5);
    assert_eq!(faulty.store().await.get(&listed).await.unwrap(), b"hello");

    let faulty = Faulty::start(vec![wrong.clone(); 3]);
    let error = faulty.store().await.get(&listed).await.unwrap_err();
    assert_eq!(error.kind, StoreErrorKind::Odd, "{error}");
    assert!(error.reason.contains("MD5"), "{error}");

    let kms = Answer::with_header("x-amz-server-side-encryption: aws:kms", b"hallo");
    let faulty = Faulty::start(vec![kms]);
    assert_eq!(faulty.store().await.get(&listed).await.unwrap(), b"hallo");

    let crc = Answer::with_header("x-amz-checksum-crc32: AAAAAA==", b"hello");
    let faulty = Faulty::start(vec![crc; 3]);
    let error = faulty.store().await.get(&object("a", "opaque", 5)).await.unwrap_err();
    assert_eq!(error.kind, StoreErrorKind::Odd, "{error}");
}

#[tokio::test]
async fn a_damaged_body_that_nothing_vouches_for_is_read_twice() {
    let whole = gzipped(b"hello, hello, hello\n");
    let spoilt = |at: usize| {
        let mut bytes = whole.clone();
        bytes[at] ^= 0x55;
        Answer::whole("200 OK", "application/gzip", &bytes)
    };
    let right = Answer::whole("200 OK", "application/gzip", &whole);
    let (last, listed) = (whole.len() - 1, object("a", "opaque-2", whole.len() as u64));

    let faulty = Faulty::start(vec![right.clone()]);
    assert_eq!(faulty.store().await.get(&listed).await.unwrap(), whole);
    assert_eq!(faulty.served(), 1);

    let faulty = Faulty::start(vec![spoilt(last), right]);
    assert_eq!(faulty.store().await.get(&listed).await.unwrap(), whole);

    // The same again: so it lies in the bucket.
    let faulty = Faulty::start(vec![spoilt(last), spoilt(last)]);
    assert_ne!(faulty.store().await.get(&listed).await.unwrap(), whole);

    let faulty = Faulty::start(vec![spoilt(last), spoilt(last - 1)]);
    let error = faulty.store().await.get(&listed).await.unwrap_err();
    assert_eq!(error.kind, StoreErrorKind::Odd, "{error}");
    assert_eq!(error.reason, "two reads gave different bytes, both damaged");
}

#[tokio::test]
async fn refusals_have_their_kinds() {
    let refusal = |status: &str, code: &str| {
        let body = format!(
            "<Error><Code>{code}</Code><Message>no\r\nway</Message><Region>eu-west-1</Region></Error>"
        );
        Answer::whole(status, "application/xml", body.as_bytes())
    };
    let cases = [
        ("404 Not Found", "NoSuchKey", StoreErrorKind::Missing),
        ("404 Not Found", "NoSuchBucket", StoreErrorKind::NoBucket),
        ("412 Precondition Failed", "PreconditionFailed", StoreErrorKind::Changed),
        ("403 Forbidden", "InvalidObjectState", StoreErrorKind::Archived),
        ("403 Forbidden", "AccessDenied", StoreErrorKind::Denied),
        ("400 Bad Request", "ExpiredToken", StoreErrorKind::Credentials),
        ("301 Moved Permanently", "PermanentRedirect", StoreErrorKind::Config),
    ];
    for (status, code, kind) in cases {
        let faulty = Faulty::start(vec![refusal(status, code)]);
        let error = faulty.store().await.get(&object("a", "e", 1)).await.unwrap_err();
        assert_eq!(error.kind, kind, "{error}");
        let text = format!("{code}: no way; the bucket is in region eu-west-1");
        assert_eq!((error.reason, error.place.as_str()), (text, "s3://bucket/a"));
    }
}

#[tokio::test]
async fn an_answer_with_another_etag_is_a_changed_object() {
    let faulty = Faulty::start(vec![Answer::with_header("ETag: \"new\"", b"hello")]);
    let outcome = faulty.store().await.get(&object("a", "old", 5)).await;
    assert_eq!(kind_of(outcome), StoreErrorKind::Changed);
}

#[tokio::test]
async fn a_page_whose_xml_ends_early_is_asked_for_again_and_never_believed() {
    let whole = page("<IsTruncated>false</IsTruncated>", "a");
    let cut = || {
        let text = String::from_utf8(whole.bytes.clone()).unwrap();
        let (_, body) = text.split_once("\r\n\r\n").unwrap();
        xml(body.strip_suffix("</ListBucketResult>").unwrap())
    };
    let faulty = Faulty::start(vec![cut(), whole.clone()]);
    assert_eq!(keys(&faulty.store().await.list("", false).await.unwrap()), ["a"]);
    let faulty = Faulty::start(vec![cut(); 3]);
    let error = faulty.store().await.list("", false).await.unwrap_err();
    assert!(error.reason.contains("ends early"), "{error}");
    assert_eq!(faulty.served(), 3);
}

/// An HTTP server that gives prepared answers in turn, whatever is asked, one a connection.
struct Faulty {
    port: u16,
    served: Arc<AtomicUsize>,
    requests: Arc<Mutex<Vec<String>>>,
}

#[derive(Clone)]
struct Answer {
    bytes: Vec<u8>,
    end: End,
}

#[derive(Clone, Copy)]
enum End {
    Close,
    /// Send nothing more, but keep the connection until the client leaves.
    Hold,
}

impl Answer {
    fn whole(status: &str, content_type: &str, body: &[u8]) -> Self {
        Self::build(status, &format!("Content-Type: {content_type}"), body)
    }

    fn with_header(header: &str, body: &[u8]) -> Self {
        Self::build("200 OK", header, body)
    }

    fn build(status: &str, header: &str, body: &[u8]) -> Self {
        let head = format!(
            "HTTP/1.1 {status}\r\n{header}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
            body.len()
        );
        Self { bytes: [head.as_bytes(), body].concat(), end: End::Close }
    }

    /// Keeps `bytes` bytes of the body, the length header still promising all.
    fn cut_after(mut self, bytes: usize, end: End) -> Self {
        let body = self.bytes.windows(4).position(|four| four == b"\r\n\r\n").unwrap() + 4;
        self.bytes.truncate(body + bytes);
        Self { end, ..self }
    }
}

impl Faulty {
    fn start(answers: Vec<Answer>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let faulty = Self {
            port: listener.local_addr().unwrap().port(),
            served: Arc::default(),
            requests: Arc::default(),
        };
        let (served, requests) = (Arc::clone(&faulty.served), Arc::clone(&faulty.requests));
        thread::spawn(move || {
            for answer in answers {
                let (stream, _) = listener.accept().unwrap();
                let head = head_of(&stream);
                requests.lock().unwrap().push(head);
                served.fetch_add(1, Ordering::SeqCst);
                give(stream, &answer);
            }
        });
        faulty
    }

    fn options(&self) -> S3Options {
        S3Options { endpoint_url: Some(format!("http://127.0.0.1:{}", self.port)), ..quick_options() }
    }

    async fn store(&self) -> S3Store {
        S3Store::connect("bucket", &self.options()).await
    }

    fn served(&self) -> usize {
        self.served.load(Ordering::SeqCst)
    }

    fn requests(&self) -> Vec<String> {
        self.requests.lock().unwrap().clone()
    }
}

fn give(mut stream: TcpStream, answer: &Answer) {
    stream.write_all(&answer.bytes).ok();
    if let End::Hold = answer.end {
        thread::spawn(move || stream.read_to_end(&mut Vec::new()));
    }
}

/// Reads a request up to its empty line, in lower case; none of these tests sends a body.
fn head_of(mut stream: &TcpStream) -> String {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") && stream.read(&mut byte).unwrap_or(0) == 1 {
        head.push(byte[0]);
    }
    String::from_utf8_lossy(&head).to_lowercase()
}

fn xml(body: &str) -> Answer {
    ok(body, "application/xml")
}

fn ok(body: &str, content_type: &str) -> Answer {
    Answer::whole("200 OK", content_type, body.as_bytes())
}

fn page(fields: &str, key: &str) -> Answer {
    xml(&format!(
        "<ListBucketResult>{fields}<Contents><Key>{key}</Key><ETag>&quot;e&quot;</ETag><Size>1</Size>\
         <LastModified>2024-01-02T03:04:05.000Z</LastModified></Contents></ListBucketResult>"
    ))
}

fn more(token: &str, key: &str) -> Answer {
    let fields =
        format!("<IsTruncated>true</IsTruncated><NextContinuationToken>{token}</NextContinuationToken>");
    page(&fields, key)
}
