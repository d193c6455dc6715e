use serde_json::Value;

use super::usage::{self, Report};
use crate::chat::Usage;
use crate::provider::bounded::Detail;
use crate::provider::object::{First, Members, Object, members};
use crate::provider::{Failure, json};

/// What surrounds the choices in a response body, the same for chat and text
/// completions. Every field may be missing, null or odd on one server or another.
#[derive(Debug)]
pub(in crate::provider) struct Envelope {
    pub(in crate::provider) id: Option<String>,
    pub(in crate::provider) model: Option<String>,
    pub(in crate::provider) service_tier: Option<String>,
    pub(in crate::provider) usage: Usage,
}

impl Envelope {
    /// Reads a body with status 200 and takes the first choice out of it.
    ///
    /// OpenRouter sends what goes wrong after a model began to work under status
    /// 200, as `{"error": {…}}` (openrouter.ai/docs/api/errors), and proxies do
    /// alike. That is classed as the same error under its own status would be.
    pub(in crate::provider) fn read<Choice: for<'de> Members<'de>>(
        body: &[u8],
    ) -> Result<(Self, Choice), Failure> {
        let Object(body) = json::read::<Object<Body<Choice>>>(body)?;
        match body.choices {
            First(Some(Object(choice))) => {
                let envelope = Self {
                    id: json::text(body.id.value),
                    model: json::text(body.model.value),
                    service_tier: json::text(body.service_tier.value),
                    usage: usage::read(&body.usage),
                };
                Ok((envelope, choice))
            }
            First(None) if body.error.value == Value::Null => {
                Err(Failure::protocol("the response holds no choices, so there is no answer in it"))
            }
            First(None) => Err(Failure::inside(&body.error.value)),
        }
    }
}

#[derive(Default)]
struct Body<Choice> {
    id: Detail,
    model: Detail,
    service_tier: Detail,
    usage: Object<Report>,
    error: Detail,
    choices: First<Object<Choice>>,
}

members!(impl [Choice: Members<'de>] Body<Choice> {
    "id" => id,
    "model" => model,
    "service_tier" => service_tier,
    "usage" => usage,
    "error" => error,
    "choices" => choices,
});
