//! The members around the answer in a response body.

use serde::Deserialize;
use serde::de::{Deserializer, MapAccess};
use serde_json::{Map, Value};

use super::usage::{self, Report};
use crate::chat::{FinishReason, Message, Usage};
use crate::wire::beside::Beside;
use crate::wire::json::array::{self, Each};
use crate::wire::json::bounded::{Content, Detail};
use crate::wire::json::object::{Members, Object, members};
use crate::wire::json::string::{Count, LooseString};
use crate::wire::{AnswerBody, Decoded, Failure, failed, json};

/// The members around the choices in a response body, the same for chat and text completions. On
/// one server or another, any field can be missing, null or malformed.
#[derive(Debug)]
pub(in crate::wire) struct Envelope {
    id: Option<String>,
    model: Option<String>,
    service_tier: Option<String>,
    pub(in crate::wire) finish_reason: Option<String>,
    usage: Usage,
    /// Other members around the choices and in the chosen one.
    extra: Map<String, Value>,
}

/// Returns the service tier that Mistral reports in `usage` (`UsageInfo` in its OpenAPI file).
pub(in crate::wire) fn tier_in_usage(extra: &Map<String, Value>) -> Option<String> {
    extra.get("usage")?.get("service_tier")?.as_str().map(str::to_owned)
}

impl Envelope {
    /// Reads a body with status 200 and returns one choice: the one with index 0, as in a stream,
    /// or else the first. Almost valid JSON is repaired into `repaired`.
    ///
    /// # Errors
    ///
    /// Servers report errors after they have started to answer under status 200: OpenRouter as
    /// `{"error": {…}}` (openrouter.ai/docs/api/errors), in the choice, or only by the finish
    /// reason; Groq in `x_groq.error`; MiniMax in `base_resp`. Each becomes the same error as under
    /// its own status.
    pub(in crate::wire) fn read<'a, Said: Members<'a>>(
        body: AnswerBody<'a>,
        repaired: &'a mut Option<String>,
    ) -> Result<(Self, Said), Failure> {
        let Object(envelope) = json::read::<Object<Body<'a, Said>>>(body, repaired)?;
        let Some(choice) = envelope.choices.chosen else {
            return Err(json::detail(body.bytes).as_ref().and_then(failed::report).unwrap_or_else(
                || Failure::protocol("the response has no choices, so there is no answer"),
            ));
        };
        let Object(choice) = choice;
        let groq = envelope.x_groq.as_ref().map(|Object(groq)| groq);
        let groq_error = groq.and_then(|groq| groq.error.as_deref());
        let groq_usage = groq.and_then(|groq| groq.usage.as_ref());
        let errors = [envelope.error.as_deref(), groq_error, choice.error.as_deref()];
        for error in errors.into_iter().flatten() {
            if failed::is_error(&error.value) {
                return Err(Failure::inside(&error.value));
            }
        }
        if let Some(failure) = envelope.base_resp.and_then(|it| failed::base_resp(&it.value)) {
            return Err(failure);
        }
        if let Some(failure) = failed::ending(&choice.finish_reason.0, &choice.native.0) {
            return Err(failure);
        }
        let usages = [choice.usage.as_ref(), groq_usage, envelope.usage.as_ref()];
        let usages = usages.into_iter().flatten().map(|Object(report)| usage::read(report));
        let usage = usages.reduce(usage::merged);
        let mut extra = Map::new();
        envelope.beside.add_to(&mut extra);
        choice.beside.add_to(&mut extra);
        for report in [envelope.usage, choice.usage].into_iter().flatten() {
            report.0.beside.nest_in("usage", &mut extra);
        }
        if let Some(Object(groq)) = envelope.x_groq {
            if let Some(Object(report)) = groq.usage {
                report.beside.nest_in("usage", &mut extra);
            }
            groq.beside.nest_in("x_groq", &mut extra);
        }
        let envelope = Self {
            id: envelope.id.text(),
            model: envelope.model.text(),
            service_tier: envelope.service_tier.text().or_else(|| tier_in_usage(&extra)),
            finish_reason: choice.finish_reason.text(),
            usage: usage.unwrap_or_default(),
            extra,
        };
        Ok((envelope, choice.said))
    }

    /// Returns the answer that consists of `message` and this metadata.
    ///
    /// # Errors
    ///
    /// If the message is blank and there is no finish reason. A model with nothing to say still
    /// sends a finish reason.
    pub(in crate::wire) fn decoded(
        self,
        message: Message,
        finish_reason: FinishReason,
    ) -> Result<Decoded, Failure> {
        let is_blank = message.is_blank();
        if is_blank && message.opaque.is_none() && self.finish_reason.is_none() {
            return Err(Failure::protocol(failed::NO_ANSWER));
        }
        Ok(Decoded {
            message,
            finish_reason,
            finish_reason_raw: self.finish_reason,
            usage: self.usage.without_false_zeros(!is_blank),
            model: self.model.unwrap_or_default(),
            service_tier: self.service_tier,
            id: self.id,
            extra: self.extra,
            logprobs: String::new(),
        })
    }
}

#[derive(Default)]
struct Body<'a, Said> {
    id: LooseString<'a>,
    model: LooseString<'a>,
    service_tier: LooseString<'a>,
    /// Boxed, because it is large and the whole body is moved.
    usage: Option<Object<Box<Report>>>,
    x_groq: Option<Object<Box<Groq>>>,
    error: Option<Box<Detail>>,
    base_resp: Option<Box<Detail>>,
    choices: Choices<'a, Said>,
    obfuscation: LooseString<'a>,
    beside: Beside,
}

members!(impl [Said: Members<'de>] Body<'de, Said> {
    "id" => id,
    "model" => model,
    "service_tier" => service_tier,
    "usage" => usage,
    "x_groq" => x_groq,
    "error" => error,
    "base_resp" => base_resp,
    "choices" => choices,
    "obfuscation" => obfuscation,
    _ => |body: &mut Self, name, members| body.beside.take(name, members),
});

/// Groq's member for a stream's usage and errors (console.groq.com/docs/api-reference).
#[derive(Default)]
pub(super) struct Groq {
    pub(super) usage: Option<Object<Box<Report>>>,
    pub(super) error: Option<Box<Detail>>,
    /// Other members, its request id among them.
    pub(super) beside: Beside,
}

members!(impl [] Groq {
    "usage" => usage,
    "error" => error,
    _ => |groq: &mut Self, name, members: &mut A| {
        groq.beside.keep(name, members.next_value::<Content>()?.value);
        Ok(true)
    },
});

/// A choice with its content `Said`.
#[derive(Default)]
struct Choice<'a, Said> {
    index: Count,
    finish_reason: LooseString<'a>,
    /// OpenRouter's: the finish reason of the provider behind it.
    native: LooseString<'a>,
    /// OpenRouter's, if the upstream provider failed in the middle of the answer.
    error: Option<Box<Detail>>,
    /// Moonshot's place for usage.
    usage: Option<Object<Box<Report>>>,
    said: Said,
    /// Other members.
    beside: Beside,
}

impl<'de, Said: Members<'de>> Members<'de> for Choice<'de, Said> {
    fn take<A: MapAccess<'de>>(&mut self, name: &str, members: &mut A) -> Result<bool, A::Error> {
        match name {
            "index" => self.index = members.next_value()?,
            "finish_reason" => self.finish_reason = members.next_value()?,
            "native_finish_reason" => self.native = members.next_value()?,
            "error" => self.error = members.next_value()?,
            "usage" => self.usage = members.next_value()?,
            // These stay in the body; they are too many for values.
            "logprobs" => return Ok(false),
            name => return Ok(self.said.take(name, members)? || self.beside.take(name, members)?),
        }
        Ok(true)
    }
}

/// The choice with index 0 or without an index, or else the first.
struct Choices<'a, Said> {
    /// Boxed, because it is large and the whole body is moved.
    chosen: Option<Object<Box<Choice<'a, Said>>>>,
}

impl<Said> Default for Choices<'_, Said> {
    fn default() -> Self {
        Self { chosen: None }
    }
}

impl<'de, Said: Members<'de>> Deserialize<'de> for Choices<'de, Said> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let is_first =
            |choice: &Object<Box<Choice<'de, Said>>>| matches!(choice.0.index.0, None | Some(0));
        let take = |made: &mut Self, choice: Object<Box<Choice<'de, Said>>>| {
            let is_better = match &made.chosen {
                None => true,
                Some(chosen) => !is_first(chosen) && is_first(&choice),
            };
            if is_better {
                made.chosen = Some(choice);
            }
        };
        let Each { made, .. } = array::each(deserializer, take)?;
        Ok(made)
    }
}
