//! `ParkedCharge`: a charge that outlives the process that made it.

use serde::{Deserialize, Serialize};

use std::time::SystemTime;

use super::Money;
use crate::time::rfc3339::seconds;

/// A charge that outlives the process that made it: what the stored handle of a batch keeps of an
/// item's reservation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ParkedCharge {
    /// The reservation in the ledger, if any budget applies to the call.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) id: Option<u64>,
    /// What was reserved.
    #[serde(default)]
    pub(super) amount: Money,
    /// The most input and output tokens that it can use, if they were measured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) most: Option<(u64, u64)>,
    /// When it was reserved, in seconds after the Unix epoch. The prices of that time apply.
    pub(super) at: i64,
}

impl ParkedCharge {
    /// A charge for which nothing is reserved, at the prices of this time.
    pub(crate) fn unreserved(at: SystemTime) -> Self {
        Self { id: None, amount: Money::ZERO, most: None, at: seconds(at) }
    }
}
