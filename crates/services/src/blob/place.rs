//! Where content lies: a local folder, or a bucket of an S3-compatible server.

use object_store::aws::AmazonS3Builder;
use object_store::local::LocalFileSystem;
use object_store::{ClientOptions, ObjectStore, RetryConfig};
use plexspaces_core::{Code, Error, Result};
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

/// How long one request to a server may take. A chunk has a mebibyte at most.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(15);

/// How long a request is tried again in all: a turn waits for it.
const RETRIES: RetryConfig = RetryConfig {
    max_retries: 3,
    retry_timeout: Duration::from_secs(30),
    backoff: object_store::BackoffConfig {
        init_backoff: Duration::from_millis(100),
        max_backoff: Duration::from_secs(5),
        base: 2.0,
    },
};

/// A place for content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// A folder. It is made if it is not there, and everything in it is synced to the disk before it counts.
    Folder(PathBuf),
    /// A bucket, which must be there. Credentials come from the environment (`AWS_ACCESS_KEY_ID`, …).
    S3 {
        /// The bucket's name.
        bucket: String,
        /// What all objects' names begin with; empty for none.
        prefix: String,
        /// The server, if it is not Amazon's.
        endpoint: Option<String>,
        /// The region, if the environment does not name it.
        region: Option<String>,
    },
}

impl FromStr for Place {
    type Err = Error;

    /// Reads `file:FOLDER` or `s3://BUCKET[/PREFIX][?endpoint=URL&region=NAME]`.
    fn from_str(text: &str) -> Result<Self> {
        let malformed = |why: &str| {
            Error::new(
                Code::InvalidArgument,
                format!(
                    "{text:?} is no place for blobs: {why}; write file:FOLDER or \
                     s3://BUCKET/PREFIX?endpoint=URL&region=NAME"
                ),
            )
        };
        if let Some(folder) = text.strip_prefix("file:") {
            if folder.is_empty() {
                return Err(malformed("the folder is missing"));
            }
            return Ok(Place::Folder(folder.into()));
        }
        let Some(rest) = text.strip_prefix("s3://") else {
            return Err(malformed("it begins with neither file: nor s3://"));
        };
        let (path, query) = rest.split_once('?').unwrap_or((rest, ""));
        let (bucket, prefix) = path.split_once('/').unwrap_or((path, ""));
        if bucket.is_empty() {
            return Err(malformed("the bucket is missing"));
        }
        let (mut endpoint, mut region) = (None, None);
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            match pair.split_once('=') {
                Some(("endpoint", url))
                    if url.starts_with("http://") || url.starts_with("https://") =>
                {
                    endpoint = Some(url.to_owned());
                }
                Some(("endpoint", _)) => {
                    return Err(malformed("the endpoint is no http:// or https:// URL"));
                }
                Some(("region", name)) if !name.is_empty() => region = Some(name.to_owned()),
                _ => return Err(malformed(&format!("{pair:?} is not known"))),
            }
        }
        Ok(Place::S3 {
            bucket: bucket.to_owned(),
            prefix: prefix.trim_matches('/').to_owned(),
            endpoint,
            region,
        })
    }
}

impl Place {
    /// Opens it.
    ///
    /// # Errors
    /// `PS5010` if the folder cannot be made or the configuration is refused. A server is not asked yet.
    pub(super) fn open(&self) -> Result<Arc<dyn ObjectStore>> {
        match self {
            Place::Folder(folder) => {
                let unusable = |error: &dyn std::fmt::Display| {
                    Error::new(
                        Code::BlobsUnavailable,
                        format!("the folder {} cannot be used: {error}", folder.display()),
                    )
                };
                make_durable(folder).map_err(|error| unusable(&error))?;
                let store =
                    LocalFileSystem::new_with_prefix(folder).map_err(|error| unusable(&error))?;
                Ok(Arc::new(store.with_fsync(true)))
            }
            Place::S3 {
                bucket,
                prefix,
                endpoint,
                region,
            } => {
                let mut builder = AmazonS3Builder::from_env()
                    .with_bucket_name(bucket)
                    .with_retry(RETRIES)
                    .with_client_options(
                        ClientOptions::new()
                            .with_timeout(REQUEST_TIMEOUT)
                            .with_allow_http(true),
                    );
                if let Some(endpoint) = endpoint {
                    builder = builder.with_endpoint(endpoint);
                }
                if let Some(region) = region {
                    builder = builder.with_region(region);
                }
                let store = builder.build().map_err(|error| {
                    Error::new(
                        Code::BlobsUnavailable,
                        format!("the bucket {bucket:?} cannot be used: {error}"),
                    )
                })?;
                Ok(if prefix.is_empty() {
                    Arc::new(store)
                } else {
                    Arc::new(object_store::prefix::PrefixStore::new(
                        store,
                        prefix.as_str(),
                    ))
                })
            }
        }
    }
}

/// Makes a folder that is still there after a power cut: each new folder's parent is synced.
fn make_durable(folder: &Path) -> std::io::Result<()> {
    let mut missing = Vec::new();
    let mut at = folder;
    while !at.as_os_str().is_empty() && !at.exists() {
        missing.push(at);
        match at.parent() {
            Some(parent) => at = parent,
            None => break,
        }
    }
    fs::create_dir_all(folder)?;
    for made in missing.into_iter().rev() {
        let parent = match made.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent,
            _ => Path::new("."),
        };
        File::open(parent)?.sync_all()?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_read() {
        let read = |text: &str| text.parse::<Place>();
        assert_eq!(
            read("file:/var/blobs").expect("valid"),
            Place::Folder("/var/blobs".into())
        );
        assert_eq!(
            read("s3://b/some/where/?endpoint=http://127.0.0.1:9000&region=eu").expect("valid"),
            Place::S3 {
                bucket: "b".into(),
                prefix: "some/where".into(),
                endpoint: Some("http://127.0.0.1:9000".into()),
                region: Some("eu".into()),
            }
        );
        assert_eq!(
            read("s3://b").expect("valid"),
            Place::S3 {
                bucket: "b".into(),
                prefix: String::new(),
                endpoint: None,
                region: None,
            }
        );
        for (text, why) in [
            ("/var/blobs", "neither file: nor s3://"),
            ("file:", "the folder is missing"),
            ("s3:///x", "the bucket is missing"),
            ("s3://b?endpoint=localhost", "no http:// or https:// URL"),
            ("s3://b?zone=a", "\"zone=a\" is not known"),
        ] {
            let error = read(text).expect_err(text);
            assert_eq!(error.code, Code::InvalidArgument);
            assert!(error.message.contains(why), "{error}");
        }
    }

    #[test]
    fn a_folder_that_cannot_be_made_is_told() {
        let temp = tempfile::tempdir().expect("temp");
        let file = temp.path().join("file");
        fs::write(&file, b"").expect("written");
        let error = Place::Folder(file.join("blobs"))
            .open()
            .expect_err("a file is no folder");
        assert_eq!(error.code, Code::BlobsUnavailable);
        assert!(error.message.contains("file/blobs"), "{error}");
    }
}
