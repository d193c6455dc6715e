//! Vendors that speak Google's Gemini.

use super::Row;
use crate::embed::EmbeddingFormat;
use crate::provider::{Auth, BatchFormat, BatchProfile, ModelNames};

pub(super) static ROWS: &[Row] = &[
    // The key variables as python-genai and vercel/ai have them; the first two also
    // ai.google.dev/gemini-api/docs/api-key.
    Row::gemini(
        "gemini",
        &["google"],
        "https://generativelanguage.googleapis.com/v1beta",
        |profile| {
            profile
                .embeddings(EmbeddingFormat::Gemini)
                // "The maximum allowed file size for an input file is 2GB"; half the price
                // (ai.google.dev/gemini-api/docs/batch-api). No page limits the number of requests.
                .batches(BatchProfile::new(BatchFormat::Gemini, 50_000, 2_000_000_000).embeddings())
                .model_names(ModelNames::Plain)
                .docs("https://ai.google.dev/api/generate-content")
                .base_url_variables(["GEMINI_API_BASE", "GOOGLE_GEMINI_BASE_URL"])
                .key_variables(["GEMINI_API_KEY", "GOOGLE_API_KEY", "GOOGLE_GENERATIVE_AI_API_KEY"])
                .auth(Auth::header("x-goog-api-key"))
                .prices("google")
        },
    ),
];
