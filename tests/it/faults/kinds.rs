//! The faults: what each makes of an answer.

use std::fmt::Write as _;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::relay::{Answer, Asked, OWN_TOKEN, Sent, Spoil};

/// A fault.
pub(crate) struct Fault {
    pub(crate) name: &'static str,
    pub(crate) lists: bool,
    pub(crate) gets: bool,
    pub(crate) spoil: fn() -> Arc<Spoil>,
}

macro_rules! faults {
    ($($name:literal $lists:literal $gets:literal $spoil:expr;)*) => {
        /// All of them.
        pub(crate) const FAULTS: &[Fault] = &[$(Fault {
            name: $name, lists: $lists, gets: $gets, spoil: || Arc::new($spoil),
        }),*];
    };
}

faults! {
    // Pages.
    "small pages" true false small_pages();
    "other order" true false |_, answer| page(answer, |page| page.entries.reverse());
    "shuffled" true false |asked: &Asked<'_>, answer| page(answer, |page| {
        let by = asked.random as usize % page.entries.len().max(1);
        page.entries.rotate_left(by);
    });
    "entry twice" true false |_, answer| page(answer, |page| {
        page.entries.extend(page.entries.first().cloned());
        page.set("KeyCount", &page.entries.len().to_string());
    });
    "foreign entry" true false |_, answer| page(answer, |page| {
        page.entries.push(ENTRY.to_owned());
        page.set("KeyCount", &page.entries.len().to_string());
    });
    "entry without etag" true false |_, answer| page(answer, |page| {
        page.entries.push(ENTRY.replace("<ETag>&quot;e&quot;</ETag>", ""));
        page.set("KeyCount", &page.entries.len().to_string());
    });
    "entry without size" true false |_, answer| page(answer, |page| {
        page.entries.push(ENTRY.replace("<Size>1</Size>", ""));
        page.set("KeyCount", &page.entries.len().to_string());
    });
    "entries lost" true false |_, answer| page(answer, |page| page.entries.clear());
    "KeyCount too large" true false |_, answer| page(answer, |page| page.set("KeyCount", "1001"));
    "KeyCount 0" true false |_, answer| page(answer, |page| {
        page.set("KeyCount", if page.entries.is_empty() { "1" } else { "0" });
    });
    "IsTruncated missing" true false |_, answer| page(answer, |page| page.unset("IsTruncated"));
    "IsTruncated no bool" true false |_, answer| page(answer, |page| page.set("IsTruncated", "perhaps"));
    "token missing" true false |_, answer| page(answer, |page| page.set("IsTruncated", "true"));
    "token repeated" true false |_, answer| page(answer, |page| {
        page.set("IsTruncated", "true");
        page.head.push_str("<NextContinuationToken>again</NextContinuationToken>");
    });
    "empty page of another prefix" true false |_, answer| page(answer, |page| {
        page.entries.clear();
        page.set("KeyCount", "0");
        page.set("Prefix", "elsewhere/");
    });
    "XML cut" true false |asked: &Asked<'_>, mut answer| {
        answer.body.truncate(asked.random as usize % answer.body.len().max(1));
        whole(&answer)
    };
    "XML without its end" true false |_, mut answer| {
        answer.body.truncate(answer.body.len().saturating_sub(19));
        whole(&answer)
    };
    "error in a 200" true true |_, _| refusal("200 OK", "InternalError");
    "HTML in place of XML" true true |_, _| {
        whole(&Answer::new("200 OK", "text/html", "<html><body>Please log in</body></html>"))
    };
    // Refusals.
    "500 InternalError" true true |_, _| refusal("500 Internal Server Error", "InternalError");
    "503 SlowDown" true true |_, _| refusal("503 Slow Down", "SlowDown");
    "429 TooManyRequests" true true |_, _| refusal("429 Too Many Requests", "TooManyRequests");
    "502 in HTML" true true |_, _| {
        whole(&Answer::new("502 Bad Gateway", "text/html", "<html>bad gateway</html>"))
    };
    "RequestTimeout" true true |_, _| refusal("400 Bad Request", "RequestTimeout");
    "404 between list and get" false true |_, _| refusal("404 Not Found", "NoSuchKey");
    "412 between list and get" false true |_, _| refusal("412 Precondition Failed", "PreconditionFailed");
    "denied" true true |_, _| refusal("403 Forbidden", "AccessDenied");
    "archived" false true |_, _| refusal("403 Forbidden", "InvalidObjectState");
    "expired credentials" true true |_, _| refusal("400 Bad Request", "ExpiredToken");
    "clock skew" true true |_, _| refusal("403 Forbidden", "RequestTimeTooSkewed");
    "wrong region 301" true true |_, _| refusal("301 Moved Permanently", "PermanentRedirect");
    "wrong region 400" true true |_, _| refusal("400 Bad Request", "AuthorizationHeaderMalformed");
    "bucket gone" true true |_, _| refusal("404 Not Found", "NoSuchBucket");
    // The wire.
    "reset before the head" true true |_, _| pieces(vec![]);
    "reset in the head" true true |_, answer: Answer| pieces(vec![half(&answer.head())]);
    "reset after the head" true true |_, answer: Answer| pieces(vec![answer.with("Content-Length", "99").head()]);
    "no head" true true |_, answer: Answer| pieces(vec![answer.body]);
    "silence" true true |_, _| silence();
    "silence in the body" true true |_, answer: Answer| Sent { hold: true, ..pieces(vec![half(&answer.bytes())]) };
    "trickle" true true |_, answer: Answer| Sent {
        wait: Duration::from_millis(20),
        ..pieces(answer.bytes().chunks(8).map(<[u8]>::to_vec).collect())
    };
    "nothing in a 200" true true |_, answer: Answer| whole(&Answer { body: Vec::new(), ..answer });
    "short with its length" false true |_, answer: Answer| whole(&Answer { body: half(&answer.body), ..answer });
    "short without a length" false true |_, answer: Answer| {
        pieces(vec![answer.clone().with("Connection", "close").head(), half(&answer.body)])
    };
    "length too large" true true |_, answer: Answer| {
        let length = (answer.body.len() + 10).to_string();
        pieces(vec![answer.clone().with("Content-Length", &length).head(), answer.body])
    };
    "length too small" true true |_, answer: Answer| {
        let length = (answer.body.len() / 2).to_string();
        pieces(vec![answer.clone().with("Content-Length", &length).head(), answer.body])
    };
    "chunks cut" true true |_, answer: Answer| {
        let size = format!("{:x}\r\n", answer.body.len()).into_bytes();
        pieces(vec![answer.clone().with("Transfer-Encoding", "chunked").head(), size, half(&answer.body)])
    };
    "chunks without their end" true true |_, answer: Answer| {
        let size = format!("{:x}\r\n", answer.body.len()).into_bytes();
        pieces(vec![answer.clone().with("Transfer-Encoding", "chunked").head(), size, answer.body, b"\r\n".to_vec()])
    };
    "corrupt bytes" false true |asked: &Asked<'_>, mut answer: Answer| {
        let at = asked.random as usize % answer.body.len().max(1);
        if let Some(byte) = answer.body.get_mut(at) { *byte ^= 0x20; }
        whole(&answer)
    };
    "too many bytes" false true |_, mut answer: Answer| {
        answer.body.extend_from_slice(b"more");
        whole(&answer)
    };
    "wrong etag" false true |_, answer: Answer| whole(&answer.with("ETag", "\"00000000000000000000000000000000\""));
    "encoded" false true |_, answer: Answer| whole(&answer.with("Content-Encoding", "aws-chunked,gzip"));
    "206 of a part" false true |_, answer: Answer| whole(&Answer {
        status: "206 Partial Content".to_owned(), body: half(&answer.body), ..answer
    });
}

const ENTRY: &str = "<Contents><Key>elsewhere/x</Key><ETag>&quot;e&quot;</ETag><Size>1</Size>\
    <LastModified>2024-01-02T03:04:05.000Z</LastModified></Contents>";

/// A page of a listing in its parts.
struct Page {
    head: String,
    entries: Vec<String>,
}

impl Page {
    fn unset(&mut self, name: &str) {
        let (open, close) = (format!("<{name}>"), format!("</{name}>"));
        if let (Some(from), Some(to)) = (self.head.find(&open), self.head.find(&close)) {
            self.head.replace_range(from..to + close.len(), "");
        }
        self.head = self.head.replace(&format!("<{name}/>"), "").replace(&format!("<{name}></{name}>"), "");
    }

    fn set(&mut self, name: &str, value: &str) {
        self.unset(name);
        write!(self.head, "<{name}>{value}</{name}>").unwrap();
    }
}

/// Takes a page apart, changes it and puts it together again.
fn page(answer: Answer, change: impl Fn(&mut Page)) -> Sent {
    let text = String::from_utf8(answer.body.clone()).unwrap();
    let rest = text.strip_suffix("</ListBucketResult>").unwrap_or_else(|| panic!("no page: {text}"));
    let mut page = Page { head: rest.to_owned(), entries: Vec::new() };
    for name in ["Contents", "CommonPrefixes"] {
        let (open, close) = (format!("<{name}>"), format!("</{name}>"));
        while let Some(from) = page.head.find(&open) {
            let to = page.head.find(&close).unwrap() + close.len();
            page.entries.push(page.head[from..to].to_owned());
            page.head.replace_range(from..to, "");
        }
    }
    change(&mut page);
    let body = format!("{}{}</ListBucketResult>", page.head, page.entries.concat()).into_bytes();
    whole(&Answer { body, ..answer })
}

/// Cuts listings into pages of two entries, with an empty one between each.
fn small_pages() -> impl Fn(&Asked<'_>, Answer) -> Sent + Send + Sync {
    let rest: Mutex<Vec<Vec<String>>> = Mutex::default();
    move |asked, answer| {
        page(answer, |page| {
            let mut rest = rest.lock().unwrap();
            let token = asked.target.split(OWN_TOKEN).nth(1).map(|token| token.split('&').next().unwrap());
            if let Some(token) = token {
                page.entries = std::mem::take(&mut rest[token.parse::<usize>().unwrap()]);
            }
            let is_empty = rest.len() % 2 == 1 && token.is_some();
            let later = page.entries.split_off(if is_empty { 0 } else { page.entries.len().min(2) });
            page.unset("NextContinuationToken");
            page.set("IsTruncated", if later.is_empty() { "false" } else { "true" });
            page.set("KeyCount", &page.entries.len().to_string());
            if !later.is_empty() {
                page.set("NextContinuationToken", &format!("{OWN_TOKEN}{}", rest.len()));
                rest.push(later);
            }
        })
    }
}

/// Sends nothing and keeps the connection.
pub(crate) fn silence() -> Sent {
    Sent { hold: true, ..pieces(vec![]) }
}

pub(crate) fn refusal(status: &str, code: &str) -> Sent {
    let body = format!(
        "<Error><Code>{code}</Code><Message>as asked for</Message><Region>eu-west-1</Region></Error>"
    );
    whole(&Answer::new(status, "application/xml", body))
}

pub(crate) fn whole(answer: &Answer) -> Sent {
    pieces(vec![answer.clone().with("Connection", "close").bytes()])
}

fn pieces(pieces: Vec<Vec<u8>>) -> Sent {
    Sent { pieces, wait: Duration::ZERO, hold: false }
}

fn half(bytes: &[u8]) -> Vec<u8> {
    bytes[..bytes.len() / 2].to_vec()
}
