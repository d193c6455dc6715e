//! What surrounds the choices in a whole response: id, model, tier and usage.

use serde_json::Value;

use super::usage::{self, Report};
use crate::chat::Usage;
use crate::wire::json::bounded::Detail;
use crate::wire::json::object::{First, Members, Object, members};
use crate::wire::json::word::Word;
use crate::wire::{Failure, json};

/// What surrounds the choices in a response body, the same for chat and text
/// completions. Every field may be missing, null or odd on one server or another.
#[derive(Debug)]
pub(in crate::wire) struct Envelope {
    pub(in crate::wire) id: Option<String>,
    pub(in crate::wire) model: Option<String>,
    pub(in crate::wire) service_tier: Option<String>,
    pub(in crate::wire) usage: Usage,
}

impl Envelope {
    /// Reads a body with status 200 and takes the first choice out of it. `repaired` is
    /// where nearly JSON is kept once it is made JSON.
    ///
    /// OpenRouter sends what goes wrong after a model began to work under status
    /// 200, as `{"error": {…}}` (openrouter.ai/docs/api/errors), and proxies do
    /// alike. That is classed as the same error under its own status would be.
    pub(in crate::wire) fn read<'a, Choice: Members<'a>>(
        body: &'a [u8],
        repaired: &'a mut Option<String>,
    ) -> Result<(Self, Choice), Failure> {
        let Object(body) = json::read::<Object<Body<'a, Choice>>>(body, repaired)?;
        match body.choices {
            First(Some(Object(choice))) => {
                let envelope = Self {
                    id: body.id.text(),
                    model: body.model.text(),
                    service_tier: body.service_tier.text(),
                    usage: usage::read(&body.usage),
                };
                Ok((envelope, choice))
            }
            First(None) => Err(match body.error.map(|error| error.value) {
                None | Some(Value::Null) => {
                    Failure::protocol("the response holds no choices, so there is no answer in it")
                }
                Some(error) => Failure::inside(&error),
            }),
        }
    }
}

#[derive(Default)]
struct Body<'a, Choice> {
    id: Word<'a>,
    model: Word<'a>,
    service_tier: Word<'a>,
    usage: Object<Report>,
    error: Option<Box<Detail>>,
    choices: First<Object<Choice>>,
}

members!(impl [Choice: Members<'de>] Body<'de, Choice> {
    "id" => id,
    "model" => model,
    "service_tier" => service_tier,
    "usage" => usage,
    "error" => error,
    "choices" => choices,
});
