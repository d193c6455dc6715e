//! The client.

mod batches;
mod build;
mod raw;
mod selection;
mod state;

use std::fmt;
use std::mem;
use std::sync::Arc;
use std::time::Instant;

pub use batches::Batches;

use crate::bounds::Bounds;
use crate::bulk::Bulk;
use crate::call::{Caller, Endpoint};
use crate::chat::{ChatRequest, ChatResponse};
use crate::config::{ClientBuilder, cleaned, shown_url};
use crate::deadline::Deadline;
use crate::embed::{EmbedRequest, Embeddings};
use crate::error::{Error, ErrorKind};
use crate::models::{ModelInfo, ModelsRequest};
use crate::moderation::{Moderation, ModerationRequest};
use crate::provider::{self, Provider};
use crate::replay::Replay;
use crate::stream::ChatStream;
use crate::tags::Tags;
use crate::token_count::TokenCount;

/// A client for one provider or many.
///
/// Cloning is cheap: all clones share one connection pool, and any number of threads may call at
/// once. A request's [model](ChatRequest::model) may name another provider than the client's own;
/// all providers share the pool, the retry budget, the ledger and the metrics.
///
/// ```no_run
/// use tollgate::Client;
///
/// # fn main() -> Result<(), tollgate::Error> {
/// let client = Client::openai("gpt-4o-mini")?;
/// let response = client.chat("What is the capital of France?")?;
/// println!("{} ({} tokens)", response.text(), response.usage.total_tokens);
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Client {
    caller: Arc<Caller>,
}

impl Client {
    /// Starts to configure a client.
    pub fn builder() -> ClientBuilder {
        ClientBuilder::default()
    }

    /// Makes a client with all defaults from `provider/model`, for any provider the crate knows.
    /// The key comes from the provider's usual environment variable.
    ///
    /// The text before the first slash is the provider, by name or alias. The rest is the model's
    /// own name, which may contain slashes.
    ///
    /// ```no_run
    /// use tollgate::Client;
    ///
    /// let client = Client::new("groq/llama-3.3-70b-versatile")?; // key in GROQ_API_KEY
    /// let gateway = Client::new("openrouter/anthropic/claude-sonnet-4.5")?;
    /// let local = Client::new("ollama/llama3.2")?; // no key
    /// # Ok::<(), tollgate::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`Configuration`](crate::ErrorKind::Configuration) if the name has no provider or an unknown
    /// one; the error lists similar names. Otherwise as for [`ClientBuilder::build`].
    pub fn new(model: impl AsRef<str>) -> Result<Self, Error> {
        Self::builder_for(model)?.build()
    }

    /// Starts to configure a client from `provider/model`, as [`new`](Self::new) does.
    ///
    /// # Errors
    ///
    /// [`Configuration`](crate::ErrorKind::Configuration) if the name has no provider or an unknown
    /// one.
    pub fn builder_for(model: impl AsRef<str>) -> Result<ClientBuilder, Error> {
        let model = cleaned(model.as_ref()).map_err(|stray| {
            let message = format!("the model's name contains {stray}; write it as provider/model");
            Error::new(ErrorKind::Configuration, message)
        })?;
        let name = provider::split(&model)?;
        Ok(Self::builder().provider(name.provider).model(name.model))
    }

    /// Makes a client of OpenAI with all defaults. The key comes from `OPENAI_API_KEY`.
    ///
    /// # Errors
    ///
    /// As for [`ClientBuilder::build`].
    pub fn openai(model: impl Into<String>) -> Result<Self, Error> {
        Self::builder().provider(Provider::OPENAI).model(model).build()
    }

    /// Makes a client of Anthropic with all defaults. The key comes from `ANTHROPIC_API_KEY`.
    ///
    /// # Errors
    ///
    /// As for [`ClientBuilder::build`].
    pub fn anthropic(model: impl Into<String>) -> Result<Self, Error> {
        Self::builder().provider(Provider::ANTHROPIC).model(model).build()
    }

    /// Sends a chat request and waits for the whole answer.
    ///
    /// OpenAI's models that only complete text (`gpt-3.5-turbo-instruct`, `davinci-002`,
    /// `babbage-002`) are called as by [`complete`](Self::complete).
    ///
    /// # Errors
    ///
    /// [`InvalidRequest`](crate::ErrorKind::InvalidRequest), before anything is sent, if the
    /// provider does not support the request. Otherwise the error of the last attempt, see
    /// [`Error::kind`].
    pub fn chat(&self, request: impl Into<ChatRequest>) -> Result<ChatResponse, Error> {
        let mut request: ChatRequest = request.into();
        let tags = Tags::from(mem::take(&mut request.tags));
        self.caller.whole(&request, tags, false)
    }

    /// Completes a prompt with OpenAI's text completions, for any model.
    ///
    /// A single user message is the prompt, unchanged. A conversation becomes one prompt, with
    /// `User:` and `Assistant:` before each turn. Put what that endpoint has beyond chat (`suffix`,
    /// `echo`, `best_of`, …) into [`extra`](ChatRequest::extra).
    ///
    /// # Errors
    ///
    /// As for [`chat`](Self::chat). Tools, images and the like are refused before sending, and so
    /// is a provider without text completions.
    pub fn complete(&self, prompt: impl Into<ChatRequest>) -> Result<ChatResponse, Error> {
        let mut request: ChatRequest = prompt.into();
        let tags = Tags::from(mem::take(&mut request.tags));
        self.caller.whole(&request, tags, true)
    }

    /// Sends a chat request and yields the answer as the model writes it.
    ///
    /// Returns when the first event has arrived. Failures before it are retried and then returned
    /// here; later ones are not retried. The [timeout](ClientBuilder::timeout) bounds the whole
    /// stream, unless a [stream timeout](ClientBuilder::stream_timeout) does. The [idle
    /// timeout](ClientBuilder::idle_timeout) bounds the time between tokens.
    ///
    /// ```no_run
    /// # let client = tollgate::Client::openai("gpt-4o-mini").unwrap();
    /// for delta in client.stream("Write a long story.")?.text() {
    ///     print!("{}", delta?);
    /// }
    /// # Ok::<(), tollgate::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// As for [`chat`](Self::chat), until the first event.
    pub fn stream(&self, request: impl Into<ChatRequest>) -> Result<ChatStream, Error> {
        let mut request: ChatRequest = request.into();
        let tags = Tags::from(mem::take(&mut request.tags));
        self.caller.stream(&request, tags, false)
    }

    /// Completes a prompt like [`complete`](Self::complete), and yields the answer as the model
    /// writes it, like [`stream`](Self::stream).
    ///
    /// # Errors
    ///
    /// As for [`complete`](Self::complete), until the first event.
    pub fn complete_stream(&self, prompt: impl Into<ChatRequest>) -> Result<ChatStream, Error> {
        let mut request: ChatRequest = prompt.into();
        let tags = Tags::from(mem::take(&mut request.tags));
        self.caller.stream(&request, tags, true)
    }

    /// Turns texts into vectors: any number of texts, in their order.
    ///
    /// The texts are split by the provider's limits and sent in parallel. All requests share one
    /// deadline and one cancel token. If one of them fails after its retries, the others are
    /// cancelled and the call fails. [`Error::embedded`] then has the vectors of those already
    /// answered. Budgets, [`costs`](Self::costs), metrics and observers see each request as one
    /// call.
    ///
    /// ```no_run
    /// use tollgate::{Client, EmbedRequest};
    ///
    /// let client = Client::openai("text-embedding-3-small")?;
    /// let vectors = client.embed(["Paris is in France.", "Rome is in Italy."])?;
    /// println!("{} vectors of {} components", vectors.len(), vectors.dimension());
    /// let short = client.embed(EmbedRequest::from("Rome").dimensions(256))?;
    /// assert_eq!(short[0].len(), 256);
    /// # Ok::<(), tollgate::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`InvalidRequest`](crate::ErrorKind::InvalidRequest), before anything is sent, if there is no
    /// text, one is empty, or the provider does not support the request.
    /// [`Protocol`](crate::ErrorKind::Protocol) if the answer does not have one finite vector for
    /// each text, all of one length. Otherwise as for [`chat`](Self::chat).
    #[doc(alias = "embeddings")]
    pub fn embed(&self, texts: impl Into<EmbedRequest>) -> Result<Embeddings, Error> {
        self.caller.embed(&texts.into())
    }

    /// Starts to configure many calls: how many at once, what happens to failures, and a journal from
    /// which a later run resumes. [`Bulk::chat`] and [`Bulk::embed`] start them.
    ///
    /// ```no_run
    /// use tollgate::{ChatRequest, Client};
    ///
    /// let client = Client::openai("gpt-4o-mini")?;
    /// let names = ["teapot", "lantern"];
    /// let requests = names.map(|name| (name, ChatRequest::from(format!("Describe a {name}."))));
    /// for (name, result) in client.bulk().workers(16).journal("run.journal").chat(requests)? {
    ///     println!("{name}: {}", result?.text());
    /// }
    /// # Ok::<(), tollgate::Error>(())
    /// ```
    #[doc(alias("batch", "parallel"))]
    pub fn bulk(&self) -> Bulk {
        Bulk::new(Arc::clone(&self.caller))
    }

    /// Lists the models of a provider, in its order. A long list comes in pages; all are read, each
    /// as a call of its own in the [metrics](Self::metrics). It costs nothing.
    ///
    /// ```no_run
    /// # let client = tollgate::Client::openai("gpt-4o-mini")?;
    /// for model in client.models("anthropic")? {
    ///     println!("{}: {:?} tokens", model.id, model.context_window);
    /// }
    /// # Ok::<(), tollgate::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// As for [`send`](Self::send). [`NotFound`](crate::ErrorKind::NotFound) if the provider has no
    /// list of models.
    pub fn models(&self, request: impl Into<ModelsRequest>) -> Result<Vec<ModelInfo>, Error> {
        self.caller.models(&request.into())
    }

    /// Asks the provider how many tokens a request has, without sending it to the model. It costs
    /// nothing.
    ///
    /// Anthropic, Gemini and Vertex AI count, and so do OpenAI and Azure for a request in
    /// [`Format::OpenAiResponses`](crate::provider::Format). Cohere counts one text at a time. The
    /// number can differ slightly from
    /// the usage of the answer.
    ///
    /// ```no_run
    /// # let client = tollgate::Client::anthropic("claude-haiku-4-5")?;
    /// let count = client.count_tokens("What is the capital of France?")?;
    /// println!("{} tokens", count.input_tokens);
    /// # Ok::<(), tollgate::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// As for [`chat`](Self::chat), and [`InvalidRequest`](crate::ErrorKind::InvalidRequest),
    /// before anything is sent, if the provider cannot count.
    pub fn count_tokens(&self, request: impl Into<ChatRequest>) -> Result<TokenCount, Error> {
        self.caller.count_tokens(&request.into())
    }

    /// Asks a provider whether content violates its policy: one verdict for each text, in their
    /// order.
    ///
    /// OpenAI judges texts and images, for free. Mistral judges texts and conversations, at a price
    /// per token. The model is the provider's moderation model unless the request names one; the
    /// client's own model is for chats. All inputs go into one request.
    ///
    /// ```
    /// use tollgate::testing::Loopback;
    /// use tollgate::{Client, ModerationRequest};
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let server = Loopback::start()?; // in your program: Client::openai("gpt-4o-mini")?
    /// let client = Client::builder()
    ///     .provider("openai")
    ///     .api_key("sk-test")
    ///     .base_url(server.base_url("openai"))
    ///     .build()?;
    ///
    /// let moderation = client.moderate(["a nice day", "pure violence"])?;
    /// assert!(!moderation.results[0].flagged && moderation.results[1].flagged);
    /// for category in moderation.results[1].flagged_categories() {
    ///     println!("{}: {:?}", category.name, category.score); // violence: Some(0.99)
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`InvalidRequest`](crate::ErrorKind::InvalidRequest), before anything is sent, if there is
    /// nothing to judge, or the provider has no moderation or not for this kind of input.
    /// [`Protocol`](crate::ErrorKind::Protocol) if the answer does not have one verdict for each
    /// input. Otherwise as for [`chat`](Self::chat).
    #[doc(alias("moderations", "classify"))]
    pub fn moderate(&self, request: impl Into<ModerationRequest>) -> Result<Moderation, Error> {
        self.caller.moderate(&request.into())
    }

    /// Opens connections to the client's own provider before the first call, all at once, until
    /// `connections` are idle or the pool is full. Returns how many it opened: none if the client
    /// only [replays](ClientBuilder::replay).
    ///
    /// # Errors
    ///
    /// As for a call that cannot connect; connections that did open stay open.
    /// [`Configuration`](crate::ErrorKind::Configuration) if the client has no provider of its own.
    pub fn warm_up(&self, connections: usize) -> Result<usize, Error> {
        let Caller { endpoints, transport, settings: shared, .. } = &*self.caller;
        if shared.replay.as_ref().is_some_and(Replay::is_offline) {
            return Ok(0);
        }
        let Some(Endpoint { settings, origin, .. }) = endpoints.own().map(|own| &**own) else {
            return Err(Error::new(
                ErrorKind::Configuration,
                "the client has no provider of its own to connect to; set one with \
                 ClientBuilder::provider",
            ));
        };
        let deadline = Deadline::after(Instant::now(), settings.timeouts.call);
        let bounds = Bounds { deadline, cancel: None };
        transport.warm_up(origin, connections, &bounds).map_err(|error| {
            error.hide(&settings.secrets).with_provider(settings.profile.id.as_str())
        })
    }
}

#[cfg(feature = "testing")]
impl Client {
    /// What sends requests to the client's own provider.
    pub(crate) fn way(&self) -> Option<(&crate::transport::Transport, &Endpoint)> {
        Some((&self.caller.transport, self.caller.endpoints.own()?))
    }
}

/// Hides the base URL's query, which may contain a key.
impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Caller { settings, endpoints, .. } = &*self.caller;
        let own = endpoints.own().map(|own| &own.settings);
        f.debug_struct("Client")
            .field("provider", &own.map(|own| own.profile.id.as_str()))
            .field("model", &settings.model)
            .field("base_url", &own.map(|own| shown_url(&own.base)))
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_can_be_shared_between_threads() {
        fn shared<T: Send + Sync + Clone + 'static>() {}
        shared::<Client>();
    }
}
