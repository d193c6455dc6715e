//! The one error of the crate, and what it tells: plain data that every other module may
//! use. It imports none of them.

mod attempt;
mod decision;
mod kind;
mod rate_limit;

use std::error::Error as StdError;
use std::fmt;
use std::iter;
use std::sync::Arc;
use std::time::Duration;

use crate::key::Secrets;
use crate::unseen;
pub use attempt::{Attempt, AttemptFailure};
pub use decision::{Decision, GiveUp, Wait};
pub use kind::{ErrorKind, Phase};
pub use rate_limit::{Quota, RateLimit};

/// The longest message kept from a provider, in bytes: enough for every real
/// one, and a bound on what a broken server can put into a log.
const MAX_MESSAGE: usize = 2_000;

/// The longest code and request id kept, in bytes.
const MAX_WORD: usize = 200;

/// Why a call failed.
///
/// Callers branch on [`kind`](Error::kind); the message is for people. This crate
/// writes neither the API key nor the prompt into it, and takes the key out of what
/// a server wrote. What could steer a terminal or turn a text about, control characters
/// above all, becomes spaces. The provider's own words are otherwise repeated as they are,
/// and some providers quote from the request.
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
    /// What to do, behind a message in the provider's own words.
    advice: Option<String>,
    phase: Option<Phase>,
    /// Whether the message of a timeout names its setting.
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
            source: None,
        }))
    }

    pub(crate) fn invalid_request(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::InvalidRequest, message)
    }

    pub(crate) fn timeout(phase: Phase) -> Self {
        Self::new(ErrorKind::Timeout, phase.doing()).with_phase(phase)
    }

    /// Names the setting that put an end to it, and the setting's value. The first one named
    /// stays: it was nearest.
    pub(crate) fn with_limit(mut self, setting: &'static str, value: Duration) -> Self {
        if self.0.kind == ErrorKind::Timeout && !self.0.names_limit {
            self.0.message = format!("{} ({setting} of {value:?})", self.0.message);
            self.0.names_limit = true;
        }
        self
    }

    pub(crate) fn cancelled() -> Self {
        Self::new(ErrorKind::Cancelled, "the caller cancelled it")
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
        self.0.advice = advice;
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

    pub(crate) fn with_source(
        mut self,
        source: impl Into<Box<dyn StdError + Send + Sync>>,
    ) -> Self {
        self.0.source = Some(source.into().into());
        self
    }

    /// Hides the secrets that a server repeats. A cause that shows one is dropped: it cannot
    /// be changed.
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

    /// Bounds the message, the code and the request id, whatever a server wrote. What could
    /// steer a terminal becomes spaces; the message keeps its ends of lines.
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

    /// What went wrong.
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// What went wrong in words: the provider's own, where it gave any. It may have several
    /// lines; `Display` puts them on one, and adds what to do where this crate knows that.
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// The stage of the call at which it failed, where that is known. For a
    /// timeout it always is.
    pub fn phase(&self) -> Option<Phase> {
        self.0.phase
    }

    /// The [name](crate::Provider::as_str) of the provider that was called.
    pub fn provider(&self) -> Option<&str> {
        self.0.provider.as_deref()
    }

    /// The HTTP status, when there was a response.
    pub fn status(&self) -> Option<u16> {
        self.0.status
    }

    /// The provider's id of the request, to quote to its support.
    pub fn request_id(&self) -> Option<&str> {
        self.0.request_id.as_deref()
    }

    /// The provider's own code for the error, such as `insufficient_quota`.
    pub fn code(&self) -> Option<&str> {
        self.0.code.as_deref()
    }

    /// How long the provider asked to wait before the next attempt.
    pub fn retry_after(&self) -> Option<Duration> {
        self.0.retry_after
    }

    /// What the provider's headers said about its rate limits, if anything.
    pub fn rate_limit(&self) -> Option<&RateLimit> {
        self.0.rate_limit.as_ref()
    }

    /// Why the client itself refused the call before it was sent, if it did.
    pub(crate) fn refusal(&self) -> Option<&(dyn StdError + Send + Sync + 'static)> {
        self.0.refusal.as_deref()
    }

    /// Whether the provider said to try again (`x-should-retry`).
    pub(crate) fn should_retry(&self) -> Option<bool> {
        self.0.should_retry
    }

    /// What was tried, in order: how each attempt ended, and how long the call then
    /// waited and why. Those that found no connection are included; empty when
    /// nothing was tried.
    pub fn attempts(&self) -> &[Attempt] {
        &self.0.attempts
    }

    /// Whether time ran out.
    pub fn is_timeout(&self) -> bool {
        self.kind() == ErrorKind::Timeout
    }

    /// Whether the caller cancelled the call.
    pub fn is_cancelled(&self) -> bool {
        self.kind() == ErrorKind::Cancelled
    }

    /// Whether the provider's rate limit was hit.
    pub fn is_rate_limited(&self) -> bool {
        self.kind() == ErrorKind::RateLimited
    }

    /// Whether the same request may succeed later: what the provider said about it
    /// (`x-should-retry`), else by [`kind`](Error::kind).
    pub fn is_retryable(&self) -> bool {
        // A line at our own door is no failure of the provider's, and trying again
        // would only lengthen it.
        let at_our_door = self.0.phase == Some(Phase::PoolWait);
        self.0.should_retry.unwrap_or(self.0.kind.is_retryable() && !at_our_door)
    }
}

fn bound(text: &mut String, length: usize) {
    if text.len() > length {
        let end = (0..=length).rev().find(|at| text.is_char_boundary(*at));
        text.truncate(end.unwrap_or(0));
        text.push('…');
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let inner = &*self.0;
        f.write_str(inner.kind.title())?;
        // On one line, and for a terminal, whoever wrote it: a log has a line for an error.
        let mut message = inner.message.clone();
        unseen::word(&mut message);
        for (number, word) in message.split_whitespace().enumerate() {
            let colon = number == 0 && inner.kind != ErrorKind::Timeout;
            write!(f, "{} {word}", if colon { ":" } else { "" })?;
        }
        if let Some(advice) = &inner.advice {
            write!(f, "; {advice}")?;
        }
        let mut details = Vec::new();
        if let Some(provider) = &inner.provider {
            details.push(provider.to_string());
        }
        // Under 2xx it was not the status that failed.
        if let Some(status @ (..200 | 300..)) = inner.status {
            details.push(format!("status {status}"));
        }
        if let Some(code) = &inner.code {
            details.push(format!("code {code}"));
        }
        if let Some(id) = &inner.request_id {
            details.push(format!("request {id}"));
        }
        if let Some(wait) = inner.retry_after {
            details.push(format!("retry after {wait:?}"));
        }
        if inner.attempts.len() > 1 {
            details.push(format!("{} attempts", inner.attempts.len()));
        }
        // The other reasons can be told from the rest of the line.
        match inner.attempts.last().and_then(|attempt| attempt.decision) {
            Some(Decision::GiveUp(
                GiveUp::Lasting
                | GiveUp::PoolFull
                | GiveUp::Cancelled
                | GiveUp::RetriesSpent
                | GiveUp::StreamBegun,
            )) => {}
            Some(Decision::GiveUp(GiveUp::DeadlineTooNear)) if inner.kind == ErrorKind::Timeout => {
            }
            Some(Decision::GiveUp(reason)) => details.push(reason.to_string()),
            Some(Decision::Retry { .. }) | None => {}
        }
        if !details.is_empty() {
            write!(f, " ({})", details.join(", "))?;
        }
        Ok(())
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let inner = &*self.0;
        let mut debug = f.debug_struct("Error");
        debug.field("kind", &inner.kind).field("message", &inner.message);
        if let Some(advice) = &inner.advice {
            debug.field("advice", advice);
        }
        if let Some(phase) = inner.phase {
            debug.field("phase", &phase);
        }
        if let Some(provider) = &inner.provider {
            debug.field("provider", provider);
        }
        if let Some(status) = inner.status {
            debug.field("status", &status);
        }
        if let Some(code) = &inner.code {
            debug.field("code", code);
        }
        if let Some(id) = &inner.request_id {
            debug.field("request_id", id);
        }
        if let Some(wait) = inner.retry_after {
            debug.field("retry_after", &wait);
        }
        if let Some(refusal) = &inner.refusal {
            debug.field("refusal", refusal);
        }
        if let Some(limit) = &inner.rate_limit {
            debug.field("rate_limit", limit);
        }
        if !inner.attempts.is_empty() {
            debug.field("attempts", &inner.attempts);
        }
        if let Some(source) = &inner.source {
            debug.field("source", source);
        }
        debug.finish()
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
