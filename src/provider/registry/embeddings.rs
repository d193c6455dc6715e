//! Vendors that have only embeddings.

use super::Row;
use crate::embed::EmbeddingFormat;
use crate::provider::ModelNames;

pub(super) static ROWS: &[Row] = &[
    // The variables as in litellm and langchain-community.
    Row::embeddings_only(
        "jina",
        &["jina_ai", "jinaai", "jina-ai"],
        "https://api.jina.ai/v1",
        |profile| {
            profile
                .embeddings(EmbeddingFormat::Jina)
                .model_names(ModelNames::Plain)
                .docs("https://jina.ai/embeddings/")
                .key_variables(["JINA_API_KEY", "JINA_AI_API_KEY"])
        },
    ),
    Row::embeddings_only(
        "voyage",
        &["voyageai", "voyage-ai"],
        "https://api.voyageai.com/v1",
        |profile| {
            profile
                .embeddings(EmbeddingFormat::Voyage)
                .model_names(ModelNames::Plain)
                .docs("https://docs.voyageai.com/reference/embeddings-api")
                .base_url_variables(["VOYAGE_API_BASE"])
                .key_variables(["VOYAGE_API_KEY", "VOYAGEAI_API_KEY"])
                .prices("voyageai")
        },
    ),
];
