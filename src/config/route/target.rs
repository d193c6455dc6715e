//! One target of a route.

use std::fmt;

use crate::catalogue::Capabilities;
use crate::config::{Limits, ProviderConfig};
use crate::key::ApiKey;

/// A target of a [`Route`](super::Route): a provider, one of its models, and a key.
///
/// `provider/model` converts into one with all defaults. Two keys of one provider are two targets.
///
/// ```
/// use tollgate::route::RouteTarget;
///
/// let first = RouteTarget::new("openai/gpt-4o-mini").weight(3.0);
/// let second = RouteTarget::new("openai/gpt-4o-mini").name("second key").api_key("sk-test");
/// # let _ = (first, second);
/// ```
#[derive(Clone)]
#[must_use]
pub struct RouteTarget {
    pub(crate) model: String,
    pub(crate) name: Option<String>,
    pub(crate) api_key: Option<ApiKey>,
    pub(crate) key_variable: Option<String>,
    pub(crate) settings: Option<ProviderConfig>,
    pub(crate) weight: f64,
    pub(crate) region: Option<String>,
    pub(crate) enabled: bool,
    pub(crate) capabilities: Capabilities,
    pub(crate) limits: Option<Limits>,
}

impl RouteTarget {
    /// Starts with a model, as `provider/model`. The rest is as the client has it for that
    /// provider.
    pub fn new(model: impl Into<String>) -> Self {
        Self {
            model: model.into(),
            name: None,
            api_key: None,
            key_variable: None,
            settings: None,
            weight: 1.0,
            region: None,
            enabled: true,
            capabilities: Capabilities::default(),
            limits: None,
        }
    }

    /// Starts with a model of a provider with settings of its own, such as the address of another
    /// region. `model` is the provider's own name for it.
    pub fn of(provider: ProviderConfig, model: impl Into<String>) -> Self {
        Self { settings: Some(provider), ..Self::new(model) }
    }

    /// Sets its name in explanations. Default: `provider/model`, with a number if several targets
    /// have the same.
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// Sets its key. Default: the provider's key as the client has it.
    pub fn api_key(mut self, key: impl Into<ApiKey>) -> Self {
        self.api_key = Some(key.into());
        self
    }

    /// Sets the environment variable that contains its key. Default: as for
    /// [`api_key`](Self::api_key).
    pub fn key_variable(mut self, name: impl Into<String>) -> Self {
        self.key_variable = Some(name.into());
        self
    }

    /// Sets its share of the load, 0 or more. Default: 1.
    pub fn weight(mut self, weight: f64) -> Self {
        self.weight = weight;
        self
    }

    /// Names its region, for strategies of your own. It is never sent. Default: none.
    pub fn region(mut self, region: impl Into<String>) -> Self {
        self.region = Some(region.into());
        self
    }

    /// Sets whether calls may go to it. If not, the route keeps it but skips it, and its key may be
    /// missing. Default: `true`.
    pub fn enabled(mut self, enabled: bool) -> Self {
        self.enabled = enabled;
        self
    }

    /// Sets what its model can do. A request that needs more skips this target before anything is
    /// sent. Default: what the provider's profile, the price table and the
    /// [catalogue](crate::catalogue::Catalogue) say.
    pub fn capabilities(mut self, capabilities: Capabilities) -> Self {
        self.capabilities = capabilities;
        self
    }

    /// Sets the most tokens that its model can take, prompt and answer together. A request that is
    /// surely larger skips this target. If a provider refuses a call as too large, only targets
    /// with a larger window are tried. Default: the context window in the price table or the
    /// catalogue, if either has one.
    pub fn context_window(mut self, tokens: u64) -> Self {
        self.capabilities.context_window = Some(tokens);
        self
    }

    /// Sets the most tokens that its model writes, reasoning included. A request that allows more
    /// skips this target. Default: the limit in the price table or the catalogue, if either has one.
    pub fn max_output(mut self, tokens: u64) -> Self {
        self.capabilities.max_output = Some(tokens);
        self
    }

    /// Sets whether its model can look at images. Default: yes, unless the provider's profile or the
    /// catalogue says otherwise.
    pub fn images(mut self, can: bool) -> Self {
        self.capabilities.images = Some(can);
        self
    }

    /// Sets whether its model can read documents such as PDFs. Plain text counts as text. Default:
    /// yes, unless the provider's profile or the catalogue says otherwise.
    pub fn documents(mut self, can: bool) -> Self {
        self.capabilities.documents = Some(can);
        self
    }

    /// Sets whether its model can call tools. Default: yes, unless the catalogue says otherwise.
    pub fn tools(mut self, can: bool) -> Self {
        self.capabilities.tools = Some(can);
        self
    }

    /// Sets whether its model's answers can be made to match a JSON schema. Default: yes, unless
    /// the provider's profile or the catalogue says otherwise.
    pub fn schema(mut self, can: bool) -> Self {
        self.capabilities.schema = Some(can);
        self
    }

    /// Sets whether its model accepts a reasoning effort. Default: yes, unless the provider's
    /// profile or the catalogue says otherwise.
    pub fn reasoning(mut self, can: bool) -> Self {
        self.capabilities.reasoning = Some(can);
        self
    }

    /// Limits the requests and tokens per minute and the calls in flight of this target. While it
    /// has no room, calls go to the other targets. If none has room, they wait. The limits of the
    /// client apply too. Default: none.
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = Some(limits);
        self
    }
}

impl From<&str> for RouteTarget {
    fn from(model: &str) -> Self {
        Self::new(model)
    }
}

impl From<String> for RouteTarget {
    fn from(model: String) -> Self {
        Self::new(model)
    }
}

/// Hides the key.
impl fmt::Debug for RouteTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RouteTarget")
            .field("model", &self.model)
            .field("name", &self.name)
            .field("weight", &self.weight)
            .field("region", &self.region)
            .field("enabled", &self.enabled)
            .field("capabilities", &self.capabilities)
            .field("limits", &self.limits)
            .finish_non_exhaustive()
    }
}
