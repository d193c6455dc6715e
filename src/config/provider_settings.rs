//! The settings of one provider, checked together with the environment.

use std::fmt;
use std::sync::Arc;

#[cfg(feature = "bedrock")]
use super::bedrock;
use super::setters::Setters;
use super::vertex::{self, Place};
use super::{Environment, ProviderConfig, Proxy, Timeouts, access, base_url, cleaned, headers};
use crate::base64;
use crate::cost::Prices;
use crate::error::{Error, ErrorKind};
use crate::header::{HeaderList, HeaderValue};
use crate::key::Secrets;
use crate::provider::{self, Credentials, Format, ModelNames, Profile, Provider};
use crate::url::Url;
use crate::wire::anthropic;

/// The checked settings of one provider.
pub(crate) struct ProviderSettings {
    pub(crate) profile: Profile,
    pub(crate) base: Url,
    /// How model names look at this address, which may not be the provider's own.
    pub(crate) model_names: ModelNames,
    /// Whether the base URL is the built-in one of the provider, so that the models there are those
    /// of the catalogue.
    pub(crate) is_own_address: bool,
    pub(crate) headers: HeaderList,
    /// The betas of every request to Anthropic. They are not among the headers, because a request
    /// may add its own.
    pub(crate) betas: Option<HeaderValue>,
    /// Signs each attempt; `None` if the credentials are among the headers.
    pub(crate) credentials: Option<Arc<dyn Credentials>>,
    /// What is wrong with the key, if only recordings can be used without it.
    pub(crate) lacking: Option<String>,
    /// Whether anything that is sent may be a key: credentials, a header, or the URL's query.
    sends_key: bool,
    pub(crate) secrets: Arc<Secrets>,
    pub(crate) timeouts: Timeouts,
    pub(crate) proxy: Option<ureq::Proxy>,
    /// The provider's name in the price table, used only for prices.
    pub(crate) price_provider: String,
    /// The service tier that the headers ask for, if it costs more than the usual one.
    pub(crate) service_tier: Option<&'static str>,
}

impl ProviderSettings {
    /// Returns what to do about an error of a call, if that depends on the provider.
    pub(crate) fn advice(&self, error: &Error) -> Option<String> {
        let is_local = base_url::is_loopback(self.base.host());
        match error.kind() {
            ErrorKind::Authentication => self.missing_key_advice(),
            // A host that cannot be resolved or a broken connection says nothing about the server.
            ErrorKind::Connection if is_local && error.message().starts_with("cannot connect") => {
                Some(match self.profile.format {
                    Some(Format::Ollama) => {
                        "is Ollama running? Start it with \"ollama serve\"".to_owned()
                    }
                    _ => "is the server running?".to_owned(),
                })
            }
            // "model 'm' not found" (`ChatHandler` in ollama/ollama `server/routes.go`). Ollama's
            // cloud has no models to pull.
            ErrorKind::NotFound
                if self.profile.format == Some(Format::Ollama)
                    && error.message().starts_with("model ")
                    && self.base.host() != "ollama.com" =>
            {
                Some("pull it first with \"ollama pull\"".to_owned())
            }
            _ => None,
        }
    }

    /// Returns what to do if the provider refuses the key although none is sent.
    fn missing_key_advice(&self) -> Option<String> {
        if self.sends_key {
            return None;
        }
        let variable = self.profile.key_variables.first();
        let variable = variable.map_or_else(String::new, |name| format!("set {name}, or "));
        Some(format!("no key was sent; {variable}pass one to .api_key(…)"))
    }
}

/// Hides headers, query and proxy: each may contain a key.
impl fmt::Debug for ProviderSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ProviderSettings")
            .field("provider", &self.profile.id)
            .field("base", &base_url::shown(&self.base))
            .finish_non_exhaustive()
    }
}

impl ProviderConfig {
    /// Checks every setting at once. The error lists all that is wrong, one sentence each.
    /// `profiles` are the ones the client knows besides the built-in ones; `timeouts` and `proxy`
    /// are the client's. A client that `replays` needs its key only to record.
    pub(super) fn check(
        self,
        profiles: &[Profile],
        timeouts: &Timeouts,
        proxy: &Proxy,
        environment: &Environment<'_>,
        setters: Setters,
        replays: bool,
    ) -> Result<ProviderSettings, Vec<String>> {
        let mut profile =
            profile(self.provider, self.profile, profiles).map_err(|text| vec![text])?;
        let is_builtin = has_usual_address(&profile);
        let mut problems: Vec<_> = self.limits.problems().collect();
        let timeouts = self.limits.over(timeouts);
        if self.price_provider.as_deref().is_some_and(|name| name.trim().is_empty()) {
            problems.push("the price_provider is empty; name one, or do not set it".to_owned());
        }

        let mut lacking = None;
        let key = match self.without_api_key || self.credentials.is_some() {
            true => Ok(None),
            false => access::key(&profile, self.api_key, environment, setters),
        };
        let key = match key {
            Err(problem) if replays => {
                lacking = Some(problem);
                Ok(None)
            }
            key => key,
        };
        let is_vertex = profile.format == Some(Format::Vertex);
        let is_bedrock = profile.format == Some(Format::Bedrock);
        let mut credentials = self.credentials;
        let lacks_credentials =
            credentials.is_none() && !self.without_api_key && matches!(key, Ok(None));
        let location = self.location.as_deref();
        let mut place = None;
        if is_vertex {
            let mut own_project = None;
            if lacks_credentials {
                match vertex::default_credentials(environment, setters) {
                    Ok((found, project)) => (credentials, own_project) = (Some(found), project),
                    Err(problem) if replays => lacking = Some(problem),
                    Err(problem) => problems.push(problem),
                }
            }
            let has_key = matches!(key, Ok(Some(_)));
            match Place::find(self.project.as_deref(), location, has_key, environment) {
                Ok(found) => {
                    let found = found.or_project(own_project);
                    if has_usual_address(&profile) {
                        profile.base_url = found.base_url().into();
                    }
                    place = Some(found);
                }
                Err(problem) => problems.push(problem),
            }
        }
        #[cfg(not(feature = "bedrock"))]
        if is_bedrock {
            problems.push(format!(
                "{} needs tollgate's feature \"bedrock\"; enable it in Cargo.toml",
                profile.id
            ));
        }
        #[cfg(feature = "bedrock")]
        if is_bedrock {
            if lacks_credentials {
                match bedrock::default_credentials(location, environment) {
                    Ok(found) => credentials = Some(found),
                    Err(problem) if replays => lacking = Some(problem),
                    Err(problem) => problems.push(problem),
                }
            }
            if has_usual_address(&profile) && self.base_url.is_none() {
                let credentials = credentials.as_deref();
                match bedrock::base_url(location, credentials, environment, setters) {
                    Ok(url) => profile.base_url = url.into(),
                    Err(problem) => problems.push(problem),
                }
            }
        }

        let plain = self.allow_plain_http;
        let base = access::address(&profile, self.base_url, plain, environment, setters)
            .map_err(|problem| problems.push(problem))
            .ok();
        let base = match &place {
            Some(place) => base.map(|base| place.complete(base)),
            None => base,
        };
        let lacks_project = base.as_ref().is_some_and(|base| base.path().contains(vertex::PROJECT));
        if lacks_project && credentials.is_none() && lacking.is_none() && problems.is_empty() {
            problems.push(format!(
                "the Google Cloud project is unknown; set the environment variable \
                 GOOGLE_VERTEX_PROJECT, or call {}",
                setters.call("project", "…")
            ));
        }
        let encrypted = base.as_ref().is_some_and(|uri| uri.is_https());
        if encrypted && !cfg!(any(feature = "rustls", feature = "native-tls")) {
            problems.push(
                "https needs TLS, but tollgate was built without it; enable its feature \
                 \"rustls\" or \"native-tls\""
                    .to_owned(),
            );
        }

        let mut headers = HeaderList::default();
        headers.extend(HeaderValue::new("application/json").map(|json| ("content-type", json)));
        let header = key.and_then(|key| match key {
            Some((key, auth)) => access::credentials(&auth, &key),
            None => Ok(None),
        });
        match header {
            Ok(header) => headers.extend(header),
            Err(problem) => problems.push(problem),
        }
        for (name, value) in &profile.headers {
            headers::add(&mut headers, name, value, false, &mut problems);
        }
        let is_openai = profile.id == Provider::OPENAI;
        for (setting, is_misplaced, whose) in [
            ("organization", self.organization.is_some() && !is_openai, "OpenAI"),
            ("project", self.project.is_some() && !is_openai && !is_vertex, "OpenAI and Vertex AI"),
            (
                "location",
                self.location.is_some() && !is_vertex && !is_bedrock,
                "Vertex AI and Bedrock",
            ),
        ] {
            if is_misplaced {
                let id = &profile.id;
                problems.push(format!("{setting} is for {whose} only; {id} has none; remove it"));
            }
        }
        if is_openai {
            for (name, set, from) in [
                ("openai-organization", self.organization, "OPENAI_ORG_ID"),
                ("openai-project", self.project, "OPENAI_PROJECT_ID"),
            ] {
                match set.map_or_else(
                    || environment.read(from),
                    |id| {
                        cleaned(&id).map(Some).map_err(|stray| {
                            format!("the {name} contains {stray}; copy the id again")
                        })
                    },
                ) {
                    Ok(Some(id)) => headers::add(&mut headers, name, &id, false, &mut problems),
                    Ok(None) => {}
                    Err(problem) => problems.push(problem),
                }
            }
        }
        for (name, value) in &self.headers {
            let sensitive = headers::may_be_secret(name);
            headers::add(&mut headers, name, value, sensitive, &mut problems);
        }

        let has_betas = profile.format == Some(Format::Anthropic) || is_vertex;
        let betas = has_betas.then(|| headers.remove(anthropic::BETAS));

        let service_tier = is_vertex.then(|| vertex::costlier_tier(&headers)).flatten();

        let proxy = base.as_ref().and_then(|base| {
            let proxy = proxy.resolve(base, environment);
            proxy.map_err(|problem| problems.push(problem)).ok().flatten()
        });

        let secrets = secrets(&headers, base.as_ref(), proxy.as_ref());
        let price_provider = self.price_provider.unwrap_or_else(|| {
            let base = base.as_ref().map(Url::as_str).unwrap_or_default();
            let own = || profile.prices.as_deref().unwrap_or(profile.id.as_str());
            Prices::provider_of(base).unwrap_or_else(own).to_owned()
        });

        match base {
            Some(base) if problems.is_empty() => Ok(ProviderSettings {
                is_own_address: is_builtin && is_own_address(&base, &profile),
                model_names: match profile.model_names {
                    ModelNames::Plain if !is_own_address(&base, &profile) => ModelNames::Slashes,
                    names => names,
                },
                profile,
                sends_key: lacking.is_some()
                    || credentials.is_some()
                    || base.query().is_some()
                    || headers.iter().any(|(_, value)| value.is_secret()),
                base,
                headers,
                betas: betas.flatten(),
                credentials,
                lacking,
                secrets: Arc::new(secrets),
                timeouts,
                proxy,
                price_provider,
                service_tier,
            }),
            _ => Err(problems),
        }
    }
}

/// Returns true if a profile has the base URL of the built-in profile with its id. A program can give
/// its own profile another one.
fn has_usual_address(profile: &Profile) -> bool {
    Profile::builtin(profile.id.as_str()).is_some_and(|known| known.base_url == profile.base_url)
}

/// Returns true if a base URL is the provider's own address.
fn is_own_address(base: &Url, profile: &Profile) -> bool {
    let host = base.host();
    let start = profile.base_url.find("://").map_or(0, |at| at + 3);
    let end = profile.base_url[start..].find('/').map_or(profile.base_url.len(), |at| start + at);
    let address = &profile.base_url[..end];
    let (_, suffix) = address.rsplit_once('}').unwrap_or(("", address));
    match suffix.strip_prefix("https://").or_else(|| suffix.strip_prefix("http://")) {
        Some(own) => own.split(['/', ':']).next() == Some(host),
        // The part after the last placeholder, such as `.openai.azure.com`.
        None => suffix.split('/').next().is_some_and(|own| host.ends_with(own)),
    }
}

/// The profile that was set, otherwise the one known for the provider.
fn profile(
    provider: Option<Provider>,
    profile: Option<Profile>,
    profiles: &[Profile],
) -> Result<Profile, String> {
    match (provider, profile) {
        (Some(provider), Some(profile)) if provider != profile.id => Err(format!(
            "the provider is {provider}, but the profile is for {}; set only one of them",
            profile.id
        )),
        (_, Some(profile)) => Ok(profile),
        (Some(provider), None) => provider::find(provider.as_str(), profiles)
            .ok_or_else(|| provider::unknown(provider.as_str(), profiles)),
        (None, None) => {
            Err("no provider is set; call .provider(\"openai\"), for example".to_owned())
        }
    }
}

/// The secrets that a server or a proxy may echo, and that nobody may see.
fn secrets(headers: &HeaderList, base: Option<&Url>, proxy: Option<&ureq::Proxy>) -> Secrets {
    let secret = headers.iter().filter(|(_, value)| value.is_secret());
    let mut secrets = Secrets::new(secret.map(|(name, value)| (name, value.as_str())));
    base_url::query_secrets(base, |secret| secrets.add(secret));
    if let Some(proxy) = proxy {
        let (user, password) = (proxy.username(), proxy.password());
        secrets.add(password.unwrap_or_default());
        // What ureq sends (RFC 7617 section 2).
        let pair = format!("{}:{}", user.unwrap_or_default(), password.unwrap_or_default());
        secrets.add(&base64::encode(pair.as_bytes()));
    }
    secrets
}
