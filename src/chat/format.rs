//! The response format and the reasoning effort.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::fmt;

/// The format that the answer must have.
#[doc(alias("structured_output", "json_mode"))]
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ResponseFormat {
    /// Free text. The default.
    Text,
    /// Any JSON object. Providers require that the prompt asks for JSON too.
    JsonObject,
    /// JSON that matches a schema.
    JsonSchema(JsonSchema),
}

impl ResponseFormat {
    /// Creates a format for JSON that matches `schema`, exactly if the provider can enforce that.
    pub fn json_schema(name: impl Into<String>, schema: Value) -> Self {
        JsonSchema::new(name, schema).into()
    }
}

impl From<JsonSchema> for ResponseFormat {
    fn from(schema: JsonSchema) -> Self {
        Self::JsonSchema(schema)
    }
}

/// A JSON Schema that the answer must match.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct JsonSchema {
    /// The schema's name: letters, digits, `_` and `-`, at most 64.
    pub name: String,
    /// What the answer is for; the model reads this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// The schema.
    pub schema: Value,
    /// Whether the answer must match the schema exactly. [`new`](Self::new) sets true.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub strict: Option<bool>,
}

impl JsonSchema {
    /// Creates a schema that the answer must match exactly.
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

    /// Sets what the answer is for; the model reads this. Default: none.
    #[must_use]
    pub fn description(mut self, description: impl Into<String>) -> Self {
        self.description = Some(description.into());
        self
    }

    /// Sets whether the answer must match the schema exactly. If true, the crate completes the
    /// schema as strict mode requires: it closes every object, requires every member, and allows
    /// null for optional ones. Gemini takes optional members and open objects as they are. Anthropic's
    /// format is always strict. Default: true.
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

/// How much a model reasons before it answers.
///
/// Providers offer different levels. The level is sent unchanged; the provider, or this crate
/// before sending, rejects one that the model does not support. Two families of models have no
/// levels. For Anthropic's before Claude 4.6 and for Cohere's a level stands for a share of the output limit (`Low` a
/// fifth, `Medium` half, `High` four fifths), at Anthropic at least 1024 tokens; `XHigh` and `Max`
/// are the same there, and set no limit at Cohere.
/// For Gemini 2.5 it stands for Google's own number of tokens (`Low` 1,024, `Medium` 8,192, `High`
/// 24,576, above that the model's most), but at most for that share of the output limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ReasoningEffort {
    /// No reasoning.
    None,
    /// As little as possible.
    Minimal,
    /// Low.
    Low,
    /// Medium; the usual default of reasoning models.
    Medium,
    /// High.
    High,
    /// Higher than `High`.
    #[serde(rename = "xhigh")]
    XHigh,
    /// The most the model offers.
    Max,
}

impl ReasoningEffort {
    /// Returns the word that the wire formats use.
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
    fn efforts_are_stored_by_their_wire_names() {
        for effort in [None, Minimal, Low, Medium, High, XHigh, Max] {
            let stored = serde_json::to_string(&effort).unwrap();
            assert_eq!(stored, format!("\"{}\"", effort.as_str()));
            assert_eq!(serde_json::from_str::<ReasoningEffort>(&stored).unwrap(), effort);
        }
    }
}
