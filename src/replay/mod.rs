//! Records what providers answer, and replays it without a key or a network.
//!
//! What is recorded is one HTTP exchange: a request after it was encoded, and the response before it
//! is decoded. A replayed response goes through the same decoder as a live one.
//!
//! ```text
//! key      the request's bytes → its key            (pure)
//! rules    what the key leaves out or normalises    (pure)
//! stored   a recording ↔ JSON                       (pure)
//! lookup   a request → its recording
//! slot     where the response to one request is kept
//! folder   one file for each recording, written in one step
//! tape     a stream, recorded while it is read
//! index    the recordings by what was asked, wherever it was sent
//! served   what a server with recordings answers
//! ```

pub(crate) mod folder;
#[cfg(feature = "testing")]
mod index;
mod key;
mod lookup;
mod mode;
mod rules;
#[cfg(feature = "testing")]
mod served;
mod slot;
mod stored;
mod tape;

use parking_lot::Mutex;
use std::collections::{BTreeSet, HashMap};
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::error::{Error, ErrorKind};
use crate::fingerprint::Fingerprint;
use crate::key::Secrets;
pub(crate) use key::{Request, key};
pub use mode::Mode;
pub(crate) use mode::{FOLDER, MODE, USUAL_FOLDER};
pub(crate) use rules::Rules;
#[cfg(feature = "testing")]
pub(crate) use rules::without_boundary;
#[cfg(feature = "testing")]
pub(crate) use served::Served;
pub(crate) use slot::Slot;
pub(crate) use stored::Response;
pub(crate) use tape::{Pieces, Tape};

/// A folder of recordings, for [`ClientBuilder::replay`](crate::ClientBuilder::replay).
///
/// A client with it answers from the recordings, and records what is missing. In continuous
/// integration and in build scripts it only replays. The guide: [replay](crate::guide::replay).
///
/// ```no_run
/// use tollgate::{Client, Replay};
///
/// let replay = Replay::dir("llm");
/// let client = Client::builder()
///     .provider("openai")
///     .model("gpt-4o-mini")
///     .replay(&replay)
///     .build()?;
/// println!("{}", client.chat("What is the capital of France?")?.complete_text()?);
/// replay.check()?; // every recording was used
/// # Ok::<(), tollgate::Error>(())
/// ```
///
/// Clones share the list of recordings that were used, so you can give one to the client and call
/// [`check`](Self::check) on the other.
#[derive(Clone)]
#[must_use]
pub struct Replay {
    /// `None`: from the environment, or the usual one.
    folder: Option<PathBuf>,
    mode: Option<Mode>,
    rules: Rules,
    sequence: bool,
    dates: bool,
    timing: bool,
    transient: bool,
    problems: Vec<String>,
    /// Guards only itself; no file is read or written under it, and no other lock is taken.
    state: Arc<Mutex<State>>,
}

/// What became of the recordings in this process.
#[derive(Default)]
struct State {
    /// How often each request was made.
    made: HashMap<Fingerprint, u32>,
    /// The names of the files that were replayed or written.
    used: BTreeSet<String>,
    written: BTreeSet<String>,
    /// Why a recording could not be kept.
    failed: Option<Error>,
    /// The recordings by what was asked, for servers.
    #[cfg(feature = "testing")]
    index: Arc<index::Index>,
}

impl Replay {
    /// Keeps the recordings in a folder. A relative path is below the current directory, which is
    /// the root of the package for build scripts and for tests that cargo runs.
    pub fn dir(folder: impl Into<PathBuf>) -> Self {
        Self { folder: Some(folder.into()), ..Self::unnamed() }
    }

    /// Keeps the recordings in the folder that the environment names.
    pub(crate) fn unnamed() -> Self {
        Self {
            folder: None,
            mode: None,
            rules: Rules::default(),
            sequence: false,
            dates: false,
            timing: false,
            transient: false,
            problems: Vec::new(),
            state: Arc::default(),
        }
    }

    /// Sets the mode. The environment variable `TOLLGATE_REPLAY` takes precedence. Default:
    /// [`Replay`](Mode::Replay) if the variable `CI` is set or a build script runs, otherwise
    /// [`Record`](Mode::Record).
    pub fn mode(mut self, mode: Mode) -> Self {
        self.mode = Some(mode);
        self
    }

    /// Leaves a member of the request's body out of the key and the file: a JSON pointer (RFC 6901),
    /// where `*` stands for any name or place. `"/messages/0"`, `"/metadata/session"`. Default: no
    /// member.
    pub fn ignore(mut self, pointer: &str) -> Self {
        self.rules.ignore(pointer);
        self
    }

    /// Changes every text in the request's body before the key is computed, such as a date in the
    /// prompt. What is sent stays as it is. Default: no change.
    ///
    /// ```
    /// # use tollgate::Replay;
    /// # let today = "2026-11-27";
    /// let replay = Replay::dir("llm").rewrite(move |text| text.replace(today, "[today]"));
    /// # let _ = replay;
    /// ```
    pub fn rewrite(mut self, rewrite: impl Fn(&str) -> String + Send + Sync + 'static) -> Self {
        self.rules.rewrite(rewrite);
        self
    }

    /// Writes `[key]` in place of a text, wherever it is in requests and responses. It needs at
    /// least 8 bytes. Keys, secret headers and credentials of the client are hidden without it, as in
    /// errors. Default: nothing more.
    pub fn hide(mut self, text: &str) -> Self {
        self.problems.extend(self.rules.hide("Replay::hide", text));
        self
    }

    /// Sets whether equal requests have a recording each, in the order in which the program makes
    /// them. Default: `false`; they share one.
    pub fn sequence(mut self, sequence: bool) -> Self {
        self.sequence = sequence;
        self
    }

    /// Sets whether recordings say when they were made, as a date in UTC, and keep the `date` header
    /// of the response. Default: `false`, so that recording the same answer again changes no file.
    pub fn dates(mut self, dates: bool) -> Self {
        self.dates = dates;
        self
    }

    /// Sets whether recordings of streams keep how long each piece took to arrive. Such a recording
    /// is replayed at the same pace. Default: `false`; streams are replayed at once.
    pub fn timing(mut self, timing: bool) -> Self {
        self.timing = timing;
        self
    }

    /// Sets whether failures are recorded that say nothing about the request: rate limits, overloads,
    /// errors of the server, truncated streams, refused keys, used-up quotas. Default: `false`; they
    /// would be replayed forever.
    pub fn transient_failures(mut self, recorded: bool) -> Self {
        self.transient = recorded;
        self
    }

    /// The recordings in the folder that nothing has used so far, sorted. Call it after all calls
    /// of the program.
    ///
    /// # Errors
    ///
    /// If the folder cannot be read.
    pub fn unused(&self) -> io::Result<Vec<PathBuf>> {
        let mut names = folder::names(self.folder())?;
        let state = self.state.lock();
        names.retain(|name| !state.used.contains(name));
        Ok(names.into_iter().map(|name| self.folder().join(name)).collect())
    }

    /// Fails if a recording is [unused](Self::unused), or if one could not be written. Call it at
    /// the end of a test.
    ///
    /// # Errors
    ///
    /// [`Configuration`](ErrorKind::Configuration), with the names of the files.
    pub fn check(&self) -> Result<(), Error> {
        if let Some(failed) = self.state.lock().failed.take() {
            return Err(failed);
        }
        let unused = self.unused().map_err(|cause| self.unreadable(self.folder(), cause))?;
        if unused.is_empty() {
            return Ok(());
        }
        let names: Vec<_> = unused.iter().map(|path| path.display().to_string()).collect();
        let message = format!("no call used these recordings: {}; delete them", names.join(", "));
        Err(Error::new(ErrorKind::Configuration, message))
    }

    fn folder(&self) -> &Path {
        self.folder.as_deref().unwrap_or(Path::new(USUAL_FOLDER))
    }
}

/// What the client does with it.
impl Replay {
    /// Decides the folder and the mode, given those of the environment, and creates the folder.
    /// `usual` is the mode if none is set. Returns `None` if the mode is off.
    pub(crate) fn ready(
        mut self,
        folder: Option<PathBuf>,
        mode: Option<Mode>,
        usual: Mode,
    ) -> Result<Option<Self>, Vec<String>> {
        self.folder = self.folder.or(folder);
        let mode = mode.or(self.mode).unwrap_or(usual);
        self.mode = Some(mode);
        if mode == Mode::Off {
            return Ok(None);
        }
        if !self.is_offline() {
            if let Err(cause) = folder::prepare(self.folder()) {
                self.problems.push(format!(
                    "the folder of recordings {} cannot be made ({cause}); create it, or name \
                     another one",
                    self.folder().display()
                ));
            }
        }
        match self.problems.is_empty() {
            true => Ok(Some(self)),
            false => Err(self.problems),
        }
    }

    /// Whether it never uses the network.
    pub(crate) fn is_offline(&self) -> bool {
        self.mode == Some(Mode::Replay)
    }

    /// Lets a call pass that is neither replayed nor recorded.
    ///
    /// # Errors
    ///
    /// [`NotRecorded`](ErrorKind::NotRecorded) if only recordings are used.
    pub(crate) fn pass(&self) -> Result<(), Error> {
        match self.is_offline() {
            false => Ok(()),
            true => Err(Error::new(
                ErrorKind::NotRecorded,
                format!(
                    "batches are never recorded, and only recordings are used here; to send it, \
                     set {MODE}=off"
                ),
            )),
        }
    }

    /// Where the response to a request is kept, without `secrets`.
    pub(crate) fn slot(&self, request: &Request<'_>, secrets: &Arc<Secrets>) -> Slot {
        Slot::new(self, request, secrets)
    }

    /// Records the stream that answers a request and begins with this head.
    pub(crate) fn tape(
        &self,
        request: &Request<'_>,
        secrets: &Arc<Secrets>,
        head: Response,
    ) -> Tape {
        Tape::new(self.slot(request, secrets), head, self.timing)
    }
}

impl From<&Replay> for Replay {
    fn from(replay: &Replay) -> Self {
        replay.clone()
    }
}

/// Hides the texts that it hides.
impl fmt::Debug for Replay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Replay")
            .field("folder", &self.folder)
            .field("mode", &self.mode)
            .field("rules", &self.rules)
            .field("sequence", &self.sequence)
            .finish_non_exhaustive()
    }
}
