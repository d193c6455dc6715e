//! Chat requests and responses, independent of any provider's format.
//!
//! A [`ChatRequest`] holds a conversation of [`Message`]s. Each has a [`Role`] and a list of
//! [`Part`]s: text, images, documents, tool calls and their results, reasoning. A [`ChatResponse`]
//! holds the model's message and the provider's metadata: why the model stopped, how many tokens it
//! used, which model served the call.
//!
//! These types are plain data without I/O. They implement serde, so a program can store a
//! conversation and load it again. `Debug` shows the shape of a conversation and never its text, so
//! logs hold no prompts.

mod audio;
mod event;
mod format;
mod media;
pub(crate) mod media_type;
mod message;
mod opaque;
mod part;
mod provenance;
mod provider;
mod reasoning;
mod request;
mod response;
mod schema;
mod text;
mod tool;
mod typed;

pub use audio::Audio;
pub use event::StreamEvent;
pub use format::{JsonSchema, ReasoningEffort, ResponseFormat};
pub use media::{Document, Image, ImageDetail, MediaSource};
pub use message::{Message, Role};
pub use opaque::Opaque;
pub use part::{CacheTtl, Part};
pub use provenance::{Format, Provenance};
pub use provider::Provider;
pub use reasoning::Reasoning;
pub use request::ChatRequest;
pub use response::{ChatResponse, FinishReason};

pub use crate::error::{Quota, RateLimit};
pub use crate::usage::{Usage, UsageSource};
pub use text::Text;
pub use tool::{Function, Tool, ToolCall, ToolChoice, ToolResult};
pub(crate) use typed::problem_in_line as json_line_problem;

/// Shows the size of a text in `Debug` output instead of the text itself.
pub(crate) struct Hidden(pub(crate) usize);

impl std::fmt::Debug for Hidden {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "[{} bytes]", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Map, json};

    #[test]
    fn debug_shows_the_shape_and_never_the_text() {
        let cited = Text { citations: vec![json!("secret")], ..Text::from("secret") };
        let mut call = ToolCall::new("c", "f", "secret");
        let provenance = Provenance::any(Format::OpenAiChat);
        let members = [("caller".to_owned(), json!("secret"))].into_iter().collect();
        call.opaque = Some(Opaque::new(provenance.clone(), members).into());
        let request = ChatRequest::new([
            Message::user("secret")
                .named("secret")
                .with(Document::from_bytes("application/pdf", b"secret").name("secret"))
                .with(Image::from_url("https://secret")),
            Message::new(Role::Assistant, [Part::Text(cited), Reasoning::new("secret").into()])
                .with(call)
                .with(Part::Other { provenance: Some(provenance), value: json!({"a": "secret"}) }),
            Message::tool_result("c", "secret"),
        ])
        .tool(Tool::function("f", "secret", json!({"secret": 1})))
        .response_format(ResponseFormat::json_schema("s", json!("secret")))
        .tag("customer", "secret")
        .extra("user", "secret")
        .stop("secret");
        let Tool::Function(function) = &request.tools[0] else { panic!() };
        for shown in [format!("{request:?}"), format!("{request:#?}"), format!("{function:?}")] {
            assert!(!shown.contains("secret"), "{shown}");
        }
        let shown = format!("{request:?}");
        assert!(shown.contains("[\"customer\"]") && shown.contains("Some([6 bytes])"), "{shown}");
    }

    #[test]
    fn a_stored_message_has_no_empty_members() {
        for stored in [
            json!({"role": "user", "content": [{"text": "hi"}], "name": "ann"}),
            json!({"role": "assistant", "content": [
                {"reasoning": {"text": "hm", "signature": "s"}},
                {"text": "a"},
                {"tool_call": {"id": "c", "name": "f", "arguments": "{}"}},
            ]}),
        ] {
            let loaded: Message = serde_json::from_value(stored.clone()).unwrap();
            assert_eq!(serde_json::to_value(&loaded).unwrap(), stored);
        }
    }

    #[test]
    fn provenance_citations_and_opaque_members_survive_storage() {
        let mut call = ToolCall::new("c", "f", "{}");
        let provenance = Provenance::new("deepseek", Format::OpenAiChat);
        let members = Map::from_iter([("caller".to_owned(), json!({"type": "direct"}))]);
        let opaque = Opaque::new(provenance.clone(), members.clone());
        call.opaque = Some(opaque.clone().into());
        let thought = Reasoning {
            provenance: Some(provenance),
            field: Some("reasoning_content".into()),
            extra: members,
            ..Reasoning::new("hm")
        };
        let cited = Text { citations: vec![json!({"type": "x"})], ..Text::from("a") };
        let mut message =
            Message::new(Role::Assistant, [Part::Text(cited), thought.into()]).with(call);
        message.opaque = Some(opaque.into());
        let stored = serde_json::to_string(&message).unwrap();
        assert_eq!(serde_json::from_str::<Message>(&stored).unwrap(), message);
    }
}
