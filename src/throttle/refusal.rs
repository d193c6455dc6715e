//! Why a limit did not admit a call, as an error.

use std::fmt;
use std::time::Duration;

use super::bucket::Rate;
use super::store::Allowed;
use crate::display::{count, counted};
use crate::error::{Error, ErrorKind, Phase};

/// There was no room in a limit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) limit: String,
    /// Which account of the limit. Empty if it has only one.
    pub(crate) account: String,
    /// What the limit allows; `None` if there was room, but others were first.
    pub(crate) allowed: Option<Allowed>,
    /// How long until there is room, if that is known.
    pub(crate) fits_in: Option<Duration>,
}

impl Refusal {
    /// The error of a call that would have to wait past its deadline. `setting` and `value` are the
    /// time limit that sets it.
    pub(crate) fn error(&self, setting: &str, value: Duration) -> Error {
        let message = format!(
            "{self}, but the call's {setting} of {value:?} ends sooner; raise the limit, or allow \
             the call more time"
        );
        let error = Error::new(ErrorKind::RateLimited, message).with_phase(Phase::LimitWait);
        error.with_retry_hints(self.fits_in, None)
    }
}

/// `the limit "openai" allows 60 requests per minute; this call fits in 2.1s`.
impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { limit, account, allowed, fits_in } = self;
        write!(f, "the limit {limit:?} ")?;
        if !account.is_empty() {
            write!(f, "({account}) ")?;
        }
        match allowed {
            Some(Allowed::Requests(most)) => {
                write!(f, "allows {} per minute", counted(*most, "request"))?;
            }
            Some(Allowed::Tokens(most)) => {
                write!(f, "allows {} per minute", counted(*most, "token"))?;
            }
            Some(Allowed::InFlight(most)) => {
                write!(f, "allows {} in flight", counted((*most).into(), "call"))?;
            }
            Some(Allowed::Reported(what, most)) => {
                write!(f, "has learned that the provider allows {} {what}", count(*most))?;
            }
            Some(Allowed::Later) => {
                f.write_str("has learned that the provider accepts no calls for now")?;
            }
            None => f.write_str("has other calls waiting in line")?,
        }
        match (allowed, fits_in) {
            (_, Some(wait)) => write!(f, "; this call fits in {wait:.1?}"),
            (Some(Allowed::InFlight(_)), None) => f.write_str("; this call fits when one ends"),
            (_, None) => Ok(()),
        }
    }
}

/// A request that a limit on tokens could never admit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TooLarge {
    pub(super) limit: String,
    pub(super) rate: Rate,
    pub(super) needed: u64,
}

impl TooLarge {
    pub(crate) fn error(&self) -> Error {
        let Self { limit, rate, needed } = self;
        let (needed, most) = (counted(*needed, "token"), counted(rate.per_minute, "token"));
        let capacity = rate.capacity();
        let at_once = match capacity < rate.per_minute {
            true => format!(", at most {} at once", count(capacity)),
            false => String::new(),
        };
        Error::invalid_request(format!(
            "the request may use {needed}, but the limit {limit:?} allows {most} per \
             minute{at_once}; lower max_output_tokens, shorten the request, or raise the limit"
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_names_the_limit_its_value_and_when_there_is_room() {
        let of = |account: &str, allowed, fits_in| Refusal {
            limit: "openai".into(),
            account: account.into(),
            allowed,
            fits_in,
        };
        let soon = Some(Duration::from_millis(2_140));
        for (refusal, expected) in [
            (
                of("", Some(Allowed::Requests(60)), soon),
                "the limit \"openai\" allows 60 requests per minute; this call fits in 2.1s",
            ),
            (
                of("customer=acme", Some(Allowed::Tokens(900)), soon),
                "the limit \"openai\" (customer=acme) allows 900 tokens per minute; this call fits \
                 in 2.1s",
            ),
            (
                of("", Some(Allowed::Requests(1)), soon),
                "the limit \"openai\" allows 1 request per minute; this call fits in 2.1s",
            ),
            (
                of("", Some(Allowed::InFlight(4)), None),
                "the limit \"openai\" allows 4 calls in flight; this call fits when one ends",
            ),
            (
                of("", Some(Allowed::Reported("input tokens", 5)), soon),
                "the limit \"openai\" has learned that the provider allows 5 input tokens; this \
                 call fits in 2.1s",
            ),
            (
                of("", Some(Allowed::Later), soon),
                "the limit \"openai\" has learned that the provider accepts no calls for now; \
                 this call fits in 2.1s",
            ),
            (of("", None, None), "the limit \"openai\" has other calls waiting in line"),
        ] {
            assert_eq!(refusal.to_string(), expected);
        }
        let error =
            of("", Some(Allowed::Requests(60)), soon).error("timeout", Duration::from_secs(1));
        assert_eq!(error.kind(), ErrorKind::RateLimited);
        assert_eq!((error.phase(), error.retry_after()), (Some(Phase::LimitWait), soon));
        assert!(error.message().ends_with(
            "this call fits in 2.1s, but the call's timeout of 1s ends sooner; raise the limit, or \
             allow the call more time"
        ));
        assert!(!error.is_retryable(), "a retry would go to the end of the line");
    }

    #[test]
    fn the_error_of_a_request_that_is_too_large_says_what_to_do() {
        let minute = Duration::from_secs(60);
        for (burst, part) in
            [(minute, "900 tokens per minute; lower"), (minute / 3, ", at most 300 at once; lower")]
        {
            let rate = Rate { per_minute: 900, burst };
            let error = TooLarge { limit: "x".into(), rate, needed: 1_000 }.error();
            assert_eq!(error.kind(), ErrorKind::InvalidRequest);
            assert!(error.message().contains("may use 1,000 tokens"), "{error}");
            assert!(error.message().contains(part), "{error}");
        }
    }
}
