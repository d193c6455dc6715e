use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::Duration;
use ureq::http::header::{AUTHORIZATION, CONTENT_TYPE, HeaderName};
use ureq::http::uri::Scheme;
use ureq::http::{HeaderMap, HeaderValue, Uri};

use super::{ClientBuilder, PoolConfig, Tls, base_url};
use crate::cost::{Budget, CostConfig, CostTracker, Prices};
use crate::error::{Error, ErrorKind};
use crate::key::{ApiKey, Secrets};
use crate::observe::Observers;
use crate::provider::{Provider, anthropic};
use crate::retry::{RetryConfig, Sleeper};

/// A checked configuration.
#[derive(Debug)]
pub(crate) struct Settings {
    pub(crate) provider: Provider,
    pub(crate) model: Option<String>,
    pub(crate) base: Uri,
    pub(crate) headers: HeaderMap,
    pub(crate) secrets: Arc<Secrets>,
    pub(crate) timeout: Duration,
    pub(crate) connect_timeout: Duration,
    pub(crate) attempt_timeout: Option<Duration>,
    pub(crate) first_token_timeout: Option<Duration>,
    pub(crate) gap_timeout: Duration,
    pub(crate) max_response_bytes: usize,
    pub(crate) max_response_head_bytes: usize,
    pub(crate) pool: PoolConfig,
    pub(crate) retry: RetryConfig,
    pub(crate) sleeper: Arc<dyn Sleeper>,
    pub(crate) idempotency_keys: bool,
    pub(crate) proxy: Option<ureq::Proxy>,
    pub(crate) tls: Option<Tls>,
    pub(crate) costs: CostTracker,
    /// Whose prices hold.
    pub(crate) price_provider: String,
    pub(crate) observers: Observers,
    pub(crate) metrics: bool,
}

/// What a provider needs to be reached.
struct Access {
    base_url: &'static str,
    key_variable: &'static str,
    url_variable: &'static str,
}

fn access(provider: Provider) -> Access {
    match provider {
        // https://platform.openai.com/docs/api-reference/authentication and the
        // variables of openai-python `_client.py`.
        Provider::OpenAi => Access {
            base_url: "https://api.openai.com/v1",
            key_variable: "OPENAI_API_KEY",
            url_variable: "OPENAI_BASE_URL",
        },
        // https://docs.anthropic.com/en/api/overview and the variables of
        // anthropic-sdk-python `_client.py`.
        Provider::Anthropic => Access {
            base_url: "https://api.anthropic.com",
            key_variable: "ANTHROPIC_API_KEY",
            url_variable: "ANTHROPIC_BASE_URL",
        },
    }
}

impl ClientBuilder {
    /// Checks everything at once. `variable` looks up the environment.
    pub(crate) fn check(
        self,
        variable: impl Fn(&str) -> Option<String>,
    ) -> Result<Settings, Error> {
        let variable = |name: &str| variable(name).filter(|value| !value.trim().is_empty());
        let mut problems = self.problems();
        let Some(provider) = self.provider else {
            problems.insert(
                0,
                "no provider is set; call .provider(Provider::OpenAi) or another".to_owned(),
            );
            return Err(wrong(&problems));
        };
        let access = access(provider);

        let base = match self.base_url.or_else(|| variable(access.url_variable)) {
            Some(url) => base_url::parse(&url, self.allow_plain_http)
                .map_err(|problem| problems.push(problem))
                .ok(),
            None => Uri::try_from(access.base_url).ok(),
        };
        let encrypted = base.as_ref().is_some_and(|uri| uri.scheme() == Some(&Scheme::HTTPS));
        if encrypted && !cfg!(any(feature = "rustls", feature = "native-tls")) {
            problems.push(
                "https needs TLS, and the crate is built without; turn on its feature \
                 \"rustls\" or \"native-tls\""
                    .to_owned(),
            );
        }

        let api_key = if self.without_api_key {
            None
        } else {
            let key = self.api_key.or_else(|| variable(access.key_variable).map(ApiKey::from));
            match &key {
                None => problems.push(format!(
                    "no API key; set the environment variable {} or call .api_key(…) \
                     (.without_api_key() for a server that needs none)",
                    access.key_variable
                )),
                Some(key) if key.expose().is_empty() => {
                    problems.push("the API key is empty".to_owned());
                }
                Some(_) => {}
            }
            key
        };

        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        if let Some(key) = &api_key {
            let (name, value) = match provider {
                Provider::OpenAi => (AUTHORIZATION, format!("Bearer {}", key.expose())),
                Provider::Anthropic => {
                    (HeaderName::from_static("x-api-key"), key.expose().to_owned())
                }
            };
            match HeaderValue::from_str(&value) {
                Ok(mut value) => {
                    value.set_sensitive(true);
                    headers.insert(name, value);
                }
                Err(_) => problems.push(
                    "the API key holds a character that cannot be sent; check for line breaks \
                     and stray symbols"
                        .to_owned(),
                ),
            }
        }
        match provider {
            Provider::OpenAi => {
                for (name, set, from) in [
                    ("openai-organization", self.organization, "OPENAI_ORG_ID"),
                    ("openai-project", self.project, "OPENAI_PROJECT_ID"),
                ] {
                    if let Some(id) = set.or_else(|| variable(from)) {
                        add_header(&mut headers, name, &id, false, &mut problems);
                    }
                }
            }
            Provider::Anthropic => {
                headers.insert(
                    HeaderName::from_static("anthropic-version"),
                    HeaderValue::from_static(anthropic::VERSION),
                );
                if self.organization.is_some() || self.project.is_some() {
                    problems.push(
                        "organization and project are OpenAI's; Anthropic has none".to_owned(),
                    );
                }
            }
        }
        for (name, value) in &self.headers {
            // It may hold the key to a gateway, unless its name says otherwise.
            let sensitive = !HARMLESS.contains(&&*name.to_ascii_lowercase());
            add_header(&mut headers, name, value, sensitive, &mut problems);
        }

        let proxy = base.as_ref().and_then(|base| {
            let proxy = self.proxy.resolve(base, variable);
            proxy.map_err(|problem| problems.push(problem)).ok().flatten()
        });

        let sensitive = headers.values().filter(|value| value.is_sensitive());
        let secrets = Secrets::new(
            sensitive.map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned()),
        );

        let costs = tracker(self.cost_tracker, self.costs, self.budgets)
            .map_err(|error| problems.push(error.message().to_owned()))
            .ok();
        let price_provider = self.price_provider.unwrap_or_else(|| {
            let base = base.as_ref().map(Uri::to_string).unwrap_or_default();
            Prices::provider_of(&base).unwrap_or_else(|| provider.name()).to_owned()
        });

        match (base, costs) {
            (Some(base), Some(costs)) if problems.is_empty() => Ok(Settings {
                provider,
                model: self.model,
                base,
                headers,
                secrets: Arc::new(secrets),
                timeout: self.timeout,
                connect_timeout: self.connect_timeout,
                attempt_timeout: self.attempt_timeout,
                first_token_timeout: self.first_token_timeout,
                gap_timeout: self.gap_timeout,
                max_response_bytes: self.max_response_bytes,
                max_response_head_bytes: self.max_response_head_bytes,
                pool: self.pool,
                retry: self.retry,
                sleeper: self.sleeper,
                idempotency_keys: self.idempotency_keys,
                proxy,
                tls: self.tls,
                costs,
                price_provider,
                observers: Observers::new(self.observers),
                metrics: self.metrics,
            }),
            _ => Err(wrong(&problems)),
        }
    }

    /// What is wrong whoever the provider is.
    fn problems(&self) -> Vec<String> {
        let mut problems = Vec::new();
        if self.model.as_deref().is_some_and(|model| model.trim().is_empty()) {
            problems.push("the model is empty; name one, such as \"gpt-4o-mini\"".to_owned());
        }
        for (name, value) in [
            ("timeout", Some(self.timeout)),
            ("connect_timeout", Some(self.connect_timeout)),
            ("attempt_timeout", self.attempt_timeout),
            ("first_token_timeout", self.first_token_timeout),
            ("gap_timeout", Some(self.gap_timeout)),
        ] {
            if value.is_some_and(|value| value.is_zero()) {
                problems.push(format!("the {name} is zero, so that no call could succeed"));
            }
        }
        if self.price_provider.as_deref().is_some_and(|name| name.trim().is_empty()) {
            problems.push("the price_provider is empty; name one, or leave it out".to_owned());
        }
        if self.max_response_bytes == 0 {
            problems
                .push("max_response_bytes is zero, so that no response could be read".to_owned());
        }
        if !HEAD_BYTES.contains(&self.max_response_head_bytes) {
            problems.push(format!(
                "max_response_head_bytes is {}; it must be at least {} and at most {}",
                self.max_response_head_bytes,
                HEAD_BYTES.start(),
                HEAD_BYTES.end()
            ));
        }
        problems.extend(self.pool.problems());
        problems.extend(self.retry.problems());
        problems
    }
}

/// The tracker that is shared, or one of the client's own.
fn tracker(
    shared: Option<CostTracker>,
    config: Option<CostConfig>,
    budgets: Vec<Budget>,
) -> Result<CostTracker, Error> {
    match shared {
        None => config.unwrap_or_default().budgets(budgets).build(),
        Some(shared) if config.is_none() && budgets.is_empty() => Ok(shared),
        Some(_) => Err(Error::new(
            ErrorKind::Configuration,
            "a cost_tracker is shared, which has its own budgets and settings; set them there, by \
             CostConfig",
        )),
    }
}

fn wrong(problems: &[String]) -> Error {
    Error::new(ErrorKind::Configuration, problems.join("; "))
}

/// The range of limits for a response head. Real heads rarely fit into less, and each
/// connection keeps a buffer of the limit's size.
const HEAD_BYTES: RangeInclusive<usize> = 1024..=1024 * 1024;

/// Headers whose values are no secrets.
const HARMLESS: &[&str] =
    &["accept", "anthropic-beta", "anthropic-version", "content-type", "openai-beta", "user-agent"];

fn add_header(
    headers: &mut HeaderMap,
    name: &str,
    value: &str,
    sensitive: bool,
    problems: &mut Vec<String>,
) {
    let Ok(name) = HeaderName::try_from(name) else {
        problems.push(format!("{name:?} is not a header name"));
        return;
    };
    // These frame the message and belong to the transport.
    const OURS: &[&str] = &[
        "accept-encoding",
        "connection",
        "content-encoding",
        "content-length",
        "expect",
        "host",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    ];
    if OURS.contains(&name.as_str()) {
        problems.push(format!("the header {name} cannot be set, for the transport sets it"));
        return;
    }
    match HeaderValue::from_str(value) {
        Ok(mut value) => {
            value.set_sensitive(sensitive);
            headers.insert(name, value);
        }
        Err(_) => problems
            .push(format!("the value of the header {name} holds a character that cannot be sent")),
    }
}

#[cfg(test)]
mod tests;
