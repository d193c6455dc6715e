//! `BatchRequest`: one request of a batch.

use crate::chat::ChatRequest;
use crate::embed::EmbedRequest;

/// One request of a batch: a chat, or texts to embed.
///
/// Both convert into it. Time limits, cancel tokens and idempotency keys of single requests have no
/// meaning in a batch and are ignored.
#[derive(Debug, Clone)]
#[non_exhaustive]
// Chats are the usual case, and a box would cost each of them an allocation.
#[allow(clippy::large_enum_variant)]
pub enum BatchRequest {
    /// A chat.
    Chat(ChatRequest),
    /// Texts to embed, which must fit into one request of the provider.
    Embed(EmbedRequest),
}

/// A borrowed [`BatchRequest`].
#[derive(Clone, Copy)]
pub(crate) enum RequestRef<'a> {
    Chat(&'a ChatRequest),
    Embed(&'a EmbedRequest),
}

impl<'a> From<&'a BatchRequest> for RequestRef<'a> {
    fn from(request: &'a BatchRequest) -> Self {
        match request {
            BatchRequest::Chat(request) => Self::Chat(request),
            BatchRequest::Embed(request) => Self::Embed(request),
        }
    }
}

impl From<ChatRequest> for BatchRequest {
    fn from(request: ChatRequest) -> Self {
        Self::Chat(request)
    }
}

impl From<EmbedRequest> for BatchRequest {
    fn from(request: EmbedRequest) -> Self {
        Self::Embed(request)
    }
}

impl From<&str> for BatchRequest {
    fn from(prompt: &str) -> Self {
        Self::Chat(prompt.into())
    }
}

impl From<String> for BatchRequest {
    fn from(prompt: String) -> Self {
        Self::Chat(prompt.into())
    }
}
