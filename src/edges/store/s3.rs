//! Amazon S3 and what speaks like it. The SDK signs, sends and parses; retries, time limits and the
//! checks of what came are here, because the SDK neither retries a body that was cut half-way nor
//! limits the time of one, and takes pages of a listing as they come.

use std::error::Error as StdError;
use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use aws_config::retry::RetryConfig;
use aws_config::stalled_stream_protection::StalledStreamProtectionConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_credential_types::provider::error::CredentialsError;
use aws_sdk_s3::config::http::HttpResponse;
use aws_sdk_s3::config::interceptors::{
    AfterDeserializationInterceptorContextRef, BeforeTransmitInterceptorContextRef,
};
use aws_sdk_s3::config::{ConfigBag, Credentials, Intercept, RuntimeComponents, SharedHttpClient};
use aws_sdk_s3::error::{BoxError, ProvideErrorMetadata, SdkError};
use aws_sdk_s3::operation::get_object::GetObjectOutput;
use aws_sdk_s3::operation::list_objects_v2::ListObjectsV2Output;
use aws_sdk_s3::primitives::{ByteStream, SdkBody};
use aws_sdk_s3::types::{EncodingType, Object, ServerSideEncryption};
use aws_smithy_checksums::body::validate::Error as ChecksumError;
use aws_smithy_http_client::proxy::ProxyConfig;
use aws_smithy_http_client::tls::{Provider, rustls_provider::CryptoMode};
use aws_smithy_http_client::{Builder as HttpBuilder, Connector};
use aws_smithy_runtime_api::client::orchestrator::Metadata;
use md5::{Digest as _, Md5};
use tokio::time::timeout;

use super::count::Counter;
use super::damage::looked_through;
use super::failure::{Failure, Refusal, backoff, failure_of};
use super::memory::hex;
use super::page::{Entry, Page, Pages, unquoted};
use super::{Action, Listing, ObjectStore, PutOptions, Requests, StoreError, StoreErrorKind, StoreFuture};
use gzette_core::human::nearest;
use gzette_core::model::{ListedObject, UtcMs};

/// How long an answer may take by default.
const DEFAULT_ANSWER: Duration = Duration::from_secs(30);
/// The default region. A bucket elsewhere answers with its own region, which the error shows.
const DEFAULT_REGION: &str = "us-east-1";
/// The most memory reserved for a body before any of it came: a listing may claim any size.
const MAX_RESERVED_BYTES: u64 = 8 << 20;
/// How gzip begins.
const GZIP_MAGIC: [u8; 2] = [0x1f, 0x8b];
/// What an answer is that no S3 server gives.
const HTML_ANSWER: &str = "the answer is HTML, not S3's XML: is `endpoint_url` a web page or a login portal?";
/// The slowest upload that is waited for, in bytes a second.
const SLOWEST_UPLOAD: u64 = 32 << 10;

/// How to reach S3. What is `None` comes from the SDK's standard chain: environment (`AWS_REGION`,
/// `AWS_ENDPOINT_URL`, `AWS_PROFILE`, keys), profiles with SSO, container and instance roles.
#[derive(Clone, Debug, Default)]
pub struct S3Options {
    /// The region of the bucket.
    pub region: Option<String>,
    /// The endpoint of an S3-compatible server.
    pub endpoint_url: Option<String>,
    /// The profile of `~/.aws/config`.
    pub profile: Option<String>,
    /// The files that profiles are looked for in; only to name them.
    pub profile_files: Vec<String>,
    /// Whether the bucket goes into the path rather than the host name; `None`: it does where the
    /// endpoint's host is an IP address or has no dot.
    pub path_style: Option<bool>,
    /// Credentials in place of the standard chain's; for embedding, no configuration file holds them.
    pub credentials: Option<S3Credentials>,
    /// Time limits and retries.
    pub limits: S3Limits,
}

/// An access key. Its `Debug` does not show the secrets.
#[derive(Clone)]
pub struct S3Credentials {
    /// The access key id.
    pub access_key: String,
    /// The secret access key.
    pub secret_key: String,
    /// The token of temporary credentials.
    pub session_token: Option<String>,
}

impl fmt::Debug for S3Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("S3Credentials").field("access_key", &self.access_key).finish_non_exhaustive()
    }
}

/// How long and how often to try.
#[derive(Clone, Copy, Debug)]
pub struct S3Limits {
    /// Until a connection is established.
    pub connect: Duration,
    /// From sending a request to the head of its answer; for listings, to its end.
    pub answer: Duration,
    /// Between two pieces of a body.
    pub stall: Duration,
    /// For one object or page, all attempts and waits together.
    pub total: Duration,
    /// Attempts, the first included.
    pub attempts: u32,
    /// The wait after the first attempt; doubled after each further one.
    pub first_wait: Duration,
    /// The longest wait between attempts.
    pub longest_wait: Duration,
}

impl Default for S3Limits {
    fn default() -> Self {
        Self::with_answer(DEFAULT_ANSWER)
    }
}

impl S3Limits {
    /// Returns the limits whose times follow from how long an answer may take.
    pub fn with_answer(answer: Duration) -> Self {
        Self {
            connect: answer / 6,
            answer,
            stall: answer * 2 / 3,
            total: answer * 30,
            attempts: 5,
            first_wait: Duration::from_millis(200),
            longest_wait: Duration::from_secs(10),
        }
    }
}

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

    async fn list_all(&self, prefix: &str, delimited: bool) -> Result<Listing, StoreError> {
        let place = self.describe(prefix);
        let odd = |reason: String| StoreError::new(StoreErrorKind::Odd, Action::List, &place, &reason);
        let mut pages = Pages::new(prefix, delimited);
        let mut token = None;
        loop {
            let page = self
                .persist(Action::List, &place, || self.list_once(prefix, delimited, token.as_deref()))
                .await?;
            token = pages.add(page).map_err(odd)?;
            if token.is_none() {
                return pages.finish().map_err(odd);
            }
        }
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
            return Err(StoreError::new(StoreErrorKind::Odd, Action::Get, &place, reason));
        }
        Ok(second.bytes)
    }

    async fn get_once(&self, object: &ListedObject, matched: bool) -> Result<Body, Failure> {
        let request = self
            .client
            .get_object()
            .bucket(&self.bucket)
            .key(&object.key)
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
            let piece = timeout(self.limits.stall, stream.next())
                .await
                .map_err(|_| no_answer(self.limits.stall, "no more of the body"))?;
            let Some(piece) = piece else { break };
            let piece = piece.map_err(|error| body_failure(&error))?;
            self.counter.received(piece.len());
            md5.update(&piece);
            body.extend_from_slice(&piece);
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
        let all = Box::pin(self.persist_without_limit(place, attempt));
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
        Box::pin(self.list_all(prefix, delimited))
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

    fn requests(&self) -> Requests {
        self.counter.requests()
    }

    fn describe(&self, key: &str) -> String {
        format!("s3://{}/{key}", self.bucket)
    }
}

/// Counts requests at the moment they are sent: what fails before that costs nothing.
#[derive(Debug)]
struct CountSent(Arc<Counter>);

impl Intercept for CountSent {
    fn name(&self) -> &'static str {
        "CountSent"
    }

    fn read_before_transmit(
        &self,
        _context: &BeforeTransmitInterceptorContextRef<'_>,
        _components: &RuntimeComponents,
        config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        match config.load::<Metadata>().map(Metadata::name) {
            Some("ListObjectsV2") => self.0.list(),
            Some("GetObject") => self.0.get(),
            _ => self.0.put(),
        }
        Ok(())
    }
}

/// Refuses a page of a listing whose XML ends early: the SDK takes what it read until then as all.
#[derive(Debug)]
struct WholePage;

impl Intercept for WholePage {
    fn name(&self) -> &'static str {
        "WholePage"
    }

    fn read_after_deserialization(
        &self,
        context: &AfterDeserializationInterceptorContextRef<'_>,
        _components: &RuntimeComponents,
        config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let listing = config.load::<Metadata>().is_some_and(|metadata| metadata.name() == "ListObjectsV2");
        let answer = context.response();
        let body = answer.body().bytes().unwrap_or_default().trim_ascii_end();
        if listing && context.output_or_error().is_ok() && !body.ends_with(b"ListBucketResult>") {
            return Err("the page ends early".into());
        }
        Ok(())
    }
}

async fn load_config(options: &S3Options) -> SdkConfig {
    let timeouts = TimeoutConfig::builder().connect_timeout(options.limits.connect);
    let mut loader = aws_config::defaults(BehaviorVersion::latest())
        .http_client(http_client())
        // Attempts are counted and spaced by `persist`, which sees the body as well.
        .retry_config(RetryConfig::disabled())
        .stalled_stream_protection(StalledStreamProtectionConfig::disabled())
        .timeout_config(timeouts.build());
    if let Some(profile) = &options.profile {
        loader = loader.profile_name(profile);
    }
    if let Some(region) = &options.region {
        loader = loader.region(Region::new(region.clone()));
    }
    if let Some(endpoint_url) = &options.endpoint_url {
        loader = loader.endpoint_url(endpoint_url);
    }
    if let Some(keys) = &options.credentials {
        let token = keys.session_token.clone();
        loader = loader.credentials_provider(Credentials::new(
            &keys.access_key,
            &keys.secret_key,
            token,
            None,
            "given",
        ));
    }
    let shared = loader.load().await;
    if shared.region().is_some() {
        return shared;
    }
    shared.into_builder().region(Region::from_static(DEFAULT_REGION)).build()
}

/// Returns what is wrong with the profile that the options or `AWS_PROFILE` name, if no file has it.
#[expect(clippy::default_trait_access, reason = "the types are of crates that nothing else here needs")]
async fn profile_fault(options: &S3Options) -> Option<String> {
    let named = options.profile.clone().map(Into::into);
    let (fs, env, files) = (&Default::default(), &Default::default(), &Default::default());
    let profiles = aws_config::profile::load(fs, env, files, named).await.ok()?;
    let wanted = profiles.selected_profile();
    // The default profile need not exist.
    if wanted == "default" || profiles.get_profile(wanted).is_some() {
        return None;
    }
    let mut known: Vec<&str> = profiles.profiles().collect();
    known.sort_unstable();
    let there = match nearest(wanted, known.iter().copied()) {
        _ if known.is_empty() => "there is none".to_owned(),
        Some(near) => format!("did you mean `{near}`? There are {}", known.join(", ")),
        None => format!("there are {}", known.join(", ")),
    };
    let files = if options.profile_files.is_empty() {
        "the AWS configuration".to_owned()
    } else {
        options.profile_files.join(" and ")
    };
    Some(format!("found no AWS profile `{wanted}` in {files}; {there}"))
}

/// Returns a client on rustls with ring, the one TLS stack of this program, through the proxy that the
/// environment names.
fn http_client() -> SharedHttpClient {
    HttpBuilder::new().build_with_connector_fn(|settings, components| {
        let mut builder = Connector::builder().proxy_config(ProxyConfig::from_env());
        builder.set_connector_settings(settings.cloned());
        if let Some(components) = components {
            builder.set_sleep_impl(components.sleep_impl());
        }
        builder.tls_provider(Provider::Rustls(CryptoMode::Ring)).build()
    })
}

/// Returns whether the host of an endpoint cannot carry a bucket's name in front: `localhost`, the name
/// of a container, an IP address.
fn needs_path_style(endpoint_url: &str) -> bool {
    let rest = endpoint_url.split_once("://").map_or(endpoint_url, |(_, rest)| rest);
    let authority = rest.split('/').next().unwrap_or_default();
    if authority.starts_with('[') {
        return true;
    }
    let host = authority.split(':').next().unwrap_or_default();
    host.parse::<IpAddr>().is_ok() || !host.contains('.')
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
        modified_ms: object.last_modified.and_then(|time| time.to_millis().ok()),
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
/// have etags that look like an MD5 and are none (Amazon S3 API Reference, "Object").
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

/// Waits for an answer and says what a refusal means.
async fn answered<T, E>(
    request: impl Future<Output = Result<T, SdkError<E, HttpResponse>>>,
    limit: Duration,
    about_object: bool,
) -> Result<T, Failure>
where
    E: ProvideErrorMetadata + StdError + 'static,
{
    match timeout(limit, request).await {
        Err(_) => Err(no_answer(limit, "no answer")),
        Ok(Err(error)) => Err(explain(&error, about_object)),
        Ok(Ok(answer)) => Ok(answer),
    }
}

fn explain<E>(error: &SdkError<E, HttpResponse>, about_object: bool) -> Failure
where
    E: ProvideErrorMetadata + StdError + 'static,
{
    let cause = root_cause(error);
    match error {
        SdkError::ConstructionFailure(_) => unsent(error, &cause),
        // An answer that ends before its head counts as "other", like missing credentials.
        SdkError::DispatchFailure(failure)
            if (failure.is_other() || failure.is_user()) && find::<hyper::Error>(error).is_none() =>
        {
            unsent(error, &cause)
        }
        SdkError::ServiceError(context) => refused(context.raw(), context.err(), &cause, about_object),
        SdkError::ResponseError(context) if is_html(context.raw()) => {
            Failure::lasting(StoreErrorKind::Odd, HTML_ANSWER)
        }
        SdkError::ResponseError(_) => {
            Failure::passing(StoreErrorKind::Network, format!("the answer was cut: {}", plain(&cause)))
        }
        _ => Failure::passing(StoreErrorKind::Network, cause),
    }
}

/// Whether an answer is a page for people.
fn is_html(answer: &HttpResponse) -> bool {
    let body = answer.body().bytes().unwrap_or_default().trim_ascii_start();
    let begins =
        |text: &str| body.get(..text.len()).is_some_and(|begin| begin.eq_ignore_ascii_case(text.as_bytes()));
    begins("<!doctype html") || begins("<html")
}

/// Returns what the SDK says of an answer, unless it is its own data structures.
fn plain(cause: &str) -> &str {
    if cause.contains(['{', '(']) { "it is not the XML of S3" } else { cause }
}

/// What kept a request from being sent: there is nothing to sign it with, or the configuration makes no request.
fn unsent(error: &(dyn StdError + 'static), cause: &str) -> Failure {
    match find(error) {
        // The rest of the SDK's message lists where it looked, which does not help users.
        Some(CredentialsError::CredentialsNotLoaded(_)) => {
            Failure::lasting(StoreErrorKind::Credentials, "no AWS credentials were found")
        }
        Some(_) => Failure::lasting(StoreErrorKind::Credentials, cause),
        None => Failure::lasting(StoreErrorKind::Config, cause),
    }
}

/// Returns the error of one type in a chain of errors: the SDK wraps what its layers say.
fn find<'e, E: StdError + 'static>(error: &'e (dyn StdError + 'static)) -> Option<&'e E> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(found) = error.downcast_ref() {
            return Some(found);
        }
        next = error.source();
    }
    None
}

fn refused<E: ProvideErrorMetadata>(
    answer: &HttpResponse,
    error: &E,
    cause: &str,
    about_object: bool,
) -> Failure {
    if is_html(answer) && answer.status().is_success() {
        return Failure::lasting(StoreErrorKind::Odd, HTML_ANSWER);
    }
    let body = String::from_utf8_lossy(answer.body().bytes().unwrap_or_default());
    let said = if is_html(answer) { HTML_ANSWER } else { plain(cause) };
    let region =
        answer.headers().get("x-amz-bucket-region").or_else(|| between(&body, "<Region>", "</Region>"));
    failure_of(&Refusal {
        status: answer.status().as_u16(),
        code: error.code(),
        message: error.message().or(error.code().is_none().then_some(said)),
        region,
        server_ms: answer.headers().get("date").and_then(http_date),
        about_object,
    })
}

/// Reads a date of HTTP (RFC 9110, section 5.6.7).
fn http_date(text: &str) -> Option<UtcMs> {
    let date = jiff::fmt::rfc2822::DateTimeParser::new().relaxed_weekday(true).parse_timestamp(text).ok()?;
    Some(date.as_millisecond())
}

fn between<'a>(text: &'a str, start: &str, end: &str) -> Option<&'a str> {
    let rest = &text[text.find(start)? + start.len()..];
    rest.find(end).map(|at| &rest[..at])
}

/// A checksum that the server sent with the body is compared by the SDK while the body is read.
fn body_failure(error: &(dyn StdError + 'static)) -> Failure {
    let cause = root_cause(error);
    let is_mismatch = find::<ChecksumError>(error).is_some();
    let kind = if is_mismatch { StoreErrorKind::Odd } else { StoreErrorKind::Network };
    Failure::passing(kind, format!("the body was cut: {cause}"))
}

fn no_answer(limit: Duration, what: &str) -> Failure {
    Failure::passing(StoreErrorKind::Network, format!("{what} within {limit:?}"))
}

/// Returns the last of a chain of errors, which says most: `connection refused`, not `dispatch failure`.
fn root_cause(error: &(dyn StdError + 'static)) -> String {
    let mut last = error;
    while let Some(source) = last.source() {
        last = source;
    }
    last.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_of_http_are_read() {
        assert_eq!(http_date("Sun, 06 Nov 1994 08:49:37 GMT"), Some(784_111_777_000));
        assert_eq!(http_date("yesterday"), None);
    }

    #[test]
    fn hosts_that_cannot_carry_a_bucket_get_it_in_the_path() {
        for url in [
            "http://127.0.0.1:8333",
            "http://[::1]:8333/",
            "http://localhost:9000",
            "http://minio:9000",
            "localhost",
        ] {
            assert!(needs_path_style(url), "{url}");
        }
        for url in ["https://s3.eu-west-1.amazonaws.com", "https://fra1.example.com/"] {
            assert!(!needs_path_style(url), "{url}");
        }
    }

    #[test]
    fn secrets_are_not_shown() {
        let keys = S3Credentials {
            access_key: "AK".to_owned(),
            secret_key: "hidden".to_owned(),
            session_token: Some("hidden too".to_owned()),
        };
        let options = S3Options { credentials: Some(keys), ..S3Options::default() };
        let shown = format!("{options:?}");
        assert!(shown.contains("AK") && !shown.contains("hidden"), "{shown}");
    }
}
