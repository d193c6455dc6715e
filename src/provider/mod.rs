//! The vendors that serve models: how to reach each one, and how it differs from others.
//!
//! A [`Profile`] describes a vendor: its address, the environment variables for its key, how it
//! authenticates, and its wire format. The registry has a row for each vendor known by name. A
//! program can add its own.

#[cfg(any(feature = "bedrock", feature = "vertex"))]
mod auth;
mod credentials;
mod file;
mod model_name;
mod profile;
mod region;
mod registry;
mod similar;

pub use crate::batch::{BatchFormat, BatchProfile};
pub use crate::chat::{Format, Provider};
pub use crate::embed::EmbeddingFormat;
pub use crate::moderation::ModerationFormat;
pub use crate::wire::openai_chat::{
    CallIds, Dialect, FileParts, ImageInput, InstructionRole, OutputLimit, Prefill, ReasoningBack,
    ReasoningControl, ReasoningMember, ResponseFormats, Seed,
};
#[cfg(feature = "bedrock")]
#[cfg_attr(docsrs, doc(cfg(feature = "bedrock")))]
pub use auth::aws::AwsCredentials;
#[cfg(feature = "bedrock")]
pub(crate) use auth::aws::usual_region as aws_region;
#[cfg(feature = "vertex")]
pub use auth::google::GoogleCredentials;
#[cfg(feature = "vertex")]
pub(crate) use auth::google::{
    TokenReply, TokenRequest, TokenServer, find as find_google_credentials,
};
pub use credentials::{Credentials, Unsigned};
pub(crate) use model_name::{ModelName, Own, find, id, resolve, split, unknown};
pub use profile::{Auth, ModelNames, Profile};
pub(crate) use region::region_of_host;
pub(crate) use registry::{canonical, names, price_name};
pub(crate) use similar::nearest;
