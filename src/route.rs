//! Routes: several targets under one name, with failover and load balancing.
//!
//! A [`Route`] sends each call to one of its [targets](RouteTarget), which its [`Strategy`]
//! chooses, and on to another if that one fails. A target that fails too often rests for a while
//! ([`BreakerConfig`]). The guide's page [Routing](crate::guide::routing) shows how to use it.

pub use crate::catalogue::{Capabilities, ModelStatus};
pub use crate::config::{
    ByPrompt, Check, Choice, Classifier, Route, RouteTarget, TargetInfo, Verdict,
};
pub use crate::routing::{
    Balanced, BreakerConfig, BreakerState, Candidate, Cheapest, Classification, Failover, Fastest,
    Hedge, RestReason, RouteTrace, RoutedCall, Sticky, Strategy, TargetStatus, TargetStep,
    TargetTrace, Weighted,
};
