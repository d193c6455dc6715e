//! Why a model is left out of a selection.

use std::fmt;
use std::time::Duration;

use crate::catalogue::ModelDate;
use crate::cost::Excess;

/// Why a model is left out. `Display` completes the sentence "it is left out, because …".
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Lack {
    /// It is out of service, since this day if that is known.
    Retired(Option<ModelDate>),
    /// It is called in another way than as a chat.
    NoChat,
    /// It is for this, and only a program that names it wants it.
    MadeFor(&'static str),
    /// Its name is that of a deployment, which only the account knows.
    Deployment,
    /// It cannot do this.
    Cannot(&'static str),
    /// The catalogue does not say whether it can do this.
    Unknown(&'static str),
    Window {
        has: u64,
        needed: u64,
    },
    Input {
        has: u64,
        needed: u64,
    },
    Output {
        has: u64,
        needed: u64,
    },
    Quality {
        has: f64,
        needed: f64,
    },
    Price(Excess),
    /// There is a limit on the price, and the price is unknown.
    NoPrice,
    Latency {
        measured: Duration,
        most: Duration,
    },
    /// None of its regions was asked for.
    Region,
}

/// Whether two models are left out for the same reason, whatever the numbers.
pub(super) fn is_same(one: &Lack, other: &Lack) -> bool {
    match (one, other) {
        (Lack::Cannot(one), Lack::Cannot(other)) | (Lack::Unknown(one), Lack::Unknown(other)) => {
            one == other
        }
        _ => std::mem::discriminant(one) == std::mem::discriminant(other),
    }
}

impl fmt::Display for Lack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Retired(None) => f.write_str("it is retired"),
            Self::Retired(Some(date)) => write!(f, "it was retired on {date}"),
            Self::NoChat => f.write_str("it does not chat"),
            Self::MadeFor(purpose) => {
                write!(f, "it is for {purpose}; name it with Needs::models to include it")
            }
            Self::Deployment => f.write_str(
                "its name is that of a deployment in your account; name the provider with \
                 Needs::providers to include it",
            ),
            Self::Cannot(what) => write!(f, "it does not support {what}"),
            Self::Unknown(what) => {
                write!(f, "the catalogue does not say whether it supports {what}")
            }
            Self::Window { has, needed } => {
                write!(f, "its context window holds {has} tokens, and the call needs {needed}")
            }
            Self::Input { has, needed } => {
                write!(f, "its prompt may have {has} tokens, and this one has about {needed}")
            }
            Self::Output { has, needed } => {
                write!(f, "it writes at most {has} tokens, and the call allows {needed}")
            }
            Self::Quality { has, needed } => {
                write!(f, "its quality is {has}, and {needed} is wanted")
            }
            Self::Price(Excess { what, costs, most }) => {
                write!(f, "it costs {costs} per million {what} tokens, more than {most}")
            }
            Self::NoPrice => f.write_str("its price is unknown; set it with Prices::set"),
            Self::Latency { measured, most } => {
                write!(f, "its latency is {measured:.1?}, longer than {most:.1?}")
            }
            Self::Region => f.write_str("it is served in another region"),
        }
    }
}

impl Lack {
    /// Whether the prompt is too long.
    pub(crate) fn is_size(&self) -> bool {
        matches!(self, Self::Window { .. } | Self::Input { .. })
    }

    /// Whether the price is too high, or unknown.
    pub(crate) fn is_price(&self) -> bool {
        matches!(self, Self::Price(_) | Self::NoPrice)
    }

    /// The reason without numbers, for several models.
    pub(super) fn in_general(&self) -> String {
        match self {
            Self::Retired(_) => Self::Retired(None).to_string(),
            Self::Window { needed, .. } => {
                format!("its context window holds fewer than {needed} tokens")
            }
            Self::Input { needed, .. } => format!("its prompt may have fewer than {needed} tokens"),
            Self::Output { needed, .. } => format!("it writes fewer than {needed} tokens"),
            Self::Quality { needed, .. } => format!("its quality is below {needed}"),
            Self::Price(Excess { what, most, .. }) => {
                format!("it costs more than {most} per million {what} tokens")
            }
            Self::Latency { most, .. } => format!("its latency is longer than {most:.1?}"),
            _ => self.to_string(),
        }
    }
}
