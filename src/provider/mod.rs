//! The vendors that serve models: how to reach each one, and how it differs from others.
//!
//! A [`Profile`] describes a vendor: its address, the environment variables for its key, how it
//! authenticates, and its wire format. The registry has a row for each vendor known by name. A
//! program can add its own.

mod credentials;
mod file;
mod model_name;
mod profile;
mod registry;
mod similar;

pub use crate::chat::{Format, Provider};
pub use crate::wire::openai_chat::{
    CallIds, Dialect, ImageInput, InstructionRole, OutputLimit, ReasoningBack, ReasoningControl,
    ReasoningMember, ResponseFormats, Seed,
};
pub use credentials::{Credentials, Unsigned};
pub(crate) use model_name::{ModelName, Own, find, id, resolve, split, unknown};
pub use profile::{Auth, ModelNames, Profile};
pub(crate) use registry::{canonical, names, price_name};
pub(crate) use similar::nearest;
