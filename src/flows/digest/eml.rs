//! A rendered mail as the bytes that are sent (RFC 5322, MIME). Everything in it is fixed by its
//! arguments, the MIME boundary included, so the same mail has the same bytes.

use std::time::{Duration, SystemTime};

use lettre::message::header::{ContentTransferEncoding, ContentType, HeaderName, HeaderValue};
use lettre::message::{Body, Message, MultiPart, SinglePart};

use super::format::{domain, slug};
use super::{DigestError, DigestSettings, Due, Mail};
use crate::edges::mail;
use gzette_core::model::UtcMs;

/// Writes a mail as bytes: ASCII, lines ending in CRLF, text and HTML as alternatives.
pub fn eml(mail: &Mail, settings: &DigestSettings, now_ms: UtcMs, due: &Due) -> Result<Vec<u8>, DigestError> {
    let date = SystemTime::UNIX_EPOCH + Duration::from_millis(now_ms.get().max(0) as u64);
    let mut builder = Message::builder()
        .from(mail::mailbox(&settings.from)?)
        .subject(&*mail.subject)
        .date(date)
        .message_id(Some(due.message_id.clone()));
    for to in &settings.to {
        builder = builder.to(mail::mailbox(to)?);
    }
    if let Some(first) = &due.replies_to {
        builder = builder.in_reply_to(first.clone()).references(first.clone());
    }
    // RFC 2919; RFC 3834, so that no vacation notice answers; the same for Exchange, which knows only its own.
    let list_id = format!("<{}.gzette.{}>", slug(&settings.name), domain(settings));
    for (name, value) in [
        (HeaderName::new_from_ascii_str("List-Id"), list_id),
        (HeaderName::new_from_ascii_str("Auto-Submitted"), "auto-generated".to_owned()),
        (HeaderName::new_from_ascii_str("X-Auto-Response-Suppress"), "All".to_owned()),
    ] {
        builder = builder.raw_header(HeaderValue::new(name, value));
    }
    let parts = MultiPart::alternative()
        .boundary(boundary(mail, due))
        .singlepart(part(ContentType::TEXT_PLAIN, &mail.text))
        .singlepart(part(ContentType::TEXT_HTML, &mail.html));
    Ok(builder.multipart(parts)?.formatted())
}

fn part(content_type: ContentType, text: &str) -> SinglePart {
    SinglePart::builder().header(content_type).body(smaller(text))
}

/// Encodes a part; lettre's choice unless base64 is smaller.
fn smaller(text: &str) -> Body {
    let chosen = Body::new(text.to_owned());
    match Body::new_with_encoding(text.to_owned(), ContentTransferEncoding::Base64) {
        Ok(base64) if base64.len() < chosen.len() => base64,
        _ => chosen,
    }
}

/// Returns a boundary that no content can hold but by breaking BLAKE3, since it depends on the content.
fn boundary(mail: &Mail, due: &Due) -> String {
    let mut hasher = blake3::Hasher::new();
    for part in [&due.message_id, &mail.subject, &mail.text, &mail.html] {
        hasher.update(&(part.len() as u64).to_le_bytes());
        hasher.update(part.as_bytes());
    }
    format!("gzette-{}", &hasher.finalize().to_hex()[..40])
}
