//! Submission to Amazon SES by its v2 API, with the standard AWS credential chain: on EC2 the instance's
//! role, so no password is kept anywhere.

use std::error::Error;
use std::time::Duration;

use aws_config::BehaviorVersion;
use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_credential_types::provider::error::CredentialsError;
use aws_sdk_sesv2::Client;
use aws_sdk_sesv2::config::Credentials;
use aws_sdk_sesv2::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_sesv2::operation::send_email::SendEmailError;
use aws_sdk_sesv2::primitives::Blob;
use aws_sdk_sesv2::types::{Destination, EmailContent, RawMessage};
use aws_smithy_http_client::tls;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;

use super::{Letter, MailError, MailErrorKind, MailFuture, MailOptions, Receipt, Transport, TransportKind};

const CONNECT_LIMIT: Duration = Duration::from_secs(30);
const ANSWER_LIMIT: Duration = Duration::from_mins(1);

/// Sends mails through SES.
pub struct SesTransport {
    client: Client,
    place: String,
}

impl SesTransport {
    /// Returns a transport by the environment's AWS settings and those of `options`. Nothing is sent yet.
    pub async fn connect(options: &MailOptions) -> Self {
        let http = aws_smithy_http_client::Builder::new()
            .tls_provider(tls::Provider::Rustls(tls::rustls_provider::CryptoMode::Ring))
            .build_https();
        let limits =
            TimeoutConfig::builder().connect_timeout(CONNECT_LIMIT).operation_timeout(ANSWER_LIMIT).build();
        let mut loader =
            aws_config::defaults(BehaviorVersion::latest()).http_client(http).timeout_config(limits);
        if let Some(region) = &options.region {
            loader = loader.region(aws_config::Region::new(region.clone()));
        }
        if let Some(profile) = &options.profile {
            loader = loader.profile_name(profile);
        }
        if let Some(url) = &options.endpoint_url {
            loader = loader.endpoint_url(url);
        }
        if let Some(keys) = &options.credentials {
            let (id, secret) = (&keys.access_key_id, &keys.secret_access_key);
            loader = loader.credentials_provider(Credentials::new(id, secret, None, None, "gzette"));
        }
        let shared = loader.load().await;
        let place = match shared.region() {
            Some(region) => format!("ses {region}"),
            None => "ses".to_owned(),
        };
        // The outbox tries again, with a count; the SDK doing so as well would only make copies.
        let config =
            aws_sdk_sesv2::config::Builder::from(&shared).retry_config(RetryConfig::disabled()).build();
        Self { client: Client::from_conf(config), place }
    }

    async fn submit(&self, letter: Letter<'_>) -> Result<(), MailError> {
        let message = RawMessage::builder()
            .data(Blob::new(letter.eml))
            .build()
            .map_err(|error| self.error(MailErrorKind::Config, &error.to_string()))?;
        let destination = Destination::builder().set_to_addresses(Some(letter.to.to_vec())).build();
        self.client
            .send_email()
            .from_email_address(letter.from)
            .destination(destination)
            .content(EmailContent::builder().raw(message).build())
            .send()
            .await
            .map(|_| ())
            .map_err(|error| self.explain(&error))
    }

    fn explain(&self, error: &SdkError<SendEmailError, HttpResponse>) -> MailError {
        let Some(service) = error.as_service_error() else {
            let kind = match error {
                SdkError::ConstructionFailure(_) => MailErrorKind::Config,
                // A request that never left and met neither the network nor a limit could not be signed.
                SdkError::DispatchFailure(failure) if !failure.is_io() && !failure.is_timeout() => {
                    MailErrorKind::Auth
                }
                _ => MailErrorKind::Network,
            };
            return self.error(kind, &reason_of(error));
        };
        let code = service.code().unwrap_or("unknown error");
        let kind = match code {
            "AccessDeniedException" => MailErrorKind::Denied,
            "UnrecognizedClientException"
            | "InvalidClientTokenId"
            | "InvalidSignatureException"
            | "SignatureDoesNotMatch"
            | "ExpiredTokenException"
            | "MissingAuthenticationTokenException" => MailErrorKind::Auth,
            _ => MailErrorKind::Refused,
        };
        let said = match (service.message(), service.source()) {
            (Some(message), _) => message.to_owned(),
            (None, Some(source)) => source.to_string(),
            (None, None) => service.to_string(),
        };
        self.error(kind, &format!("{code}: {said}"))
    }

    fn error(&self, kind: MailErrorKind, reason: &str) -> MailError {
        MailError::new(kind, Some(TransportKind::Ses), &self.place, reason)
    }
}

/// Returns the last of a chain of errors, which says most; for a chain of credentials that has none, not where
/// it looked.
fn reason_of(error: &(dyn Error + 'static)) -> String {
    let mut last = error;
    loop {
        if let Some(CredentialsError::CredentialsNotLoaded(_)) = last.downcast_ref() {
            return "no AWS credentials were found".to_owned();
        }
        match last.source() {
            Some(source) => last = source,
            None => return last.to_string(),
        }
    }
}

impl Transport for SesTransport {
    fn send<'a>(&'a self, letter: Letter<'a>) -> MailFuture<'a> {
        Box::pin(async move { self.submit(letter).await.map(|()| Receipt::default()) })
    }

    fn describe(&self) -> String {
        self.place.clone()
    }
}
