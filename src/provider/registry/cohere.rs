//! Vendors that speak Cohere's Chat.

use super::Row;
use crate::embed::EmbeddingFormat;
use crate::provider::ModelNames;

pub(super) static ROWS: &[Row] = &[
    // The variables as cohere-python has them (`src/cohere/client.py`, `client_v2.py`). The
    // OpenAI-compatible address is `cohere-openai`.
    Row::cohere("cohere", &[], "https://api.cohere.com", |profile| {
        profile
            .embeddings(EmbeddingFormat::Cohere)
            .model_names(ModelNames::Plain)
            .docs("https://docs.cohere.com/reference/chat")
            .base_url_variables(["CO_API_URL"])
            .key_variables(["COHERE_API_KEY", "CO_API_KEY"])
    }),
];
