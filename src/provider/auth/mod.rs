//! Credentials that clouds issue.

#[cfg(feature = "bedrock")]
pub(crate) mod aws;
#[cfg(feature = "vertex")]
pub(crate) mod google;

/// Reads an environment variable; `None` if it is not set. The error says what is wrong with it.
type Read<'a> = &'a dyn Fn(&str) -> Result<Option<String>, String>;

/// Reads a variable of this process. An empty one counts as not set.
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}
