//! How a call uses the cache.

use serde::{Deserialize, Serialize};

/// How a call uses the [cache](super::Cache).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Mode {
    /// Answers from the cache, and stores new answers. Equal calls at the same time make one request.
    #[default]
    On,
    /// Answers from the cache, but stores nothing.
    ReadOnly,
    /// Stores new answers, but never answers from the cache. Every call makes a request.
    WriteOnly,
    /// Asks the provider again, and stores the new answer in place of the old one. Equal calls at the
    /// same time make one request.
    Refresh,
    /// Neither answers from the cache nor stores anything.
    Off,
}

impl Mode {
    /// The mode of a call. The `request`'s own mode takes precedence over the `client`'s. Without
    /// one, a sampled request is not cached unless `sampled` is set: a caller who raises the
    /// temperature wants different answers.
    pub(crate) fn of_call(
        request: Option<Self>,
        client: Self,
        is_sampled: bool,
        sampled: bool,
    ) -> Self {
        match request {
            Some(mode) => mode,
            None if is_sampled && !sampled => Self::Off,
            None => client,
        }
    }

    /// Whether a stored answer may answer the call.
    pub(crate) fn reads(self) -> bool {
        matches!(self, Self::On | Self::ReadOnly)
    }

    /// Whether the answer to the call is stored.
    pub(crate) fn writes(self) -> bool {
        matches!(self, Self::On | Self::WriteOnly | Self::Refresh)
    }

    /// Whether the answer to an equal call in progress may answer the call.
    pub(crate) fn joins(self) -> bool {
        matches!(self, Self::On | Self::Refresh)
    }
}

#[cfg(test)]
mod tests {
    use super::Mode::{Off, On, ReadOnly, Refresh, WriteOnly};
    use super::*;

    #[test]
    fn a_sampled_request_is_cached_only_on_request() {
        for (request, client, is_sampled, sampled, expected) in [
            (None, On, false, false, On),
            (None, On, true, false, Off),
            (None, On, true, true, On),
            (None, ReadOnly, true, false, Off),
            (None, Off, false, true, Off),
            (Some(On), On, true, false, On),
            (Some(On), Off, true, false, On),
            (Some(Refresh), On, true, false, Refresh),
            (Some(Off), On, false, true, Off),
        ] {
            assert_eq!(Mode::of_call(request, client, is_sampled, sampled), expected);
        }
    }

    #[test]
    fn every_mode_reads_writes_and_joins_as_documented() {
        for (mode, reads, writes, joins) in [
            (On, true, true, true),
            (ReadOnly, true, false, false),
            (WriteOnly, false, true, false),
            (Refresh, false, true, true),
            (Off, false, false, false),
        ] {
            assert_eq!((mode.reads(), mode.writes(), mode.joins()), (reads, writes, joins));
        }
    }
}
