//! The paths of Vertex AI: each names a publisher and a model. The bodies are Gemini's and
//! Anthropic's, and for embeddings its own.

/// The methods of a model, and whether they are Anthropic's.
const METHODS: [(&str, bool); 6] = [
    (":generateContent", false),
    (":streamGenerateContent", false),
    (EMBED[0], false),
    (EMBED[1], false),
    (":rawPredict", true),
    (":streamRawPredict", true),
];

/// The methods that embed: of most models, and of Gemini's second generation.
pub(super) const EMBED: [&str; 2] = [":predict", ":embedContent"];

/// A path of Vertex AI, in parts.
pub(super) struct Parts<'a> {
    pub(super) base: &'a str,
    pub(super) model: &'a str,
    pub(super) is_claude: bool,
}

/// Splits `/v1/projects/p/locations/l/publishers/google/models/m:generateContent`, whose base ends
/// before `/publishers`. A tuned model has `/endpoints/{id}` instead.
pub(super) fn parts(path: &str) -> Option<Parts<'_>> {
    let (resource, is_claude) = METHODS
        .iter()
        .find_map(|(method, is_claude)| Some((path.strip_suffix(method)?, *is_claude)))?;
    let (collection, model) = resource.rsplit_once('/')?;
    let publisher =
        if is_claude { "/publishers/anthropic/models" } else { "/publishers/google/models" };
    let tuned = || collection.strip_suffix("/endpoints").filter(|_| !is_claude);
    let base = collection.strip_suffix(publisher).or_else(tuned)?;
    Some(Parts { base, model, is_claude }).filter(|_| !model.is_empty())
}

/// Returns true if a path of Vertex AI requests a stream.
pub(super) fn is_stream(path: &str) -> bool {
    path.ends_with(":streamRawPredict")
}
