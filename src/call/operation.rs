//! What the operations differ in: the loop is the same for all.

use std::collections::BTreeMap;
use std::time::Duration;

use super::Caller;
use super::admission::Admission;
use super::limits::Limits;
use super::prepared::Prepared;
use super::target::{Asked, Target};
use crate::cancel::CancelToken;
use crate::cost::Reservation;
use crate::error::Error;
use crate::retry::SecondSending;
use crate::wire::{Delivery, Wire};

/// Something that a client asks a provider for.
pub(super) trait Operation {
    /// What an attempt brings.
    type Output;

    /// How the answer comes.
    const DELIVERY: Delivery;

    /// What of the request matters to the loop.
    fn options(&self) -> Options<'_>;

    /// The wire format that a target is asked in.
    ///
    /// # Errors
    ///
    /// [`InvalidRequest`](crate::ErrorKind::InvalidRequest) where it cannot do this operation.
    fn wire(&self, target: &Target) -> Result<Wire, Error>;

    /// Its name in metrics and for observers.
    fn name(&self, target: Option<&Target>) -> &'static str;

    /// Encodes the request for a target, and sets aside what it can cost.
    ///
    /// # Errors
    ///
    /// For a request that cannot be sent, or that a budget refuses.
    fn admit(&self, caller: &Caller, target: &Target, wire: Wire) -> Result<Admission, Error>;

    /// Makes one attempt.
    ///
    /// # Errors
    ///
    /// What it fails with.
    fn attempt(&self, sending: Sending<'_, '_>) -> Result<Self::Output, Error>;
}

/// What of a request matters to the loop.
#[derive(Debug, Clone, Copy)]
pub(super) struct Options<'a> {
    pub(super) asked: Asked<'a>,
    pub(super) tags: &'a BTreeMap<String, String>,
    pub(super) timeout: Option<Duration>,
    pub(super) attempt_timeout: Option<Duration>,
    pub(super) first_token_timeout: Option<Duration>,
    pub(super) idle_timeout: Option<Duration>,
    pub(super) stream_timeout: Option<Duration>,
    pub(super) cancel: Option<&'a CancelToken>,
    pub(super) idempotency_key: Option<&'a str>,
}

/// One attempt, and what is set aside for it.
pub(super) struct Sending<'a, 'b> {
    pub(super) attempt: Attempting<'a, 'b>,
    pub(super) reservation: Reservation,
}

/// One attempt.
pub(super) struct Attempting<'a, 'b> {
    pub(super) caller: &'a Caller,
    pub(super) prepared: &'a Prepared,
    pub(super) limits: &'a Limits,
    /// How many came before it.
    pub(super) retries: u32,
    /// The right to send the request twice.
    pub(super) second: &'a mut SecondSending<'b>,
}
