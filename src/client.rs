//! The life of a call, from top to bottom.

use std::env;
use std::fmt;
use std::mem;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};
use ureq::http::Uri;
use ureq::http::uri::PathAndQuery;

use crate::bounds::Bounds;
use crate::chat::{ChatRequest, ChatResponse};
use crate::config::{ClientBuilder, Settings};
use crate::deadline::Deadline;
use crate::error::{Error, ErrorKind, Phase};
use crate::pool::PoolStats;
use crate::provider::{self, Provider, Wire, completions};
use crate::retry;
use crate::transport::{self, Headers, Outgoing, Transport};

/// A client of one provider.
///
/// Cheap to clone; all clones share one pool of connections, and calls may be made
/// from any number of threads at once.
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
    inner: Arc<Inner>,
}

struct Inner {
    settings: Settings,
    headers: Headers,
    transport: Transport,
}

/// A request, ready to be sent any number of times.
struct Call {
    wire: Wire,
    uri: Uri,
    body: Vec<u8>,
    model: String,
    bounds: Bounds,
}

impl Client {
    /// Begins to set up a client.
    pub fn builder() -> ClientBuilder {
        ClientBuilder::default()
    }

    /// A client of OpenAI with every default, the key from `OPENAI_API_KEY`.
    ///
    /// # Errors
    ///
    /// As [`ClientBuilder::build`].
    pub fn openai(model: impl Into<String>) -> Result<Self, Error> {
        Self::builder().provider(Provider::OpenAi).model(model).build()
    }

    /// A client of Anthropic with every default, the key from `ANTHROPIC_API_KEY`.
    ///
    /// # Errors
    ///
    /// As [`ClientBuilder::build`].
    pub fn anthropic(model: impl Into<String>) -> Result<Self, Error> {
        Self::builder().provider(Provider::Anthropic).model(model).build()
    }

    /// Asks the model, and waits for the whole answer.
    ///
    /// OpenAI's models that only do text completions (`gpt-3.5-turbo-instruct`,
    /// `davinci-002`, `babbage-002`) are asked as by [`complete`](Self::complete).
    ///
    /// # Errors
    ///
    /// [`InvalidRequest`](ErrorKind::InvalidRequest) before anything is sent when
    /// the request asks for what the provider cannot do; otherwise what the last
    /// attempt ended with, see [`Error::kind`].
    pub fn chat(&self, request: impl Into<ChatRequest>) -> Result<ChatResponse, Error> {
        self.call(request.into(), None)
    }

    /// Completes a prompt by OpenAI's text completions, whatever the model.
    ///
    /// A single user message is the prompt as it stands; a conversation is
    /// rendered as one, `User:` and `Assistant:` before each turn. What that
    /// interface has beyond chat (`suffix`, `echo`, `best_of`, …) goes into
    /// [`extra`](ChatRequest::extra).
    ///
    /// # Errors
    ///
    /// As [`chat`](Self::chat); tools, images and the like are refused before
    /// sending, and so is a provider that has no text completions.
    pub fn complete(&self, prompt: impl Into<ChatRequest>) -> Result<ChatResponse, Error> {
        let settings = &self.inner.settings;
        if settings.provider != Provider::OpenAi {
            return Err(Error::invalid_request(
                "this provider has no text completions; use chat() instead",
            )
            .with_provider(settings.provider));
        }
        self.call(prompt.into(), Some(Wire::OpenAiCompletions))
    }

    /// Opens connections ahead of the first call, all at once, until `connections`
    /// are at rest or the pool has no room for more. Returns how many it opened.
    ///
    /// # Errors
    ///
    /// As for a call that cannot connect. Those that could be opened stay open.
    pub fn warm_up(&self, connections: usize) -> Result<usize, Error> {
        let settings = &self.inner.settings;
        let deadline = Deadline::after(Instant::now(), settings.timeout);
        let bounds = Bounds { deadline, cancel: None };
        self.inner
            .transport
            .warm_up(connections, &bounds)
            .map_err(|error| error.with_provider(settings.provider))
    }

    /// What the pool of connections holds and has done, all at this moment.
    ///
    /// ```no_run
    /// # let client = tollgate::Client::openai("gpt-4o-mini").unwrap();
    /// let pool = client.pool().total;
    /// println!("{} in use, {} idle, {} waiting", pool.active, pool.idle, pool.waiting);
    /// println!("99 % waited at most {:?}", pool.waits.quantile(0.99));
    /// ```
    pub fn pool(&self) -> PoolStats {
        self.inner.transport.pool_stats()
    }

    fn call(&self, request: ChatRequest, wire: Option<Wire>) -> Result<ChatResponse, Error> {
        let settings = &self.inner.settings;
        let begun = Instant::now();
        let call = self
            .prepare(&request, wire, begun)
            .map_err(|error| error.with_provider(settings.provider))?;
        if call.bounds.deadline.remaining(Instant::now()) == Some(Duration::ZERO) {
            return Err(Error::timeout(Phase::Encode).with_provider(settings.provider));
        }
        let mut backoff = settings.retry.backoff(fastrand::Rng::new());
        let mut attempts = 1;
        loop {
            let error = match self.attempt(&call) {
                Ok(response) => {
                    return Ok(ChatResponse { latency: begun.elapsed(), attempts, ..response });
                }
                Err(error) => error,
            };
            let ours = backoff.next().unwrap_or(settings.retry.max_interval);
            let left = call.bounds.deadline.remaining(Instant::now());
            match retry::decide(&error, attempts - 1, &settings.retry, ours, left) {
                Some(wait) => {
                    if call.bounds.sleep(wait).is_err() {
                        return Err(Error::cancelled()
                            .with_phase(Phase::Backoff)
                            .with_provider(settings.provider)
                            .with_attempts(attempts)
                            .with_source(error));
                    }
                }
                None => {
                    return Err(error.with_provider(settings.provider).with_attempts(attempts));
                }
            }
            attempts += 1;
        }
    }

    /// Everything that can be refused is refused here.
    fn prepare(
        &self,
        request: &ChatRequest,
        wire: Option<Wire>,
        begun: Instant,
    ) -> Result<Call, Error> {
        let settings = &self.inner.settings;
        let model = request.model.as_ref().or(settings.model.as_ref()).ok_or_else(|| {
            Error::invalid_request(
                "no model; name one in the request, or for all requests by \
                 ClientBuilder::model",
            )
        })?;
        if model.trim().is_empty() {
            return Err(Error::invalid_request("the model is empty"));
        }
        let timeout = request.timeout.unwrap_or(settings.timeout);
        if timeout.is_zero() {
            return Err(Error::invalid_request(
                "the timeout is zero, so that the call could not succeed",
            ));
        }
        let wire = wire.unwrap_or(match settings.provider {
            Provider::OpenAi if completions::serves(model) => Wire::OpenAiCompletions,
            Provider::OpenAi => Wire::OpenAiChat,
            Provider::Anthropic => Wire::Anthropic,
        });
        Ok(Call {
            wire,
            uri: endpoint(&settings.base, wire)?,
            body: wire.encode(request, model)?,
            model: model.clone(),
            bounds: Bounds {
                deadline: Deadline::after(begun, timeout),
                cancel: request.cancel_token.clone(),
            },
        })
    }

    fn attempt(&self, call: &Call) -> Result<ChatResponse, Error> {
        let settings = &self.inner.settings;
        let outgoing = Outgoing { uri: &call.uri, headers: &self.inner.headers, body: &call.body };
        let mut incoming = self.inner.transport.exchange(outgoing, &call.bounds)?;
        if !(200..300).contains(&incoming.status) {
            incoming.hide(&settings.secrets);
        }
        let (reply, now) = (incoming.reply(), SystemTime::now());
        let request_id = provider::request_id(reply);
        let rate_limit = provider::rate_limit(reply, now);
        match call.wire.decode(reply) {
            Ok(decoded) => Ok(ChatResponse {
                message: decoded.message,
                finish_reason: decoded.finish_reason,
                finish_reason_raw: decoded.finish_reason_raw,
                usage: decoded.usage,
                model: if decoded.model.is_empty() { call.model.clone() } else { decoded.model },
                service_tier: decoded.service_tier,
                provider: settings.provider,
                id: decoded.id,
                request_id,
                rate_limit,
                latency: Duration::ZERO,
                attempts: 1,
                raw: into_text(incoming.body),
            }),
            // Under status 200, too, a server may repeat the key.
            Err(failure) => {
                let hide = |text: String| settings.secrets.hide(text.into()).into_owned();
                Err(Error::new(failure.kind, hide(failure.message))
                    .with_code(failure.code.map(hide))
                    .with_status(incoming.status)
                    .with_request_id(request_id)
                    .with_retry_hints(
                        provider::retry_after(reply, now),
                        provider::should_retry(reply),
                    )
                    .bounded())
            }
        }
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client")
            .field("provider", &self.inner.settings.provider)
            .field("model", &self.inner.settings.model)
            .field("base_url", &self.inner.settings.base)
            .finish_non_exhaustive()
    }
}

impl ClientBuilder {
    /// Checks all settings, with the environment for those not set, and makes the
    /// client. Opens no connection yet.
    ///
    /// # Errors
    ///
    /// [`Configuration`](ErrorKind::Configuration), naming everything that is
    /// missing or wrong, a sentence each.
    pub fn build(self) -> Result<Client, Error> {
        let mut settings = self.check(|name| env::var(name).ok())?;
        let transport = Transport::new(&transport::Settings {
            base: &settings.base,
            connect_timeout: settings.connect_timeout,
            pool: &settings.pool,
            proxy: settings.proxy.as_ref(),
            tls: settings.tls.as_ref(),
            max_response_bytes: settings.max_response_bytes,
        })?;
        let headers = Headers::new(mem::take(&mut settings.headers));
        Ok(Client { inner: Arc::new(Inner { settings, headers, transport }) })
    }
}

/// A body as text, without a copy where it is text, as JSON always is.
fn into_text(body: Vec<u8>) -> String {
    String::from_utf8(body)
        .unwrap_or_else(|not_text| String::from_utf8_lossy(not_text.as_bytes()).into_owned())
}

/// Where a wire format is spoken below a base URL.
fn endpoint(base: &Uri, wire: Wire) -> Result<Uri, Error> {
    let below = base.path().trim_end_matches('/');
    // Anthropic's base URL has no version, but many write it there.
    let below = match wire {
        Wire::Anthropic => below.strip_suffix("/v1").unwrap_or(below),
        Wire::OpenAiChat | Wire::OpenAiCompletions => below,
    };
    let mut parts = base.clone().into_parts();
    let query = base.query().map(|query| format!("?{query}")).unwrap_or_default();
    let path = PathAndQuery::try_from(format!("{below}{}{query}", wire.path()));
    parts.path_and_query = path.ok();
    Uri::from_parts(parts).map_err(|cause| {
        Error::new(ErrorKind::Configuration, "the base URL cannot be extended").with_source(cause)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn endpoints_lie_below_the_base_url() {
        for (base, wire, expected) in [
            (
                "https://api.openai.com/v1",
                Wire::OpenAiChat,
                "https://api.openai.com/v1/chat/completions",
            ),
            ("http://[::1]:8080", Wire::OpenAiCompletions, "http://[::1]:8080/completions"),
            ("https://api.anthropic.com", Wire::Anthropic, "https://api.anthropic.com/v1/messages"),
            ("http://localhost:4000/v1", Wire::Anthropic, "http://localhost:4000/v1/messages"),
            ("https://a.b/proxy/", Wire::Anthropic, "https://a.b/proxy/v1/messages"),
            (
                "https://a.openai.azure.com/openai/deployments/x?api-version=2024-10-21",
                Wire::OpenAiChat,
                "https://a.openai.azure.com/openai/deployments/x/chat/completions\
                 ?api-version=2024-10-21",
            ),
        ] {
            let uri = endpoint(&base.parse().unwrap(), wire).unwrap();
            assert_eq!(uri, expected);
        }
    }

    #[test]
    fn a_client_can_be_shared_between_threads() {
        fn shared<T: Send + Sync + Clone + 'static>() {}
        shared::<Client>();
    }
}
