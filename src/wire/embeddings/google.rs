//! What the Gemini API and Vertex AI share: task types and contents.

use serde_json::{Value, json};

use crate::embed::InputType;

/// Returns whether the model takes its task as the beginning of the text. It has no task types
/// (ai.google.dev/gemini-api/docs/embeddings; pydantic-ai, `embeddings/google.py`: the preview
/// model has task types).
pub(super) fn has_prefixes(model: &str) -> bool {
    model.rsplit('/').next() == Some("gemini-embedding-2")
}

/// Returns the task type (ai.google.dev/api/embeddings, `TaskType`).
pub(super) fn task_type(input_type: InputType) -> &'static str {
    match input_type {
        InputType::Query => "RETRIEVAL_QUERY",
        InputType::Document => "RETRIEVAL_DOCUMENT",
        InputType::Classification => "CLASSIFICATION",
        InputType::Clustering => "CLUSTERING",
        InputType::Similarity => "SEMANTIC_SIMILARITY",
        InputType::QuestionAnswering => "QUESTION_ANSWERING",
        InputType::FactVerification => "FACT_VERIFICATION",
        InputType::CodeQuery => "CODE_RETRIEVAL_QUERY",
    }
}

/// Returns the beginning of a text for a model that [has prefixes](has_prefixes).
fn prefix(input_type: InputType) -> &'static str {
    match input_type {
        InputType::Query => "task: search result | query: ",
        InputType::Document => "title: none | text: ",
        InputType::Classification => "task: classification | query: ",
        InputType::Clustering => "task: clustering | query: ",
        InputType::Similarity => "task: sentence similarity | query: ",
        InputType::QuestionAnswering => "task: question answering | query: ",
        InputType::FactVerification => "task: fact checking | query: ",
        InputType::CodeQuery => "task: code retrieval | query: ",
    }
}

/// The most tokens of a [`prefix`], which has at most 35 bytes.
pub(super) const PREFIX_TOKENS: u64 = 35;

/// Returns the content for a text.
pub(super) fn content(text: &str, model: &str, input_type: Option<InputType>) -> Value {
    let prefix = input_type.filter(|_| has_prefixes(model)).map_or("", prefix);
    json!({ "parts": [{ "text": format!("{prefix}{text}") }] })
}

/// Returns the most tokens of a text: 2,048, and 8,192 for the second generation
/// (ai.google.dev/gemini-api/docs/models, "Gemini Embedding").
pub(super) fn text_tokens(model: &str) -> u64 {
    if model.contains("gemini-embedding-2") { 8_192 } else { 2_048 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prefixes_stay_within_their_bound_and_belong_to_one_model() {
        for input_type in [InputType::Similarity, InputType::QuestionAnswering] {
            assert!(u64::try_from(prefix(input_type).len()).unwrap() <= PREFIX_TOKENS);
        }
        for (model, expected) in [
            ("gemini-embedding-2", true),
            ("models/gemini-embedding-2", true),
            ("gemini-embedding-2-preview", false),
            ("gemini-embedding-001", false),
        ] {
            assert_eq!(has_prefixes(model), expected, "{model}");
        }
    }
}
