//! How to reach S3, and how long and how often to try.

use std::fmt;
use std::time::Duration;

/// How long an answer may take by default.
const DEFAULT_ANSWER: Duration = Duration::from_secs(30);

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

#[cfg(test)]
mod tests {
    use super::*;

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
