//! The response format and the reasoning effort that a request can ask for.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::fmt;

/// The form the answer must have.
#[doc(alias("structured_output", "json_mode"))]
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ResponseFormat {
    /// Free text. The default.
    Text,
    /// Some JSON object. Providers ask that the prompt says so too.
    JsonObject,
    /// JSON that fits a schema.
    JsonSchema(JsonSchema),
}

impl ResponseFormat {
    /// JSON that fits `schema`, kept to exactly where the provider can.
    pub fn json_schema(name: impl Into<String>, schema: Value) -> Self {
        JsonSchema::new(name, schema).into()
    }
}

impl From<JsonSchema> for ResponseFormat {
    fn from(schema: JsonSchema) -> Self {
        Self::JsonSchema(schema)
    }
}

/// A JSON Schema for the answer.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct JsonSchema {
    /// A name for the schema: letters, digits, `_` and `-`, at most 64.
    pub name: String,
    /// What the answer is for, for the model to read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// The schema.
    pub schema: Value,
    /// Whether the provider must keep to the schema exactly.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub strict: Option<bool>,
}

impl JsonSchema {
    /// A schema that the provider must keep to exactly.
    ///
    /// ```
    /// use serde_json::json;
    /// use tollgate::ChatRequest;
    /// use tollgate::chat::JsonSchema;
    ///
    /// let schema = json!({"type": "object", "properties": {"name": {"type": "string"}}});
    /// let request = ChatRequest::from("Name a city.")
    ///     .response_format(JsonSchema::new("city", schema).description("A city").strict(false));
    /// # let _ = request;
    /// ```
    pub fn new(name: impl Into<String>, schema: Value) -> Self {
        Self { name: name.into(), description: None, schema, strict: Some(true) }
    }

    /// Sets what the answer is for, for the model to read. Default: none.
    #[must_use]
    pub fn description(mut self, description: impl Into<String>) -> Self {
        self.description = Some(description.into());
        self
    }

    /// Sets whether the provider must keep to the schema exactly. Default: true, and the schema
    /// is completed: every object closed, every member required, and null allowed for those
    /// that may be missing. Anthropic's format is always strict.
    #[must_use]
    pub fn strict(mut self, strict: bool) -> Self {
        self.strict = Some(strict);
        self
    }
}

impl fmt::Debug for JsonSchema {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JsonSchema")
            .field("name", &self.name)
            .field("strict", &self.strict)
            .finish_non_exhaustive()
    }
}

/// How much a model should think before it answers.
///
/// Providers offer different steps. The step is sent as it is, and one that a
/// model does not know is refused, by the provider or before sending. Only
/// Anthropic's models before Claude 4.6 know no steps: there each stands for a
/// share of the output limit (`Low` a fifth, `Medium` half, `High` four fifths), at
/// least 1024 tokens, and `XHigh` and `Max` are the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ReasoningEffort {
    /// No reasoning.
    None,
    /// As little as possible.
    Minimal,
    /// Little.
    Low,
    /// A middle way; the usual default of reasoning models.
    Medium,
    /// Much.
    High,
    /// More than high.
    #[serde(rename = "xhigh")]
    XHigh,
    /// All there is.
    Max,
}

impl ReasoningEffort {
    /// The word the wire formats use.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Minimal => "minimal",
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
            Self::XHigh => "xhigh",
            Self::Max => "max",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::ReasoningEffort::{self, *};

    #[test]
    fn efforts_are_stored_by_the_words_of_the_wire() {
        for effort in [None, Minimal, Low, Medium, High, XHigh, Max] {
            let stored = serde_json::to_string(&effort).unwrap();
            assert_eq!(stored, format!("\"{}\"", effort.as_str()));
            assert_eq!(serde_json::from_str::<ReasoningEffort>(&stored).unwrap(), effort);
        }
    }
}
