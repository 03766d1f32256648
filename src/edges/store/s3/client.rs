//! The SDK's client: its configuration, and what watches its requests and answers.

use std::net::IpAddr;
use std::sync::Arc;

use aws_config::retry::RetryConfig;
use aws_config::stalled_stream_protection::StalledStreamProtectionConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_sdk_s3::config::interceptors::{
    AfterDeserializationInterceptorContextRef, BeforeTransmitInterceptorContextRef,
};
use aws_sdk_s3::config::{ConfigBag, Credentials, Intercept, RuntimeComponents, SharedHttpClient};
use aws_sdk_s3::error::BoxError;
use aws_smithy_http_client::proxy::ProxyConfig;
use aws_smithy_http_client::tls::{Provider, rustls_provider::CryptoMode};
use aws_smithy_http_client::{Builder as HttpBuilder, Connector};
use aws_smithy_runtime_api::client::orchestrator::Metadata;

use super::options::S3Options;
use crate::edges::store::count::Counter;
use gzette_core::human::nearest;

/// The default region. A bucket elsewhere answers with its own region, which the error shows.
const DEFAULT_REGION: &str = "us-east-1";

/// Counts requests at the moment they are sent: what fails before that costs nothing.
#[derive(Debug)]
pub(super) struct CountSent(pub(super) Arc<Counter>);

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
pub(super) struct WholePage;

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

pub(super) async fn load_config(options: &S3Options) -> SdkConfig {
    let timeouts = TimeoutConfig::builder().connect_timeout(options.limits.connect);
    let mut loader = aws_config::defaults(BehaviorVersion::latest())
        .http_client(http_client())
        // Attempts are counted and spaced by `persist`, which sees the body as well.
        .retry_config(RetryConfig::disabled())
        // `S3Store::collect` limits the silence of a body itself.
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
    // A request cannot be signed without a region, and the answer to a wrong one names the right one.
    if shared.region().is_some() {
        return shared;
    }
    shared.into_builder().region(Region::from_static(DEFAULT_REGION)).build()
}

/// Returns what is wrong with the profile that the options or `AWS_PROFILE` name, if no file has it.
#[expect(clippy::default_trait_access, reason = "the types are of crates that nothing else here needs")]
pub(super) async fn profile_fault(options: &S3Options) -> Option<String> {
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
pub(super) fn needs_path_style(endpoint_url: &str) -> bool {
    let rest = endpoint_url.split_once("://").map_or(endpoint_url, |(_, rest)| rest);
    let authority = rest.split('/').next().unwrap_or_default();
    // An IPv6 address, whose colons are not those of a port.
    if authority.starts_with('[') {
        return true;
    }
    let host = authority.split(':').next().unwrap_or_default();
    host.parse::<IpAddr>().is_ok() || !host.contains('.')
}

#[cfg(test)]
mod tests {
    use super::*;

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
}
