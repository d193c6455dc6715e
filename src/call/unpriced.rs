//! Operations that cost nothing: one attempt at any of them.

use std::time::SystemTime;

use super::operation::{Measurable, OngoingAttempt};
use crate::error::Error;
use crate::key::Secrets;
use crate::wire::models::Page;
use crate::wire::{self, Failure, Reply, token_count};

/// Reads the body of a successful response.
pub(super) type Decode<T> = fn(body: &[u8]) -> Result<T, Failure>;

impl Measurable for Page {}

impl Measurable for token_count::Decoded {}

/// Makes one attempt at an operation that has nothing to settle.
pub(super) fn answered<T>(
    mut attempt: OngoingAttempt<'_, '_, Decode<T>>,
    (): (),
) -> Result<T, Error> {
    let signature = attempt.sign()?;
    let incoming = attempt.exchange(&signature)?;
    read(incoming.reply(), &signature.secrets, attempt.prepared.content)
}

/// Reads a whole response.
///
/// # Errors
///
/// The provider's own if it refused the request; otherwise if the body cannot be read.
pub(super) fn read<T>(
    reply: Reply<'_>,
    secrets: &Secrets,
    decode: impl FnOnce(&[u8]) -> Result<T, Failure>,
) -> Result<T, Error> {
    let decoded = match (200..300).contains(&reply.status) {
        true => wire::head::check(reply).and_then(|()| decode(reply.body)),
        false => Err(Failure::of(reply)),
    };
    decoded.map_err(|failure| wire::error(failure, reply, SystemTime::now(), secrets))
}
