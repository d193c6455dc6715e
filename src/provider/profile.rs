//! A vendor as data.

use serde::{Deserialize, Serialize};
use std::borrow::Cow;

use super::{Format, Provider, file, registry};
use crate::wire::openai_chat::Dialect;

/// A text of the registry or of the program.
type Text = Cow<'static, str>;

/// How a provider is reached, and how it differs from others that speak its format.
///
/// The crate has one for each provider that it knows, see [`builtin`](Self::builtin) and
/// [`all`](Self::all). A program can change one or make its own, in code or from JSON, and
/// give it to [`ClientBuilder::profile`](crate::ClientBuilder::profile):
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
    /// Who it is.
    pub id: Provider,
    /// The wire format that it speaks.
    pub format: Format,
    /// Where it is, below which the format's path lies. `{NAME}` stands for the value of
    /// the environment variable `NAME`, such as the name of an account; `{A|B=x}` for that of `A`,
    /// else of `B`, else for `x`; and `{model}` in the path for the model of each request.
    pub base_url: Text,
    /// Environment variables that hold another base URL, the first that is set counts.
    /// `<ID>_BASE_URL` counts after them, `GROQ_BASE_URL` for example.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub base_url_variables: Vec<Text>,
    /// Environment variables that hold only a host, as some vendors' own tools write them,
    /// or a whole base URL. What a host lacks (scheme, port, path) is that of
    /// [`base_url`](Self::base_url).
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub host_variables: Vec<Text>,
    /// Environment variables that hold the key, the first that is set counts.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub key_variables: Vec<Text>,
    /// Environment variables that hold a bearer token, which counts where no key is set: one of
    /// Entra for Azure.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub token_variables: Vec<Text>,
    /// How the key is sent. Default: as a bearer token.
    pub auth: Auth,
    /// Whether it also answers without a key. Default: false.
    #[serde(skip_serializing_if = "is_false")]
    pub key_optional: bool,
    /// Headers that every request needs, beside the key.
    #[serde(skip_serializing_if = "Vec::is_empty", serialize_with = "file::write_headers")]
    pub headers: Vec<(Text, Text)>,
    /// How its Chat Completions differ from OpenAI's; nothing for other formats.
    #[serde(skip_serializing_if = "is_openai")]
    pub dialect: Dialect,
    /// What its own names of models look like. Default: [`ModelNames::Slashes`].
    #[serde(skip_serializing_if = "has_slashes")]
    pub model_names: ModelNames,
    /// What the table of prices knows it by. Default: its id.
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

/// What a provider's own names of its models look like, by which a request's model is read
/// as its own or as `provider/model` of another; see
/// [`ChatRequest::model`](crate::ChatRequest::model).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ModelNames {
    /// None contains a slash, such as `gpt-4o-mini`.
    Plain,
    /// Some contain slashes, such as `meta-llama/Llama-3.3-70B-Instruct`.
    #[default]
    Slashes,
    /// All of them are models of other providers, with the provider in front, such as
    /// `anthropic/claude-sonnet-4.5` at OpenRouter.
    Gateway,
}

/// How a key is sent.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Auth {
    /// As `Authorization: Bearer …` (RFC 6750).
    #[default]
    Bearer,
    /// In a header of this name, the key alone.
    Header(Text),
    /// Not at all.
    None,
}

impl Auth {
    /// The key alone in a header of this name, such as `api-key`.
    pub fn header(name: impl Into<Text>) -> Self {
        Self::Header(name.into())
    }
}

impl Profile {
    /// The profile of a provider that speaks `format` below `base_url`, with a key as a
    /// bearer token.
    pub fn new(id: impl Into<Provider>, format: Format, base_url: impl Into<Text>) -> Self {
        Self {
            id: id.into(),
            format,
            base_url: base_url.into(),
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

    /// The profile that the crate has of a provider, by its name or an alias.
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

    /// All profiles that the crate has.
    pub fn all() -> impl Iterator<Item = Self> {
        registry::all()
    }

    /// Sets the environment variables that hold another base URL.
    pub fn base_url_variables<T: Into<Text>>(mut self, names: impl IntoIterator<Item = T>) -> Self {
        self.base_url_variables = names.into_iter().map(Into::into).collect();
        self
    }

    /// Sets the environment variables that hold only a host, or a whole base URL.
    pub fn host_variables<T: Into<Text>>(mut self, names: impl IntoIterator<Item = T>) -> Self {
        self.host_variables = names.into_iter().map(Into::into).collect();
        self
    }

    /// Sets the environment variables that hold the key.
    pub fn key_variables<T: Into<Text>>(mut self, names: impl IntoIterator<Item = T>) -> Self {
        self.key_variables = names.into_iter().map(Into::into).collect();
        self
    }

    /// Sets the environment variables that hold a bearer token.
    pub fn token_variables<T: Into<Text>>(mut self, names: impl IntoIterator<Item = T>) -> Self {
        self.token_variables = names.into_iter().map(Into::into).collect();
        self
    }

    /// Sets how the key is sent.
    pub fn auth(mut self, auth: Auth) -> Self {
        self.auth = auth;
        self
    }

    /// Says that it also answers without a key.
    pub fn key_optional(mut self) -> Self {
        self.key_optional = true;
        self
    }

    /// Adds a header that every request needs.
    pub fn header(mut self, name: impl Into<Text>, value: impl Into<Text>) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// Sets how its Chat Completions differ from OpenAI's.
    pub fn dialect(mut self, dialect: Dialect) -> Self {
        self.dialect = dialect;
        self
    }

    /// Sets what its own names of models look like.
    pub fn model_names(mut self, names: ModelNames) -> Self {
        self.model_names = names;
        self
    }

    /// Sets what the table of prices knows it by.
    pub fn prices(mut self, name: impl Into<Text>) -> Self {
        self.prices = Some(name.into());
        self
    }

    /// Sets the page of its documentation.
    pub fn docs(mut self, url: impl Into<Text>) -> Self {
        self.docs = Some(url.into());
        self
    }

    /// The variable that any provider's base URL can be set by, such as `GROQ_BASE_URL`.
    pub(crate) fn usual_url_variable(&self) -> String {
        let upper = self.id.as_str().to_ascii_uppercase();
        let name: String =
            upper.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect();
        format!("{name}_BASE_URL")
    }
}
