//! Answers from recordings, and sends on what has none.
//!
//! A request is matched by its method, path, query, betas and body, with the rules of its
//! [`Replay`]. The provider, the scheme, the host and the port may differ from the recorded ones.

use std::path::Path;
use std::sync::Arc;

use super::Loopback;
use super::paths::Format;
use super::render;
use super::reply::Reply;
use super::request::Request;
use super::upstream::{Forwarded, Upstream};
use crate::config::{Environment, query_secrets, ready_replay};
use crate::error::{Error, ErrorKind};
use crate::key::Secrets;
use crate::provider::{Profile, Provider};
use crate::replay::{self, Replay, Served, without_boundary};
use crate::transport::Method;
use crate::url::Url;
use crate::wire::anthropic::BETAS;

impl Loopback {
    /// Answers from a folder of recordings, in the place of the script. Rules still come first. The
    /// [guide](crate::guide::replay) shows how. Default: none.
    ///
    /// A request is answered by the recording with the same method, path, query, `anthropic-beta`
    /// and body, by the [rules](Replay::rewrite) of `replay`. The provider, the scheme, the host and
    /// the port may differ. A stream is sent in its recorded pieces, an error with its status and
    /// headers. Any other request gets a 404 in its provider's format that names the missing file.
    ///
    /// The mode is decided as for a client. With [`forward_to`](Self::forward_to), the modes that
    /// record send a request on if it has no recording, and record the answer.
    /// [`Replay::unused`] and [`Replay::check`] tell what was not asked for.
    ///
    /// ```no_run
    /// use tollgate::Replay;
    /// use tollgate::testing::Loopback;
    ///
    /// let server = Loopback::start()?;
    /// let replay = Replay::dir("llm");
    /// server.recordings(&replay)?;
    /// // … run the program with OPENAI_BASE_URL set to this address …
    /// println!("{}", server.base_url("openai"));
    /// replay.check()?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`Configuration`](crate::ErrorKind::Configuration) if the folder, a rule or `TOLLGATE_REPLAY`
    /// cannot be used.
    pub fn recordings(&self, replay: impl Into<Replay>) -> Result<(), Error> {
        let ready = ready_replay(Some(replay.into()), &Environment::of_process());
        let replay =
            ready.map_err(|problems| Error::new(ErrorKind::Configuration, problems.join("; ")))?;
        self.server.recordings.write().replay = replay;
        Ok(())
    }

    /// Sends requests on to a provider, with the program's own key, and passes the answers back as
    /// they arrive. With [`recordings`](Self::recordings), only a request without a recording is
    /// sent, and its answer is recorded. Default: no request is sent on.
    ///
    /// `base_url` is the provider's own, such as `https://api.openai.com/v1`. A program that uses
    /// this server's [`base_url`](Self::base_url) for the provider reaches the same endpoints. All
    /// headers are sent on, except for those of the connection itself. Keys are never recorded.
    /// Requests that are signed for one host, as AWS's keys sign them, cannot be sent on.
    ///
    /// # Errors
    ///
    /// [`Configuration`](crate::ErrorKind::Configuration) if the provider is unknown or `base_url`
    /// cannot be used.
    pub fn forward_to(
        &self,
        provider: impl Into<Provider>,
        base_url: impl AsRef<str>,
    ) -> Result<(), Error> {
        let upstream = Arc::new(Upstream::new(provider.into(), base_url.as_ref())?);
        self.server.recordings.write().upstream = Some(upstream);
        Ok(())
    }
}

/// What a server answers from, besides its rules and its script.
#[derive(Debug, Clone, Default)]
pub(super) struct Recordings {
    pub(super) replay: Option<Replay>,
    pub(super) upstream: Option<Arc<Upstream>>,
}

/// What to do with a request.
pub(super) enum Answer {
    Reply(Arc<Reply>),
    /// To send it on, and record the answer if there is a folder.
    Forward(Box<Forwarded>),
}

impl From<Reply> for Answer {
    fn from(reply: Reply) -> Self {
        Self::Reply(Arc::new(reply))
    }
}

impl Recordings {
    /// Decides what to do with a request. `None` if the server has neither recordings nor another
    /// server to ask.
    pub(super) fn answer(&self, request: &Request) -> Option<Answer> {
        let Self { replay, upstream } = self;
        if replay.is_none() && upstream.is_none() {
            return None;
        }
        let Some(method) = method(request.method()) else {
            let reply = Reply::error(405, "", "Recordings have GET and POST requests only.");
            return Some(reply.header("allow", "GET, POST").into());
        };
        let (provider, url) = match upstream {
            Some(upstream) => (upstream.provider().clone(), upstream.url(request.target())),
            None => usual(request),
        };
        let Some(url) = url else {
            let reply = Reply::error(400, "", "The address of the request is not valid.");
            return Some(reply.into());
        };
        let secrets = secrets(request, &url);
        let canonical = Canonical::of(request);
        let asked = canonical.asked(&provider, method, &url, request);
        let served = replay.as_ref().map(|replay| replay.serve(&asked, &secrets));
        let missing = match served.transpose() {
            Err(error) => {
                return Some(Reply::error(500, "unusable", error.to_string()).into());
            }
            Ok(Some(Served::Recorded(response))) => {
                return Some(Reply::recorded(response).into());
            }
            Ok(Some(Served::Missing(path))) => Some(path),
            Ok(None) => None,
        };
        let is_offline = replay.as_ref().is_some_and(Replay::is_offline);
        Some(match (upstream, missing) {
            (Some(upstream), _) if !is_offline => Answer::Forward(Box::new(Forwarded {
                upstream: Arc::clone(upstream),
                replay: replay.clone(),
                method,
                url,
                canonical,
                secrets: Arc::new(secrets),
            })),
            (upstream, missing) => {
                let path = missing.unwrap_or_default();
                let message = not_recorded(&path, request, upstream.is_some());
                Reply::error(404, "not_recorded", message).into()
            }
        })
    }
}

/// The parts of a request that its recording has in another form.
pub(super) struct Canonical {
    /// All values of `anthropic-beta`, as one list.
    betas: Option<String>,
    /// The body, if it is not the one that was sent.
    body: Option<Vec<u8>>,
}

impl Canonical {
    fn of(request: &Request) -> Self {
        let betas: Vec<_> = request.head().values(BETAS).collect();
        let content_type = request.header("content-type").unwrap_or_default();
        Self {
            betas: (!betas.is_empty()).then(|| betas.join(", ")),
            body: without_boundary(content_type, request.body()),
        }
    }

    /// The request as its recording is found.
    pub(super) fn asked<'a>(
        &'a self,
        provider: &'a Provider,
        method: Method,
        url: &'a Url,
        request: &'a Request,
    ) -> replay::Request<'a> {
        replay::Request {
            provider: provider.as_str(),
            model: request.model().unwrap_or_default(),
            method: method.as_str(),
            url,
            betas: self.betas.as_deref(),
            body: self.body.as_deref().unwrap_or(request.body()),
        }
    }
}

/// Why there is no answer, and how to get one.
fn not_recorded(path: &Path, request: &Request, has_upstream: bool) -> String {
    let how = match has_upstream {
        true => "run the server once with TOLLGATE_REPLAY=record",
        false => {
            "name the provider that answers (Loopback::forward_to) and run the server once with \
             TOLLGATE_REPLAY=record"
        }
    };
    format!(
        "there is no recording of this request, {} {} ({}); to record it, {how}",
        request.method(),
        request.path(),
        path.display()
    )
}

fn method(name: &str) -> Option<Method> {
    [Method::Get, Method::Post].into_iter().find(|method| method.as_str() == name)
}

/// The provider that a request most likely means, and the provider's own address for it. Only the name
/// of a missing recording depends on this.
fn usual(request: &Request) -> (Provider, Option<Url>) {
    let provider = match render::expected(request) {
        Format::Messages => Provider::ANTHROPIC,
        Format::Converse | Format::BedrockEmbeddings => Provider::BEDROCK,
        Format::CohereChat | Format::CohereEmbeddings => Provider::COHERE,
        Format::GenerateContent | Format::GeminiEmbeddings => Provider::GEMINI,
        Format::Ollama | Format::OllamaEmbeddings => Provider::OLLAMA,
        Format::VertexEmbeddings => Provider::VERTEX,
        Format::Chat
        | Format::Completions
        | Format::Responses
        | Format::Embeddings
        | Format::Moderations => Provider::OPENAI,
    };
    let base =
        Profile::builtin(provider.as_str()).and_then(|profile| profile.base_url.parse().ok());
    // The address of some contains a region or a project.
    let base: Option<Url> = base.or_else(|| "https://localhost".parse().ok());
    let url = base.and_then(|base| base.with_target(request.target()).ok());
    (provider, url)
}

/// The secrets that a request carries: no recording may have them.
fn secrets(request: &Request, url: &Url) -> Secrets {
    let headers = request.headers().iter().map(|(name, value)| (name.as_str(), value.as_str()));
    let mut secrets = Secrets::new(headers.filter(|(name, _)| is_secret(name)));
    query_secrets(Some(url), |secret| secrets.add(secret));
    secrets
}

/// Whether a header of this name, in lower case, may carry credentials.
fn is_secret(name: &str) -> bool {
    const WORDS: [&str; 9] =
        ["auth", "cookie", "credential", "key", "passw", "secret", "session", "signature", "token"];
    WORDS.iter().any(|word| name.contains(word))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::request::tests::request;
    use serde_json::json;

    #[test]
    fn a_request_has_the_address_of_the_provider_whose_format_it_has() {
        for (target, provider, url) in [
            ("/v1/models?a=1", "openai", "https://api.openai.com/v1/models?a=1"),
            ("/model/m/converse", "bedrock", "https://localhost/model/m/converse"),
            ("/v1/messages", "anthropic", "https://api.anthropic.com/v1/messages"),
            (
                "/v1beta/models/m:generateContent",
                "gemini",
                "https://generativelanguage.googleapis.com/v1beta/models/m:generateContent",
            ),
        ] {
            let (found, address) = usual(&request(target, &[], &json!({})));
            assert_eq!((found.as_str(), address.unwrap().as_str()), (provider, url), "{target}");
        }
    }

    #[test]
    fn the_secrets_of_a_request_are_in_its_headers_and_its_query() {
        let headers = [
            ("authorization", "Bearer sk-authorization"),
            ("x-api-key", "sk-x-api-key"),
            ("x-goog-api-key", "sk-goog-key"),
            ("cookie", "session=12345"),
            ("cf-aig-authorization", "Bearer gateway-token"),
            ("content-type", "application/json"),
            ("anthropic-version", "2023-06-01"),
        ];
        let url = "https://a.b/x?key=sk-in%2Dthe-query&alt=event-stream".parse().unwrap();
        let found = secrets(&request("/x", &headers, &json!({})), &url);
        for secret in [
            "sk-authorization",
            "sk-x-api-key",
            "sk-goog-key",
            "session=12345",
            "gateway-token",
            "sk-in-the-query",
        ] {
            assert!(found.are_in(secret.as_bytes()), "{secret}");
        }
        for plain in ["application/json", "2023-06-01", "event-stream"] {
            assert!(!found.are_in(plain.as_bytes()), "{plain}");
        }
    }
}
