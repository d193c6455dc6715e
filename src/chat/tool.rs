//! Tools that a model may call, the calls it makes, and their results.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::fmt;

use super::typed;
use super::{Hidden, Opaque, Part, Provider};
use crate::error::{Error, ErrorKind};

/// A tool the model may call.
#[doc(alias("function_calling", "tool_use"))]
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Tool {
    /// A function that the caller runs.
    Function(Function),
    /// A tool in the provider's own format, sent unchanged, such as a web search that the provider
    /// runs.
    Native(Value),
}

impl Tool {
    /// Creates a function tool. `parameters` is the JSON Schema of its arguments, an object.
    ///
    /// ```
    /// use serde_json::json;
    /// use tollgate::Tool;
    ///
    /// let tool = Tool::function("weather", "Current weather in a city", json!({
    ///     "type": "object",
    ///     "properties": {"city": {"type": "string"}},
    ///     "required": ["city"],
    /// }));
    /// # let _ = tool;
    /// ```
    pub fn function(
        name: impl Into<String>,
        description: impl Into<String>,
        parameters: Value,
    ) -> Self {
        Self::Function(Function {
            name: name.into(),
            description: Some(description.into()),
            parameters,
            strict: None,
        })
    }
}

impl Tool {
    /// Sets whether the arguments must match the schema exactly. If true, the crate completes the
    /// schema as strict mode requires: it closes every object, requires every member, and allows
    /// null for optional ones. Gemini takes optional members and open objects as they are, and one
    /// strict tool makes all of a request's strict. Default: the provider's choice. No effect on a
    /// tool in the provider's own format.
    #[must_use]
    pub fn strict(mut self, strict: bool) -> Self {
        if let Self::Function(function) = &mut self {
            function.strict = Some(strict);
        }
        self
    }

    /// Sets the description: what the tool does and when to call it. Default: the one given to
    /// [`function`](Self::function). No effect on a tool in the provider's own format.
    #[must_use]
    pub fn description(mut self, description: impl Into<String>) -> Self {
        if let Self::Function(function) = &mut self {
            function.description = Some(description.into());
        }
        self
    }
}

impl From<Function> for Tool {
    fn from(function: Function) -> Self {
        Self::Function(function)
    }
}

impl fmt::Debug for Tool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Function(function) => f.debug_tuple("Function").field(&function.name).finish(),
            Self::Native(value) => {
                f.debug_tuple("Native").field(&value.get("type").and_then(Value::as_str)).finish()
            }
        }
    }
}

/// A function the model may call.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Function {
    /// The function's name. Most providers allow letters, digits, `_` and `-`, at most 64.
    pub name: String,
    /// What the function does and when to call it; the model reads this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// The JSON Schema of its arguments, an object.
    pub parameters: Value,
    /// Whether the arguments must match the schema exactly.
    /// Default: the provider's choice.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub strict: Option<bool>,
}

impl Function {
    /// Creates a function with this name and the JSON Schema of its arguments, without a
    /// description.
    pub fn new(name: impl Into<String>, parameters: Value) -> Self {
        Self { name: name.into(), description: None, parameters, strict: None }
    }

    /// Sets the description: what the function does and when to call it. Default: none.
    #[must_use]
    pub fn description(mut self, description: impl Into<String>) -> Self {
        self.description = Some(description.into());
        self
    }

    /// Sets whether the arguments must match the schema exactly. Default: the provider's choice.
    #[must_use]
    pub fn strict(mut self, strict: bool) -> Self {
        self.strict = Some(strict);
        self
    }
}

impl fmt::Debug for Function {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Function")
            .field("name", &self.name)
            .field("strict", &self.strict)
            .finish_non_exhaustive()
    }
}

/// Which tools the model may or must call.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ToolChoice {
    /// The model decides. This is the default if the request has tools.
    Auto,
    /// The model calls no tool.
    None,
    /// The model calls at least one tool.
    Required,
    /// The model calls this function.
    Function(String),
}

/// A tool call that the model made.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ToolCall {
    /// The id that the result must carry.
    pub id: String,
    /// The function's name.
    pub name: String,
    /// The arguments as JSON text. The model wrote it, so it can be invalid.
    pub arguments: String,
    /// The provider's signature, to be sent back with the call (Gemini).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signature: Option<String>,
    /// Members of the call that this crate does not model, such as Gemini's signature or
    /// Anthropic's `caller`. They go back only to the provider that sent them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub opaque: Option<Box<Opaque>>,
}

impl ToolCall {
    /// Creates a call with these arguments, as JSON text.
    pub fn new(
        id: impl Into<String>,
        name: impl Into<String>,
        arguments: impl Into<String>,
    ) -> Self {
        Self {
            id: id.into(),
            name: name.into(),
            arguments: arguments.into(),
            signature: None,
            opaque: None,
        }
    }

    /// Records which provider sent the call.
    pub(crate) fn set_sender(&mut self, provider: &Provider) {
        if let Some(opaque) = &mut self.opaque {
            opaque.provenance.set_sender(provider);
        }
    }

    /// Deserializes the arguments into a type of the caller's.
    ///
    /// # Errors
    ///
    /// [`Protocol`](crate::ErrorKind::Protocol) if the arguments are not JSON or do not match the
    /// type. Send the message back as the tool's result to let the model try again. The message can
    /// quote the arguments, so think before you log it.
    pub fn parse<T: DeserializeOwned>(&self) -> Result<T, Error> {
        let text = self.arguments.trim();
        typed::read(if text.is_empty() { "{}" } else { text }).map_err(|cause| {
            Error::new(
                ErrorKind::Protocol,
                format!(
                    "the arguments of tool call {:?} do not match its type: {cause}",
                    self.name
                ),
            )
        })
    }
}

impl fmt::Debug for ToolCall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ToolCall")
            .field("id", &self.id)
            .field("name", &self.name)
            .field("arguments", &Hidden(self.arguments.len()))
            .field("opaque", &self.opaque)
            .finish()
    }
}

/// The result of a tool call.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ToolResult {
    /// The id of the [`ToolCall`] that this is the result of.
    pub call_id: String,
    /// The result: text, and images where the provider accepts them.
    pub content: Vec<Part>,
    /// True if the tool failed; the content then says how.
    #[serde(default)]
    pub is_error: bool,
}

impl ToolResult {
    /// Creates a text result.
    pub fn new(call_id: impl Into<String>, text: impl Into<String>) -> Self {
        Self { call_id: call_id.into(), content: vec![Part::text(text)], is_error: false }
    }

    /// Creates a result that reports a failure to the model.
    pub fn error(call_id: impl Into<String>, text: impl Into<String>) -> Self {
        Self { is_error: true, ..Self::new(call_id, text) }
    }

    /// Adds a part, such as an image.
    #[must_use]
    pub fn with(mut self, part: impl Into<Part>) -> Self {
        self.content.push(part.into());
        self
    }
}
