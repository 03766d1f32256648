//! What an S3 server's refusal means, and how long to wait before asking again. Plain values: a
//! status, an error code, a message; [`super::s3`] takes them out of the SDK's errors.

use std::time::Duration;

use super::{Action, Service, StoreError, StoreErrorKind};
use gzette_core::model::UtcMs;

/// One failed attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Failure {
    pub(super) kind: StoreErrorKind,
    pub(super) reason: String,
    /// Whether another attempt may fare better.
    pub(super) again: bool,
    /// What the server's clock said, where it matters.
    pub(super) server_ms: Option<UtcMs>,
}

impl Failure {
    /// Returns a failure that stays one.
    pub(super) fn lasting(kind: StoreErrorKind, reason: impl Into<String>) -> Self {
        Self { kind, reason: reason.into(), again: false, server_ms: None }
    }

    /// Returns a failure that another attempt may not meet.
    pub(super) fn passing(kind: StoreErrorKind, reason: impl Into<String>) -> Self {
        Self { again: true, ..Self::lasting(kind, reason) }
    }

    /// Returns the error to hand on.
    pub(super) fn at(self, what: Action, place: &str) -> StoreError {
        let error = StoreError::new(self.kind, Service::S3, what, place, &self.reason);
        StoreError { server_ms: self.server_ms, ..error }
    }
}

/// A server's refusal, as far as it could be read.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Refusal<'a> {
    /// The HTTP status.
    pub(super) status: u16,
    /// `<Code>`; a HEAD, a proxy or an HTML page gives none.
    pub(super) code: Option<&'a str>,
    /// `<Message>`.
    pub(super) message: Option<&'a str>,
    /// The region that the server says the bucket is in.
    pub(super) region: Option<&'a str>,
    /// What the server's clock said.
    pub(super) server_ms: Option<UtcMs>,
    /// Whether one object was asked for, so that a bare 404 means it.
    pub(super) about_object: bool,
}

/// Returns what a refusal means.
/// Codes: Amazon S3 API Reference, "Error responses".
pub(super) fn failure_of(refusal: &Refusal<'_>) -> Failure {
    let reason = reason_of(refusal);
    // The code first: a server that had begun to answer reports an error with status 200.
    let kind = kind_of_code(refusal.code.unwrap_or_default()).unwrap_or_else(|| kind_of_status(refusal));
    let again = kind == StoreErrorKind::Network;
    // Every answer has a date, but it explains only a failure that is about clocks.
    let server_ms = refusal.server_ms.filter(|_| kind == StoreErrorKind::Clock);
    Failure { kind, reason, again, server_ms }
}

fn kind_of_code(code: &str) -> Option<StoreErrorKind> {
    Some(match code {
        "NoSuchKey" | "NoSuchVersion" => StoreErrorKind::Missing,
        "PreconditionFailed" => StoreErrorKind::Changed,
        "InvalidObjectState" => StoreErrorKind::Archived,
        "NoSuchBucket" => StoreErrorKind::NoBucket,
        "ExpiredToken"
        | "ExpiredTokenException"
        | "TokenRefreshRequired"
        | "InvalidAccessKeyId"
        | "InvalidClientTokenId"
        | "InvalidToken"
        | "RequestExpired"
        | "SignatureDoesNotMatch"
        | "UnrecognizedClientException" => StoreErrorKind::Credentials,
        "RequestTimeTooSkewed" => StoreErrorKind::Clock,
        "AuthorizationHeaderMalformed"
        | "IllegalLocationConstraintException"
        | "InvalidBucketName"
        | "PermanentRedirect"
        | "Redirect"
        | "TemporaryRedirect" => StoreErrorKind::Config,
        // `RequestTimeout` has status 400, although another try helps: the connection stood idle for too
        // long.
        "InternalError"
        | "RequestTimeout"
        | "ServiceUnavailable"
        | "SlowDown"
        | "Throttling"
        | "ThrottlingException"
        | "TooManyRequests" => StoreErrorKind::Network,
        "AccessDenied" | "AllAccessDisabled" | "AccountProblem" | "KMS.DisabledException" => {
            StoreErrorKind::Denied
        }
        _ => return None,
    })
}

fn kind_of_status(refusal: &Refusal<'_>) -> StoreErrorKind {
    match refusal.status {
        200..=299 => StoreErrorKind::Odd,
        404 if refusal.about_object => StoreErrorKind::Missing,
        404 => StoreErrorKind::NoBucket,
        401 | 403 => StoreErrorKind::Denied,
        412 => StoreErrorKind::Changed,
        408 | 429 | 500..=599 => StoreErrorKind::Network,
        _ => StoreErrorKind::Config,
    }
}

fn reason_of(refusal: &Refusal<'_>) -> String {
    let status = refusal.status;
    let mut reason = match (refusal.code, refusal.message) {
        (Some(code), Some(message)) => format!("{code}: {message}"),
        (Some(code), None) => format!("{code} ({status})"),
        (None, Some(message)) => format!("status {status}: {message}"),
        (None, None) => format!("status {status}"),
    };
    if let Some(region) = refusal.region {
        reason.push_str("; the bucket is in region ");
        reason.push_str(region);
    }
    reason
}

/// Returns how long to wait after attempt number `attempt` (from 1): doubled each time up to
/// `longest`, of which a part between a half and the whole is taken by a hash of place and attempt, so
/// that parallel requests that failed together do not come back together.
pub(super) fn backoff(place: &str, attempt: u32, first: Duration, longest: Duration) -> Duration {
    // Long before the sixteenth doubling the longest wait is reached; a larger shift would overflow.
    let doubled = first.saturating_mul(1 << attempt.saturating_sub(1).min(16));
    // Spread by place instead of by chance: what failed together does not come back together, and a test can
    // tell the waits.
    let mut hasher = blake3::Hasher::new();
    hasher.update(place.as_bytes());
    hasher.update(&attempt.to_le_bytes());
    let byte = hasher.finalize().as_bytes()[0];
    doubled.min(longest).mul_f64(0.5 + f64::from(byte) / 512.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_lead_and_the_status_decides_the_rest() {
        use StoreErrorKind as Kind;
        let cases = [
            (404, Some("NoSuchKey"), Kind::Missing, false),
            (404, Some("NoSuchBucket"), Kind::NoBucket, false),
            (404, None, Kind::Missing, false),
            (412, None, Kind::Changed, false),
            (403, Some("InvalidObjectState"), Kind::Archived, false),
            (403, Some("AccessDenied"), Kind::Denied, false),
            (403, None, Kind::Denied, false),
            (403, Some("SignatureDoesNotMatch"), Kind::Credentials, false),
            (400, Some("ExpiredToken"), Kind::Credentials, false),
            (400, Some("RequestTimeout"), Kind::Network, true),
            (400, Some("Whatever"), Kind::Config, false),
            (301, Some("PermanentRedirect"), Kind::Config, false),
            (503, Some("SlowDown"), Kind::Network, true),
            (502, None, Kind::Network, true),
            (200, Some("InternalError"), Kind::Network, true),
            (200, None, Kind::Odd, false),
        ];
        for (status, code, kind, again) in cases {
            let refusal = Refusal { status, code, about_object: true, ..Refusal::default() };
            let failure = failure_of(&refusal);
            assert_eq!((failure.kind, failure.again), (kind, again), "{status} {code:?}");
        }
    }

    #[test]
    fn the_region_that_the_server_named_is_in_the_reason() {
        let refusal = Refusal {
            status: 301,
            code: Some("PermanentRedirect"),
            message: Some("use the endpoint"),
            region: Some("eu-west-1"),
            ..Refusal::default()
        };
        assert_eq!(
            failure_of(&refusal).reason,
            "PermanentRedirect: use the endpoint; the bucket is in region eu-west-1"
        );
    }

    #[test]
    fn waits_double_and_differ_between_keys() {
        let first = Duration::from_millis(100);
        let longest = Duration::from_secs(1);
        for attempt in 1..40 {
            let wait = backoff("a", attempt, first, longest);
            let full = first.saturating_mul(1 << (attempt - 1).min(16)).min(longest);
            assert!(wait >= full / 2 && wait <= full, "{attempt}: {wait:?}");
        }
        assert_ne!(
            backoff("a", 1, first, longest),
            backoff("b", 1, first, longest),
            "keys that failed together wait differently"
        );
    }
}
