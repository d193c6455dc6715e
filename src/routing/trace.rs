//! How a route served a call.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::time::Duration;

use super::RestReason;
use crate::error::ErrorKind;

/// How a [`Route`](crate::route::Route) served a call: what became of each of its targets, and why.
///
/// `Display` shows one line per target.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct RouteTrace {
    /// The name of the route.
    pub route: String,
    /// The name of its strategy.
    pub strategy: String,
    /// Its targets, in the order of the route.
    pub targets: Vec<TargetTrace>,
}

/// What became of one target in a call.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct TargetTrace {
    /// The name of the target.
    pub name: String,
    /// What became of it. Empty if it was not needed.
    pub steps: Vec<TargetStep>,
}

/// One thing that happened to a target in a call.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum TargetStep {
    /// It answered.
    Answered,
    /// An attempt failed this way.
    Failed(ErrorKind),
    /// It was resting, for this much longer.
    Resting {
        /// Why it rests.
        reason: RestReason,
        /// How long it will rest.
        left: Duration,
    },
    /// It cannot serve this call, for this reason.
    CannotServe(String),
}

impl fmt::Display for TargetStep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Answered => f.write_str("answered"),
            Self::Failed(kind) => write!(f, "failed ({kind})"),
            Self::Resting { reason, left } => write!(f, "rests for {left:.1?}, because {reason}"),
            Self::CannotServe(why) => write!(f, "skipped: {why}"),
        }
    }
}

impl fmt::Display for TargetTrace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.name)?;
        if self.steps.is_empty() {
            return f.write_str("not needed");
        }
        for (at, step) in self.steps.iter().enumerate() {
            write!(f, "{}{step}", if at > 0 { ", then " } else { "" })?;
        }
        Ok(())
    }
}

impl fmt::Display for RouteTrace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "route {} ({})", self.route, self.strategy)?;
        self.targets.iter().try_for_each(|target| write!(f, "\n  {target}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trace_has_one_line_per_target() {
        let target = |name: &str, steps| TargetTrace { name: name.to_owned(), steps };
        let trace = RouteTrace {
            route: "smart".into(),
            strategy: "failover".into(),
            targets: vec![
                target(
                    "a/x",
                    vec![
                        TargetStep::Failed(ErrorKind::Server),
                        TargetStep::Failed(ErrorKind::Timeout),
                    ],
                ),
                target(
                    "b/y",
                    vec![TargetStep::Resting {
                        reason: RestReason::RateLimit,
                        left: Duration::from_millis(4_210),
                    }],
                ),
                target("c/z", vec![TargetStep::CannotServe("no images".into())]),
                target("d/w", vec![TargetStep::Answered]),
                target("e/v", vec![]),
            ],
        };
        assert_eq!(
            trace.to_string(),
            "route smart (failover)\n  a/x: failed (server), then failed (timeout)\n  \
             b/y: rests for 4.2s, because its rate limit is used up\n  c/z: skipped: no images\n  \
             d/w: answered\n  e/v: not needed"
        );
        let stored = serde_json::to_string(&trace).unwrap();
        assert_eq!(serde_json::from_str::<RouteTrace>(&stored).unwrap(), trace);
    }
}
