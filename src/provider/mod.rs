//! Who serves the models: vendors, how each is reached, and how it differs.
//!
//! A vendor is a [`Profile`]: its address, the variables that hold its key, how it
//! authenticates, and the wire format it speaks. The registry has a row for each vendor
//! known by name, and a program can add its own.

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
