use serde::{Deserialize, Deserializer};
use serde_json::Value;

use super::{failure, usage};
use crate::chat::Usage;
use crate::provider::{Failure, json};

/// What surrounds the choices in a response body, the same for chat and text
/// completions. Every field may be missing or null on one server or another.
#[derive(Deserialize)]
#[serde(bound(deserialize = "Choice: Deserialize<'de>"))]
pub(in crate::provider) struct Envelope<Choice> {
    #[serde(default, deserialize_with = "text")]
    pub(in crate::provider) id: Option<String>,
    #[serde(default, deserialize_with = "text")]
    pub(in crate::provider) model: Option<String>,
    #[serde(default, deserialize_with = "text")]
    pub(in crate::provider) service_tier: Option<String>,
    #[serde(default)]
    usage: Value,
    #[serde(default)]
    error: Value,
    choices: Option<Vec<Choice>>,
}

impl<Choice: for<'de> Deserialize<'de>> Envelope<Choice> {
    /// Reads a body with status 200 and takes the first choice out of it.
    ///
    /// OpenRouter sends what goes wrong after a model began to work under status
    /// 200, as `{"error": {…}}` (openrouter.ai/docs/api/errors), and proxies do
    /// alike. That is classed as the same error under its own status would be.
    pub(in crate::provider) fn read(body: &[u8]) -> Result<(Self, Choice), Failure> {
        let mut envelope: Self = json::read(body)?;
        let choice = envelope.choices.take().and_then(|choices| choices.into_iter().next());
        match choice {
            Some(choice) => Ok((envelope, choice)),
            None if envelope.error.is_null() => {
                Err(Failure::protocol("the response holds no choices, so there is no answer in it"))
            }
            None => Err(failure::under_200(envelope.error)),
        }
    }

    pub(in crate::provider) fn usage(&self) -> Usage {
        usage::read(&self.usage)
    }
}

/// A string, or none where something else stands.
pub(super) fn text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    Ok(match Value::deserialize(deserializer)? {
        Value::String(text) if !text.is_empty() => Some(text),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    })
}
