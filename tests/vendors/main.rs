//! What is sent to each vendor: the path, the headers, and the members that differ.

mod members;
mod omitted;
mod profiles;
mod reasoning;
mod refusals;
#[path = "../support/mod.rs"]
mod support;

use serde_json::json;
use support::{loopback, vendor_client};
use tollgate::testing::{Loopback, Reply, Request};
use tollgate::{ChatRequest, Client, Message, Tool};

/// A vendor's Chat Completions.
struct Chat {
    name: &'static str,
    path: &'static str,
    /// The member that limits the output.
    limit: &'static str,
    /// Whether streams ask for their usage.
    stream_options: bool,
    /// The member that a seed goes into; `None` where a seed is refused.
    seed: Option<&'static str>,
    /// Whether messages keep their names.
    names: bool,
}

const fn chat(name: &'static str, path: &'static str) -> Chat {
    let (limit, seed) = ("max_tokens", Some("seed"));
    Chat { name, path, limit, stream_options: true, seed, names: true }
}

const MAX_COMPLETION: &str = "max_completion_tokens";

/// All of them, with the path of their own base URL.
const CHATS: [Chat; 49] = [
    chat("openai", "/v1"),
    Chat { limit: MAX_COMPLETION, ..chat("azure", "/openai/v1") },
    Chat { limit: MAX_COMPLETION, ..chat("azure-deployments", "/openai/deployments/some-model") },
    chat("alibaba", "/compatible-mode/v1"),
    chat("baseten", "/v1"),
    Chat { limit: MAX_COMPLETION, ..chat("cerebras", "/v1") },
    chat("chutes", "/v1"),
    chat("cloudflare", "/client/v4/accounts/test/ai/v1"),
    chat("cohere-openai", "/compatibility/v1"),
    chat("databricks", "/ai-gateway/mlflow/v1"),
    chat("deepinfra", "/v1/openai"),
    chat("deepseek", ""),
    chat("fireworks", "/inference/v1"),
    chat("friendli", "/serverless/v1"),
    chat("gemini-openai", "/v1beta/openai"),
    chat("groq", "/openai/v1"),
    chat("huggingface", "/v1"),
    chat("inception", "/v1"),
    Chat { limit: MAX_COMPLETION, ..chat("meta", "/v1") },
    Chat { limit: MAX_COMPLETION, ..chat("minimax", "/v1") },
    Chat {
        stream_options: false,
        seed: Some("random_seed"),
        names: false,
        ..chat("mistral", "/v1")
    },
    Chat { seed: None, ..chat("moonshot", "/v1") },
    chat("nebius", "/v1"),
    chat("novita", "/openai/v1"),
    chat("nvidia", "/v1"),
    chat("ollama-cloud-openai", "/v1"),
    chat("openrouter", "/api/v1"),
    chat("ovhcloud", "/v1"),
    chat("poe", "/v1"),
    chat("requesty", "/v1"),
    Chat { names: false, ..chat("perplexity", "") },
    Chat { names: false, ..chat("sambanova", "/v1") },
    chat("scaleway", "/v1"),
    Chat { stream_options: false, ..chat("siliconflow", "/v1") },
    chat("stepfun", "/v1"),
    chat("together", "/v1"),
    chat("upstage", "/v1"),
    chat("venice", "/api/v1"),
    chat("vercel-ai-gateway", "/v1"),
    Chat { stream_options: false, ..chat("wandb", "/v1") },
    Chat { names: false, ..chat("xai", "/v1") },
    chat("xiaomi", "/v1"),
    chat("zai", "/api/paas/v4"),
    chat("ollama-openai", "/v1"),
    chat("vllm", "/v1"),
    chat("sglang", "/v1"),
    chat("llamacpp", "/v1"),
    chat("lmstudio", "/v1"),
    chat("litellm", "/v1"),
];

/// Makes a call and a stream, and returns both requests as the server saw them.
fn asked(server: &Loopback, client: &Client, request: &ChatRequest) -> [Request; 2] {
    server.reply(Reply::text("fine"));
    let response = client.chat(request).unwrap();
    assert_eq!(response.text(), "fine");
    server.reply(Reply::text("fine"));
    let streamed = client.stream(request).unwrap().finish().unwrap();
    assert_eq!((streamed.text(), &streamed.provider), ("fine".into(), &response.provider));
    let mut requests = server.requests();
    let last = requests.pop().unwrap();
    [requests.pop().unwrap(), last]
}

fn request() -> ChatRequest {
    ChatRequest::from(Message::user("What is the weather in Oslo?").named("ann"))
        .system("Be brief.")
        .max_output_tokens(100)
        .tool(Tool::function("weather", "Weather of a city", json!({"type": "object"})))
}

#[test]
fn every_vendor_is_in_these_tables() {
    use tollgate::provider::{Format, Profile};

    let chats = || Profile::all().filter(|profile| profile.format == Some(Format::OpenAiChat));
    for profile in chats() {
        assert!(CHATS.iter().any(|chat| profile.id == chat.name), "{}", profile.id);
    }
    assert_eq!(chats().count(), CHATS.len());
}

#[test]
fn errors_answers_and_metrics_name_the_vendor() {
    let server = loopback();
    let client = vendor_client(&server, "groq");
    server.reply(Reply::text("fine"));
    server.reply(Reply::error(400, "bad", "no"));
    assert_eq!(client.chat("hi").unwrap().provider, "groq");
    let error = client.chat("hi").unwrap_err();
    assert_eq!(error.provider(), Some("groq"));
    assert!(error.to_string().contains("(groq, status 400"), "{error}");
    let metrics = client.metrics();
    assert!(metrics.prometheus().contains("gen_ai_provider_name=\"groq\""));
    let costs = client.costs();
    assert_eq!(costs.by_provider.iter().map(|row| &*row.key).collect::<Vec<_>>(), ["groq"]);
}
