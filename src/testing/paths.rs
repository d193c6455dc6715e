//! The paths that the loopback provider serves.

use parking_lot::RwLock;
use std::collections::HashSet;

use super::render::Renderer;
use super::{
    anthropic, bedrock, cohere, embeddings, gemini, moderations, ollama, openai, responses, vertex,
};
use crate::provider::{self, EmbeddingFormat};

/// A wire format, as its endpoint names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Format {
    Chat,
    Completions,
    Responses,
    Messages,
    Converse,
    CohereChat,
    GenerateContent,
    Ollama,
    /// OpenAI's, and those of the vendors that follow it.
    Embeddings,
    BedrockEmbeddings,
    CohereEmbeddings,
    GeminiEmbeddings,
    OllamaEmbeddings,
    VertexEmbeddings,
    /// OpenAI's and Mistral's.
    Moderations,
}

impl Format {
    /// The renderer of responses in this format.
    pub(super) fn renderer(self) -> &'static dyn Renderer {
        match self {
            Self::Chat => &openai::CHAT,
            Self::Completions => &openai::COMPLETIONS,
            Self::Responses => &responses::Responses,
            Self::Messages => &anthropic::Messages,
            Self::Converse => &bedrock::Converse,
            Self::CohereChat => &cohere::Chat,
            Self::GenerateContent => &gemini::GenerateContent,
            Self::Ollama => &ollama::Chat,
            Self::Embeddings => &embeddings::OPENAI,
            Self::BedrockEmbeddings => &embeddings::BEDROCK,
            Self::CohereEmbeddings => &embeddings::COHERE,
            Self::GeminiEmbeddings => &embeddings::GEMINI,
            Self::OllamaEmbeddings => &embeddings::OLLAMA,
            Self::VertexEmbeddings => &embeddings::VERTEX,
            Self::Moderations => &moderations::Moderations,
        }
    }

    /// The format whose endpoint ends a path, below any base path.
    pub(super) fn named(path: &str) -> Option<Self> {
        endpoint(path).map(|endpoint| endpoint.format)
    }
}

/// The endpoint that ends a path.
struct Endpoint<'a> {
    /// The path before it.
    base: &'a str,
    format: Format,
    /// The formats of the providers that may have it.
    spoken: &'static [provider::Format],
    /// The formats of embeddings that use it.
    embeddings: &'static [EmbeddingFormat],
}

impl<'a> Endpoint<'a> {
    /// An endpoint of chats.
    fn chats(base: &'a str, format: Format, spoken: &'static [provider::Format]) -> Self {
        Self { base, format, spoken, embeddings: &[] }
    }
}

fn endpoint(path: &str) -> Option<Endpoint<'_>> {
    use provider::Format::{
        Anthropic, Bedrock, Cohere, Gemini, Ollama, OpenAiChat, OpenAiResponses, Vertex,
    };

    // Whoever speaks one of OpenAI's formats may speak the others.
    const OPENAI: &[provider::Format] = &[OpenAiChat, OpenAiResponses];
    const FOLLOWERS: &[EmbeddingFormat] = &[
        EmbeddingFormat::Jina,
        EmbeddingFormat::Mistral,
        EmbeddingFormat::OpenAi,
        EmbeddingFormat::OpenAiCompatible,
        EmbeddingFormat::Perplexity,
        EmbeddingFormat::Voyage,
    ];
    if let Some(vertex::Parts { base, is_claude, .. }) = vertex::parts(path) {
        if vertex::EMBED.iter().any(|method| path.ends_with(method)) {
            let (format, embeddings) = (Format::VertexEmbeddings, &[EmbeddingFormat::Vertex]);
            return Some(Endpoint { base, format, spoken: &[Vertex], embeddings });
        }
        let format = if is_claude { Format::Messages } else { Format::GenerateContent };
        return Some(Endpoint::chats(base, format, &[Vertex]));
    }
    if let Some(base) = bedrock::base(path) {
        if path.ends_with(bedrock::INVOKE) {
            let (format, embeddings) = (Format::BedrockEmbeddings, &[EmbeddingFormat::Bedrock]);
            return Some(Endpoint { base, format, spoken: &[Bedrock], embeddings });
        }
        return Some(Endpoint::chats(base, Format::Converse, &[Bedrock]));
    }
    let fixed: [(_, _, &[_], &[_]); 11] = [
        ("/embeddings", Format::Embeddings, OPENAI, FOLLOWERS),
        ("/v2/embed", Format::CohereEmbeddings, &[Cohere], &[EmbeddingFormat::Cohere]),
        ("/api/embed", Format::OllamaEmbeddings, &[Ollama], &[EmbeddingFormat::Ollama]),
        ("/chat/completions", Format::Chat, OPENAI, &[]),
        ("/completions", Format::Completions, OPENAI, &[]),
        ("/responses", Format::Responses, OPENAI, &[]),
        ("/v1/messages", Format::Messages, &[Anthropic], &[]),
        ("/v2/chat", Format::CohereChat, &[Cohere], &[]),
        ("/api/chat", Format::Ollama, &[Ollama], &[]),
        ("/chat/moderations", Format::Moderations, &[], &[]),
        ("/moderations", Format::Moderations, &[], &[]),
    ];
    let fixed = fixed.into_iter().find_map(|(end, format, spoken, embeddings)| {
        Some(Endpoint { base: path.strip_suffix(end)?, format, spoken, embeddings })
    });
    fixed.or_else(|| {
        let base = gemini::base(path)?;
        if path.ends_with(gemini::EMBED) {
            let (format, embeddings) = (Format::GeminiEmbeddings, &[EmbeddingFormat::Gemini]);
            return Some(Endpoint { base, format, spoken: &[Gemini], embeddings });
        }
        Some(Endpoint::chats(base, Format::GenerateContent, &[Gemini]))
    })
}

/// What is served below a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Served {
    Chats(provider::Format),
    Embeddings(EmbeddingFormat),
    Moderation,
}

/// The base paths below which the endpoints are served.
#[derive(Debug)]
pub(super) struct Paths {
    /// Each base path with the format served below it. Guards nothing else.
    served: RwLock<HashSet<(String, Served)>>,
}

impl Default for Paths {
    /// The paths of OpenAI, Anthropic, Bedrock, Cohere, Gemini, Ollama and Vertex AI's express mode,
    /// and the one below which Azure puts each deployment
    /// (learn.microsoft.com/azure/foundry/openai/reference, "Chat completions").
    fn default() -> Self {
        let paths = Self { served: RwLock::default() };
        paths.serve("/v1", provider::Format::OpenAiChat);
        paths.serve("/openai/deployments/{DEPLOYMENT}", provider::Format::OpenAiChat);
        paths.serve("", provider::Format::Anthropic);
        paths.serve("", provider::Format::Bedrock);
        paths.serve("", provider::Format::Cohere);
        paths.serve("/v1beta", provider::Format::Gemini);
        paths.serve("/v1", provider::Format::Vertex);
        paths.serve("", provider::Format::Ollama);
        paths.serve_moderation("/v1");
        paths
    }
}

impl Paths {
    /// Also serves the endpoints of a format below this path. A segment such as `{ACCOUNT}` matches
    /// any one segment.
    pub(super) fn serve(&self, base: &str, format: provider::Format) {
        self.insert(base, Served::Chats(format));
    }

    /// Also serves embeddings of a format below this path.
    pub(super) fn serve_embeddings(&self, base: &str, format: EmbeddingFormat) {
        match format {
            // Only its embeddings have a version in their path.
            EmbeddingFormat::Perplexity => {
                self.insert(&format!("{base}/v1"), Served::Embeddings(format));
            }
            _ => self.insert(base, Served::Embeddings(format)),
        }
    }

    /// Also serves moderation below this path.
    pub(super) fn serve_moderation(&self, base: &str) {
        self.insert(base, Served::Moderation);
    }

    /// Whether a provider with this format is served below this path.
    pub(super) fn speaks(&self, base: &str, format: provider::Format) -> bool {
        let served = self.served.read();
        served.iter().any(|(known, own)| *own == Served::Chats(format) && fits(base, known))
    }

    fn insert(&self, base: &str, served: Served) {
        self.served.write().insert((base.trim_end_matches('/').to_owned(), served));
    }

    /// The format served at a path.
    pub(super) fn format(&self, path: &str) -> Option<Format> {
        let Endpoint { base, format, spoken, embeddings } = endpoint(path)?;
        let speaks = |served: &Served| match served {
            Served::Chats(own) => spoken.contains(own),
            Served::Embeddings(own) => embeddings.contains(own),
            Served::Moderation => format == Format::Moderations,
        };
        let served = self.served.read();
        served.iter().any(|(known, own)| speaks(own) && fits(base, known)).then_some(format)
    }
}

/// Whether a path matches a known one, segment by segment.
fn fits(path: &str, known: &str) -> bool {
    let (mut parts, mut expected) = (path.split('/'), known.split('/'));
    loop {
        match (parts.next(), expected.next()) {
            (None, None) => return true,
            (Some(part), Some(name)) if part == name => {}
            (Some(part), Some(name)) if name.starts_with('{') && !part.is_empty() => {}
            _ => return false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_endpoints_below_a_known_base_path_are_served() {
        let paths = Paths::default();
        paths.serve("/openai/v1", provider::Format::OpenAiChat);
        paths.serve("/accounts/{ACCOUNT_ID}/ai/v1/", provider::Format::OpenAiChat);
        paths.serve("/anthropic", provider::Format::Anthropic);
        paths.serve_embeddings("/pplx", EmbeddingFormat::Perplexity);
        paths.serve("/v1/projects/{PROJECT}/locations/{LOCATION}", provider::Format::Vertex);
        for (path, expected) in [
            ("/v1/chat/completions", Some(Format::Chat)),
            ("/v1/completions", Some(Format::Completions)),
            ("/v1/responses", Some(Format::Responses)),
            ("/v1/embeddings", Some(Format::Embeddings)),
            ("/openai/deployments/ada/embeddings", Some(Format::Embeddings)),
            ("/pplx/v1/embeddings", Some(Format::Embeddings)),
            ("/v2/embed", Some(Format::CohereEmbeddings)),
            ("/api/embed", Some(Format::OllamaEmbeddings)),
            ("/model/a.b-v1%3A0/invoke", Some(Format::BedrockEmbeddings)),
            ("/v1beta/models/m:batchEmbedContents", Some(Format::GeminiEmbeddings)),
            ("/v1/publishers/google/models/m:predict", Some(Format::VertexEmbeddings)),
            ("/v1/publishers/google/models/m:embedContent", Some(Format::VertexEmbeddings)),
            ("/v1/moderations", Some(Format::Moderations)),
            ("/v1/chat/moderations", Some(Format::Moderations)),
            ("/openai/deployments/ada/moderations", None),
            ("/openai/v1/moderations", None),
            ("/v1/embed", None),
            ("/v1/model/m/invoke", None),
            ("/v1/publishers/anthropic/models/m:predict", None),
            ("/pplx/v1/chat/completions", None),
            ("/embeddings", None),
            ("/openai/v1/responses", Some(Format::Responses)),
            ("/v1/messages", Some(Format::Messages)),
            ("/openai/v1/chat/completions", Some(Format::Chat)),
            ("/accounts/abc/ai/v1/chat/completions", Some(Format::Chat)),
            ("/openai/deployments/gpt-4o/chat/completions", Some(Format::Chat)),
            ("/anthropic/v1/messages", Some(Format::Messages)),
            ("/model/a.b-v1%3A0/converse", Some(Format::Converse)),
            ("/model/m/converse-stream", Some(Format::Converse)),
            ("/v1/model/m/converse", None),
            ("/v2/chat", Some(Format::CohereChat)),
            ("/v1beta/models/m:generateContent", Some(Format::GenerateContent)),
            ("/v1beta/models/m:streamGenerateContent", Some(Format::GenerateContent)),
            ("/v1beta/tunedModels/m:generateContent", Some(Format::GenerateContent)),
            (
                "/v1/projects/p/locations/l/publishers/google/models/m:generateContent",
                Some(Format::GenerateContent),
            ),
            (
                "/v1/projects/p/locations/l/endpoints/1:streamGenerateContent",
                Some(Format::GenerateContent),
            ),
            (
                "/v1/projects/p/locations/l/publishers/anthropic/models/m@1:streamRawPredict",
                Some(Format::Messages),
            ),
            ("/v1/publishers/google/models/m:generateContent", Some(Format::GenerateContent)),
            ("/v1/projects/p/publishers/google/models/m:generateContent", None),
            ("/v1/projects/p/locations/l/publishers/google/models/m:rawPredict", None),
            ("/v1/projects/p/locations/l/publishers/meta/models/m:generateContent", None),
            // A base URL that lacks its path, has too much of one, or another's.
            ("/chat/completions", None),
            ("/completions", None),
            ("/v2/chat/completions", None),
            ("/V1/chat/completions", None),
            ("/v1/v1/chat/completions", None),
            ("/v1//chat/completions", None),
            ("//v1/chat/completions", None),
            ("/v1/chat/completions/", None),
            ("/v1/chat/completions/chat/completions", None),
            ("/openai/chat/completions", None),
            ("/accounts//ai/v1/chat/completions", None),
            ("/accounts/a/b/ai/v1/chat/completions", None),
            ("/anthropic/v1/chat/completions", None),
            ("/anthropic/chat/completions", None),
            ("/anthropic/v2/chat", None),
            ("/v1/chat", None),
            ("/v2/v2/chat", None),
            ("/v1/v1/messages", None),
            ("/messages", None),
            ("/responses", None),
            ("/v1/responses/resp_1", None),
            ("/openai/v1/messages", None),
            ("/v1/messages/count_tokens", None),
            ("/v1/models", None),
            ("/models/m:generateContent", None),
            ("/v1beta/m:generateContent", None),
            ("/v1beta/models/m:countTokens", None),
            ("/v1beta/models/:generateContent", Some(Format::GenerateContent)),
            ("/", None),
            ("", None),
            ("v1/chat/completions", None),
        ] {
            assert_eq!(paths.format(path), expected, "{path}");
        }
    }
}
