//! How a route served a call.

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use super::RestReason;
use crate::catalogue::{Grounds, Lack, Shortlist};
use crate::error::ErrorKind;
use crate::money::Money;

/// How a [`Route`](crate::route::Route) served a call: what became of each of its targets, and why.
///
/// `Display` shows one line per target.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct RouteTrace {
    /// The name of the route.
    pub route: String,
    /// The name of its strategy; `cascade` if it is a [cascade](crate::route::Route::cascade).
    pub strategy: String,
    /// What its [classifier](crate::route::Classifier) decided; `None` if it has none, or if that
    /// left the choice to the strategy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub classification: Option<Classification>,
    /// Its targets, in the order of the route.
    pub targets: Vec<TargetTrace>,
    /// The models that an [automatic](crate::route::Route::auto) route left out: how many, and why.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub left_out: Vec<String>,
}

/// What a [`Classifier`](crate::route::Classifier) decided about a call.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Classification {
    /// The name of the classifier.
    pub classifier: String,
    /// The target it named, to be tried first.
    pub target: String,
    /// Why.
    pub reason: String,
    /// Whether the route has that target. If not, the strategy chose the first one.
    pub is_known: bool,
}

/// What became of one target in a call.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct TargetTrace {
    /// The name of the target.
    pub name: String,
    /// What became of it. Empty if it was not needed.
    pub steps: Vec<TargetStep>,
    /// Why an [automatic](crate::route::Route::auto) route gave it its place.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reasons: Vec<String>,
}

/// One thing that happened to a target in a call.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum TargetStep {
    /// It answered, and the call returned this answer.
    Answered,
    /// It answered, but the [cascade](crate::route::Route::cascade) did not accept the answer.
    NotAccepted {
        /// Why.
        reason: String,
        /// What the answer cost; `None` if the model has no known price.
        cost: Option<Money>,
    },
    /// It was tried too, as a [hedge](crate::route::Hedge): another target had been silent for this
    /// long.
    Hedged(Duration),
    /// Its attempt was cancelled, because another attempt was answered first or ended the call.
    Superseded,
    /// An attempt failed this way.
    Failed(ErrorKind),
    /// It was resting, for this much longer.
    Resting {
        /// Why it rests.
        reason: RestReason,
        /// How long it will rest.
        left: Duration,
    },
    /// It had no room for this call, because of this limit.
    NoRoom(String),
    /// It cannot serve this call, for this reason.
    CannotServe(String),
}

/// How far a call has come with one target.
#[derive(Debug, Clone)]
pub(super) struct Progress {
    pub(super) tried: bool,
    /// It cannot serve this call.
    pub(super) unfit: bool,
    /// An attempt is in progress, if the call makes several at once.
    pub(super) runs: bool,
    /// It cannot be tried beside another.
    pub(super) cannot_hedge: bool,
    /// A limit has no room for it now.
    pub(super) full: bool,
    pub(super) steps: Vec<TargetStep>,
}

/// How far a call has come with each target of its route. Takes no memory until something is noted,
/// which for most calls is never.
#[derive(Debug, Clone, Default)]
pub(super) struct Notes(Vec<Progress>);

impl Notes {
    /// The notes about the target at this place.
    pub(super) fn of(&self, at: usize) -> &Progress {
        static NOTHING: Progress = Progress::NOTHING;
        self.0.get(at).unwrap_or(&NOTHING)
    }

    pub(super) fn of_mut(&mut self, at: usize) -> &mut Progress {
        if self.0.len() <= at {
            self.0.resize_with(at + 1, || Progress::NOTHING);
        }
        &mut self.0[at]
    }

    /// The notes about the targets up to the last one that has any.
    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Progress> {
        self.0.iter_mut()
    }
}

impl Progress {
    const NOTHING: Self = Self {
        tried: false,
        unfit: false,
        runs: false,
        cannot_hedge: false,
        full: false,
        steps: Vec::new(),
    };
}

/// The names in a [`RouteTrace`], which all calls of a route share.
#[derive(Debug, Default)]
pub(crate) struct Names {
    pub(super) route: String,
    pub(super) strategy: String,
    pub(super) targets: Vec<String>,
    /// Why each target has its place, for an automatic route; otherwise empty.
    pub(super) grounds: Vec<Grounds>,
    /// Why other models are left out, with their numbers.
    pub(super) left_out: Vec<(Lack, usize)>,
}

/// A [`RouteTrace`] that is made when somebody asks for it, because most programs never do.
#[derive(Clone)]
pub(crate) struct LazyTrace {
    names: Arc<Names>,
    notes: Notes,
    /// The target that answered.
    answered: Option<usize>,
    classification: Option<Box<Classification>>,
    /// Boxed, because few are made and every answer of a route is moved with this.
    made: OnceLock<Box<RouteTrace>>,
}

impl LazyTrace {
    pub(super) fn new(names: Arc<Names>, notes: Notes, answered: Option<usize>) -> Self {
        Self { names, notes, answered, classification: None, made: OnceLock::new() }
    }

    pub(super) fn classified(self, classification: Option<Box<Classification>>) -> Self {
        Self { classification, ..self }
    }

    /// The route, and the target that answered.
    pub(crate) fn answered(&self) -> Option<(&str, &str)> {
        let trace = self.get();
        let last = |target: &&TargetTrace| target.steps.last() == Some(&TargetStep::Answered);
        Some((&trace.route, &trace.targets.iter().find(last)?.name))
    }

    pub(crate) fn get(&self) -> &RouteTrace {
        self.made.get_or_init(|| {
            let targets = self.names.targets.iter().enumerate().map(|(at, name)| {
                let answer = (self.answered == Some(at)).then_some(TargetStep::Answered);
                let steps = self.notes.of(at).steps.iter().cloned().chain(answer).collect();
                let reasons = self.names.grounds.get(at).map(Grounds::reasons).unwrap_or_default();
                TargetTrace { name: name.clone(), steps, reasons }
            });
            Box::new(RouteTrace {
                route: self.names.route.clone(),
                strategy: self.names.strategy.clone(),
                classification: self.classification.as_deref().cloned(),
                targets: targets.collect(),
                left_out: Shortlist::describe(&self.names.left_out),
            })
        })
    }
}

impl RouteTrace {
    /// Why the [cascade](crate::route::Route::cascade) did not accept the answer that the call
    /// returned all the same. `None` if it accepted the answer, or the route is no cascade.
    pub fn not_accepted(&self) -> Option<&str> {
        self.targets.iter().find_map(|target| match &target.steps[..] {
            [.., TargetStep::NotAccepted { reason, .. }, TargetStep::Answered] => {
                Some(reason.as_str())
            }
            _ => None,
        })
    }
}

impl PartialEq for LazyTrace {
    fn eq(&self, other: &Self) -> bool {
        self.get() == other.get()
    }
}

impl Serialize for LazyTrace {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.get().serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for LazyTrace {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let trace = Box::<RouteTrace>::deserialize(deserializer)?;
        Ok(Self { made: trace.into(), ..Self::new(Arc::default(), Notes::default(), None) })
    }
}

impl fmt::Display for TargetStep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Answered => f.write_str("answered"),
            Self::NotAccepted { reason, .. } => write!(f, "not accepted: {reason}"),
            Self::Hedged(silence) => write!(f, "hedge after {silence:.1?} of silence"),
            Self::Superseded => f.write_str("cancelled, because another attempt decided the call"),
            Self::Failed(kind) => write!(f, "failed ({kind})"),
            Self::Resting { reason, left } => write!(f, "rests for {left:.1?}, because {reason}"),
            Self::NoRoom(why) => write!(f, "no room: {why}"),
            Self::CannotServe(why) => write!(f, "skipped: {why}"),
        }
    }
}

impl fmt::Display for Classification {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { classifier, target, reason, is_known } = self;
        match is_known {
            true => write!(f, "{classifier} chose {target}: {reason}"),
            false => write!(f, "{classifier} chose {target:?}, which is no target of this route"),
        }
    }
}

impl fmt::Display for TargetTrace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.name)?;
        if self.steps.is_empty() {
            f.write_str("not needed")?;
        }
        for (at, step) in self.steps.iter().enumerate() {
            let before = at.checked_sub(1).map(|before| &self.steps[before]);
            match (before, step) {
                (None, _) => write!(f, "{step}")?,
                (Some(TargetStep::NotAccepted { .. }), TargetStep::Answered) => {
                    f.write_str("; returned all the same")?;
                }
                (Some(_), _) => write!(f, ", then {step}")?,
            }
        }
        self.write_reasons(f)
    }
}

impl TargetTrace {
    fn write_reasons(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.reasons[..] {
            [] => Ok(()),
            reasons => write!(f, " ({})", reasons.join("; ")),
        }
    }
}

impl fmt::Display for RouteTrace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "route {} ({})", self.route, self.strategy)?;
        if let Some(classification) = &self.classification {
            write!(f, "\n  {classification}")?;
        }
        self.targets.iter().try_for_each(|target| write!(f, "\n  {target}"))?;
        self.left_out.iter().try_for_each(|models| write!(f, "\n  left out: {models}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cascade_shows_why_it_moved_up_and_what_it_returned() {
        let rejected = |reason: &str| TargetStep::NotAccepted { reason: reason.into(), cost: None };
        let target =
            |name: &str, steps| TargetTrace { name: name.to_owned(), steps, reasons: Vec::new() };
        let mut trace = RouteTrace {
            route: "smart".into(),
            strategy: "cascade".into(),
            classification: Some(Classification {
                classifier: "by_prompt".into(),
                target: "a/x".into(),
                reason: "the prompt is short".into(),
                is_known: true,
            }),
            targets: vec![
                target("a/x", vec![rejected("it is cut off")]),
                target("b/y", vec![rejected("it is empty"), TargetStep::Answered]),
            ],
            left_out: Vec::new(),
        };
        assert_eq!(
            trace.to_string(),
            "route smart (cascade)\n  by_prompt chose a/x: the prompt is short\n  \
             a/x: not accepted: it is cut off\n  \
             b/y: not accepted: it is empty; returned all the same"
        );
        assert_eq!(trace.not_accepted(), Some("it is empty"));
        let stored = serde_json::to_string(&trace).unwrap();
        assert_eq!(serde_json::from_str::<RouteTrace>(&stored).unwrap(), trace);
        trace.targets[1].steps = vec![TargetStep::Answered];
        assert_eq!(trace.not_accepted(), None);
    }

    #[test]
    fn a_trace_has_one_line_per_target() {
        let target =
            |name: &str, steps| TargetTrace { name: name.to_owned(), steps, reasons: Vec::new() };
        let trace = RouteTrace {
            route: "smart".into(),
            strategy: "failover".into(),
            classification: None,
            left_out: Vec::new(),
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
                target("h/t", vec![TargetStep::Superseded]),
                target(
                    "d/w",
                    vec![TargetStep::Hedged(Duration::from_millis(1_230)), TargetStep::Answered],
                ),
                target("e/v", vec![]),
            ],
        };
        assert_eq!(
            trace.to_string(),
            "route smart (failover)\n  a/x: failed (server), then failed (timeout)\n  \
             b/y: rests for 4.2s, because its rate limit is used up\n  c/z: skipped: no images\n  \
             h/t: cancelled, because another attempt decided the call\n  \
             d/w: hedge after 1.2s of silence, then answered\n  e/v: not needed"
        );
        let stored = serde_json::to_string(&trace).unwrap();
        assert_eq!(serde_json::from_str::<RouteTrace>(&stored).unwrap(), trace);
    }
}
