//! Answers in a folder, one file each, which several processes can share.

use std::fs;
use std::io;
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use super::{Key, Store, StoreError};
use crate::replay::folder::{self, Purpose};

/// The end of the name of a file.
const END: &str = ".answer";

/// Answers in a folder.
pub(super) struct Folder {
    path: PathBuf,
}

impl Folder {
    pub(super) fn new(path: PathBuf) -> Self {
        Self { path }
    }

    /// Makes the folder, and removes what is older than `ttl` or what a killed process left.
    pub(super) fn prepare(&self, now: SystemTime, ttl: Option<Duration>) -> Result<(), StoreError> {
        let prepared = folder::prepare(&self.path).and_then(|()| match ttl {
            Some(ttl) => self.remove_older(now, ttl),
            None => Ok(()),
        });
        prepared.map_err(|cause| {
            let message = format!(
                "the cache's folder {} cannot be used ({cause}); create it, or name another one",
                self.path.display()
            );
            StoreError::new(message).with_source(cause)
        })
    }

    fn remove_older(&self, now: SystemTime, ttl: Duration) -> io::Result<()> {
        for file in fs::read_dir(&self.path)?.flatten() {
            let changed = file.metadata().and_then(|data| data.modified());
            let age = changed.ok().and_then(|changed| now.duration_since(changed).ok());
            let is_ours = file.file_name().to_string_lossy().ends_with(END);
            if is_ours && age.is_some_and(|age| age >= ttl) {
                let _ = fs::remove_file(file.path());
            }
        }
        Ok(())
    }

    fn failed(&self, what: &str, cause: io::Error) -> StoreError {
        let message = format!(
            "an answer in the cache's folder {} cannot be {what}; check its permissions, and that its \
             disk has space left",
            self.path.display()
        );
        StoreError::new(message).with_source(cause)
    }
}

impl Store for Folder {
    fn get(&self, key: Key) -> Result<Option<Vec<u8>>, StoreError> {
        match fs::read(self.path.join(name(key))) {
            Ok(entry) => Ok(Some(entry)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(self.failed("read", error)),
        }
    }

    fn put(&self, key: Key, entry: &[u8], _ttl: Option<Duration>) -> Result<(), StoreError> {
        let written = folder::write(&self.path, &name(key), entry, Purpose::Cache);
        written.map_err(|error| self.failed("written", error))
    }
}

fn name(key: Key) -> String {
    format!("{key}{END}")
}
