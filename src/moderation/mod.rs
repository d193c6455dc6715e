//! Moderation: requests and answers in no vendor's format.

mod format;
mod request;
mod response;

pub use format::ModerationFormat;
pub use request::{ModerationInput, ModerationRequest};
pub use response::{Moderation, ModerationCategory, ModerationResult};
