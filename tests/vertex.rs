//! Calls of Vertex AI over real sockets: Gemini and Claude with one client.

mod support;

use serde_json::{Value, json};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use support::{KEY, builder, last, loopback, quick_retries, weather};
use tollgate::cost::{CostConfig, Money, Price, Prices};
use tollgate::provider::{Credentials, Unsigned};
use tollgate::testing::{Loopback, Reply};
use tollgate::{
    ApiKey, CancelToken, ChatRequest, Client, ClientBuilder, Document, ErrorKind, FinishReason,
    Image, Message, Part, ProviderConfig, StreamEvent, Tool, ToolResult,
};

const CLAUDE: &str = "claude-sonnet-4-5@20250929";
const TOKEN: &str = "ya29.loopback-token";

/// A client with a token from the program, for a project and a location.
fn with_token(server: &Loopback) -> ClientBuilder {
    // Serves the path.
    server.base_url("vertex");
    let vertex = ProviderConfig::new("vertex")
        .base_url(format!("http://{}", server.address()))
        .credentials(|| Ok(ApiKey::from(TOKEN)))
        .project("p-1")
        .location("us-east5");
    Client::builder()
        .add_provider(vertex)
        .timeout(Duration::from_secs(30))
        .connect_timeout(Duration::from_secs(30))
        .retry(quick_retries(0))
}

#[test]
fn the_model_decides_the_wire_whole_and_streamed() {
    let server = loopback();
    let client = with_token(&server).build().unwrap();
    let google = "/v1/projects/p-1/locations/us-east5/publishers/google/models/gemini-2.5-flash";
    let anthropic =
        format!("/v1/projects/p-1/locations/us-east5/publishers/anthropic/models/{CLAUDE}");
    for (model, whole, streamed) in [
        (
            "vertex/gemini-2.5-flash",
            format!("{google}:generateContent"),
            format!("{google}:streamGenerateContent"),
        ),
        (
            "vertex/publishers/google/models/gemini-2.5-flash",
            format!("{google}:generateContent"),
            format!("{google}:streamGenerateContent"),
        ),
        (
            "vertex/claude-sonnet-4-5@20250929",
            format!("{anthropic}:rawPredict"),
            format!("{anthropic}:streamRawPredict"),
        ),
        (
            "google-vertex/anthropic/claude-sonnet-4-5@20250929",
            format!("{anthropic}:rawPredict"),
            format!("{anthropic}:streamRawPredict"),
        ),
    ] {
        let request = ChatRequest::from("Capital of France?").model(model);
        server.reply(Reply::text("Paris.").usage(9, 5));
        let answer = client.chat(&request).unwrap();
        assert_eq!((answer.text().as_str(), answer.provider.as_str()), ("Paris.", "vertex"));
        assert_eq!((answer.usage.prompt_tokens, answer.usage.completion_tokens), (9, 5));
        assert!(answer.cost.is_some(), "{model} has a price");
        assert_eq!(last(&server).path(), whole);
        server.reply(Reply::text("Paris it is.").usage(9, 5));
        let mut stream = client.stream(&request).unwrap();
        let mut text = String::new();
        for event in stream.by_ref() {
            if let StreamEvent::TextDelta(more) = event.unwrap() {
                text += &more;
            }
        }
        assert_eq!(text, "Paris it is.");
        assert_eq!(stream.finish().unwrap().finish_reason, FinishReason::Stop);
        assert_eq!(last(&server).path(), streamed);
        assert_eq!(last(&server).header("authorization"), Some("Bearer ya29.loopback-token"));
        assert_eq!(last(&server).header("x-goog-api-key"), None);
    }
    let claude =
        server.requests().into_iter().find(|request| request.path().contains("raw")).unwrap();
    let body = claude.json();
    assert_eq!(body["anthropic_version"], "vertex-2023-10-16");
    assert_eq!((body.get("model"), claude.header("anthropic-version")), (None, None));
}

#[test]
fn an_api_key_needs_no_project() {
    let server = loopback();
    server.require_key(KEY);
    let url = format!("http://{}", server.address());
    let client = builder(&server, "vertex").base_url(url).build().unwrap();
    client.chat("hi").unwrap();
    assert_eq!(
        last(&server).path(),
        "/v1/publishers/google/models/gemini-2.5-flash:generateContent"
    );
    assert_eq!(last(&server).header("x-goog-api-key"), Some(KEY));
    assert_eq!(last(&server).header("authorization"), None);
}

#[test]
fn function_calls_go_without_ids_and_results_in_the_order_of_the_calls() {
    let server = loopback();
    let client = with_token(&server).build().unwrap();
    for model in ["vertex/gemini-2.5-flash", "vertex/gemini-3-flash-preview"] {
        let mut request =
            ChatRequest::from("Weather in Oslo and Rome?").tool(weather()).model(model);
        let calls = Reply::tool_call("weather", json!({"city": "Oslo"}))
            .and_tool_call("weather", json!({"city": "Rome"}));
        server.reply(calls);
        let answer = client.chat(&request).unwrap();
        assert_eq!(answer.finish_reason, FinishReason::ToolCalls);
        let ids: Vec<_> = answer.tool_calls().map(|call| call.id.clone()).collect();
        request.messages.push(answer.message);
        request.messages.push(Message::tool_result(ids[1].clone(), "Rome is hot"));
        request.messages.push(Message::tool_result(ids[0].clone(), "Oslo is cold"));
        server.reply(Reply::text("One is hot."));
        client.chat(&request).unwrap();
        let sent = last(&server).json().clone();
        let parts = |turn: usize| sent["contents"][turn]["parts"].as_array().unwrap().clone();
        assert_eq!(parts(1)[0]["functionCall"]["args"]["city"], "Oslo");
        assert_eq!(parts(1)[0]["thoughtSignature"], "bG9vcGJhY2s=");
        let said = |at: usize| parts(2)[at]["functionResponse"]["response"]["output"].clone();
        assert_eq!((said(0), said(1)), (json!("Oslo is cold"), json!("Rome is hot")));
        assert!(!sent.to_string().contains("\"id\""), "{sent}");
    }
}

#[test]
fn googles_tools_and_functions_combine_without_the_gemini_apis_flag() {
    let server = loopback();
    let client = with_token(&server).build().unwrap();
    let request = ChatRequest::from("hi")
        .model("vertex/gemini-3-flash-preview")
        .tool(weather())
        .tool(Tool::Native(json!({"googleSearch": {}})))
        .extra("labels", json!({"team": "search"}))
        .extra("cachedContent", "projects/p-1/locations/us-east5/cachedContents/7");
    client.chat(request).unwrap();
    let body = last(&server).json().clone();
    assert_eq!(body["tools"].as_array().map(Vec::len), Some(2));
    assert_eq!(body.get("toolConfig"), None);
    assert_eq!(body["labels"]["team"], "search");
    assert_eq!(body["cachedContent"], "projects/p-1/locations/us-east5/cachedContents/7");
}

#[test]
fn a_tool_loop_with_claude_returns_its_signed_thinking() {
    let server = loopback();
    let client = with_token(&server).build().unwrap();
    let claude = "vertex/claude-sonnet-4-5@20250929";
    let mut request = ChatRequest::from("Weather in Oslo?").tool(weather()).model(claude);
    server.reply(Reply::tool_call("weather", json!({"city": "Oslo"})).reasoning("hm"));
    let answer = client.stream(&request).unwrap().finish().unwrap();
    let call = answer.tool_calls().next().unwrap().clone();
    request.messages.push(answer.message);
    request.messages.push(Message::tool_result(call.id.clone(), "cold"));
    server.reply(Reply::text("Cold."));
    assert_eq!(client.chat(&request).unwrap().text(), "Cold.");
    let sent = last(&server).json().clone();
    let blocks = &sent["messages"][1]["content"];
    assert_eq!(blocks[0]["signature"], "bG9vcGJhY2s=");
    assert_eq!(blocks[1]["id"], call.id.as_str());
    // Gemini on Vertex does not understand Claude's signature.
    server.reply(Reply::text("Cold."));
    client.chat(request.model("vertex/gemini-2.5-flash")).unwrap();
    let sent = last(&server).json().to_string();
    assert!(!sent.contains("bG9vcGJhY2s=") && sent.contains("functionResponse"), "{sent}");
}

#[test]
fn betas_go_into_the_header_for_claude_alone() {
    let server = loopback();
    let client = with_token(&server).build().unwrap();
    let request = ChatRequest::from("hi").beta("context-management-2025-06-27");
    client.chat(request.clone().model("vertex/claude-opus-5")).unwrap();
    assert_eq!(last(&server).header("anthropic-beta"), Some("context-management-2025-06-27"));
    let error = client.chat(request.model("vertex/gemini-2.5-flash")).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidRequest);
}

#[test]
fn what_vertex_cannot_express_is_refused_before_sending() {
    let server = loopback();
    let client = with_token(&server).build().unwrap();
    let with = |part: Part| Message::user("hi").with(part);
    let nested = ToolResult::new("c", "").with(Image::from_url("https://x/y.png"));
    let call = tollgate::ToolCall::new("c", "weather", "{}");
    for (model, messages, expected) in [
        (
            "gemini-2.5-flash",
            vec![with(Document::from_file_id("files/7").into())],
            "has no files by id",
        ),
        ("gemini-2.5-flash", vec![with(Document::from_url("gs://b/x").into())], "whose media type"),
        ("claude-opus-5", vec![with(Image::from_url("https://x/y.png").into())], "by address"),
        ("claude-opus-5", vec![with(Document::from_file_id("file_7").into())], "no files by id"),
        (
            "claude-opus-5",
            vec![
                Message::user("hi"),
                Message::assistant("").with(call),
                Message::user("").with(nested),
            ],
            "by address",
        ),
        ("publishers/meta/models/llama-4", vec![Message::user("hi")], "is a model of meta"),
    ] {
        let request = ChatRequest::new(messages).model(format!("vertex/{model}"));
        for error in [client.chat(&request).unwrap_err(), client.stream(&request).err().unwrap()] {
            assert_eq!(error.kind(), ErrorKind::InvalidRequest, "{error}");
            assert!(error.message().contains(expected), "{error}");
        }
    }
    let gs = with(Document::from_url("gs://b/x.pdf").into());
    client.chat(ChatRequest::from(gs).model("vertex/gemini-2.5-flash")).unwrap();
    let file = last(&server).json()["contents"][0]["parts"][1]["fileData"].clone();
    assert_eq!(file, json!({"mimeType": "application/pdf", "fileUri": "gs://b/x.pdf"}));
    assert_eq!(server.request_count(), 1);
}

#[test]
fn a_client_without_project_or_credentials_says_what_to_set() {
    let server = loopback();
    let vertex = || ProviderConfig::new("vertex").credentials(|| Ok(ApiKey::from(TOKEN)));
    for (config, expected) in [
        (vertex().project("my project"), "is not a project's id"),
        (vertex().project("p").location("eu/x"), "set \"global\", a region"),
        (ProviderConfig::new("groq").api_key("k").project("p"), "for OpenAI and Vertex AI only"),
        (
            ProviderConfig::new("openai").api_key("k").location("eu"),
            "location is for Vertex AI and Bedrock only",
        ),
        (vertex().organization("o"), "organization is for OpenAI only; vertex has none"),
        (
            ProviderConfig::new("vertex").without_api_key(),
            "the Google Cloud project is unknown; set the environment variable GOOGLE_VERTEX_PROJECT",
        ),
    ] {
        let error = Client::builder().add_provider(config).build().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Configuration);
        assert!(error.message().contains(expected), "{error}");
    }
    // A source of tokens may know the project; this one does not.
    let config = vertex().base_url(format!("http://{}", server.address()));
    let client = Client::builder().add_provider(config).build().unwrap();
    let error = client.chat(ChatRequest::from("hi").model("vertex/gemini-2.5-flash")).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Configuration);
    assert!(error.message().contains("project is unknown"), "{error}");
    assert_eq!(server.request_count(), 0);
}

#[test]
fn googles_refusals_have_their_kinds_on_both_wires() {
    let server = loopback();
    let client = with_token(&server).build().unwrap();
    let status = |code: u16, status: &str, message: &str, reason: &str| {
        let details = match reason {
            "" => json!([]),
            reason => {
                json!([{"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": reason,
                "domain": "googleapis.com"}])
            }
        };
        json!({"error": {"code": code, "message": message, "status": status, "details": details}})
    };
    for (code, body, kind) in [
        (
            403,
            status(
                403,
                "PERMISSION_DENIED",
                "Vertex AI API has not been used in project p-1 before or it is disabled. Enable it by visiting https://console.developers.google.com then retry.",
                "SERVICE_DISABLED",
            ),
            ErrorKind::Permission,
        ),
        (
            403,
            status(
                403,
                "PERMISSION_DENIED",
                "Permission 'aiplatform.endpoints.predict' denied on resource '//aiplatform.googleapis.com/projects/p-1' (or it may not exist).",
                "IAM_PERMISSION_DENIED",
            ),
            ErrorKind::Permission,
        ),
        (
            401,
            status(
                401,
                "UNAUTHENTICATED",
                "Request had invalid authentication credentials. Expected OAuth 2 access token.",
                "ACCESS_TOKEN_TYPE_UNSUPPORTED",
            ),
            ErrorKind::Authentication,
        ),
        (
            404,
            status(
                404,
                "NOT_FOUND",
                "Publisher Model `projects/p-1/locations/us-east5/publishers/google/models/x` was not found or your project does not have access to it.",
                "",
            ),
            ErrorKind::NotFound,
        ),
        (
            429,
            status(429, "RESOURCE_EXHAUSTED", "Resource exhausted. Please try again later.", ""),
            ErrorKind::RateLimited,
        ),
    ] {
        for model in ["vertex/gemini-2.5-flash", "vertex/claude-opus-5"] {
            let request = ChatRequest::from("hi").model(model);
            // Streams' errors come in a list.
            for (stream, body) in [(false, body.clone()), (true, Value::Array(vec![body.clone()]))]
            {
                server.reply(Reply::raw(code, "application/json", body.to_string().into_bytes()));
                let error = match stream {
                    false => client.chat(&request).unwrap_err(),
                    true => client.stream(&request).err().unwrap(),
                };
                assert_eq!(error.kind(), kind, "{error}");
                assert_eq!(error.provider(), Some("vertex"));
            }
        }
    }
}

#[test]
fn a_truncated_stream_is_an_error_on_both_wires() {
    let server = loopback();
    let client = with_token(&server).build().unwrap();
    for model in ["vertex/gemini-2.5-flash", "vertex/claude-opus-5"] {
        let request = ChatRequest::from("hi").model(model);
        for end in 1..3 {
            server.reply(Reply::text("Paris it is, I say.").usage(9, 9).end_after(end));
            let error = match client.stream(&request) {
                Ok(mut stream) => stream.finish().unwrap_err(),
                Err(error) => error,
            };
            assert_eq!(error.kind(), ErrorKind::Truncated, "{model} after {end}: {error}");
        }
    }
}

/// Credentials of the program's own, which count what they are asked.
#[derive(Clone, Default)]
struct Counting {
    tokens: Arc<AtomicU64>,
    rejected: Arc<AtomicU64>,
}

impl Credentials for Counting {
    fn headers(
        &self,
        request: &Unsigned<'_>,
    ) -> Result<Vec<(String, ApiKey)>, Box<dyn std::error::Error + Send + Sync>> {
        assert!(request.url.contains("/projects/p-9/locations/eu/"), "{}", request.url);
        assert!(request.deadline().is_some() && request.cancel_token().is_some());
        assert!(!format!("{request:?}").contains("a secret prompt"));
        self.tokens.fetch_add(1, Ordering::SeqCst);
        Ok(vec![("authorization".to_owned(), ApiKey::from(format!("Bearer {TOKEN}")))])
    }

    fn project(
        &self,
        _request: &Unsigned<'_>,
    ) -> Result<Option<String>, Box<dyn std::error::Error + Send + Sync>> {
        Ok(Some("p-9".to_owned()))
    }

    fn rejected(&self) {
        self.rejected.fetch_add(1, Ordering::SeqCst);
    }
}

#[test]
fn credentials_of_ones_own_tell_the_project_and_hear_of_a_rejection() {
    let server = loopback();
    server.base_url("vertex");
    let (own, cancel) = (Counting::default(), CancelToken::new());
    let client = Client::builder()
        .provider("vertex")
        .model("gemini-2.5-flash")
        .base_url(format!("http://{}", server.address()))
        .location("eu")
        .credentials(own.clone())
        .retry(quick_retries(1))
        .build()
        .unwrap();
    let request = || ChatRequest::from("a secret prompt").cancel_token(&cancel);
    client.chat(request()).unwrap();
    server.reply(Reply::status(403));
    client.chat(request()).unwrap_err();
    assert_eq!(own.rejected.load(Ordering::SeqCst), 0);
    server.reply(Reply::status(401));
    client.chat(request()).unwrap_err();
    assert_eq!(own.rejected.load(Ordering::SeqCst), 1);
    // Each attempt asks.
    server.reply(Reply::status(500));
    client.chat(request()).unwrap();
    assert_eq!(own.tokens.load(Ordering::SeqCst), 5);
}

#[test]
fn a_priority_tier_in_a_header_is_reserved_and_charged() {
    let server = loopback();
    server.base_url("vertex");
    let answer = |traffic: &str| {
        let body = json!({
            "candidates": [{"content": {"parts": [{"text": "hi"}]}, "finishReason": "STOP"}],
            "usageMetadata": {"promptTokenCount": 1_000_000, "totalTokenCount": 1_000_000,
                "trafficType": traffic},
            "modelVersion": "m",
        });
        Reply::raw(200, "application/json", body.to_string().into_bytes())
    };
    let price = Price::per_million(Money::dollars(1), Money::ZERO)
        .service_tier("priority", Price::per_million(Money::dollars(2), Money::ZERO));
    let prices = Prices::builtin().set("google", "m", price);
    let client = Client::builder()
        .provider("vertex")
        .model("m")
        .base_url(format!("http://{}", server.address()))
        .project("p-1")
        .credentials(|| Ok(ApiKey::from(TOKEN)))
        .header("X-Vertex-AI-LLM-Shared-Request-Type", "priority")
        .costs(CostConfig::default().prices(prices))
        .build()
        .unwrap();
    for (traffic, tier, dollars) in
        [("ON_DEMAND_PRIORITY", "priority", 2), ("ON_DEMAND", "standard", 1)]
    {
        server.reply(answer(traffic));
        let answer = client.chat("hi").unwrap();
        assert_eq!(answer.service_tier.as_deref(), Some(tier));
        assert_eq!(answer.cost.unwrap().total, Money::dollars(dollars), "{traffic}");
    }
}
