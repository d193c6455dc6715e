//! One turn of a conversation and the role of its speaker.

use serde::{Deserialize, Serialize};
use std::fmt;

use super::{Audio, Hidden, Image, Opaque, Part, Provider, Text, ToolCall, ToolResult};

/// Who speaks in a [`Message`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Role {
    /// Instructions for the whole conversation.
    System,
    /// The person or program that asks.
    User,
    /// The model.
    Assistant,
    /// The results of the tools that the model called.
    Tool,
}

/// One turn of a conversation.
///
/// ```
/// use tollgate::Message;
///
/// let conversation = [
///     Message::system("Answer in one word."),
///     Message::user("What is the capital of France?"),
///     Message::assistant("Paris."),
///     Message::user("And of Italy?"),
/// ];
/// assert_eq!(conversation[1].text(), "What is the capital of France?");
/// ```
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Message {
    /// Who speaks.
    pub role: Role,
    /// The parts of the message, in order.
    pub content: Vec<Part>,
    /// Distinguishes speakers with the same role, where the provider supports it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Members of the message that this crate does not model. They go back only to the provider
    /// that sent them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub opaque: Option<Box<Opaque>>,
}

impl Message {
    /// Creates a message with this role and these parts.
    pub fn new(role: Role, content: impl IntoIterator<Item = impl Into<Part>>) -> Self {
        let content = content.into_iter().map(Into::into).collect();
        Self { role, content, name: None, opaque: None }
    }

    /// Creates a system message: instructions for the whole conversation.
    pub fn system(text: impl Into<String>) -> Self {
        Self::new(Role::System, [Part::text(text)])
    }

    /// Creates a user message.
    pub fn user(text: impl Into<String>) -> Self {
        Self::new(Role::User, [Part::text(text)])
    }

    /// Creates an assistant message: what the model said earlier.
    pub fn assistant(text: impl Into<String>) -> Self {
        Self::new(Role::Assistant, [Part::text(text)])
    }

    /// Creates a message with the result of the tool call `call_id`.
    pub fn tool_result(call_id: impl Into<String>, text: impl Into<String>) -> Self {
        Self::new(Role::Tool, [ToolResult::new(call_id, text)])
    }

    /// Creates a message that reports the failure of the tool call `call_id`.
    pub fn tool_error(call_id: impl Into<String>, text: impl Into<String>) -> Self {
        Self::new(Role::Tool, [ToolResult::error(call_id, text)])
    }

    /// Adds a part, such as an [`Image`](super::Image).
    #[must_use]
    pub fn with(mut self, part: impl Into<Part>) -> Self {
        self.content.push(part.into());
        self
    }

    /// Sets the speaker's name. Default: none.
    #[must_use]
    pub fn named(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// Returns the text parts and the transcripts of [`Audio`](super::Audio), joined without a
    /// separator. Reasoning, refusals and tool calls are not included.
    pub fn text(&self) -> String {
        self.content
            .iter()
            .filter_map(|part| match part {
                Part::Text(text) => Some(text.text.as_str()),
                Part::Audio(audio) => Some(audio.transcript.as_str()),
                _ => None,
            })
            .collect()
    }

    /// Returns the images in this message, in order. An assistant message has the ones that the
    /// model generated.
    pub fn images(&self) -> impl Iterator<Item = &Image> {
        self.content.iter().filter_map(|part| match part {
            Part::Image(image) => Some(image),
            _ => None,
        })
    }

    /// Returns the tool calls in this message, in order.
    pub fn tool_calls(&self) -> impl Iterator<Item = &ToolCall> {
        self.content.iter().filter_map(|part| match part {
            Part::ToolCall(call) => Some(call),
            _ => None,
        })
    }

    /// Records which provider sent the message.
    pub(crate) fn set_sender(&mut self, provider: &Provider) {
        if let Some(opaque) = &mut self.opaque {
            opaque.provenance.set_sender(provider);
        }
        for part in &mut self.content {
            match part {
                Part::Reasoning(reasoning) => {
                    if let Some(provenance) = &mut reasoning.provenance {
                        provenance.set_sender(provider);
                    }
                }
                Part::Text(Text { opaque: Some(opaque), .. }) => {
                    opaque.provenance.set_sender(provider);
                }
                Part::ToolCall(call) => call.set_sender(provider),
                Part::Image(Image { opaque: Some(opaque), .. })
                | Part::Audio(Audio { opaque: Some(opaque), .. }) => {
                    opaque.provenance.set_sender(provider);
                }
                Part::Other { provenance: Some(provenance), .. } => provenance.set_sender(provider),
                _ => {}
            }
        }
    }

    /// Returns how many bytes of the message the model wrote.
    pub(crate) fn written_bytes(&self) -> usize {
        let of = |part: &Part| match part {
            Part::Text(text) => text.text.len(),
            Part::Reasoning(reasoning) => reasoning.text.len(),
            Part::Refusal(text) => text.len(),
            Part::Audio(audio) => audio.transcript.len(),
            Part::ToolCall(call) => call.name.len() + call.arguments.len(),
            _ => 0,
        };
        self.content.iter().map(of).sum()
    }

    /// Returns true if the model wrote nothing: every part is an empty text.
    pub(crate) fn is_blank(&self) -> bool {
        self.content.iter().all(|part| match part {
            Part::Text(text) => text.text.is_empty(),
            Part::Refusal(text) => text.is_empty(),
            Part::Reasoning(reasoning) => {
                reasoning.text.is_empty()
                    && reasoning.signature.is_none()
                    && reasoning.encrypted.is_none()
            }
            _ => false,
        })
    }

    /// Returns the visible reasoning, joined; empty if there is none.
    pub fn reasoning(&self) -> String {
        self.content
            .iter()
            .filter_map(|part| match part {
                Part::Reasoning(reasoning) => Some(reasoning.text.as_str()),
                _ => None,
            })
            .collect()
    }

    /// Returns the text in which the model declined to answer, if it did.
    pub fn refusal(&self) -> Option<&str> {
        self.content.iter().find_map(|part| match part {
            Part::Refusal(text) => Some(text.as_str()),
            _ => None,
        })
    }
}

impl fmt::Debug for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Message")
            .field("role", &self.role)
            .field("content", &self.content)
            .field("name", &self.name.as_ref().map(|name| Hidden(name.len())))
            .field("opaque", &self.opaque)
            .finish()
    }
}

impl From<&str> for Message {
    /// Creates a user message.
    fn from(text: &str) -> Self {
        Self::user(text)
    }
}

impl From<String> for Message {
    /// Creates a user message.
    fn from(text: String) -> Self {
        Self::user(text)
    }
}
