//! A load balancer in front of the loopback provider, in a process of its own.

use std::fs;
use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::process::{self, Child, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};
use tollgate::testing::Loopback;
use tollgate::{
    Attempt, CancelToken, ChatRequest, ChatResponse, Client, ClientBuilder, Decision, Error,
    ErrorKind, GiveUp, Phase, Sleeper, Wait,
};

use super::listener::PATIENCE;
use super::{builder_at, quick_retries};

/// A running program. Dropping it ends the process and removes its files.
pub(crate) struct Front {
    child: Child,
    address: SocketAddr,
    /// Removed once the process has ended.
    folder: Folder,
}

struct Folder(PathBuf);

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

impl Front {
    /// Starts `command` in a folder of its own, with a `file` that `config` writes for a port.
    ///
    /// The program's standard input is a socket that listens on that port of 127.0.0.1. A program
    /// that can take over a socket serves it. For others, the same port stays free at other
    /// addresses of this machine, see [`nobody`], and the program listens [`at`](Self::at) one of
    /// them.
    pub(crate) fn start(
        command: &mut Command,
        file: &str,
        config: impl FnOnce(u16) -> String,
    ) -> Self {
        static STARTED: AtomicUsize = AtomicUsize::new(0);
        let number = STARTED.fetch_add(1, Ordering::Relaxed);
        let name = format!("tollgate-front-{}-{number}", process::id());
        let folder = Folder(std::env::temp_dir().join(name));
        fs::create_dir_all(&folder.0).expect("a folder for the configuration");
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port on 127.0.0.1");
        let address = listener.local_addr().expect("the address of a socket");
        fs::write(folder.0.join(file), config(address.port())).expect("a file is written");
        let child = command
            .current_dir(&folder.0)
            .stdin(Stdio::from(OwnedFd::from(listener)))
            .spawn()
            .expect("the program starts");
        Self { child, address, folder }
    }

    /// Listens at another host, on the same port.
    pub(crate) fn at(mut self, host: Ipv4Addr) -> Self {
        self.address.set_ip(host.into());
        self
    }

    /// Waits until the program is `ready`, and panics if it ends before.
    pub(crate) fn wait_until(mut self, ready: impl Fn(&Self) -> bool) -> Self {
        let end = Instant::now() + PATIENCE;
        while !ready(&self) {
            let ended = self.child.try_wait().expect("the state of a process");
            assert!(ended.is_none(), "the program ended: {ended:?}");
            assert!(Instant::now() < end, "the program does not get ready");
            thread::yield_now();
        }
        self
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    pub(crate) fn base_url(&self) -> String {
        format!("http://{}/v1", self.address)
    }

    pub(crate) fn folder(&self) -> &Path {
        &self.folder.0
    }

    /// Ends the process at once, as when it crashes.
    pub(crate) fn kill(&mut self) -> io::Result<()> {
        self.child.kill()?;
        self.child.wait().map(drop)
    }
}

impl Drop for Front {
    fn drop(&mut self) {
        let _ = self.kill();
    }
}

/// An address where nobody listens: 127.0.0.2, on the port that `server` has at 127.0.0.1. While it
/// has that port, the system gives it to nobody who asks for a free one or for all addresses.
pub(crate) fn nobody(server: &Loopback) -> String {
    format!("127.0.0.2:{}", server.address().port())
}

/// Which attempts of a call fail. The header `idempotency-key` names the call for the front, and
/// `x-stainless-retry-count` the attempt.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Fails {
    Always,
    /// The first attempt only.
    Once,
    Never,
}

impl Fails {
    pub(crate) fn request(self) -> ChatRequest {
        ChatRequest::from("hi").idempotency_key(match self {
            Self::Always => "always",
            Self::Once => "once",
            Self::Never => "never",
        })
    }
}

/// How an attempt fails.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Failure {
    kind: ErrorKind,
    phase: Option<Phase>,
    status: Option<u16>,
    /// A part of the message.
    message: &'static str,
    retry_after: Option<Duration>,
}

impl Failure {
    /// The connection ends before an answer.
    pub(crate) const NO_ANSWER: Self = Self::without_answer(
        ErrorKind::Connection,
        Phase::FirstByte,
        "the server closed the connection without a response",
    );
    /// The connection ends while it is being made.
    pub(crate) const NO_CONNECTION: Self =
        Self::without_answer(ErrorKind::Connection, Phase::Connect, "cannot connect to");
    /// Nothing comes, not even an end.
    pub(crate) const SILENCE: Self =
        Self::without_answer(ErrorKind::Timeout, Phase::FirstByte, "waiting for the response");

    const fn without_answer(kind: ErrorKind, phase: Phase, message: &'static str) -> Self {
        Self { kind, phase: Some(phase), status: None, message, retry_after: None }
    }

    /// An answer of this status, with these words on its page.
    pub(crate) const fn status(kind: ErrorKind, status: u16, message: &'static str) -> Self {
        Self { kind, phase: None, status: Some(status), message, retry_after: None }
    }

    /// The answer also asks for a wait.
    pub(crate) const fn asking_for(self, wait: Duration) -> Self {
        Self { retry_after: Some(wait), ..self }
    }

    fn fits(&self, attempt: &Attempt) -> bool {
        attempt.failure.as_ref().is_some_and(|failure| {
            (failure.kind, failure.phase, failure.status) == (self.kind, self.phase, self.status)
                && failure.message.contains(self.message)
        })
    }

    /// Whether the wait after such an attempt is the requested one; otherwise it is a backoff as
    /// short as [`quick_retries`] sets it.
    fn is_followed_by(&self, decision: Option<Decision>) -> bool {
        let ours = quick_retries(1).max_interval;
        match (decision, self.retry_after) {
            (Some(Decision::Retry { after, wait: Wait::Backoff }), None) => after <= ours,
            (Some(Decision::Retry { after, wait: Wait::RetryAfter }), Some(asked)) => {
                after >= asked && after <= asked + ours
            }
            _ => false,
        }
    }
}

/// Waits no longer than a test should, whoever asks.
pub(crate) struct Impatient;

impl Sleeper for Impatient {
    fn sleep(&self, _wait: Duration, _cancel: Option<&CancelToken>) {}
}

/// A client of `front` that tries once more.
pub(crate) fn behind(front: &Front) -> ClientBuilder {
    builder_at(&front.base_url()).retry(quick_retries(1))
}

/// Makes a call. It must end in time, leave nothing in use and nobody waiting.
pub(crate) fn call(client: &Client, fails: Fails) -> Result<ChatResponse, Error> {
    call_with(client, fails, |request| request)
}

/// The same with a request of which more is `set`.
pub(crate) fn call_with(
    client: &Client,
    fails: Fails,
    set: impl FnOnce(ChatRequest) -> ChatRequest,
) -> Result<ChatResponse, Error> {
    let begun = Instant::now();
    let outcome = client.chat(set(fails.request()));
    assert!(begun.elapsed() < PATIENCE, "{outcome:?}");
    let total = client.pool().total;
    assert_eq!((total.active, total.opening, total.waiting), (0, 0, 0), "{total:?}");
    outcome
}

/// Checks an error by its last attempt, and that in `failures`.
pub(crate) fn assert_failed(error: &Error, failures: &[Failure]) {
    let last = error.attempts().last().expect("an attempt was made");
    let failure = failures.iter().find(|failure| failure.fits(last));
    let failure = failure.unwrap_or_else(|| panic!("not as expected: {error:?}"));
    assert_eq!(
        (error.kind(), error.phase(), error.status(), error.retry_after()),
        (failure.kind, failure.phase, failure.status, failure.retry_after),
        "{error:?}"
    );
    assert!(error.to_string().contains(failure.message), "{error}");
}

/// Checks the attempt before the last one: it failed in one of these ways, and the wait after it is
/// right.
pub(crate) fn assert_tried_again(attempts: &[Attempt], failures: &[Failure]) {
    assert_eq!(attempts.len(), 2, "{attempts:?}");
    let fits = |failure: &Failure| {
        failure.fits(&attempts[0]) && failure.is_followed_by(attempts[0].decision)
    };
    assert!(failures.iter().any(fits), "{attempts:?}");
}

pub(crate) fn assert_gave_up(error: &Error, reason: GiveUp) {
    let last = error.attempts().last().and_then(|attempt| attempt.decision);
    assert_eq!(last, Some(Decision::GiveUp(reason)), "{error:?}");
}

/// Checks with one client that a call fails in one of these ways if both attempts fail, is answered
/// by the second attempt if only the first fails, and is answered at once if none fails.
pub(crate) fn assert_recovers(client: &Client, failures: &[Failure]) {
    let error = call(client, Fails::Always).unwrap_err();
    assert_failed(&error, failures);
    assert_tried_again(error.attempts(), failures);
    assert_gave_up(&error, GiveUp::RetriesSpent);
    assert!(error.to_string().contains("2 attempts"), "{error}");

    let response = call(client, Fails::Once).unwrap();
    assert_tried_again(response.attempts(), failures);
    assert_eq!(response.attempts()[1].failure, None);

    let response = call(client, Fails::Never).unwrap();
    assert_eq!(response.attempts().len(), 1, "{:?}", response.attempts());
}

/// Checks how many requests reached the provider. An abandoned one may still be on its way.
pub(crate) fn assert_requests(server: &Loopback, count: u64) {
    let came = server.wait_for_requests(count, PATIENCE);
    assert!(came && server.request_count() == count, "{} requests", server.request_count());
}
