//! Embeddings: requests and answers in no vendor's format.

mod format;
mod partial;
mod request;
mod response;
mod rows;

pub use format::EmbeddingFormat;
pub use partial::EmbeddedTexts;
pub use request::{EmbedRequest, InputType, Truncation};
pub use response::{EmbedBatch, Embeddings, Rows as EmbeddingRows};
pub(crate) use rows::{RowError, Rows};
