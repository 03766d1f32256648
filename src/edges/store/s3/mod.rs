//! Amazon S3 and what speaks like it. The SDK signs, sends and parses; retries, time limits and the
//! checks of what came are here, because the SDK neither retries a body that was cut half-way nor
//! limits the time of one, and takes pages of a listing as they come.

mod client;
mod failures;
mod options;

use std::sync::Arc;
use std::time::Duration;

use aws_sdk_s3::error::SdkError;
use aws_sdk_s3::operation::get_object::GetObjectOutput;
use aws_sdk_s3::operation::list_objects_v2::ListObjectsV2Output;
use aws_sdk_s3::primitives::{ByteStream, SdkBody};
use aws_sdk_s3::types::{EncodingType, Object, ServerSideEncryption};
use md5::{Digest as _, Md5};
use tokio::time::timeout;

use self::client::{CountSent, WholePage, load_config, needs_path_style, profile_fault};
use self::failures::{answered, body_failure, no_answer};
pub use self::options::{S3Credentials, S3Limits, S3Options};
use super::count::Counter;
use super::damage::looked_through;
use super::failure::{Failure, backoff};
use super::memory::hex;
use super::page::{Entry, Page, Pages, unquoted};
use super::{Action, Listing, ObjectStore, PutOptions, Service, StoreError, StoreErrorKind, StoreFuture};
use gzette_core::model::{ListedObject, Requests, UtcMs};

/// The most memory reserved for a body before any of it came: a listing may claim any size.
const MAX_RESERVED_BYTES: u64 = 8 << 20;
/// How gzip begins.
const GZIP_MAGIC: [u8; 2] = [0x1f, 0x8b];
/// The slowest upload that is waited for, in bytes a second.
const SLOWEST_UPLOAD: u64 = 32 << 10;

/// A bucket.
#[derive(Clone)]
pub struct S3Store {
    client: aws_sdk_s3::Client,
    bucket: String,
    limits: S3Limits,
    counter: Arc<Counter>,
    /// What is wrong with the requested profile.
    profile_fault: Option<Arc<str>>,
}

impl S3Store {
    /// Reads the standard chain's configuration; sends nothing to the bucket yet.
    pub async fn connect(bucket: &str, options: &S3Options) -> Self {
        let shared = load_config(options).await;
        let endpoint_url = options.endpoint_url.as_deref().or_else(|| shared.endpoint_url());
        let path_style = options.path_style.unwrap_or_else(|| endpoint_url.is_some_and(needs_path_style));
        let counter = Arc::new(Counter::default());
        let config = aws_sdk_s3::config::Builder::from(&shared)
            .force_path_style(path_style)
            .interceptor(CountSent(Arc::clone(&counter)))
            .interceptor(WholePage)
            .build();
        Self {
            client: aws_sdk_s3::Client::from_conf(config),
            bucket: bucket.to_owned(),
            limits: options.limits,
            counter,
            profile_fault: profile_fault(options).await.map(Arc::from),
        }
    }

    /// Creates the bucket; it is not an error if one's own bucket exists already.
    pub async fn create_bucket(&self) -> Result<(), StoreError> {
        let place = self.describe("");
        self.persist(Action::Create, &place, || self.create_bucket_once()).await
    }

    async fn create_bucket_once(&self) -> Result<(), Failure> {
        let request = self.client.create_bucket().bucket(&self.bucket).send();
        let made = async {
            match request.await {
                Err(SdkError::ServiceError(context)) if context.err().is_bucket_already_owned_by_you() => {
                    Ok(())
                }
                other => other.map(drop),
            }
        };
        Box::pin(answered(made, self.limits.answer, false)).await
    }

    /// Lists a prefix; returns `None` when more than `most_pages` are needed.
    async fn list_pages(
        &self,
        prefix: &str,
        delimited: bool,
        most_pages: u64,
    ) -> Result<Option<Listing>, StoreError> {
        let place = self.describe(prefix);
        let odd = |reason: String| {
            StoreError::new(StoreErrorKind::Odd, self.service(), Action::List, &place, &reason)
        };
        let mut pages = Pages::new(prefix, delimited);
        let mut token = None;
        for _ in 0..most_pages {
            let page = self
                .persist(Action::List, &place, || self.list_once(prefix, delimited, token.as_deref()))
                .await?;
            token = pages.add(page).map_err(odd)?;
            if token.is_none() {
                return pages.finish().map(Some).map_err(odd);
            }
        }
        Ok(None)
    }

    async fn list_once(&self, prefix: &str, delimited: bool, token: Option<&str>) -> Result<Page, Failure> {
        let request = self
            .client
            .list_objects_v2()
            .bucket(&self.bucket)
            .prefix(prefix)
            .set_delimiter(delimited.then(|| "/".to_owned()))
            .set_continuation_token(token.map(str::to_owned))
            // Without it, XML cannot represent keys with control characters.
            .encoding_type(EncodingType::Url)
            .send();
        answered(request, self.limits.answer, false).await.map(page_of)
    }

    /// Reads an object; a damaged one that nothing vouches for is read twice, as damage in the bucket and damage on
    /// the way look alike.
    /// Without `matched`, only gzip's own checksum counts for whole.
    async fn get_checked(&self, object: &ListedObject, matched: bool) -> Result<Vec<u8>, StoreError> {
        let place = self.describe(&object.key);
        let first = self.persist(Action::Get, &place, || self.get_once(object, matched)).await?;
        if first.is_checked {
            return Ok(first.bytes);
        }
        let first = looked_through(first.bytes).await;
        if !first.is_damaged && (matched || first.bytes.starts_with(&GZIP_MAGIC)) {
            return Ok(first.bytes);
        }
        let second = self.persist(Action::Get, &place, || self.get_once(object, matched)).await?;
        // Twice the same bytes: the damage is in the bucket, and is counted as what the object holds.
        if second.bytes == first.bytes {
            return Ok(second.bytes);
        }
        let second = looked_through(second.bytes).await;
        if second.is_damaged || !matched {
            let reason = if matched {
                "two reads gave different bytes, both damaged"
            } else {
                "two reads gave different bytes, and no checksum says which are right"
            };
            return Err(StoreError::new(StoreErrorKind::Odd, self.service(), Action::Get, &place, reason));
        }
        Ok(second.bytes)
    }

    async fn get_once(&self, object: &ListedObject, matched: bool) -> Result<Body, Failure> {
        let request = self
            .client
            .get_object()
            .bucket(&self.bucket)
            .key(object.key.as_str())
            .set_if_match(matched.then(|| quoted(&object.etag)))
            .send();
        let mut answer = answered(request, self.limits.answer, true).await?;
        if matched && answer.e_tag().is_some_and(|etag| unquoted(etag) != object.etag) {
            return Err(Failure::lasting(StoreErrorKind::Changed, "the etag differs"));
        }
        let stream = std::mem::take(&mut answer.body);
        let (bytes, md5) = self.collect(stream, object.size_bytes).await?;
        let is_checked = match check_md5(&answer, object, &md5) {
            Err(failure) if matched => return Err(failure),
            is_equal => is_equal.unwrap_or(false) || has_checksum(&answer),
        };
        Ok(Body { bytes, is_checked })
    }

    /// Reads a body to its end; returns it and its MD5 in hexadecimal digits.
    async fn collect(&self, mut stream: ByteStream, size_bytes: u64) -> Result<(Vec<u8>, String), Failure> {
        let mut body = Vec::with_capacity(size_bytes.min(MAX_RESERVED_BYTES) as usize);
        let mut md5 = Md5::new();
        loop {
            // A limit for each wait, not for the body: a slow line is fine, a dead one is not.
            let piece = timeout(self.limits.stall, stream.next())
                .await
                .map_err(|_| no_answer(self.limits.stall, "no more of the body"))?;
            let Some(piece) = piece else { break };
            let piece = piece.map_err(|error| body_failure(&error))?;
            self.counter.received(piece.len());
            md5.update(&piece);
            body.extend_from_slice(&piece);
            // A body without an end must not fill the memory.
            if body.len() as u64 > size_bytes {
                break;
            }
        }
        if body.len() as u64 == size_bytes {
            Ok((body, hex(&md5.finalize())))
        } else {
            let more = if body.len() as u64 > size_bytes { "or more " } else { "" };
            let reason = format!("received {} {more}bytes, but {size_bytes} were listed", body.len());
            Err(Failure::passing(StoreErrorKind::Odd, reason))
        }
    }

    async fn put_once(&self, key: &str, body: &SdkBody, options: &PutOptions) -> Result<(), Failure> {
        let size_bytes = body.content_length().unwrap_or(0);
        // An attempt uses up its body; bytes in memory are shared, not copied.
        let body = body
            .try_clone()
            .ok_or_else(|| Failure::lasting(StoreErrorKind::Local, "the body cannot be sent again"))?;
        self.counter.sent(size_bytes as usize);
        let request = self
            .client
            .put_object()
            .bucket(&self.bucket)
            .key(key)
            .content_type(&options.content_type)
            .set_content_encoding(options.content_encoding.clone())
            .set_cache_control(options.cache_control.clone())
            .body(ByteStream::new(body))
            .send();
        let limit = self.limits.answer + Duration::from_secs(size_bytes / SLOWEST_UPLOAD);
        Box::pin(answered(request, limit, false)).await.map(drop)
    }

    async fn delete_once(&self, key: &str) -> Result<(), Failure> {
        let request = self.client.delete_object().bucket(&self.bucket).key(key).send();
        match answered(request, self.limits.answer, true).await {
            // Some servers refuse to delete what is not there, and a delete whose answer was lost has worked.
            Err(failure) if failure.kind == StoreErrorKind::Missing => Ok(()),
            other => other.map(drop),
        }
    }

    /// Tries until it works, fails for good, or the attempts or the time are used up.
    async fn persist<T, F, Fut>(&self, what: Action, place: &str, attempt: F) -> Result<T, StoreError>
    where
        F: FnMut() -> Fut + Send,
        Fut: Future<Output = Result<T, Failure>> + Send,
        T: Send,
    {
        // Boxed, because the SDK's futures are large, and every future that awaits them would be as large.
        let all = Box::pin(self.persist_without_limit(place, attempt));
        // Attempts that each keep to their limits could together still hold up a run.
        let outcome = timeout(self.limits.total, all).await;
        let late = |_| Err(no_answer(self.limits.total, "not complete"));
        outcome.unwrap_or_else(late).map_err(|failure| self.with_profile(failure).at(what, place))
    }

    /// Lack of credentials comes from the profile, if that is wrong: the SDK looked on, and says what it met last.
    fn with_profile(&self, failure: Failure) -> Failure {
        match &self.profile_fault {
            Some(fault) if failure.kind == StoreErrorKind::Credentials => {
                Failure { reason: fault.to_string(), ..failure }
            }
            _ => failure,
        }
    }

    async fn persist_without_limit<T, F, Fut>(&self, place: &str, mut attempt: F) -> Result<T, Failure>
    where
        F: FnMut() -> Fut + Send,
        Fut: Future<Output = Result<T, Failure>> + Send,
        T: Send,
    {
        let limits = &self.limits;
        let mut number = 1;
        loop {
            match Box::pin(attempt()).await {
                Err(failure) if failure.again && number < limits.attempts => {
                    let wait = backoff(place, number, limits.first_wait, limits.longest_wait);
                    tokio::time::sleep(wait).await;
                    number += 1;
                }
                outcome => return outcome,
            }
        }
    }
}

impl ObjectStore for S3Store {
    fn list<'a>(&'a self, prefix: &'a str, delimited: bool) -> StoreFuture<'a, Listing> {
        Box::pin(async move {
            // There is no end to the pages that it may take.
            Ok(self.list_pages(prefix, delimited, u64::MAX).await?.unwrap_or_default())
        })
    }

    fn list_within<'a>(&'a self, prefix: &'a str, most_pages: u64) -> StoreFuture<'a, Option<Listing>> {
        Box::pin(self.list_pages(prefix, false, most_pages))
    }

    fn get<'a>(&'a self, object: &'a ListedObject) -> StoreFuture<'a, Vec<u8>> {
        Box::pin(self.get_checked(object, true))
    }

    fn get_unmatched<'a>(&'a self, object: &'a ListedObject) -> StoreFuture<'a, Vec<u8>> {
        Box::pin(self.get_checked(object, false))
    }

    fn put<'a>(&'a self, key: &'a str, body: Vec<u8>, options: &'a PutOptions) -> StoreFuture<'a, ()> {
        Box::pin(async move {
            let place = self.describe(key);
            let body = SdkBody::from(body);
            self.persist(Action::Put, &place, || self.put_once(key, &body, options)).await
        })
    }

    fn delete<'a>(&'a self, key: &'a str) -> StoreFuture<'a, ()> {
        Box::pin(async move {
            let place = self.describe(key);
            self.persist(Action::Delete, &place, || self.delete_once(key)).await
        })
    }

    fn service(&self) -> Service {
        Service::S3
    }

    fn requests(&self) -> Requests {
        self.counter.requests()
    }

    fn describe(&self, key: &str) -> String {
        format!("s3://{}/{key}", self.bucket)
    }
}

fn quoted(etag: &str) -> String {
    if etag.starts_with("W/") { etag.to_owned() } else { format!("\"{etag}\"") }
}

fn page_of(answer: ListObjectsV2Output) -> Page {
    Page {
        key_count: answer.key_count.map(i64::from),
        prefix: answer.prefix,
        truncated: answer.is_truncated,
        next_token: answer.next_continuation_token,
        url_encoded: answer.encoding_type == Some(EncodingType::Url),
        entries: answer.contents.unwrap_or_default().into_iter().map(entry_of).collect(),
        prefixes: answer
            .common_prefixes
            .unwrap_or_default()
            .into_iter()
            .map(|common| common.prefix)
            .collect(),
    }
}

fn entry_of(object: Object) -> Entry {
    Entry {
        key: object.key,
        etag: object.e_tag,
        size_bytes: object.size,
        modified_ms: object.last_modified.and_then(|time| time.to_millis().ok().map(UtcMs::new)),
    }
}

/// The body of an object.
struct Body {
    bytes: Vec<u8>,
    /// Whether an MD5 or a checksum says that these are the stored bytes.
    is_checked: bool,
}

/// Whether the answer has a checksum of the whole body, which the SDK has then compared. For an object uploaded in
/// parts it may be a checksum of the parts' checksums, with their number after a dash: nothing compares that one.
fn has_checksum(answer: &GetObjectOutput) -> bool {
    let checksums = [
        answer.checksum_crc64_nvme(),
        answer.checksum_crc32(),
        answer.checksum_crc32_c(),
        answer.checksum_sha1(),
        answer.checksum_sha256(),
    ];
    checksums.into_iter().flatten().any(|checksum| !checksum.contains('-'))
}

/// Compares the MD5 with the etag, where the etag is one; returns whether it is. Objects encrypted with KMS or customer keys
/// have etags that look like an MD5 and are not (Amazon S3 API Reference, "Object").
fn check_md5(answer: &GetObjectOutput, object: &ListedObject, md5: &str) -> Result<bool, Failure> {
    let is_md5 = object.etag.len() == 32 && object.etag.bytes().all(|byte| byte.is_ascii_hexdigit());
    let encrypted = answer.sse_customer_algorithm().is_some()
        || matches!(
            answer.server_side_encryption(),
            Some(ServerSideEncryption::AwsKms | ServerSideEncryption::AwsKmsDsse)
        );
    if !is_md5 || encrypted {
        return Ok(false);
    }
    if object.etag.eq_ignore_ascii_case(md5) {
        return Ok(true);
    }
    let reason = format!("the body's MD5 is {md5}, the etag {}", object.etag);
    Err(Failure::passing(StoreErrorKind::Odd, reason))
}
