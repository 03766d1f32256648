//! Where a source or a target is, as people write it.

use std::path::PathBuf;
use std::sync::Arc;

use super::{Action, DirStore, ObjectStore, S3Options, S3Store, Service, StoreError, StoreErrorKind};

/// A parsed place of objects.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Location {
    /// `s3://bucket/prefix`.
    S3 {
        /// The bucket.
        bucket: String,
        /// What every key begins with: empty, or ending in `/`.
        prefix: String,
    },
    /// A folder: a path or `file://` and an absolute path.
    Dir(PathBuf),
}

/// Returns the place that `text` names. What does not begin with `s3://` is a folder.
pub fn parse_url(text: &str) -> Location {
    let Some(rest) = text.strip_prefix("s3://") else {
        return Location::Dir(PathBuf::from(text.strip_prefix("file://").unwrap_or(text)));
    };
    let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
    let mut prefix = prefix.to_owned();
    if !prefix.is_empty() && !prefix.ends_with('/') {
        prefix.push('/');
    }
    Location::S3 { bucket: bucket.to_owned(), prefix }
}

/// Returns the store of a place and what its keys begin with there. Nothing is sent yet.
///
/// # Errors
/// [`StoreErrorKind::Config`] when an S3 address has no bucket.
pub async fn open(
    location: &Location,
    options: &S3Options,
) -> Result<(Arc<dyn ObjectStore>, String), StoreError> {
    match location {
        Location::Dir(root) => Ok((Arc::new(DirStore::new(root)), String::new())),
        Location::S3 { bucket, prefix } if bucket.is_empty() => {
            let place = format!("s3:///{prefix}");
            let reason = "the address names no bucket";
            Err(StoreError::new(StoreErrorKind::Config, Service::S3, Action::Open, &place, reason))
        }
        Location::S3 { bucket, prefix } => {
            let store = S3Store::connect(bucket, options).await;
            Ok((Arc::new(store), prefix.clone()))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read() {
        let s3 = |bucket: &str, prefix: &str| Location::S3 {
            bucket: bucket.to_owned(),
            prefix: prefix.to_owned(),
        };
        assert_eq!(parse_url("s3://b"), s3("b", ""));
        assert_eq!(parse_url("s3://b/"), s3("b", ""));
        assert_eq!(parse_url("s3://b/logs/prod"), s3("b", "logs/prod/"));
        assert_eq!(parse_url("s3://b/logs/"), s3("b", "logs/"));
        assert_eq!(parse_url("s3://"), s3("", ""));
        assert_eq!(parse_url("/var/log"), Location::Dir("/var/log".into()));
        assert_eq!(parse_url("file:///var/log"), Location::Dir("/var/log".into()));
        assert_eq!(parse_url("logs"), Location::Dir("logs".into()));
    }
}
