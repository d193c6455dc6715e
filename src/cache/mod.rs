//! Keeps answers at run time, so that an equal request is not paid for twice.
//!
//! Like a [recording](crate::replay), an entry is one HTTP response before it is decoded, and an
//! answer from the cache goes through the same decoder as a live one.
//!
//! ```text
//! mode     what a call does with the cache            (pure)
//! key      a request → its key                        (pure)
//! entry    an answer ↔ bytes, and its time to live    (pure)
//! flight   equal calls at the same time
//! store    where entries are kept: memory, folder, sqlite, or the program's own
//! ready    the cache of a client
//! ```

mod entry;
mod flight;
mod folder;
mod key;
mod memory;
mod mode;
mod ready;
#[cfg(feature = "sqlite")]
mod sqlite;
mod store;

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::{Duration, SystemTime};

pub(crate) use entry::Answer;
use flight::Flights;
use folder::Folder;
pub use key::Key;
use memory::Memory;
pub use mode::Mode;
pub(crate) use ready::{Found, Miss, Ready, Report, Slot, Tape};
#[cfg(feature = "sqlite")]
use sqlite::Sqlite;
pub use store::{Store, StoreError};

use crate::replay::Rules;

/// Keeps answers, for [`ClientBuilder::cache`](crate::ClientBuilder::cache).
///
/// A client with it answers an equal request without the provider: at once, and for free. The guide:
/// [cache](crate::guide::cache).
///
/// ```no_run
/// use std::time::Duration;
/// use tollgate::{Cache, Client};
///
/// let client = Client::builder()
///     .provider("openai")
///     .model("gpt-4o-mini")
///     .cache(Cache::memory(64 << 20).ttl(Duration::from_secs(3600)))
///     .build()?;
/// # Ok::<(), tollgate::Error>(())
/// ```
///
/// Clones share the answers, so you can give one cache to several clients.
#[derive(Clone)]
#[must_use]
pub struct Cache {
    kept: Arc<Kept>,
    mode: Mode,
    ttl: Option<Duration>,
    sampled: bool,
    rules: Rules,
    clock: Arc<dyn Fn() -> SystemTime + Send + Sync>,
    problems: Vec<String>,
}

/// What clones share.
struct Kept {
    store: Backing,
    flights: Arc<Flights>,
}

/// Where the answers are.
enum Backing {
    Memory(Memory),
    Folder(Folder),
    #[cfg(feature = "sqlite")]
    Sqlite(Sqlite),
    Own(Arc<dyn Store>),
}

impl Kept {
    /// Whether the answers never leave the process.
    fn is_local(&self) -> bool {
        matches!(self.store, Backing::Memory(_))
    }
}

impl Backing {
    /// The store outside the process; `None` for memory.
    fn shared(&self) -> Option<&dyn Store> {
        match self {
            Self::Memory(_) => None,
            Self::Folder(folder) => Some(folder),
            #[cfg(feature = "sqlite")]
            Self::Sqlite(sqlite) => Some(sqlite),
            Self::Own(own) => Some(&**own),
        }
    }

    /// Makes the folder or the file ready.
    fn open(&self, now: SystemTime, ttl: Option<Duration>) -> Result<(), StoreError> {
        match self {
            Self::Memory(_) | Self::Own(_) => Ok(()),
            Self::Folder(folder) => folder.prepare(now, ttl),
            #[cfg(feature = "sqlite")]
            Self::Sqlite(sqlite) => sqlite.open(),
        }
    }
}

impl Cache {
    /// Keeps answers in memory, at most this many bytes. The least recently used answers make room
    /// for new ones.
    pub fn memory(bytes: usize) -> Self {
        Self::new(Backing::Memory(Memory::new(bytes)))
    }

    /// Keeps answers in a folder, one file each. Several processes can use it at the same time.
    ///
    /// Building a client creates the folder, and removes files that are older than the
    /// [`ttl`](Self::ttl). Nothing else bounds the folder; you may delete files at any time.
    pub fn folder(path: impl Into<PathBuf>) -> Self {
        Self::new(Backing::Folder(Folder::new(path.into())))
    }

    /// Keeps answers in a SQLite file. Several processes can use it at the same time. It must be on a
    /// local disk.
    ///
    /// Building a client creates the file. Entries older than the [`ttl`](Self::ttl) are deleted as
    /// new ones are written. A write waits at most 2 seconds for other processes.
    #[cfg(feature = "sqlite")]
    #[cfg_attr(docsrs, doc(cfg(feature = "sqlite")))]
    pub fn sqlite(path: impl Into<PathBuf>) -> Self {
        Self::new(Backing::Sqlite(Sqlite::new(path.into())))
    }

    /// Keeps answers in a store of your own.
    pub fn with_store(store: Arc<dyn Store>) -> Self {
        Self::new(Backing::Own(store))
    }

    fn new(store: Backing) -> Self {
        Self {
            kept: Arc::new(Kept { store, flights: Flights::new() }),
            mode: Mode::On,
            ttl: None,
            sampled: false,
            rules: Rules::default(),
            clock: Arc::new(SystemTime::now),
            problems: Vec::new(),
        }
    }

    /// Sets how old an answer may be. Default: no limit.
    pub fn ttl(mut self, ttl: Duration) -> Self {
        self.ttl = Some(ttl);
        self
    }

    /// Sets how calls use the cache, unless their [request](crate::ChatRequest::cache) says how.
    /// Default: [`On`](Mode::On).
    pub fn mode(mut self, mode: Mode) -> Self {
        self.mode = mode;
        self
    }

    /// Sets whether requests with a temperature above 0 are cached although they do not
    /// [ask](crate::ChatRequest::cache) for it. Default: `false`, because such a request asks for
    /// varied answers.
    pub fn sampled(mut self, sampled: bool) -> Self {
        self.sampled = sampled;
        self
    }

    /// Leaves a member of the request's body out of the key: a JSON pointer (RFC 6901), where `*`
    /// stands for any name or place. `"/metadata/session"`. Default: no member.
    pub fn ignore(mut self, pointer: &str) -> Self {
        self.rules.ignore(pointer);
        self
    }

    /// Changes every text in the request's body before the key is computed, such as a date in the
    /// prompt. What is sent stays as it is. Default: no change.
    pub fn rewrite(mut self, rewrite: impl Fn(&str) -> String + Send + Sync + 'static) -> Self {
        self.rules.rewrite(rewrite);
        self
    }

    /// Writes `[key]` in place of a text, wherever it is in an answer that leaves the process. It
    /// needs at least 8 bytes. Keys, secret headers and credentials of the client are hidden without
    /// it. Default: nothing more.
    pub fn hide(mut self, text: &str) -> Self {
        self.problems.extend(self.rules.hide("Cache::hide", text));
        self
    }

    /// Sets the clock for the [`ttl`](Self::ttl), for tests. Default: the system clock.
    pub fn clock(mut self, clock: impl Fn() -> SystemTime + Send + Sync + 'static) -> Self {
        self.clock = Arc::new(clock);
        self
    }

    /// Makes the store ready. `report` is called whenever it fails.
    pub(crate) fn ready(self, report: Report) -> Result<Arc<Ready>, Vec<String>> {
        let Self { kept, mode, ttl, sampled, rules, clock, mut problems } = self;
        if let Err(error) = kept.store.open(clock(), ttl) {
            problems.push(error.to_string());
        }
        if !problems.is_empty() {
            return Err(problems);
        }
        let failures = AtomicU64::new(0);
        Ok(Arc::new(Ready { kept, mode, ttl, sampled, rules, clock, report, failures }))
    }
}

impl From<&Cache> for Cache {
    fn from(cache: &Cache) -> Self {
        cache.clone()
    }
}

/// Hides the texts that it hides.
impl fmt::Debug for Cache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cache")
            .field("mode", &self.mode)
            .field("ttl", &self.ttl)
            .field("sampled", &self.sampled)
            .field("rules", &self.rules)
            .finish_non_exhaustive()
    }
}
