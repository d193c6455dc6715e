//! The builder methods of a chat request.

use serde_json::Value;
use std::time::Duration;

use super::ChatRequest;
use crate::cache;
use crate::cancel::CancelToken;
use crate::chat::{Format, Message, Provider, ReasoningEffort, ResponseFormat, Tool, ToolChoice};
use crate::cost::MaxPrice;

impl ChatRequest {
    /// Adds a message at the end. Default: none.
    #[must_use]
    pub fn message(mut self, message: impl Into<Message>) -> Self {
        self.messages.push(message.into());
        self
    }

    /// Adds several messages at the end. Default: none.
    #[must_use]
    pub fn messages(mut self, messages: impl IntoIterator<Item = impl Into<Message>>) -> Self {
        self.messages.extend(messages.into_iter().map(Into::into));
        self
    }

    /// Inserts a system message at the front of the conversation. Default: none.
    #[must_use]
    pub fn system(mut self, text: impl Into<String>) -> Self {
        self.messages.insert(0, Message::system(text));
        self
    }

    /// Sets the provider, by its name or an alias. The [`model`](Self::model) is then that
    /// provider's own name for the model. Default: the model decides.
    pub fn provider(mut self, provider: impl Into<Provider>) -> Self {
        self.provider = Some(provider.into());
        self
    }

    /// Sets the model: a name at the client's own provider, or `provider/model` for another one.
    /// Default: the client's model.
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

    /// Sets the wire format: OpenAI's Responses in place of its Chat Completions, or the reverse.
    /// Default: the provider's; see the field of the same name.
    ///
    /// Every server that offers both at one address takes it. Responses are not stored unless
    /// [`extra`](Self::extra) says `"store": true`, and reasoning goes back encrypted. What only
    /// Responses have is set by `extra` too: `previous_response_id`, `include`, the `summary` of
    /// the reasoning, the `verbosity` of the `text`. Tools that OpenAI runs itself are
    /// [`Tool::Native`].
    ///
    /// ```no_run
    /// use serde_json::json;
    /// use tollgate::chat::Format;
    /// use tollgate::{ChatRequest, Client, Tool};
    ///
    /// let client = Client::openai("gpt-5.5")?;
    /// let request = ChatRequest::from("What happened today?")
    ///     .wire_format(Format::OpenAiResponses)
    ///     .tool(Tool::Native(json!({"type": "web_search"})))
    ///     .extra("reasoning", json!({"summary": "auto"}));
    /// println!("{}", client.chat(request)?.text());
    /// # Ok::<(), tollgate::Error>(())
    /// ```
    #[doc(alias("responses", "responses_api"))]
    #[must_use]
    pub fn wire_format(mut self, format: Format) -> Self {
        self.wire_format = Some(format);
        self
    }

    /// Adds a tool that the model may call. Default: none.
    #[doc(alias("function_calling", "functions"))]
    #[must_use]
    pub fn tool(mut self, tool: Tool) -> Self {
        self.tools.push(tool);
        self
    }

    /// Adds several tools that the model may call. Default: none.
    #[must_use]
    pub fn tools(mut self, tools: impl IntoIterator<Item = impl Into<Tool>>) -> Self {
        self.tools.extend(tools.into_iter().map(Into::into));
        self
    }

    /// Sets which tools the model may or must call. Default: the model decides.
    #[must_use]
    pub fn tool_choice(mut self, choice: ToolChoice) -> Self {
        self.tool_choice = Some(choice);
        self
    }

    /// Allows or forbids several tool calls in one turn. Default: the provider's choice.
    #[must_use]
    pub fn parallel_tool_calls(mut self, allowed: bool) -> Self {
        self.parallel_tool_calls = Some(allowed);
        self
    }

    /// Sets the format of the answer. Default: free text.
    #[must_use]
    pub fn response_format(mut self, format: impl Into<ResponseFormat>) -> Self {
        self.response_format = Some(format.into());
        self
    }

    /// Requests JSON that matches `schema` exactly.
    /// [`ChatResponse::parse`](crate::ChatResponse::parse) reads it. Default: free text.
    #[doc(alias("structured_output", "response_schema"))]
    #[must_use]
    pub fn json_schema(self, name: impl Into<String>, schema: Value) -> Self {
        self.response_format(ResponseFormat::json_schema(name, schema))
    }

    /// Sets an upper bound on the tokens of the prompt, for budgets only; see
    /// [`max_input_tokens`](Self::max_input_tokens). Default: the model's context window.
    #[must_use]
    pub fn max_input_tokens(mut self, tokens: u64) -> Self {
        self.max_input_tokens = Some(tokens);
        self
    }

    /// Sets how many choices to generate; each is billed.
    /// [`ChatResponse::other_choices`](crate::ChatResponse::other_choices) has those after the
    /// first. A stream yields one choice: more than one is an error before anything is sent.
    /// Default: 1.
    #[must_use]
    pub fn n(mut self, choices: u32) -> Self {
        self.n = Some(choices);
        self
    }

    /// Requests the log probability of each token of the answer, plus `alternatives` more per token
    /// (0 for none). [`ChatResponse::logprobs`](crate::ChatResponse::logprobs) has them. Default:
    /// not requested.
    #[doc(alias = "top_logprobs")]
    #[must_use]
    pub fn logprobs(mut self, alternatives: u32) -> Self {
        self.logprobs = Some(alternatives);
        self
    }

    /// Sets the most tokens the model may generate, reasoning included. Default: the provider's;
    /// 4096 for Anthropic and 1024 for text completions.
    #[doc(alias("max_tokens", "max_completion_tokens"))]
    #[must_use]
    pub fn max_output_tokens(mut self, tokens: u32) -> Self {
        self.max_output_tokens = Some(tokens);
        self
    }

    /// Sets the sampling temperature, from 0 (least random) to 1 or 2, depending on the provider.
    /// Default: the provider's.
    #[must_use]
    pub fn temperature(mut self, temperature: f64) -> Self {
        self.temperature = Some(temperature);
        self
    }

    /// Sets nucleus sampling: keeps the most likely tokens up to this total probability, 0 to 1.
    /// Default: the provider's.
    #[must_use]
    pub fn top_p(mut self, share: f64) -> Self {
        self.top_p = Some(share);
        self
    }

    /// Adds a stop sequence: a text that ends the answer when the model writes it. Default: none.
    #[doc(alias = "stop_sequences")]
    #[must_use]
    pub fn stop(mut self, text: impl Into<String>) -> Self {
        self.stop.push(text.into());
        self
    }

    /// Asks for repeatable sampling, as far as the provider supports it. Default: none.
    #[must_use]
    pub fn seed(mut self, seed: i64) -> Self {
        self.seed = Some(seed);
        self
    }

    /// Sets how much the model reasons before it answers. Default: the provider's choice.
    #[doc(alias("thinking", "extended_thinking"))]
    #[must_use]
    pub fn reasoning_effort(mut self, effort: ReasoningEffort) -> Self {
        self.reasoning_effort = Some(effort);
        self
    }

    /// Sets a key for routes that keep a conversation at one target; see
    /// [`routing_key`](Self::routing_key). Default: the start of the conversation.
    pub fn routing_key(mut self, key: impl Into<String>) -> Self {
        self.routing_key = Some(key.into());
        self
    }

    /// Sets the highest price that the model may have, in dollars per million tokens. Default: no
    /// limit.
    #[must_use]
    pub fn max_price(mut self, most: MaxPrice) -> Self {
        self.max_price = Some(most);
        self
    }

    /// Labels the call for cost reports and budgets; see [`tags`](Self::tags). Default: none.
    #[must_use]
    pub fn tag(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.tags.insert(name.into(), value.into());
        self
    }

    /// Sets the longest the whole call may take. It covers streams too, unless
    /// [`stream_timeout`](Self::stream_timeout) is set. Default: the client's
    /// [`timeout`](crate::ClientBuilder::timeout).
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// Sets the longest one attempt may take; for a stream, up to its first event. Default: the
    /// client's [`attempt_timeout`](crate::ClientBuilder::attempt_timeout).
    #[must_use]
    pub fn attempt_timeout(mut self, timeout: Duration) -> Self {
        self.attempt_timeout = Some(timeout);
        self
    }

    /// Sets the longest a stream may take from sending the request to its first event. Default: the
    /// client's [`first_token_timeout`](crate::ClientBuilder::first_token_timeout).
    #[must_use]
    pub fn first_token_timeout(mut self, timeout: Duration) -> Self {
        self.first_token_timeout = Some(timeout);
        self
    }

    /// Sets the longest a stream may go without any progress in the answer. Default: the client's
    /// [`idle_timeout`](crate::ClientBuilder::idle_timeout).
    #[must_use]
    pub fn idle_timeout(mut self, timeout: Duration) -> Self {
        self.idle_timeout = Some(timeout);
        self
    }

    /// Sets the longest a stream may take from the call to its end, including the time the caller
    /// spends on each event. Default: this request's [`timeout`](Self::timeout) if set, otherwise
    /// the client's [`stream_timeout`](crate::ClientBuilder::stream_timeout).
    #[must_use]
    pub fn stream_timeout(mut self, timeout: Duration) -> Self {
        self.stream_timeout = Some(timeout);
        self
    }

    /// Sets how the call uses the client's cache; see [`cache`](Self::cache). Default: as the client
    /// does.
    ///
    /// ```
    /// use tollgate::ChatRequest;
    /// use tollgate::cache::Mode;
    ///
    /// let again = ChatRequest::from("What is new in Paris?").cache(Mode::Refresh);
    /// # let _ = again;
    /// ```
    #[must_use]
    pub fn cache(mut self, mode: cache::Mode) -> Self {
        self.cache = Some(mode);
        self
    }

    /// Lets `token` cancel the call from another thread. Default: none.
    #[must_use]
    pub fn cancel_token(mut self, token: impl Into<CancelToken>) -> Self {
        self.cancel_token = Some(token.into());
        self
    }

    /// Sets the header `Idempotency-Key`, by which a server recognises a repeated request; see
    /// [`idempotency_key`](Self::idempotency_key). Default: none, unless the client makes its own
    /// keys.
    #[must_use]
    pub fn idempotency_key(mut self, key: impl Into<String>) -> Self {
        self.idempotency_key = Some(key.into());
        self
    }

    /// Enables an Anthropic beta feature; see [`betas`](Self::betas). Default: none.
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

    /// Sets a member of the JSON body; see [`extra`](Self::extra). Default: none.
    #[must_use]
    pub fn extra(mut self, name: impl Into<String>, value: impl Into<Value>) -> Self {
        self.extra.insert(name.into(), value.into());
        self
    }

    /// Leaves a member out of the JSON body; see [`omit`](Self::omit). Default: none.
    ///
    /// ```
    /// use tollgate::ChatRequest;
    ///
    /// // For a server that rejects members it does not know.
    /// let request = ChatRequest::from("hi").omit("stream_options");
    /// assert_eq!(request.omit, ["stream_options"]);
    /// ```
    #[must_use]
    pub fn omit(mut self, name: impl Into<String>) -> Self {
        self.omit.push(name.into());
        self
    }
}
