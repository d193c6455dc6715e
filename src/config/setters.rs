//! The names of setters in advice.

/// Whose setters configure a provider, for advice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Setters {
    Client,
    ProviderConfig,
}

impl Setters {
    /// The call of a setter. `arguments` is `…` if it has any.
    pub(super) fn call(self, setter: &str, arguments: &str) -> String {
        match self {
            Self::Client => format!(".{setter}({arguments})"),
            Self::ProviderConfig => format!("ProviderConfig::{setter}"),
        }
    }
}
