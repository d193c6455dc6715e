//! The crate's one error type. It is plain data: every other module may use it, and it imports none
//! of them.

mod attempt;
mod decision;
mod display;
mod kind;
mod rate_limit;

use std::any::Any;
use std::error::Error as StdError;
use std::iter;
use std::sync::Arc;
use std::time::Duration;

use crate::key::Secrets;
use crate::unseen;
pub use attempt::{Attempt, AttemptFailure};
pub use decision::{Decision, GiveUp, Wait};
pub use kind::{ErrorKind, Phase};
pub use rate_limit::{Quota, RateLimit};

/// The longest message kept from a provider, in bytes. Every real one fits; a broken server cannot
/// flood a log.
const MAX_MESSAGE: usize = 2_000;

/// The longest error code and request id kept, in bytes.
const MAX_WORD: usize = 200;

/// Why a call failed.
///
/// Branch on [`kind`](Error::kind); the message is for people. This crate never writes the API key
/// or the prompt into it, and removes the key from what a server wrote. Characters that could steer
/// a terminal or reverse text, such as control characters, become spaces. Otherwise the provider's
/// words stay as they are, and some providers quote from the request.
///
/// ```no_run
/// use tollgate::{Client, ErrorKind};
///
/// # fn main() -> Result<(), tollgate::Error> {
/// let client = Client::openai("gpt-4o-mini")?;
/// match client.chat("Hello") {
///     Ok(response) => println!("{}", response.text()),
///     Err(error) if error.kind() == ErrorKind::QuotaExhausted => println!("top up first"),
///     Err(error) => println!("{error}"),
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Error(Box<Inner>);

#[derive(Clone)]
struct Inner {
    kind: ErrorKind,
    message: String,
    /// What to do, shown after the message where that is in the provider's words.
    advice: Option<String>,
    phase: Option<Phase>,
    /// Whether a timeout's message names the setting that ended it.
    names_limit: bool,
    provider: Option<Box<str>>,
    status: Option<u16>,
    request_id: Option<String>,
    code: Option<String>,
    retry_after: Option<Duration>,
    should_retry: Option<bool>,
    rate_limit: Option<RateLimit>,
    refusal: Option<Arc<dyn StdError + Send + Sync>>,
    attempts: Vec<Attempt>,
    /// What a call of several requests got before it failed.
    answered: Option<Arc<dyn Any + Send + Sync>>,
    source: Option<Arc<dyn StdError + Send + Sync>>,
}

impl Error {
    pub(crate) fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self(Box::new(Inner {
            kind,
            message: message.into(),
            advice: None,
            phase: None,
            names_limit: false,
            provider: None,
            status: None,
            request_id: None,
            code: None,
            retry_after: None,
            should_retry: None,
            rate_limit: None,
            refusal: None,
            attempts: Vec::new(),
            answered: None,
            source: None,
        }))
    }

    pub(crate) fn invalid_request(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::InvalidRequest, message)
    }

    pub(crate) fn timeout(phase: Phase) -> Self {
        Self::new(ErrorKind::Timeout, phase.doing()).with_phase(phase)
    }

    /// Names the setting that ended it, and its value. The first name stays: the innermost limit
    /// sets it.
    pub(crate) fn with_limit(mut self, setting: &'static str, value: Duration) -> Self {
        if self.0.kind == ErrorKind::Timeout && !self.0.names_limit {
            self.0.message = format!("{} ({setting} of {value:?})", self.0.message);
            self.0.names_limit = true;
        }
        self
    }

    pub(crate) fn cancelled() -> Self {
        Self::new(ErrorKind::Cancelled, "the caller cancelled the call")
    }

    /// Says what it is about, if its message alone does not.
    pub(crate) fn about(mut self, what: &str) -> Self {
        self.0.message = format!("{what}: {}", self.0.message);
        self
    }

    pub(crate) fn with_phase(mut self, phase: Phase) -> Self {
        self.0.phase = Some(phase);
        self
    }

    pub(crate) fn with_provider(mut self, provider: &str) -> Self {
        self.0.provider = Some(provider.into());
        self
    }

    pub(crate) fn with_status(mut self, status: u16) -> Self {
        self.0.status = Some(status);
        self
    }

    pub(crate) fn with_request_id(mut self, id: Option<String>) -> Self {
        self.0.request_id = id;
        self
    }

    pub(crate) fn with_code(mut self, code: Option<String>) -> Self {
        self.0.code = code;
        self
    }

    pub(crate) fn with_retry_hints(
        mut self,
        retry_after: Option<Duration>,
        should_retry: Option<bool>,
    ) -> Self {
        self.0.retry_after = retry_after;
        self.0.should_retry = should_retry;
        self
    }

    pub(crate) fn with_rate_limit(mut self, limit: RateLimit) -> Self {
        self.0.rate_limit = Some(limit).filter(|limit| *limit != RateLimit::default());
        self
    }

    pub(crate) fn with_advice(mut self, advice: Option<String>) -> Self {
        if advice.is_some() {
            self.0.advice = advice;
        }
        self
    }

    /// Adds to the advice.
    pub(crate) fn with_more_advice(mut self, more: String) -> Self {
        self.0.advice = Some(match self.0.advice.take() {
            Some(advice) => format!("{advice}; {more}"),
            None => more,
        });
        self
    }

    pub(crate) fn with_refusal(mut self, refusal: impl StdError + Send + Sync + 'static) -> Self {
        self.0.refusal = Some(Arc::new(refusal));
        self
    }

    pub(crate) fn with_attempts(mut self, attempts: Vec<Attempt>) -> Self {
        self.0.attempts = attempts;
        self
    }

    pub(crate) fn with_answered(mut self, answered: impl Any + Send + Sync) -> Self {
        self.0.answered = Some(Arc::new(answered));
        self
    }

    pub(crate) fn with_source(
        mut self,
        source: impl Into<Box<dyn StdError + Send + Sync>>,
    ) -> Self {
        self.0.source = Some(source.into().into());
        self
    }

    /// Removes secrets that a server echoed. A source that shows one is dropped, because it cannot
    /// be edited.
    pub(crate) fn hide(mut self, secrets: &Secrets) -> Self {
        let inner = &mut *self.0;
        secrets.hide_in(&mut inner.message);
        for word in [inner.code.as_mut(), inner.request_id.as_mut()].into_iter().flatten() {
            secrets.hide_in(word);
        }
        let causes = iter::successors(self.source(), |cause| (**cause).source());
        let mut shown = causes.flat_map(|cause| [cause.to_string(), format!("{cause:?}")]);
        if shown.any(|shown| secrets.are_in(shown.as_bytes())) {
            self.0.source = None;
        }
        self
    }

    /// Bounds the length of what a server wrote: the message, the code and the request id.
    /// Characters that could steer a terminal become spaces; the message keeps its line breaks.
    pub(crate) fn bounded(mut self) -> Self {
        let inner = &mut *self.0;
        unseen::text(&mut inner.message);
        bound(&mut inner.message, MAX_MESSAGE);
        for word in [inner.code.as_mut(), inner.request_id.as_mut()].into_iter().flatten() {
            unseen::word(word);
            bound(word, MAX_WORD);
        }
        self
    }

    /// The kind of error, to branch on.
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// The error message, in the provider's words where it gave any. It may have several lines.
    /// `Display` joins them into one, and adds what to do where this crate knows.
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// The phase the call failed in, where known. A timeout always has one.
    pub fn phase(&self) -> Option<Phase> {
        self.0.phase
    }

    /// The [name](crate::Provider::as_str) of the provider that was called.
    pub fn provider(&self) -> Option<&str> {
        self.0.provider.as_deref()
    }

    /// The HTTP status, if there was a response.
    pub fn status(&self) -> Option<u16> {
        self.0.status
    }

    /// The provider's request id; quote it when you contact its support.
    pub fn request_id(&self) -> Option<&str> {
        self.0.request_id.as_deref()
    }

    /// The provider's own error code, such as `insufficient_quota`.
    pub fn code(&self) -> Option<&str> {
        self.0.code.as_deref()
    }

    /// How long the provider asked to wait before the next attempt.
    pub fn retry_after(&self) -> Option<Duration> {
        self.0.retry_after
    }

    /// The rate limits from the headers of the response, if it had any.
    pub fn rate_limit(&self) -> Option<&RateLimit> {
        self.0.rate_limit.as_ref()
    }

    /// Why the client refused the call before sending it, if it did.
    pub(crate) fn refusal(&self) -> Option<&(dyn StdError + Send + Sync + 'static)> {
        self.0.refusal.as_deref()
    }

    /// What a call of several requests got before it failed, if it had several.
    pub(crate) fn answered(&self) -> Option<&(dyn Any + Send + Sync)> {
        self.0.answered.as_deref()
    }

    /// The provider's `x-should-retry` header.
    pub(crate) fn should_retry(&self) -> Option<bool> {
        self.0.should_retry
    }

    /// Every attempt in order: how it ended, how long the call then waited, and why. Attempts that
    /// got no connection are included. Empty if the call made none.
    pub fn attempts(&self) -> &[Attempt] {
        &self.0.attempts
    }

    /// Whether a time limit passed.
    pub fn is_timeout(&self) -> bool {
        self.kind() == ErrorKind::Timeout
    }

    /// Whether the caller cancelled the call.
    pub fn is_cancelled(&self) -> bool {
        self.kind() == ErrorKind::Cancelled
    }

    /// Whether a rate limit refused the call: the provider's, or one of the client's own
    /// [limits](crate::Limits). The [phase](Self::phase) of the latter is
    /// [`LimitWait`](Phase::LimitWait).
    pub fn is_rate_limited(&self) -> bool {
        self.kind() == ErrorKind::RateLimited
    }

    /// Whether the same request may succeed later. The provider's `x-should-retry` decides if
    /// present, otherwise the [`kind`](Error::kind).
    pub fn is_retryable(&self) -> bool {
        // Waiting for the client's own pool or limits is not the provider's failure, and a retry
        // would only lengthen the queue.
        let waited = matches!(self.0.phase, Some(Phase::LimitWait | Phase::PoolWait));
        self.0.should_retry.unwrap_or(self.0.kind.is_retryable() && !waited)
    }
}

fn bound(text: &mut String, length: usize) {
    if text.len() > length {
        let end = (0..=length).rev().find(|at| text.is_char_boundary(*at));
        text.truncate(end.unwrap_or(0));
        text.push('…');
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        let cause = self.0.source.as_deref().or(self.0.refusal.as_deref());
        cause.map(|cause| cause as &(dyn StdError + 'static))
    }
}

#[cfg(test)]
mod tests;
