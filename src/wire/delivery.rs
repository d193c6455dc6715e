//! How an answer is delivered: at once or as a stream.

use serde_json::{Map, Value, json};

use crate::chat::ChatRequest;
use crate::error::Error;
use crate::wire::json as wire_json;
use crate::wire::openai_chat::Dialect;

/// How an answer is delivered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Delivery {
    /// In one body.
    Whole,
    /// As a stream of events.
    Stream,
}

impl Delivery {
    /// Writes the delivery into a body; nothing for a whole answer.
    ///
    /// # Errors
    ///
    /// If [`extra`](ChatRequest::extra) asks for the other delivery.
    pub(super) fn write(
        self,
        request: &ChatRequest,
        body: &mut Map<String, Value>,
    ) -> Result<(), Error> {
        if self == Self::Whole {
            return match request.extra.get("stream") {
                Some(Value::Bool(true)) => {
                    Err(Error::invalid_request("extra sets \"stream\"; call stream() instead"))
                }
                _ => Ok(()),
            };
        }
        match request.extra.get("stream") {
            None | Some(Value::Bool(true)) => {}
            Some(_) => {
                return Err(Error::invalid_request(
                    "extra sets \"stream\" to something other than true for a streaming call; \
                     remove it",
                ));
            }
        }
        body.insert("stream".to_owned(), true.into());
        Ok(())
    }

    /// Like [`write`](Self::write), and also requests usage: OpenAI's streams have it only on
    /// request (API reference, `stream_options`), and so have those of compatible servers that know
    /// the member. `stream_options` in `extra` is merged into it.
    pub(super) fn write_with_usage(
        self,
        request: &ChatRequest,
        dialect: &Dialect,
        body: &mut Map<String, Value>,
    ) -> Result<(), Error> {
        self.write(request, body)?;
        if self == Self::Stream && dialect.stream_options {
            body.insert("stream_options".to_owned(), json!({"include_usage": true}));
        }
        Ok(())
    }
}

/// Checks that a stream has one answer, because only one is read.
///
/// # Errors
///
/// Where a body asks for several choices, or text completions of several prompts.
pub(super) fn check_choices(body: &Map<String, Value>) -> Result<(), Error> {
    let choices = wire_json::member(body, "n").and_then(Value::as_f64);
    if let Some(choices) = choices.filter(|choices| *choices > 1.0) {
        return Err(Error::invalid_request(format!(
            "n is {choices}, but a stream yields one choice; call chat() for several, or leave n \
             unset"
        )));
    }
    let prompts = match wire_json::member(body, "prompt") {
        Some(Value::Array(prompts)) if !prompts.iter().all(Value::is_number) => prompts.len(),
        _ => 1,
    };
    if prompts > 1 {
        return Err(Error::invalid_request(format!(
            "the extra member \"prompt\" has {prompts} prompts, but a stream yields one answer; \
             call complete() for several, or send each on its own"
        )));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorKind;
    use crate::wire::{Target, Wire};

    /// All but Gemini's, whose requests have the delivery in their path.
    const WIRES: [Wire; 5] = [
        Wire::OpenAiChat,
        Wire::OpenAiCompletions,
        Wire::OpenAiResponses,
        Wire::Anthropic,
        Wire::Cohere,
    ];

    fn streamed(wire: Wire, request: &ChatRequest) -> Value {
        Value::Object(
            wire.members(request, Target::openai("some-model"), Delivery::Stream).unwrap(),
        )
    }

    #[test]
    fn streaming_adds_only_stream_and_its_usage_option() {
        let request = ChatRequest::from("hi").extra("user", "u");
        for wire in WIRES {
            let whole =
                wire.members(&request, Target::openai("some-model"), Delivery::Whole).unwrap();
            let mut whole = Value::Object(whole);
            assert_eq!((whole.get("stream"), whole.get("stream_options")), (None, None));
            whole["stream"] = true.into();
            if matches!(wire, Wire::OpenAiChat | Wire::OpenAiCompletions) {
                whole["stream_options"] = json!({"include_usage": true});
            }
            assert_eq!(streamed(wire, &request), whole, "{wire:?}");
        }
    }

    #[test]
    fn gemini_bodies_are_the_same_for_both_deliveries_and_have_no_stream_member() {
        let request = ChatRequest::from("the secret prompt");
        let body = |request: &ChatRequest, delivery| {
            Wire::Gemini.members(request, Target::gemini("some-model"), delivery)
        };
        let [whole, streamed] =
            [Delivery::Whole, Delivery::Stream].map(|delivery| body(&request, delivery).unwrap());
        assert_eq!(streamed, whole);
        for stream in [json!(true), json!(false), json!(null)] {
            let request = request.clone().extra("stream", stream);
            for delivery in [Delivery::Whole, Delivery::Stream] {
                let error = body(&request, delivery).unwrap_err();
                assert_eq!(error.kind(), ErrorKind::InvalidRequest);
                assert!(error.message().contains("\"stream\""), "{error}");
                assert!(!error.message().contains("secret"), "{error}");
            }
        }
    }

    #[test]
    fn stream_options_in_extra_are_merged() {
        let request = ChatRequest::from("hi").extra("stream", true);
        let options = json!({"include_obfuscation": false});
        let merged = json!({"include_usage": true, "include_obfuscation": false});
        let request = request.extra("stream_options", options);
        assert_eq!(streamed(Wire::OpenAiChat, &request)["stream_options"], merged);
        let none = request.extra("stream_options", json!({"include_usage": false}));
        let body = streamed(Wire::OpenAiCompletions, &none);
        assert_eq!(body["stream_options"], json!({"include_usage": false}));
        assert_eq!(body["stream"], true);
    }

    #[test]
    fn extra_must_not_contradict_the_delivery() {
        let hi = || ChatRequest::from("the secret prompt");
        for stream in [json!(false), json!(null), json!("yes")] {
            for wire in WIRES {
                let request = hi().extra("stream", stream.clone());
                let error = wire
                    .members(&request, Target::openai("some-model"), Delivery::Stream)
                    .unwrap_err();
                assert_eq!(error.kind(), ErrorKind::InvalidRequest);
                assert!(error.message().contains("other than true"), "{error}");
                assert!(
                    wire.members(&request, Target::openai("some-model"), Delivery::Whole).is_ok()
                );
            }
        }
        for (best_of, fits) in [(json!(1), true), (json!(null), true), (json!(2), false)] {
            let request = hi().extra("best_of", best_of);
            let wire = Wire::OpenAiCompletions;
            assert!(wire.members(&request, Target::openai("some-model"), Delivery::Whole).is_ok());
            let streamed = wire.members(&request, Target::openai("some-model"), Delivery::Stream);
            assert_eq!(streamed.is_ok(), fits);
            if let Err(error) = streamed {
                assert_eq!(error.kind(), ErrorKind::InvalidRequest);
                assert!(error.message().contains("best_of"), "{error}");
                assert!(!error.message().contains("secret"));
            }
        }
    }
}
