//! The time limits of calls.

use std::time::Duration;

/// The time limits that a client, a provider or a request sets. What is not set comes from the next
/// wider one: the request's from its provider, and the provider's from the client.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct TimeLimits {
    pub(crate) call: Option<Duration>,
    /// A request cannot set it, because calls share connections.
    pub(crate) connect: Option<Duration>,
    pub(crate) attempt: Option<Duration>,
    pub(crate) first_token: Option<Duration>,
    pub(crate) idle: Option<Duration>,
    pub(crate) stream: Option<Duration>,
}

/// The time limits of a call, with a value for each that has a default.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Timeouts {
    /// A whole call; for a stream, up to its first event.
    pub(crate) call: Duration,
    pub(crate) connect: Duration,
    pub(crate) attempt: Option<Duration>,
    pub(crate) first_token: Option<Duration>,
    pub(crate) idle: Duration,
    /// A whole stream, and the name of the setting that set this limit.
    pub(crate) stream: (&'static str, Duration),
}

impl Timeouts {
    /// The limits of a client that sets none. `call` and `idle` are the same as in the official
    /// SDKs. `stream` is enough for 32,000 tokens at ten tokens a second.
    pub(super) const DEFAULT: Self = Self {
        call: Duration::from_secs(600),
        connect: Duration::from_secs(5),
        attempt: None,
        first_token: None,
        idle: Duration::from_secs(600),
        stream: ("stream_timeout", Duration::from_secs(3600)),
    };
}

impl TimeLimits {
    /// These limits, and `wider` ones where they set none. A stream ends at the stream timeout,
    /// otherwise at the call timeout, whichever is set closest to the call.
    pub(crate) fn over(self, wider: &Timeouts) -> Timeouts {
        let stream = self.stream.map(|limit| ("stream_timeout", limit));
        let call = self.call.map(|limit| ("timeout", limit));
        Timeouts {
            call: self.call.unwrap_or(wider.call),
            connect: self.connect.unwrap_or(wider.connect),
            attempt: self.attempt.or(wider.attempt),
            first_token: self.first_token.or(wider.first_token),
            idle: self.idle.unwrap_or(wider.idle),
            stream: stream.or(call).unwrap_or(wider.stream),
        }
    }

    /// Those that also apply to a call whose answer comes whole.
    pub(crate) fn of_whole_call(self) -> Self {
        Self { first_token: None, idle: None, stream: None, ..self }
    }

    /// The settings that are zero, by name.
    pub(crate) fn zeros(self) -> impl Iterator<Item = &'static str> {
        let limits = [
            ("timeout", self.call),
            ("connect_timeout", self.connect),
            ("attempt_timeout", self.attempt),
            ("first_token_timeout", self.first_token),
            ("idle_timeout", self.idle),
            ("stream_timeout", self.stream),
        ];
        let zero = limits.into_iter().filter(|(_, limit)| *limit == Some(Duration::ZERO));
        zero.map(|(name, _)| name)
    }

    /// One sentence for each limit that is zero.
    pub(super) fn problems(self) -> impl Iterator<Item = String> {
        self.zeros().map(|name| {
            format!("the {name} is zero; no call could ever succeed; set it above zero")
        })
    }
}
