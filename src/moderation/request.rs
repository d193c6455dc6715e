//! A request for moderation: what to judge, and the limits of the call.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use crate::cancel::CancelToken;
use crate::chat::{Message, Part, Provider};

/// Content to judge by a provider's policy, for [`Client::moderate`](crate::Client::moderate).
///
/// A text or a list of texts converts into a request.
///
/// ```
/// use tollgate::{Image, Message, ModerationRequest, Part};
///
/// let texts = ModerationRequest::new(["first comment", "second comment"]).provider("mistral");
/// // OpenAI judges a text and its image together.
/// let image = Image::from_url("https://example.com/cat.png");
/// let post = ModerationRequest::content([Part::text("look at this"), Part::Image(image)]);
/// // Mistral judges the last message of a conversation.
/// let chat = ModerationRequest::chat([Message::user("hi"), Message::assistant("Hello!")]);
/// # let _ = (texts, post, chat);
/// ```
#[derive(Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
#[must_use]
pub struct ModerationRequest {
    /// What to judge. All of it goes into one request.
    pub input: ModerationInput,
    /// The model: a name at the client's own provider, or `provider/model` for another one, by the
    /// rules of [`ChatRequest::model`](crate::ChatRequest::model). Default: the provider's
    /// [moderation model](super::ModerationFormat::default_model), because the client's own model
    /// is for chats.
    pub model: Option<String>,
    /// The provider, by its name or an alias. The [`model`](Self::model) is then that provider's
    /// own name for the model. Default: the client's own, unless the model names one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub provider: Option<Provider>,
    /// Labels for cost reports and budgets, such as `customer` and `feature`. They are never sent.
    /// Default: none.
    pub tags: BTreeMap<String, String>,
    /// The longest the whole call may take. Default: the client's
    /// [`timeout`](crate::ClientBuilder::timeout), 600 s if not set.
    pub timeout: Option<Duration>,
    /// The longest one attempt may take. Default: the client's
    /// [`attempt_timeout`](crate::ClientBuilder::attempt_timeout).
    pub attempt_timeout: Option<Duration>,
    /// Cancels the call from another thread. Serde does not store it. Default: none.
    #[serde(skip)]
    pub cancel_token: Option<CancelToken>,
    /// Sent as the header `Idempotency-Key`, the same on every attempt. Default: none, unless the
    /// client makes its own keys; see
    /// [`ClientBuilder::idempotency_keys`](crate::ClientBuilder::idempotency_keys).
    pub idempotency_key: Option<String>,
    /// Members merged into the JSON body over what the other fields produced, such as Mistral's
    /// `metadata`. The model and the input cannot be changed here; that is an error. Default: none.
    pub extra: Map<String, Value>,
}

/// What a [`ModerationRequest`] asks to judge.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ModerationInput {
    /// Texts, each judged alone: one result for each, in this order.
    Texts(Vec<String>),
    /// Texts and images, judged together: one result. OpenAI only.
    Content(Vec<Part>),
    /// Conversations: one result for each, in this order. It judges the last message, and the
    /// others are its context. Mistral only.
    Chats(Vec<Vec<Message>>),
}

impl ModerationInput {
    /// Returns how many results the answer must have.
    pub(crate) fn results(&self) -> usize {
        match self {
            Self::Texts(texts) => texts.len(),
            Self::Content(_) => 1,
            Self::Chats(chats) => chats.len(),
        }
    }
}

impl Default for ModerationInput {
    fn default() -> Self {
        Self::Texts(Vec::new())
    }
}

/// Hides the content.
impl fmt::Debug for ModerationInput {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (kind, count) = match self {
            Self::Texts(texts) => ("Texts", texts.len()),
            Self::Content(parts) => ("Content", parts.len()),
            Self::Chats(chats) => ("Chats", chats.len()),
        };
        f.debug_tuple(kind).field(&count).finish()
    }
}

impl ModerationRequest {
    /// Asks to judge these texts, each alone.
    pub fn new(texts: impl IntoIterator<Item = impl Into<String>>) -> Self {
        Self::of(ModerationInput::Texts(texts.into_iter().map(Into::into).collect()))
    }

    /// Asks to judge texts and images together, such as a post with its picture. OpenAI only.
    pub fn content(parts: impl IntoIterator<Item = Part>) -> Self {
        Self::of(ModerationInput::Content(parts.into_iter().collect()))
    }

    /// Asks to judge the last message of a conversation. Mistral only.
    pub fn chat(messages: impl IntoIterator<Item = Message>) -> Self {
        Self::of(ModerationInput::Chats(vec![messages.into_iter().collect()]))
    }

    /// Asks to judge this input.
    pub fn of(input: ModerationInput) -> Self {
        Self { input, ..Self::default() }
    }

    /// Sets the model; see [`model`](Self::model). Default: the provider's moderation model.
    pub fn model(mut self, model: impl Into<String>) -> Self {
        self.model = Some(model.into());
        self
    }

    /// Sets the provider, by its name or an alias. Default: the client's own, unless the model
    /// names one.
    pub fn provider(mut self, provider: impl Into<Provider>) -> Self {
        self.provider = Some(provider.into());
        self
    }

    /// Labels the call for cost reports and budgets; see [`tags`](Self::tags). Default: none.
    pub fn tag(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.tags.insert(name.into(), value.into());
        self
    }

    /// Sets the longest the whole call may take. Default: the client's
    /// [`timeout`](crate::ClientBuilder::timeout), 600 s if not set.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// Sets the longest one attempt may take. Default: the client's
    /// [`attempt_timeout`](crate::ClientBuilder::attempt_timeout).
    pub fn attempt_timeout(mut self, timeout: Duration) -> Self {
        self.attempt_timeout = Some(timeout);
        self
    }

    /// Lets `token` cancel the call from another thread. Default: none.
    pub fn cancel_token(mut self, token: impl Into<CancelToken>) -> Self {
        self.cancel_token = Some(token.into());
        self
    }

    /// Sets the header `Idempotency-Key`; see [`idempotency_key`](Self::idempotency_key). Default:
    /// none, unless the client makes its own keys.
    pub fn idempotency_key(mut self, key: impl Into<String>) -> Self {
        self.idempotency_key = Some(key.into());
        self
    }

    /// Sets a member of the JSON body; see [`extra`](Self::extra). Default: none.
    pub fn extra(mut self, name: impl Into<String>, value: impl Into<Value>) -> Self {
        self.extra.insert(name.into(), value.into());
        self
    }
}

/// Hides the content.
impl fmt::Debug for ModerationRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ModerationRequest")
            .field("input", &self.input)
            .field("model", &self.model)
            .field("provider", &self.provider)
            .field("tags", &self.tags.keys())
            .field("timeout", &self.timeout)
            .field("attempt_timeout", &self.attempt_timeout)
            .field("cancel_token", &self.cancel_token)
            .field("idempotency_key", &self.idempotency_key)
            .field("extra", &self.extra.keys())
            .finish()
    }
}

impl From<&str> for ModerationRequest {
    fn from(text: &str) -> Self {
        Self::new([text])
    }
}

impl From<String> for ModerationRequest {
    fn from(text: String) -> Self {
        Self::new([text])
    }
}

impl From<&String> for ModerationRequest {
    fn from(text: &String) -> Self {
        Self::new([text])
    }
}

impl From<Vec<String>> for ModerationRequest {
    fn from(texts: Vec<String>) -> Self {
        Self::of(ModerationInput::Texts(texts))
    }
}

impl From<&[String]> for ModerationRequest {
    fn from(texts: &[String]) -> Self {
        Self::new(texts)
    }
}

impl From<&Vec<String>> for ModerationRequest {
    fn from(texts: &Vec<String>) -> Self {
        Self::new(texts)
    }
}

impl<const N: usize> From<[&str; N]> for ModerationRequest {
    fn from(texts: [&str; N]) -> Self {
        Self::new(texts)
    }
}

impl<const N: usize> From<[String; N]> for ModerationRequest {
    fn from(texts: [String; N]) -> Self {
        Self::new(texts)
    }
}

impl From<&ModerationRequest> for ModerationRequest {
    fn from(request: &ModerationRequest) -> Self {
        request.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chat::Image;

    #[test]
    fn storing_a_request_drops_only_the_cancel_token() {
        let image = Part::Image(Image::from_url("https://example.com/a.png"));
        for request in [
            ModerationRequest::new(["a", "b"]).model("m").tag("customer", "acme"),
            ModerationRequest::content([Part::text("a"), image]).provider("openai"),
            ModerationRequest::chat([Message::user("hi")]).extra("metadata", true),
        ] {
            let stoppable = request.clone().cancel_token(CancelToken::new());
            let stored = serde_json::to_string(&stoppable).unwrap();
            assert_eq!(serde_json::from_str::<ModerationRequest>(&stored).unwrap(), request);
        }
    }

    #[test]
    fn no_content_shows_in_debug_output() {
        for request in [
            ModerationRequest::from("secret"),
            ModerationRequest::content([Part::text("secret")]),
            ModerationRequest::chat([Message::user("secret")]).extra("metadata", "secret"),
        ] {
            assert!(!format!("{request:?}").contains("secret"), "{request:?}");
        }
    }
}
