//! Tools that a model may call, its calls, and their results.

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
    /// A function of the caller's.
    Function(Function),
    /// A tool in the provider's own format, sent as it is: one that the provider
    /// runs itself, such as a web search.
    Native(Value),
}

impl Tool {
    /// A function of the caller's. `parameters` is the JSON Schema of its
    /// arguments, an object.
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
    /// Sets whether the provider must keep the arguments to the schema exactly. The schema is
    /// then completed as strict schemas are: every object closed, every member required, and
    /// null allowed for those that may be missing. Default: the provider's choice. A tool in
    /// the provider's own format stays as it is.
    #[must_use]
    pub fn strict(mut self, strict: bool) -> Self {
        if let Self::Function(function) = &mut self {
            function.strict = Some(strict);
        }
        self
    }

    /// Sets what the tool does and when to call it, for the model to read. A tool in the
    /// provider's own format stays as it is.
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
    /// Its name: letters, digits, `_` and `-`, at most 64, for most providers.
    pub name: String,
    /// What it does and when to call it, for the model to read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// The JSON Schema of its arguments, an object.
    pub parameters: Value,
    /// Whether the provider must keep the arguments to the schema exactly.
    /// Default: the provider's choice.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub strict: Option<bool>,
}

impl Function {
    /// A function of this name and JSON Schema of its arguments, without a description.
    pub fn new(name: impl Into<String>, parameters: Value) -> Self {
        Self { name: name.into(), description: None, parameters, strict: None }
    }

    /// Sets what it does and when to call it. Default: none.
    #[must_use]
    pub fn description(mut self, description: impl Into<String>) -> Self {
        self.description = Some(description.into());
        self
    }

    /// Sets whether the provider must keep the arguments to the schema exactly. Default: the
    /// provider's choice.
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
    /// The model decides. The default where tools are given.
    Auto,
    /// The model calls none.
    None,
    /// The model calls at least one.
    Required,
    /// The model calls the function of this name.
    Function(String),
}

/// A tool the model wants called.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ToolCall {
    /// The id to answer it by.
    pub id: String,
    /// The function's name.
    pub name: String,
    /// The arguments as JSON text. Models write it, so it can be invalid.
    pub arguments: String,
    /// A provider's signature to be sent back with the call (Gemini).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signature: Option<String>,
    /// Members of the call that this crate does not model, for the provider that sent them:
    /// a signature of Gemini's, or Anthropic's `caller`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub opaque: Option<Box<Opaque>>,
}

impl ToolCall {
    /// A call with these arguments, as JSON text.
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

    /// Names the provider that sent it.
    pub(crate) fn sent_by(&mut self, provider: &Provider) {
        if let Some(opaque) = &mut self.opaque {
            opaque.provenance.sent_by(provider);
        }
    }

    /// Reads the arguments into a type of the caller's.
    ///
    /// # Errors
    ///
    /// [`Protocol`](crate::ErrorKind::Protocol) when the model wrote something
    /// that is not JSON or does not fit the type. Sending the error's message back
    /// as the tool's result lets the model try again. The message may quote from
    /// the arguments, so think before you log it.
    pub fn parse<T: DeserializeOwned>(&self) -> Result<T, Error> {
        let text = self.arguments.trim();
        typed::read(if text.is_empty() { "{}" } else { text }).map_err(|cause| {
            Error::new(
                ErrorKind::Protocol,
                format!("the arguments of tool call {:?} do not fit: {cause}", self.name),
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

/// What a tool answered.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ToolResult {
    /// The id of the [`ToolCall`] it answers.
    pub call_id: String,
    /// The answer: text, and images where the provider takes them.
    pub content: Vec<Part>,
    /// Whether the tool failed; the content then says how.
    #[serde(default)]
    pub is_error: bool,
}

impl ToolResult {
    /// A result in text.
    pub fn new(call_id: impl Into<String>, text: impl Into<String>) -> Self {
        Self { call_id: call_id.into(), content: vec![Part::text(text)], is_error: false }
    }

    /// A failure, told to the model in text.
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
