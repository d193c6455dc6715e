//! The checked settings of a client, and the checks themselves.

use std::fmt;
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::Duration;
use ureq::http::header::{CONTENT_TYPE, HeaderName};
use ureq::http::uri::Scheme;
use ureq::http::{HeaderMap, HeaderValue, Uri};

use super::{ClientBuilder, Environment, PoolConfig, Tls, access, base_url, cleaned};
use crate::base64;
use crate::cost::{Budget, CostConfig, CostTracker, Prices};
use crate::error::{Error, ErrorKind};
use crate::key::Secrets;
use crate::observe::Observers;
use crate::provider::{self, Format, Profile, Provider};
use crate::retry::{RetryConfig, Sleeper};
use crate::wire::anthropic;

/// A checked configuration.
pub(crate) struct Settings {
    pub(crate) profile: Profile,
    pub(crate) model: Option<String>,
    pub(crate) base: Uri,
    pub(crate) headers: HeaderMap,
    /// The betas for all requests to Anthropic, which are not among the headers: a request may
    /// add to them.
    pub(crate) betas: Option<HeaderValue>,
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
    /// The provider's name in the price table, for nothing but prices.
    pub(crate) price_provider: String,
    pub(crate) observers: Observers,
    pub(crate) metrics: bool,
}

/// Shows no header, no query and no proxy: each may hold a key.
impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settings")
            .field("provider", &self.profile.id)
            .field("model", &self.model)
            .field("base", &base_url::shown(&self.base))
            .finish_non_exhaustive()
    }
}

impl ClientBuilder {
    /// Checks everything at once.
    pub(crate) fn check(self, environment: &Environment<'_>) -> Result<Settings, Error> {
        let mut problems = self.problems();
        let profile = match profile(self.provider, self.profile) {
            Ok(profile) => profile,
            Err(problem) => {
                problems.insert(0, problem);
                return Err(wrong(&problems));
            }
        };

        let model = self.model.as_deref().map(cleaned).transpose().unwrap_or_else(|stray| {
            problems.push(format!("the model holds {stray}; name one, such as \"gpt-4o-mini\""));
            None
        });
        let base = access::address(&profile, self.base_url, self.allow_plain_http, environment)
            .map_err(|problem| problems.push(problem))
            .ok();
        let encrypted = base.as_ref().is_some_and(|uri| uri.scheme() == Some(&Scheme::HTTPS));
        if encrypted && !cfg!(any(feature = "rustls", feature = "native-tls")) {
            problems.push(
                "https needs TLS, and the crate is built without; turn on its feature \
                 \"rustls\" or \"native-tls\""
                    .to_owned(),
            );
        }

        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        let key = match self.without_api_key {
            true => Ok(None),
            false => access::key(&profile, self.api_key, environment),
        };
        let credentials = key.and_then(|key| match key {
            Some(key) => access::credentials(&profile.auth, &key),
            None => Ok(None),
        });
        match credentials {
            Ok(header) => headers.extend(header),
            Err(problem) => problems.push(problem),
        }
        for (name, value) in &profile.headers {
            add_header(&mut headers, name, value, false, &mut problems);
        }
        if profile.id == Provider::OPENAI {
            for (name, set, from) in [
                ("openai-organization", self.organization, "OPENAI_ORG_ID"),
                ("openai-project", self.project, "OPENAI_PROJECT_ID"),
            ] {
                match set.map_or_else(
                    || environment.read(from),
                    |id| {
                        cleaned(&id).map(Some).map_err(|stray| format!("the {name} holds {stray}"))
                    },
                ) {
                    Ok(Some(id)) => add_header(&mut headers, name, &id, false, &mut problems),
                    Ok(None) => {}
                    Err(problem) => problems.push(problem),
                }
            }
        } else if self.organization.is_some() || self.project.is_some() {
            problems.push(format!(
                "organization and project are OpenAI's; {} has none, so leave them out",
                profile.id
            ));
        }
        for (name, value) in &self.headers {
            // It may hold the key to a gateway, unless its name says otherwise.
            let sensitive = !HARMLESS.contains(&&*name.to_ascii_lowercase());
            add_header(&mut headers, name, value, sensitive, &mut problems);
        }

        let betas = (profile.format == Format::Anthropic).then(|| headers.remove(anthropic::BETAS));

        let proxy = base.as_ref().and_then(|base| {
            let proxy = self.proxy.resolve(base, environment);
            proxy.map_err(|problem| problems.push(problem)).ok().flatten()
        });

        let secrets = secrets(&headers, base.as_ref(), proxy.as_ref());

        let costs = tracker(self.cost_tracker, self.costs, self.budgets, &profile.id)
            .map_err(|error| problems.push(error.message().to_owned()))
            .ok();
        let price_provider = self.price_provider.unwrap_or_else(|| {
            let base = base.as_ref().map(Uri::to_string).unwrap_or_default();
            let own = || profile.prices.as_deref().unwrap_or(profile.id.as_str());
            Prices::provider_of(&base).unwrap_or_else(own).to_owned()
        });

        match (base, costs) {
            (Some(base), Some(costs)) if problems.is_empty() => Ok(Settings {
                profile,
                model,
                base,
                headers,
                betas: betas.flatten(),
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
        if self
            .model
            .as_deref()
            .map(cleaned)
            .is_some_and(|model| model.is_ok_and(|name| name.is_empty()))
        {
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

/// The profile that was set, or the one that the crate has of the provider.
fn profile(provider: Option<Provider>, profile: Option<Profile>) -> Result<Profile, String> {
    match (provider, profile) {
        (Some(provider), Some(profile)) if provider != profile.id => Err(format!(
            "the provider is {provider}, and the profile that of {}; set one of them",
            profile.id
        )),
        (_, Some(profile)) => Ok(profile),
        (Some(provider), None) => {
            Profile::builtin(provider.as_str()).ok_or_else(|| provider::unknown(provider.as_str()))
        }
        (None, None) => Err("no provider is set; call .provider(\"openai\") or another".to_owned()),
    }
}

/// What a server, or a proxy on the way to it, may repeat and nobody may see.
fn secrets(headers: &HeaderMap, base: Option<&Uri>, proxy: Option<&ureq::Proxy>) -> Secrets {
    let sensitive = headers.iter().filter(|(_, value)| value.is_sensitive());
    let mut secrets = Secrets::new(
        sensitive.filter_map(|(name, value)| Some((name.as_str(), value.to_str().ok()?))),
    );
    base_url::query_secrets(base, |secret| secrets.add(secret));
    if let Some(proxy) = proxy {
        let (user, password) = (proxy.username(), proxy.password());
        secrets.add(password.unwrap_or_default());
        // What ureq sends: RFC 7617 section 2.
        let pair = format!("{}:{}", user.unwrap_or_default(), password.unwrap_or_default());
        secrets.add(&base64::encode(pair.as_bytes()));
    }
    secrets
}

/// The tracker that is shared, or one of the client's own.
fn tracker(
    shared: Option<CostTracker>,
    config: Option<CostConfig>,
    budgets: Vec<Budget>,
    provider: &Provider,
) -> Result<CostTracker, Error> {
    match shared {
        None => config.unwrap_or_default().budgets(budgets).build_for(&[provider.as_str()]),
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
    // White space around a value is not part of it (RFC 9110 section 5.5).
    match HeaderValue::from_str(value.trim()) {
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
