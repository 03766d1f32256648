//! What went wrong with a request, told from the errors of the SDK.

use std::error::Error as StdError;
use std::time::Duration;

use aws_credential_types::provider::error::CredentialsError;
use aws_sdk_s3::config::http::HttpResponse;
use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use aws_smithy_checksums::body::validate::Error as ChecksumError;
use tokio::time::timeout;

use crate::edges::store::StoreErrorKind;
use crate::edges::store::failure::{Failure, Refusal, failure_of};
use gzette_core::model::UtcMs;

/// What an answer is that no S3 server gives.
const HTML_ANSWER: &str = "the answer is HTML, not S3's XML: is `endpoint_url` a web page or a login portal?";

/// Waits for an answer and says what a refusal means.
pub(super) async fn answered<T, E>(
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
    // A server with a wrong weekday may still have the right time.
    let date = jiff::fmt::rfc2822::DateTimeParser::new().relaxed_weekday(true).parse_timestamp(text).ok()?;
    Some(date.into())
}

fn between<'a>(text: &'a str, start: &str, end: &str) -> Option<&'a str> {
    let rest = &text[text.find(start)? + start.len()..];
    rest.find(end).map(|at| &rest[..at])
}

/// A checksum that the server sent with the body is compared by the SDK while the body is read.
pub(super) fn body_failure(error: &(dyn StdError + 'static)) -> Failure {
    let cause = root_cause(error);
    let is_mismatch = find::<ChecksumError>(error).is_some();
    let kind = if is_mismatch { StoreErrorKind::Odd } else { StoreErrorKind::Network };
    Failure::passing(kind, format!("the body was cut: {cause}"))
}

pub(super) fn no_answer(limit: Duration, what: &str) -> Failure {
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
        assert_eq!(http_date("Sun, 06 Nov 1994 08:49:37 GMT"), Some(UtcMs::new(784_111_777_000)));
        assert_eq!(http_date("yesterday"), None);
    }
}
