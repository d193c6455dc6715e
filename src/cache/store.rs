//! `Store`: where the cache keeps answers.

use std::error::Error as StdError;
use std::fmt;
use std::time::Duration;

use super::Key;

/// Where a [`Cache`](super::Cache) keeps answers, such as a server that several machines share.
///
/// An entry is opaque. It has a version, a checksum and the time at which it was stored, so a store
/// may lose, truncate or damage entries: the cache takes what it cannot read for a miss. Keys and
/// entries contain no secrets of the client, but entries contain answers in full.
///
/// Calls use the store on their own threads, without a timeout, and they may do so at the same
/// time. A store that fails fails no call; see [`Observer::cache_failed`].
///
/// [`Observer::cache_failed`]: crate::Observer::cache_failed
pub trait Store: Send + Sync {
    /// Returns the entry of a key, `None` if there is none.
    ///
    /// # Errors
    ///
    /// If the store cannot be read. The call then goes to the provider.
    fn get(&self, key: Key) -> Result<Option<Vec<u8>>, StoreError>;

    /// Keeps an entry in place of any earlier one of this key. The cache does not ask for it any more
    /// after `ttl`, the time to live of the cache.
    ///
    /// # Errors
    ///
    /// If the store cannot be written.
    fn put(&self, key: Key, entry: &[u8], ttl: Option<Duration>) -> Result<(), StoreError>;
}

/// A store of the cache cannot be read or written.
#[derive(Debug)]
pub struct StoreError {
    message: String,
    source: Option<Box<dyn StdError + Send + Sync>>,
}

impl StoreError {
    /// Creates an error. `message` says what is wrong and what to do.
    pub fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), source: None }
    }

    /// Adds the cause.
    #[must_use]
    pub fn with_source(mut self, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        self.source = Some(source.into());
        self
    }
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl StdError for StoreError {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.source.as_ref().map(|source| source.as_ref() as &(dyn StdError + 'static))
    }
}
