//! Every setting of a client, as plain data, and the checks on them.

mod access;
mod base_url;
#[cfg(feature = "bedrock")]
mod bedrock;
mod builder;
mod environment;
mod headers;
mod limits;
mod no_proxy;
mod pool;
mod provider_config;
mod provider_settings;
mod proxy;
mod reach;
mod replay;
mod route;
mod setters;
mod settings;
mod time_limits;
mod tls;
mod vertex;

#[cfg(feature = "testing")]
pub(crate) use base_url::query_secrets;
pub(crate) use base_url::{is_loopback, shown as shown_url};
pub use builder::ClientBuilder;
pub(crate) use environment::{Environment, cleaned};
pub use limits::Limits;
pub use pool::PoolConfig;
pub use provider_config::ProviderConfig;
pub(crate) use provider_settings::ProviderSettings;
pub use proxy::Proxy;
pub(crate) use reach::Reached;
#[cfg(feature = "testing")]
pub(crate) use replay::ready as ready_replay;
pub use route::{ByPrompt, Check, Choice, Classifier, Route, RouteTarget, TargetInfo, Verdict};
pub(crate) use route::{Cascade, CheckedRoute};
pub(crate) use settings::{Checked, Settings};
pub(crate) use time_limits::{TimeLimits, Timeouts};
pub(crate) use tls::RootFiles;
pub use tls::Tls;
pub(crate) use vertex::PROJECT;
