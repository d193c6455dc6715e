//! Google's Vertex AI.

use super::Row;
use crate::embed::EmbeddingFormat;
use crate::provider::Auth;

pub(super) static ROWS: &[Row] = &[
    // The client's settings can name project and location too, and the location decides the host:
    // `config/vertex.rs`. The key is one of express mode, as in vercel/ai; without one, the
    // credentials are Google Cloud's. Model names may start with `publishers/`.
    //
    // python-genai calls `v1beta1` (`_api_client.py`), but `v1` has all members that this crate sends:
    // `responseJsonSchema` (`google.cloud.vertexai.v1.GenerationConfig`) and `thinkingConfig` with
    // budget, level and thoughts (google-cloud-ai_platform-v1, `GenerationConfig::ThinkingConfig`).
    Row::vertex(
        "vertex",
        &["vertexai", "vertex-ai", "vertex_ai", "google-vertex", "google-vertex-ai"],
        "https://aiplatform.googleapis.com/v1/projects/{GOOGLE_VERTEX_PROJECT|GOOGLE_CLOUD_PROJECT}\
         /locations/{GOOGLE_VERTEX_LOCATION|GOOGLE_CLOUD_LOCATION=global}",
        |profile| {
            profile
                .embeddings(EmbeddingFormat::Vertex)
                .docs("https://docs.cloud.google.com/vertex-ai/generative-ai/docs/model-reference/inference")
                .base_url_variables(["GOOGLE_VERTEX_BASE_URL", "ANTHROPIC_VERTEX_BASE_URL"])
                .key_variables(["GOOGLE_VERTEX_API_KEY"])
                .key_optional()
                .auth(Auth::header("x-goog-api-key"))
                .prices("google")
        },
    ),
];
