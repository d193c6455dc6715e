//! A request for embeddings: the texts, what they are for, and the limits of the call.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use crate::cache;
use crate::cancel::CancelToken;
use crate::chat::Provider;

/// Texts to embed, and how.
///
/// A list of texts converts into a request. Methods or fields set everything else. The provider's
/// default applies to whatever is not set.
///
/// ```
/// use tollgate::embed::{EmbedRequest, InputType};
///
/// let request = EmbedRequest::new(["Paris is in France.", "Rome is in Italy."])
///     .model("text-embedding-3-small")
///     .dimensions(256)
///     .tag("customer", "acme");
/// assert_eq!(request.texts.len(), 2);
/// let query = EmbedRequest::from("capital of France").input_type(InputType::Query);
/// # let _ = query;
/// ```
#[derive(Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct EmbedRequest {
    /// The texts, any number of them. The vectors have the same order. None of them may be empty.
    pub texts: Vec<String>,
    /// The model: a name at the client's own provider, or `provider/model` for another one, by the
    /// rules of [`ChatRequest::model`](crate::ChatRequest::model). Default: the client's model.
    pub model: Option<String>,
    /// The provider, by its name or an alias. The [`model`](Self::model) is then that provider's
    /// own name for the model. Default: the model decides.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub provider: Option<Provider>,
    /// The length of the vectors, for models that can shorten them. Default: the model's.
    pub dimensions: Option<u32>,
    /// What the vectors are for. A format without input types refuses one. Default: the provider's.
    pub input_type: Option<InputType>,
    /// What happens to a text that is longer than the model reads. Default: the provider's choice.
    pub truncation: Option<Truncation>,
    /// The most texts to send in one request. Default: what the provider allows.
    pub batch_size: Option<usize>,
    /// The most requests in flight at once, if there are more texts than one request takes.
    /// Default: 8, and never more than the pool has connections for the provider.
    pub parallel_requests: Option<usize>,
    /// Labels for cost reports and budgets, such as `customer` and `feature`. They are never sent.
    /// Default: none.
    pub tags: BTreeMap<String, String>,
    /// The longest the whole call may take, all requests together. Default: the client's
    /// [`timeout`](crate::ClientBuilder::timeout).
    pub timeout: Option<Duration>,
    /// The longest one attempt at one request may take. Default: the client's
    /// [`attempt_timeout`](crate::ClientBuilder::attempt_timeout).
    pub attempt_timeout: Option<Duration>,
    /// How the call uses the client's [cache](crate::Cache). Each request that the texts are split
    /// into is cached by itself. Default: as the client does.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cache: Option<cache::Mode>,
    /// Cancels the call from another thread. Serde does not store it. Default: none.
    #[serde(skip)]
    pub cancel_token: Option<CancelToken>,
    /// Sent as the header `Idempotency-Key`, the same on every attempt, so that a server which
    /// supports it processes a repeated request only once. If the texts need several requests, each
    /// adds its number: `key-1`, `key-2`. Default: none, unless the client makes its own keys; see
    /// [`ClientBuilder::idempotency_keys`](crate::ClientBuilder::idempotency_keys).
    pub idempotency_key: Option<String>,
    /// Members merged into the JSON body of each request over what the other fields produced:
    /// objects key by key, everything else replaced. Default: none.
    ///
    /// The model and the texts cannot be changed here; that is an error.
    pub extra: Map<String, Value>,
    /// Members to leave out of the JSON body. Members that every request needs cannot be left out.
    /// Default: none.
    pub omit: Vec<String>,
}

/// What an embedding is for. Many models embed queries and documents differently, so that a query
/// lies near the documents that answer it. Embed each text as what it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum InputType {
    /// A search query.
    Query,
    /// A document that queries find.
    Document,
    /// The input of a classifier.
    Classification,
    /// Texts to group.
    Clustering,
    /// Texts to compare with each other.
    Similarity,
    /// A question whose answer a document has.
    QuestionAnswering,
    /// A statement whose evidence a document has.
    FactVerification,
    /// A search query for code.
    CodeQuery,
}

impl InputType {
    /// Returns a short name in `snake_case`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Query => "query",
            Self::Document => "document",
            Self::Classification => "classification",
            Self::Clustering => "clustering",
            Self::Similarity => "similarity",
            Self::QuestionAnswering => "question_answering",
            Self::FactVerification => "fact_verification",
            Self::CodeQuery => "code_query",
        }
    }
}

impl fmt::Display for InputType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What happens to a text that is longer than the model reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Truncation {
    /// The request fails.
    Off,
    /// The start of the text is cut off.
    Start,
    /// The end of the text is cut off.
    End,
}

impl EmbedRequest {
    /// Makes a request for these texts.
    pub fn new(texts: impl IntoIterator<Item = impl Into<String>>) -> Self {
        Self { texts: texts.into_iter().map(Into::into).collect(), ..Self::default() }
    }

    /// Sets the model: a name at the client's own provider, or `provider/model` for another one.
    /// Default: the client's model.
    #[must_use]
    pub fn model(mut self, model: impl Into<String>) -> Self {
        self.model = Some(model.into());
        self
    }

    /// Sets the provider, by its name or an alias. The [`model`](Self::model) is then that
    /// provider's own name for the model. Default: the model decides.
    #[must_use]
    pub fn provider(mut self, provider: impl Into<Provider>) -> Self {
        self.provider = Some(provider.into());
        self
    }

    /// Sets the length of the vectors, for models that can shorten them. Default: the model's.
    #[doc(alias("output_dimension", "output_dimensionality"))]
    #[must_use]
    pub fn dimensions(mut self, dimensions: u32) -> Self {
        self.dimensions = Some(dimensions);
        self
    }

    /// Sets what the vectors are for. Default: the provider's.
    #[doc(alias("task", "task_type"))]
    #[must_use]
    pub fn input_type(mut self, input_type: InputType) -> Self {
        self.input_type = Some(input_type);
        self
    }

    /// Sets what happens to a text that is longer than the model reads. Default: the provider's
    /// choice.
    #[must_use]
    pub fn truncation(mut self, truncation: Truncation) -> Self {
        self.truncation = Some(truncation);
        self
    }

    /// Sets the most texts to send in one request. Default: what the provider allows.
    #[must_use]
    pub fn batch_size(mut self, texts: usize) -> Self {
        self.batch_size = Some(texts);
        self
    }

    /// Sets the most requests in flight at once. Default: 8, and never more than the pool has
    /// connections for the provider.
    #[must_use]
    pub fn parallel_requests(mut self, requests: usize) -> Self {
        self.parallel_requests = Some(requests);
        self
    }

    /// Labels the call for cost reports and budgets; see [`tags`](Self::tags). Default: none.
    #[must_use]
    pub fn tag(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.tags.insert(name.into(), value.into());
        self
    }

    /// Sets the longest the whole call may take, all requests together. Default: the client's
    /// [`timeout`](crate::ClientBuilder::timeout).
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// Sets the longest one attempt at one request may take. Default: the client's
    /// [`attempt_timeout`](crate::ClientBuilder::attempt_timeout).
    #[must_use]
    pub fn attempt_timeout(mut self, timeout: Duration) -> Self {
        self.attempt_timeout = Some(timeout);
        self
    }

    /// Sets how the call uses the client's cache; see [`cache`](Self::cache). Default: as the client
    /// does.
    #[must_use]
    pub fn cache(mut self, mode: cache::Mode) -> Self {
        self.cache = Some(mode);
        self
    }

    /// Lets `token` cancel the call from another thread. Default: none.
    #[must_use]
    pub fn cancel_token(mut self, token: impl Into<CancelToken>) -> Self {
        self.cancel_token = Some(token.into());
        self
    }

    /// Sets the header `Idempotency-Key`; see [`idempotency_key`](Self::idempotency_key). Default:
    /// none, unless the client makes its own keys.
    #[must_use]
    pub fn idempotency_key(mut self, key: impl Into<String>) -> Self {
        self.idempotency_key = Some(key.into());
        self
    }

    /// Sets a member of the JSON body; see [`extra`](Self::extra). Default: none.
    #[must_use]
    pub fn extra(mut self, name: impl Into<String>, value: impl Into<Value>) -> Self {
        self.extra.insert(name.into(), value.into());
        self
    }

    /// Leaves a member out of the JSON body; see [`omit`](Self::omit). Default: none.
    #[must_use]
    pub fn omit(mut self, name: impl Into<String>) -> Self {
        self.omit.push(name.into());
        self
    }
}

/// Hides the texts.
impl fmt::Debug for EmbedRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EmbedRequest")
            .field("texts", &self.texts.len())
            .field("model", &self.model)
            .field("provider", &self.provider)
            .field("dimensions", &self.dimensions)
            .field("input_type", &self.input_type)
            .field("truncation", &self.truncation)
            .field("batch_size", &self.batch_size)
            .field("parallel_requests", &self.parallel_requests)
            .field("tags", &self.tags.keys())
            .field("timeout", &self.timeout)
            .field("attempt_timeout", &self.attempt_timeout)
            .field("cache", &self.cache)
            .field("cancel_token", &self.cancel_token)
            .field("idempotency_key", &self.idempotency_key)
            .field("extra", &self.extra.keys())
            .field("omit", &self.omit)
            .finish()
    }
}

impl From<&str> for EmbedRequest {
    fn from(text: &str) -> Self {
        Self::new([text])
    }
}

impl From<String> for EmbedRequest {
    fn from(text: String) -> Self {
        Self::new([text])
    }
}

impl From<&String> for EmbedRequest {
    fn from(text: &String) -> Self {
        Self::new([text])
    }
}

impl From<Vec<String>> for EmbedRequest {
    fn from(texts: Vec<String>) -> Self {
        Self { texts, ..Self::default() }
    }
}

impl From<Vec<&str>> for EmbedRequest {
    fn from(texts: Vec<&str>) -> Self {
        Self::new(texts)
    }
}

impl From<&Vec<String>> for EmbedRequest {
    fn from(texts: &Vec<String>) -> Self {
        Self::new(texts)
    }
}

impl From<&[String]> for EmbedRequest {
    fn from(texts: &[String]) -> Self {
        Self::new(texts)
    }
}

impl From<&[&str]> for EmbedRequest {
    fn from(texts: &[&str]) -> Self {
        Self::new(texts.iter().copied())
    }
}

impl<const N: usize> From<[&str; N]> for EmbedRequest {
    fn from(texts: [&str; N]) -> Self {
        Self::new(texts)
    }
}

impl<const N: usize> From<&[&str; N]> for EmbedRequest {
    fn from(texts: &[&str; N]) -> Self {
        Self::new(texts.iter().copied())
    }
}

impl<const N: usize> From<[String; N]> for EmbedRequest {
    fn from(texts: [String; N]) -> Self {
        Self::new(texts)
    }
}

impl From<&EmbedRequest> for EmbedRequest {
    fn from(request: &EmbedRequest) -> Self {
        request.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn storing_a_request_drops_only_the_cancel_token() {
        let request = EmbedRequest::new(["a", "b"])
            .model("m")
            .dimensions(8)
            .input_type(InputType::CodeQuery)
            .truncation(Truncation::End)
            .tag("customer", "acme")
            .omit("encoding_format");
        let stoppable = request.clone().cancel_token(CancelToken::new());
        let stored = serde_json::to_string(&stoppable).unwrap();
        let read: EmbedRequest = serde_json::from_str(&stored).unwrap();
        assert_eq!(read, request);
        assert!(stored.contains("\"code_query\""), "{stored}");
    }

    #[test]
    fn no_text_shows_in_debug_output() {
        let request = EmbedRequest::from("secret text").extra("title", "secret title");
        assert!(!format!("{request:?}").contains("secret"), "{request:?}");
    }
}
