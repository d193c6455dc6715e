//! What every format shares in responses: status, headers, and the failures they report.

mod aws;
mod failure;
pub(crate) mod head;
mod header_fields;
mod headers;
mod html_excerpt;
mod misdirected;
mod purpose;
mod redirect;
mod request_id;

use std::time::SystemTime;

use crate::chat::Provider;
use crate::error::Error;
use crate::key::Secrets;
use crate::url::Url;

pub(crate) use failure::Failure;
use header_fields::Field;
pub(crate) use header_fields::HeaderFields;
pub(crate) use headers::rate_limit;
pub(super) use misdirected::is_markup;
use purpose::Purpose;
pub(crate) use request_id::request_id;

/// A response from the transport.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Reply<'a> {
    pub(crate) status: u16,
    pub(crate) headers: &'a HeaderFields,
    pub(crate) body: &'a [u8],
    /// The request that it answers; `None` in tests and for data that does not come from the
    /// network.
    pub(crate) sent: Option<&'a Sent>,
}

/// What was sent, for errors that say what may be wrong with it.
#[derive(Debug, Clone)]
pub(crate) struct Sent {
    pub(crate) provider: Provider,
    pub(crate) url: Url,
    /// The length of the body, in bytes.
    pub(crate) bytes: usize,
}

impl<'a> Reply<'a> {
    /// Returns the first header's value for a name in lower case that [`Purpose`] lists.
    pub(crate) fn header(&self, name: &str) -> Option<&'a str> {
        text(self.values(name).next()?)
    }

    /// Returns the values of all headers with a name in lower case that [`Purpose`] lists.
    fn values<'b>(&self, name: &'b str) -> impl Iterator<Item = &'a [u8]> + use<'a, 'b> {
        debug_assert!(
            matches!(Purpose::of(name.as_bytes()), Some(Purpose::Named(_))),
            "Purpose does not list {name:?}: the transport drops it"
        );
        let is_it = move |field: &Field<'a>| match field.purpose {
            Purpose::Named(known) => known == name,
            _ => false,
        };
        self.headers.iter().filter(is_it).map(|field| field.value)
    }
}

/// Builds headers for a test: those that the transport keeps.
#[cfg(test)]
pub(crate) fn header_fields(headers: &[(&str, &str)]) -> HeaderFields {
    HeaderFields::kept(headers.iter().map(|(name, value)| (name.as_bytes(), value.as_bytes())))
}

/// Returns a header's value if it is text.
fn text(value: &[u8]) -> Option<&str> {
    std::str::from_utf8(value).ok()
}

/// Builds the error for a response that is not an answer, without the secrets that it repeats.
/// Servers may quote the key even under status 200.
pub(crate) fn error(
    failure: Failure,
    reply: Reply<'_>,
    now: SystemTime,
    secrets: &Secrets,
) -> Error {
    let wait = headers::retry_after(reply, now).or(failure.wait);
    let (failure, advice) = misdirected::explain(failure, reply);
    let advice = advice.or_else(|| aws::advice(&failure).map(str::to_owned));
    failure
        .into_unbounded_error()
        .with_advice(advice)
        .with_status(reply.status)
        .with_request_id(request_id(reply, secrets))
        .with_rate_limit(rate_limit(reply, now))
        .with_retry_hints(wait, headers::should_retry(reply))
        // Hide before anything is shortened, or half a key could remain.
        .hide(secrets)
        .bounded()
}
