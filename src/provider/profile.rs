//! A vendor, as data.

use serde::{Deserialize, Serialize};
use std::borrow::Cow;

use super::{BatchProfile, EmbeddingFormat, Format, ModerationFormat, Provider, file, registry};
use crate::wire::openai_chat::Dialect;

/// A static or an owned string.
type Text = Cow<'static, str>;

/// How to reach a provider, and how it differs from others with the same wire format.
///
/// The crate has a profile for each provider it knows, see [`builtin`](Self::builtin) and
/// [`all`](Self::all). A program can change one or make its own, in code or from JSON, and pass it
/// to [`ClientBuilder::profile`](crate::ClientBuilder::profile):
///
/// ```
/// use tollgate::Client;
/// use tollgate::provider::{Auth, Format, Profile};
///
/// let profile = Profile::new("acme", Format::OpenAiChat, "https://llm.acme.example/v1")
///     .key_variables(["ACME_LLM_KEY"])
///     .auth(Auth::header("x-acme-key"));
/// let client = Client::builder().profile(profile).api_key("secret").model("acme-7b").build()?;
/// # let _ = client;
/// # Ok::<(), tollgate::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Profile {
    /// The provider's id.
    pub id: Provider,
    /// The wire format of its chats; `None` if it has only embeddings.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub format: Option<Format>,
    /// How its embeddings are called; `None` if it has none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub embeddings: Option<EmbeddingFormat>,
    /// How its moderation is called; `None` if it has none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub moderation: Option<ModerationFormat>,
    /// How its batches are called, and what they may contain; `None` if it has none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub batches: Option<BatchProfile>,
    /// The URL that the format's paths are appended to. `{NAME}` stands for the value of the
    /// environment variable `NAME`, such as an account name. `{A|B=x}` stands for the value of `A`,
    /// otherwise of `B`, otherwise `x`. `{model}` in the path stands for the model of each request.
    pub base_url: Text,
    /// Environment variables that contain another base URL; the first one set wins. The last choice
    /// is `<ID>_BASE_URL`, for example `GROQ_BASE_URL`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub base_url_variables: Vec<Text>,
    /// Environment variables that contain only a host, as some vendors' own tools write them, or a
    /// whole base URL. Missing parts of a host (scheme, port, path) come from
    /// [`base_url`](Self::base_url).
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub host_variables: Vec<Text>,
    /// Environment variables that contain the key; the first one set wins.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub key_variables: Vec<Text>,
    /// Environment variables that contain a bearer token, used if no key is set: Entra tokens for
    /// Azure.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub token_variables: Vec<Text>,
    /// How to send the key. Default: as a bearer token.
    pub auth: Auth,
    /// Whether the provider also works without a key. Default: `false`.
    #[serde(skip_serializing_if = "is_false")]
    pub key_optional: bool,
    /// Headers that every request needs besides the key.
    #[serde(skip_serializing_if = "Vec::is_empty", serialize_with = "file::write_headers")]
    pub headers: Vec<(Text, Text)>,
    /// How its Chat Completions differ from OpenAI's. Other formats ignore it.
    #[serde(skip_serializing_if = "is_openai")]
    pub dialect: Dialect,
    /// How its own model names look. Default: [`ModelNames::Slashes`].
    #[serde(skip_serializing_if = "has_slashes")]
    pub model_names: ModelNames,
    /// Its name in the price table. Default: its id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub prices: Option<Text>,
    /// The page of its documentation that shows how to reach it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub docs: Option<Text>,
}

fn is_false(value: &bool) -> bool {
    !value
}

fn has_slashes(names: &ModelNames) -> bool {
    *names == ModelNames::Slashes
}

fn is_openai(dialect: &Dialect) -> bool {
    *dialect == Dialect::OPENAI
}

/// How a provider's own model names look. This decides whether a request's model is one of its own
/// or `provider/model` of another; see [`ChatRequest::model`](crate::ChatRequest::model).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ModelNames {
    /// No name contains a slash, such as `gpt-4o-mini`.
    Plain,
    /// Some names contain slashes, such as `meta-llama/Llama-3.3-70B-Instruct`.
    #[default]
    Slashes,
    /// All models belong to other providers, whose names come first, such as
    /// `anthropic/claude-sonnet-4.5` at OpenRouter.
    Gateway,
}

/// How to send a key.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Auth {
    /// As `Authorization: Bearer …` (RFC 6750).
    #[default]
    Bearer,
    /// In a header of this name, which contains only the key.
    Header(Text),
    /// Not at all.
    None,
}

impl Auth {
    /// Sends only the key, in a header of this name, such as `api-key`.
    pub fn header(name: impl Into<Text>) -> Self {
        Self::Header(name.into())
    }
}

impl Profile {
    /// Makes the profile of a provider with this wire format and base URL, and the key as a bearer
    /// token.
    pub fn new(id: impl Into<Provider>, format: Format, base_url: impl Into<Text>) -> Self {
        Self { format: Some(format), ..Self::at(id.into(), base_url.into()) }
    }

    /// Makes the profile of a provider that has only embeddings, with the key as a bearer token. A
    /// chat with it is refused before sending.
    ///
    /// ```
    /// use tollgate::provider::{EmbeddingFormat, Profile};
    ///
    /// let format = EmbeddingFormat::OpenAiCompatible;
    /// let profile = Profile::embeddings_only("acme", format, "https://embed.acme.example/v1");
    /// assert_eq!((profile.format, profile.embeddings), (None, Some(format)));
    /// ```
    pub fn embeddings_only(
        id: impl Into<Provider>,
        format: EmbeddingFormat,
        base_url: impl Into<Text>,
    ) -> Self {
        Self { embeddings: Some(format), ..Self::at(id.into(), base_url.into()) }
    }

    /// A profile without any endpoint.
    pub(super) fn at(id: Provider, base_url: Text) -> Self {
        Self {
            id,
            format: None,
            embeddings: None,
            moderation: None,
            batches: None,
            base_url,
            base_url_variables: Vec::new(),
            host_variables: Vec::new(),
            key_variables: Vec::new(),
            token_variables: Vec::new(),
            auth: Auth::Bearer,
            key_optional: false,
            headers: Vec::new(),
            dialect: Dialect::OPENAI,
            model_names: ModelNames::Slashes,
            prices: None,
            docs: None,
        }
    }

    /// Returns the built-in profile of a provider, by name or alias.
    ///
    /// ```
    /// use tollgate::provider::Profile;
    ///
    /// let groq = Profile::builtin("groq").expect("it is known");
    /// assert_eq!(groq.key_variables, ["GROQ_API_KEY"]);
    /// ```
    pub fn builtin(name: impl AsRef<str>) -> Option<Self> {
        registry::lookup(name.as_ref())
    }

    /// Returns all built-in profiles.
    pub fn all() -> impl Iterator<Item = Self> {
        registry::all()
    }

    /// Sets how its embeddings are called. Default: it has none.
    pub fn embeddings(mut self, format: EmbeddingFormat) -> Self {
        self.embeddings = Some(format);
        self
    }

    /// Sets how its moderation is called. Default: it has none.
    pub fn moderation(mut self, format: ModerationFormat) -> Self {
        self.moderation = Some(format);
        self
    }

    /// Sets how its batches are called. Default: it has none.
    pub fn batches(mut self, batches: BatchProfile) -> Self {
        self.batches = Some(batches);
        self
    }

    /// Sets the environment variables that contain another base URL. Default: none but
    /// `<ID>_BASE_URL`.
    pub fn base_url_variables<T: Into<Text>>(mut self, names: impl IntoIterator<Item = T>) -> Self {
        self.base_url_variables = names.into_iter().map(Into::into).collect();
        self
    }

    /// Sets the environment variables that contain only a host, or a whole base URL. Default: none.
    pub fn host_variables<T: Into<Text>>(mut self, names: impl IntoIterator<Item = T>) -> Self {
        self.host_variables = names.into_iter().map(Into::into).collect();
        self
    }

    /// Sets the environment variables that contain the key. Default: none.
    pub fn key_variables<T: Into<Text>>(mut self, names: impl IntoIterator<Item = T>) -> Self {
        self.key_variables = names.into_iter().map(Into::into).collect();
        self
    }

    /// Sets the environment variables that contain a bearer token. Default: none.
    pub fn token_variables<T: Into<Text>>(mut self, names: impl IntoIterator<Item = T>) -> Self {
        self.token_variables = names.into_iter().map(Into::into).collect();
        self
    }

    /// Sets how to send the key. Default: as a bearer token.
    pub fn auth(mut self, auth: Auth) -> Self {
        self.auth = auth;
        self
    }

    /// Says that the provider also works without a key. Default: it needs one.
    pub fn key_optional(mut self) -> Self {
        self.key_optional = true;
        self
    }

    /// Adds a header that every request needs. Default: none.
    pub fn header(mut self, name: impl Into<Text>, value: impl Into<Text>) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// Sets how its Chat Completions differ from OpenAI's. Default: they do not.
    pub fn dialect(mut self, dialect: Dialect) -> Self {
        self.dialect = dialect;
        self
    }

    /// Sets how its own model names look. Default: [`ModelNames::Slashes`].
    pub fn model_names(mut self, names: ModelNames) -> Self {
        self.model_names = names;
        self
    }

    /// Sets its name in the price table. Default: its id.
    pub fn prices(mut self, name: impl Into<Text>) -> Self {
        self.prices = Some(name.into());
        self
    }

    /// Sets the page of its documentation. Default: none.
    pub fn docs(mut self, url: impl Into<Text>) -> Self {
        self.docs = Some(url.into());
        self
    }
}
