//! The methods that set what a request asks for.

use serde_json::Value;
use std::time::Duration;

use super::ChatRequest;
use crate::cancel::CancelToken;
use crate::chat::{Message, Provider, ReasoningEffort, ResponseFormat, Tool, ToolChoice};

impl ChatRequest {
    /// Adds a message.
    #[must_use]
    pub fn message(mut self, message: impl Into<Message>) -> Self {
        self.messages.push(message.into());
        self
    }

    /// Adds several messages.
    #[must_use]
    pub fn messages(mut self, messages: impl IntoIterator<Item = impl Into<Message>>) -> Self {
        self.messages.extend(messages.into_iter().map(Into::into));
        self
    }

    /// Puts instructions in front of the conversation.
    #[must_use]
    pub fn system(mut self, text: impl Into<String>) -> Self {
        self.messages.insert(0, Message::system(text));
        self
    }

    /// Sets the provider, whose own name for it the [`model`](Self::model) then is. Default:
    /// by the model.
    pub fn provider(mut self, provider: impl Into<Provider>) -> Self {
        self.provider = Some(provider.into());
        self
    }

    /// Sets the model: a name of the client's own provider, or `provider/model` for another.
    /// Default: the client's.
    ///
    /// ```no_run
    /// # use tollgate::{ChatRequest, Client};
    /// let client = Client::openai("gpt-4o-mini")?;
    /// let request = ChatRequest::from("Hello");
    /// client.chat(request.clone().model("gpt-4o"))?; // OpenAI
    /// client.chat(request.model("groq/llama-3.3-70b-versatile"))?; // Groq, GROQ_API_KEY
    /// # Ok::<(), tollgate::Error>(())
    /// ```
    #[must_use]
    pub fn model(mut self, model: impl Into<String>) -> Self {
        self.model = Some(model.into());
        self
    }

    /// Adds a tool.
    #[doc(alias("function_calling", "functions"))]
    #[must_use]
    pub fn tool(mut self, tool: Tool) -> Self {
        self.tools.push(tool);
        self
    }

    /// Adds several tools.
    #[must_use]
    pub fn tools(mut self, tools: impl IntoIterator<Item = impl Into<Tool>>) -> Self {
        self.tools.extend(tools.into_iter().map(Into::into));
        self
    }

    /// Sets which tools the model may or must call.
    #[must_use]
    pub fn tool_choice(mut self, choice: ToolChoice) -> Self {
        self.tool_choice = Some(choice);
        self
    }

    /// Sets whether the model may call several tools at once.
    #[must_use]
    pub fn parallel_tool_calls(mut self, allowed: bool) -> Self {
        self.parallel_tool_calls = Some(allowed);
        self
    }

    /// Sets the form of the answer. Default: free text.
    #[must_use]
    pub fn response_format(mut self, format: impl Into<ResponseFormat>) -> Self {
        self.response_format = Some(format.into());
        self
    }

    /// Asks for JSON that fits `schema` exactly, to be read by
    /// [`ChatResponse::parse`](crate::ChatResponse::parse). Default: free text.
    #[doc(alias("structured_output", "response_schema"))]
    #[must_use]
    pub fn json_schema(self, name: impl Into<String>, schema: Value) -> Self {
        self.response_format(ResponseFormat::json_schema(name, schema))
    }

    /// States the most tokens that the prompt has, for budgets; see
    /// [`max_input_tokens`](Self::max_input_tokens). Default: the model's context window.
    #[must_use]
    pub fn max_input_tokens(mut self, tokens: u64) -> Self {
        self.max_input_tokens = Some(tokens);
        self
    }

    /// Sets how many choices to answer with; each is billed. Default: 1. The further ones are
    /// [`ChatResponse::other_choices`](crate::ChatResponse::other_choices).
    #[must_use]
    pub fn n(mut self, choices: u32) -> Self {
        self.n = Some(choices);
        self
    }

    /// Asks for the log probabilities of the answer's tokens, and of `alternatives` more for
    /// each, which may be 0. Default: none. They are in
    /// [`ChatResponse::logprobs`](crate::ChatResponse::logprobs).
    #[doc(alias = "top_logprobs")]
    #[must_use]
    pub fn logprobs(mut self, alternatives: u32) -> Self {
        self.logprobs = Some(alternatives);
        self
    }

    /// Sets the most tokens the model may answer with.
    #[doc(alias("max_tokens", "max_completion_tokens"))]
    #[must_use]
    pub fn max_output_tokens(mut self, tokens: u32) -> Self {
        self.max_output_tokens = Some(tokens);
        self
    }

    /// Sets the randomness.
    #[must_use]
    pub fn temperature(mut self, temperature: f64) -> Self {
        self.temperature = Some(temperature);
        self
    }

    /// Sets the share of likeliest tokens to choose from.
    #[must_use]
    pub fn top_p(mut self, share: f64) -> Self {
        self.top_p = Some(share);
        self
    }

    /// Adds a text that ends the answer.
    #[doc(alias = "stop_sequences")]
    #[must_use]
    pub fn stop(mut self, text: impl Into<String>) -> Self {
        self.stop.push(text.into());
        self
    }

    /// Makes answers repeat, as far as the provider can.
    #[must_use]
    pub fn seed(mut self, seed: i64) -> Self {
        self.seed = Some(seed);
        self
    }

    /// Sets how much to think first.
    #[doc(alias("thinking", "extended_thinking"))]
    #[must_use]
    pub fn reasoning_effort(mut self, effort: ReasoningEffort) -> Self {
        self.reasoning_effort = Some(effort);
        self
    }

    /// Labels the call; see [`tags`](Self::tags).
    #[must_use]
    pub fn tag(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.tags.insert(name.into(), value.into());
        self
    }

    /// Sets the longest the whole call may take, a stream included unless
    /// [`stream_timeout`](Self::stream_timeout) is set. Default: the client's.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// Sets the longest one attempt may take, a stream's up to its first event. Default: the
    /// client's [`attempt_timeout`](crate::ClientBuilder::attempt_timeout).
    #[must_use]
    pub fn attempt_timeout(mut self, timeout: Duration) -> Self {
        self.attempt_timeout = Some(timeout);
        self
    }

    /// Sets the longest a stream may take from the sending of the request to its first event.
    /// Default: the client's
    /// [`first_token_timeout`](crate::ClientBuilder::first_token_timeout).
    #[must_use]
    pub fn first_token_timeout(mut self, timeout: Duration) -> Self {
        self.first_token_timeout = Some(timeout);
        self
    }

    /// Sets the longest a stream may go without bringing the answer on. Default: the client's
    /// [`idle_timeout`](crate::ClientBuilder::idle_timeout).
    #[must_use]
    pub fn idle_timeout(mut self, timeout: Duration) -> Self {
        self.idle_timeout = Some(timeout);
        self
    }

    /// Sets the longest a stream may take from the call to its end, the time that its caller
    /// takes over it included. Default: this request's [`timeout`](Self::timeout) if it has
    /// one, else the client's [`stream_timeout`](crate::ClientBuilder::stream_timeout).
    #[must_use]
    pub fn stream_timeout(mut self, timeout: Duration) -> Self {
        self.stream_timeout = Some(timeout);
        self
    }

    /// Lets `token` stop the call from another thread.
    #[must_use]
    pub fn cancel_token(mut self, token: impl Into<CancelToken>) -> Self {
        self.cancel_token = Some(token.into());
        self
    }

    /// Sets the key by which a server recognises this request when it is repeated.
    #[must_use]
    pub fn idempotency_key(mut self, key: impl Into<String>) -> Self {
        self.idempotency_key = Some(key.into());
        self
    }

    /// Asks for a beta of Anthropic's; see [`betas`](Self::betas). Default: none.
    ///
    /// ```
    /// use serde_json::json;
    /// use tollgate::ChatRequest;
    ///
    /// let request = ChatRequest::from("What is in my calendar?")
    ///     .beta("mcp-client-2025-11-20")
    ///     .extra("mcp_servers", json!([{"type": "url", "name": "calendar", "url": "https://…"}]));
    /// assert_eq!(request.betas, ["mcp-client-2025-11-20"]);
    /// ```
    #[must_use]
    pub fn beta(mut self, beta: impl Into<String>) -> Self {
        self.betas.push(beta.into());
        self
    }

    /// Sets a member of the JSON body that is sent; see [`extra`](Self::extra).
    #[must_use]
    pub fn extra(mut self, name: impl Into<String>, value: impl Into<Value>) -> Self {
        self.extra.insert(name.into(), value.into());
        self
    }

    /// Leaves a member out of the JSON body that is sent; see [`omit`](Self::omit).
    ///
    /// ```
    /// use tollgate::ChatRequest;
    ///
    /// // For a server with a closed schema that does not know it.
    /// let request = ChatRequest::from("hi").omit("stream_options");
    /// assert_eq!(request.omit, ["stream_options"]);
    /// ```
    #[must_use]
    pub fn omit(mut self, name: impl Into<String>) -> Self {
        self.omit.push(name.into());
        self
    }
}
