//! Checks that every tool call has a result and every result a call.

use crate::chat::{Message, Part, Role, ToolCall};
use crate::error::Error;

/// Checks that tool results follow the calls they belong to, before the assistant speaks again. The
/// encoders fix their order within that range.
///
/// Providers reject anything else: "An assistant message with 'tool_calls' must be followed by
/// tool messages responding to each 'tool_call_id'" (OpenAI), "`tool_use` ids were found without
/// `tool_result` blocks immediately after" and "unexpected `tool_use_id` found in `tool_result`
/// blocks" (Anthropic; anthropics/claude-code #2903, router-for-me/CLIProxyAPI #497).
///
/// # Errors
///
/// The first call without a result or result without a call, with its id and place.
pub(super) fn check(messages: &[Message]) -> Result<(), Error> {
    let mut turn = Turn::default();
    for (index, message) in messages.iter().enumerate() {
        match message.role {
            Role::System => {}
            Role::Assistant => {
                if turn.is_answered {
                    turn.close()?;
                    turn = Turn::default();
                }
                for part in &message.content {
                    match part {
                        Part::ToolCall(call) => turn.open.push((index, call)),
                        // A provider's own kind of call, which may not need a result.
                        Part::Other { value, .. } => {
                            let ids = [&value["id"], &value["call_id"]];
                            turn.others.extend(ids.into_iter().filter_map(|id| id.as_str()));
                        }
                        _ => {}
                    }
                }
            }
            Role::User | Role::Tool => {
                turn.is_answered = true;
                for part in &message.content {
                    match part {
                        Part::ToolResult(result) => turn.take(index, &result.call_id)?,
                        Part::Other { value, .. } => {
                            let ids = [&value["tool_use_id"], &value["call_id"]];
                            for id in ids.into_iter().filter_map(|id| id.as_str()) {
                                turn.open.retain(|(_, call)| call.id != id);
                            }
                        }
                        _ => {}
                    }
                }
            }
        }
    }
    turn.close()
}

/// One assistant turn and the results so far.
#[derive(Default)]
struct Turn<'a> {
    /// Calls without a result so far, with the index of their message.
    open: Vec<(usize, &'a ToolCall)>,
    others: Vec<&'a str>,
    answered: Vec<&'a str>,
    /// True once another role has spoken after the assistant.
    is_answered: bool,
}

impl<'a> Turn<'a> {
    fn take(&mut self, index: usize, id: &'a str) -> Result<(), Error> {
        if let Some(at) = self.open.iter().position(|(_, call)| call.id == id) {
            self.open.remove(at);
            self.answered.push(id);
            return Ok(());
        }
        // An empty id has its own error elsewhere.
        if id.is_empty() || self.others.contains(&id) {
            return Ok(());
        }
        Err(Error::invalid_request(if self.answered.contains(&id) {
            format!(
                "messages[{index}] holds a second result for the tool call {id:?}; keep only one \
                 result per call"
            )
        } else {
            format!(
                "messages[{index}] holds a result for the tool call {id:?}, but the assistant \
                 message before it has no such call; keep the message with the call before its \
                 result, or remove both"
            )
        }))
    }

    fn close(&self) -> Result<(), Error> {
        // As in `take`.
        let call = self.open.iter().find(|(_, call)| !call.id.is_empty());
        call.map_or(Ok(()), |(index, call)| {
            Err(Error::invalid_request(format!(
                "messages[{index}] calls the tool {:?} with the id {:?}, but no result follows; \
                 add one with Message::tool_result, or Message::tool_error if the tool did not \
                 run",
                call.name, call.id
            )))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chat::{ChatRequest, ToolResult};
    use crate::wire::{Delivery, Target, Wire};
    use serde_json::{Value, json};

    fn calls<const N: usize>(ids: [&str; N]) -> Message {
        Message::new(Role::Assistant, ids.map(|id| ToolCall::new(id, "weather", "{}")))
    }

    fn result(id: &str) -> Message {
        Message::tool_result(id, "secret")
    }

    fn hi() -> Message {
        Message::user("secret")
    }

    fn wires() -> [(Wire, Target<'static>); 7] {
        [
            (Wire::OpenAiChat, Target::openai("m")),
            (Wire::Anthropic, Target::anthropic("m")),
            (Wire::OpenAiResponses, Target::openai("m")),
            (Wire::Gemini, Target::gemini("m")),
            (Wire::Cohere, Target::cohere("m")),
            (Wire::Ollama, Target::ollama("m")),
            (Wire::Bedrock, Target::bedrock("m")),
        ]
    }

    #[test]
    fn calls_without_results_and_results_without_calls_are_rejected() {
        let no_result = "calls the tool \"weather\" with the id \"b\", but no result follows";
        let no_call = "holds a result for the tool call \"b\", but the assistant message before";
        for (messages, expected) in [
            (vec![hi(), calls(["b"])], no_result),
            (vec![hi(), calls(["b"]), hi()], no_result),
            (vec![hi(), calls(["a", "b"]), result("a")], no_result),
            (vec![hi(), calls(["a", "b"]), result("a"), hi()], no_result),
            (vec![hi(), calls(["b"]), hi(), Message::assistant("x"), hi()], no_result),
            (vec![hi(), calls(["a"]), result("a"), calls(["b"])], no_result),
            (vec![result("b")], no_call),
            (vec![hi(), result("b")], no_call),
            (vec![hi(), Message::assistant("x"), result("b")], no_call),
            (vec![hi(), calls(["a"]), result("a"), result("b")], no_call),
            // A conversation whose start was trimmed.
            (vec![result("b"), Message::assistant("x"), hi()], no_call),
            (vec![hi(), calls(["b"]), result("b"), Message::assistant("x"), result("b")], no_call),
            (vec![hi(), calls(["b"]), result("b"), result("b")], "a second result"),
            (vec![hi().with(ToolResult::new("b", "x"))], no_call),
        ] {
            let request = ChatRequest::new(messages);
            for (wire, target) in wires() {
                let error = wire.members(&request, target, Delivery::Whole).unwrap_err();
                assert_eq!(error.kind(), crate::ErrorKind::InvalidRequest);
                assert!(error.message().contains(expected), "{wire:?} {error}");
                assert!(!error.message().contains("secret"), "{error}");
            }
        }
    }

    #[test]
    fn results_move_next_to_their_calls_within_a_turn() {
        let meanwhile = || Message::user("meanwhile");
        for messages in [
            vec![hi(), calls(["a", "b"]), result("a"), result("b"), meanwhile()],
            vec![hi(), calls(["a", "b"]), meanwhile(), result("a"), result("b")],
            vec![hi(), calls(["a", "b"]), result("a"), meanwhile(), result("b")],
            vec![
                hi(),
                calls(["a", "b"]),
                Message::system("s"),
                meanwhile().with(ToolResult::new("a", "secret")),
                result("b"),
            ],
        ] {
            let request = ChatRequest::new(messages);
            let encode = |(wire, target): (Wire, Target<'_>)| {
                Value::from(wire.members(&request, target, Delivery::Whole).unwrap())
            };
            for wire in [wires()[0], wires()[4]] {
                let body = encode(wire);
                let roles: Vec<_> = body["messages"].as_array().unwrap().iter().collect();
                let roles = roles.iter().map(|message| message["role"].as_str().unwrap());
                let roles: Vec<_> = roles.filter(|role| *role != "system").collect();
                assert_eq!(roles, ["user", "assistant", "tool", "tool", "user"]);
                let results = body["messages"].as_array().unwrap().iter();
                let results: Vec<_> =
                    results.filter_map(|one| one["tool_call_id"].as_str()).collect();
                assert_eq!(results, ["a", "b"]);
            }

            let body = encode(wires()[1]);
            let blocks = body["messages"][2]["content"].as_array().unwrap();
            let kinds: Vec<_> = blocks.iter().map(|block| &block["type"]).collect();
            assert_eq!(kinds, ["tool_result", "tool_result", "text"]);

            let body = encode(wires()[2]);
            let items = body["input"].as_array().unwrap();
            let items = items.iter().filter(|item| item["role"] != "system");
            let ids: Vec<_> = items.map(|item| item["call_id"].as_str()).collect();
            let [a, b] = [Some("a"), Some("b")];
            assert_eq!(ids[1..], [a, b, a, b, None]);

            let body = encode(wires()[3]);
            let parts = body["contents"][2]["parts"].as_array().unwrap();
            let ids: Vec<_> =
                parts.iter().map(|it| it["functionResponse"]["id"].as_str()).collect();
            assert_eq!(ids, [a, b, None]);
        }
    }

    #[test]
    fn ids_may_repeat_and_providers_own_calls_need_no_result() {
        let own = |value: Value| Part::native(crate::chat::Format::OpenAiChat, value);
        for messages in [
            vec![hi(), calls(["a"]), result("a"), calls(["a"]), result("a")],
            vec![hi(), calls(["a", "a"]), result("a"), result("a")],
            vec![
                hi(),
                Message::new(Role::Assistant, [own(json!({"type": "custom", "id": "x"}))]),
                result("x"),
            ],
            vec![
                hi(),
                Message::assistant("y").with(own(json!({"type": "server_tool_use", "id": "x"}))),
                hi(),
            ],
            vec![hi(), Message::assistant("Once upon")],
        ] {
            assert_eq!(check(&messages).map_err(|error| error.to_string()), Ok(()));
        }
    }
}
