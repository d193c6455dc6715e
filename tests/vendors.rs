//! What is sent to each vendor: the path, the headers, and the members that differ.

mod support;

use serde_json::{Value, json};
use support::{KEY, loopback, vendor_client};
use tollgate::testing::{Loopback, Reply, Request};
use tollgate::{
    ChatRequest, Client, Document, Image, Message, Part, ReasoningEffort, ResponseFormat, Tool,
};

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
const CHATS: [Chat; 48] = [
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
    chat("ollama-cloud", "/v1"),
    chat("openrouter", "/api/v1"),
    chat("ovhcloud", "/v1"),
    chat("poe", "/v1"),
    chat("requesty", "/v1"),
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
    chat("ollama", "/v1"),
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
fn each_chat_completions_vendor_gets_its_own_path_headers_and_members() {
    let server = loopback();
    for vendor in CHATS {
        let Chat { name, path, limit, stream_options, seed, names } = vendor;
        let client = vendor_client(&server, name);
        for (request, streamed) in asked(&server, &client, &request()).iter().zip([false, true]) {
            assert_eq!(request.path(), format!("{path}/chat/completions"), "{name}");
            let (header, value) = match name {
                "azure" | "azure-deployments" => ("api-key", KEY.to_owned()),
                _ => ("authorization", format!("Bearer {KEY}")),
            };
            assert_eq!(request.header(header), Some(&*value), "{name}");
            let body = request.json();
            assert_eq!(body["model"], "some-model", "{name}");
            assert_eq!(body[limit], 100, "{name}");
            let other = if limit == MAX_COMPLETION { "max_tokens" } else { MAX_COMPLETION };
            assert_eq!(body.get(other), None, "{name}");
            assert_eq!(body["messages"][0]["role"], "system", "{name}");
            let named = body["messages"][1].get("name").and_then(Value::as_str);
            assert_eq!(named, names.then_some("ann"), "{name}");
            assert_eq!(body["tools"][0]["function"]["name"], "weather", "{name}");
            let options = (streamed && stream_options).then(|| json!({"include_usage": true}));
            assert_eq!(body.get("stream_options"), options.as_ref(), "{name}");
            assert_eq!(body.get("stream"), streamed.then_some(&json!(true)), "{name}");
        }
        let seeded = request().seed(7);
        match seed {
            Some(member) => {
                for request in asked(&server, &client, &seeded) {
                    assert_eq!(request.json()[member], 7, "{name}");
                }
            }
            None => {
                let error = client.chat(&seeded).unwrap_err();
                assert!(error.message().contains("does not support"), "{name}: {error}");
            }
        }
    }
}

/// The members that ask a vendor for little reasoning and for none; `None` if such a request is
/// refused.
fn reasoning(name: &str) -> Option<[Value; 2]> {
    let kind =
        |on: &str| [json!({"thinking": {"type": on}}), json!({"thinking": {"type": "disabled"}})];
    let switch = |on: bool| json!({"enable_thinking": on});
    let template = |on: bool| json!({"chat_template_kwargs": switch(on)});
    let effort = |word: &str| json!({"reasoning_effort": word});
    let both = |word: &str, on: bool| json!({"reasoning_effort": word, "chat_template_kwargs": switch(on)});
    Some(match name {
        "openrouter" | "vercel-ai-gateway" => {
            ["low", "none"].map(|word| json!({"reasoning": {"effort": word}}))
        }
        "alibaba" | "novita" | "siliconflow" => [switch(true), switch(false)],
        "wandb" => [template(true), template(false)],
        "vllm" | "sglang" | "llamacpp" => [both("low", true), both("none", false)],
        "zai" | "xiaomi" => kind("enabled"),
        "minimax" => kind("adaptive"),
        "deepseek" | "moonshot" => [
            json!({"thinking": {"type": "enabled"}, "reasoning_effort": "low"}),
            json!({"thinking": {"type": "disabled"}}),
        ],
        "poe" => return None,
        _ => [effort("low"), effort("none")],
    })
}

#[test]
fn each_chat_completions_vendor_gets_its_own_reasoning_members() {
    let server = loopback();
    let members =
        ["reasoning_effort", "reasoning", "enable_thinking", "chat_template_kwargs", "thinking"];
    for Chat { name, .. } in CHATS {
        let client = vendor_client(&server, name);
        for (at, effort) in [ReasoningEffort::Low, ReasoningEffort::None].into_iter().enumerate() {
            let request = ChatRequest::from("hi").reasoning_effort(effort);
            let Some(expected) = reasoning(name) else {
                let error = client.chat(&request).unwrap_err();
                assert!(error.message().contains("has no control of reasoning"), "{name}: {error}");
                continue;
            };
            for request in asked(&server, &client, &request) {
                let mut body = request.json().as_object().unwrap().clone();
                body.retain(|member, _| members.contains(&member.as_str()));
                assert_eq!(Value::Object(body), expected[at], "{name}");
            }
        }
    }
}

#[test]
fn each_messages_vendor_gets_its_own_reasoning_members() {
    let server = loopback();
    let budget = json!({"type": "enabled", "budget_tokens": 1024});
    for (name, thinking, effort) in [
        ("anthropic", budget.clone(), Value::Null),
        ("zai-anthropic", budget, Value::Null),
        ("deepseek-anthropic", json!({"type": "enabled"}), json!("low")),
        ("moonshot-anthropic", json!({"type": "enabled"}), json!("low")),
        ("minimax-anthropic", json!({"type": "adaptive"}), Value::Null),
    ] {
        let client = vendor_client(&server, name);
        let request = ChatRequest::from("hi").reasoning_effort(ReasoningEffort::Low);
        for request in asked(&server, &client, &request) {
            assert_eq!(request.json()["thinking"], thinking, "{name}");
            assert_eq!(request.json()["output_config"]["effort"], effort, "{name}");
        }
        let request = request.reasoning_effort(ReasoningEffort::None);
        for request in asked(&server, &client, &request) {
            assert_eq!(request.json()["thinking"], json!({"type": "disabled"}), "{name}");
            assert_eq!(request.json().get("output_config"), None, "{name}");
        }
    }
}

#[test]
fn tools_are_sent_with_the_members_that_each_vendor_knows() {
    let server = loopback();
    let unknown = |name: &str| {
        let no_parallel = [
            "cohere-openai",
            "deepinfra",
            "huggingface",
            "moonshot",
            "ollama",
            "ollama-cloud",
            "zai",
        ];
        let no_strict = ["deepinfra", "huggingface", "ollama", "ollama-cloud", "together"];
        (no_parallel.contains(&name), no_strict.contains(&name))
    };
    for Chat { name, .. } in CHATS {
        let client = vendor_client(&server, name);
        let (no_parallel, no_strict) = unknown(name);
        let mut tool = Tool::function("weather", "Weather of a city", json!({"type": "object"}));
        if let Tool::Function(function) = &mut tool {
            function.strict = Some(true);
        }
        let request = ChatRequest::from("hi").tool(tool).parallel_tool_calls(true);
        for request in asked(&server, &client, &request) {
            let body = request.json();
            let strict = body["tools"][0]["function"].get("strict");
            assert_eq!(strict, (!no_strict).then_some(&json!(true)), "{name}");
            let parallel = body.get("parallel_tool_calls");
            assert_eq!(parallel, (!no_parallel).then_some(&json!(true)), "{name}");
        }
        let request = request.parallel_tool_calls(false);
        if no_parallel {
            let error = client.chat(&request).unwrap_err();
            assert!(error.message().contains("forbids parallel tool calls"), "{name}: {error}");
        } else {
            for request in asked(&server, &client, &request) {
                assert_eq!(request.json()["parallel_tool_calls"], false, "{name}");
            }
        }
    }
}

#[test]
fn what_a_vendor_does_not_support_is_refused_before_sending() {
    let server = loopback();
    let schema = || {
        ChatRequest::from("hi")
            .response_format(ResponseFormat::json_schema("s", json!({"type": "object"})))
    };
    let object = || ChatRequest::from("hi").response_format(ResponseFormat::JsonObject);
    let with = |part: Part| ChatRequest::from(Message::user("hi").with(part));
    let by_url = || with(Image::from_url("https://x.example/y.png").into());
    let by_bytes = || with(Image::from_bytes("image/png", b"x").into());
    let file = || with(Document::from_bytes("application/pdf", b"%PDF-1.4 x").into());
    for Chat { name, .. } in CHATS {
        let client = vendor_client(&server, name);
        let json_only = ["deepseek", "siliconflow", "xiaomi", "zai"].contains(&name);
        let bytes_only = ["ollama", "ollama-cloud", "xiaomi"].contains(&name);
        let no_images = name == "inception";
        let no_files = ["ollama", "ollama-cloud"].contains(&name);
        for (request, refused, expected) in [
            (schema(), json_only, "cannot enforce a JSON Schema"),
            (object(), name == "lmstudio", "no JSON mode without a schema"),
            (by_url(), bytes_only || no_images, "holds an image"),
            (by_bytes(), no_images, "holds an image"),
            (file(), no_files, "holds a file"),
        ] {
            if refused {
                let error = client.chat(&request).unwrap_err();
                assert_eq!(error.kind(), tollgate::ErrorKind::InvalidRequest, "{name}");
                assert!(error.message().contains(expected), "{name}: {error}");
            } else {
                asked(&server, &client, &request);
            }
        }
    }
}

#[test]
fn reasoning_goes_back_in_the_member_it_came_in_if_the_vendor_accepts_it() {
    let server = loopback();
    for (name, came_in, expected) in [
        ("deepseek", "reasoning_content", json!({"reasoning_content": "hm"})),
        // Messages of another provider or the caller get a blank.
        ("deepseek", "none", json!({"reasoning_content": " "})),
        ("moonshot", "none", json!({"reasoning_content": " "})),
        ("moonshot", "reasoning_content", json!({"reasoning_content": "hm"})),
        ("openai", "reasoning_content", json!({"reasoning_content": "hm"})),
        ("groq", "reasoning", json!({})),
        ("mistral", "reasoning_content", json!({})),
        ("cerebras", "reasoning", json!({"reasoning": "hm"})),
        ("openrouter", "reasoning", json!({"reasoning": "hm"})),
        ("vllm", "reasoning", json!({"reasoning": "hm"})),
        ("ollama", "reasoning", json!({"reasoning": "hm"})),
    ] {
        let client = vendor_client(&server, name);
        let mut message = json!({"role": "assistant", "content": "", "tool_calls": [
            {"id": "call_1", "type": "function", "function": {"name": "f", "arguments": "{}"}}]});
        if came_in != "none" {
            message[came_in] = json!("hm");
        }
        let body =
            json!({"choices": [{"index": 0, "message": message, "finish_reason": "tool_calls"}]});
        server.reply(Reply::raw(200, "application/json", body.to_string().into_bytes()));
        let answer = client.chat("go").unwrap().message;
        let request =
            ChatRequest::new([Message::user("go"), answer, Message::tool_result("call_1", "x")]);
        for request in asked(&server, &client, &request) {
            let mut sent = request.json()["messages"][1].as_object().unwrap().clone();
            sent.retain(|member, _| member.starts_with("reasoning"));
            assert_eq!(Value::Object(sent), expected, "{name} {came_in}");
        }
    }
}

#[test]
fn every_vendor_is_in_these_tables() {
    use tollgate::provider::{Format, Profile};

    for profile in Profile::all().filter(|profile| profile.format == Format::OpenAiChat) {
        assert!(CHATS.iter().any(|chat| profile.id == chat.name), "{}", profile.id);
    }
    // Those of Anthropic's format, and Gemini.
    assert_eq!(Profile::all().count(), CHATS.len() + 5 + 1);
}

#[test]
fn each_messages_vendor_gets_its_own_path_headers_and_members() {
    let server = loopback();
    for (name, path, header, prefix) in [
        ("anthropic", "", "x-api-key", ""),
        ("deepseek-anthropic", "/anthropic", "x-api-key", ""),
        ("minimax-anthropic", "/anthropic", "x-api-key", ""),
        ("moonshot-anthropic", "/anthropic", "authorization", "Bearer "),
        ("zai-anthropic", "/api/anthropic", "x-api-key", ""),
    ] {
        let client = vendor_client(&server, name);
        let request = ChatRequest::from("hi").system("Be brief.").max_output_tokens(100);
        for request in asked(&server, &client, &request) {
            assert_eq!(request.path(), format!("{path}/v1/messages"), "{name}");
            assert_eq!(request.header(header), Some(&*format!("{prefix}{KEY}")), "{name}");
            assert_eq!(request.header("anthropic-version"), Some("2023-06-01"), "{name}");
            assert_eq!(request.json()["max_tokens"], 100, "{name}");
            assert_eq!(request.json()["system"], "Be brief.", "{name}");
        }
    }
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

#[test]
fn a_custom_vendor_is_a_profile() {
    use tollgate::provider::{Auth, Dialect, Format, OutputLimit, Profile};

    let server = loopback();
    let mut dialect = Dialect::default();
    dialect.output_limit = OutputLimit::MaxCompletionTokens;
    server.serve_below("/gateway");
    let url = format!("http://{}/gateway", server.address());
    let profile = Profile::new("acme", Format::OpenAiChat, url)
        .auth(Auth::header("x-acme-key"))
        .header("x-acme-team", "search")
        .dialect(dialect);
    // The same from a file.
    let stored = serde_json::to_string(&profile).unwrap();
    for profile in [profile, serde_json::from_str(&stored).unwrap()] {
        let client =
            Client::builder().profile(profile).model("acme-7b").api_key(KEY).build().unwrap();
        for request in asked(&server, &client, &ChatRequest::from("hi").max_output_tokens(9)) {
            assert_eq!(request.path(), "/gateway/chat/completions");
            assert_eq!(request.header("x-acme-key"), Some(KEY));
            assert_eq!(request.header("x-acme-team"), Some("search"));
            assert_eq!(request.json()[MAX_COMPLETION], 9);
        }
    }
}

#[test]
fn a_mistake_in_a_stored_profile_is_reported_with_line_and_column() {
    use tollgate::provider::Profile;

    for (text, expected) in [
        ("{\n  \"id\": \"a\",\n  \"format\": \"openai\"\n}", "unknown variant `openai`, expected"),
        ("{\"id\": \"a\", \"format\": \"openai_chat\"}", "missing field `base_url`"),
        (
            "{\"id\": \"a\", \"format\": \"openai_chat\", \"base_url\": \"https://a.b\",\n \
             \"dialect\": {\"output_limits\": \"max_tokens\"}}",
            "unknown field `output_limits`, expected",
        ),
    ] {
        let error = Profile::from_json(text).unwrap_err();
        assert!(error.message().contains(expected), "{error}");
        assert!(error.message().contains("line "), "{error}");
    }
}

#[test]
fn a_request_can_leave_a_member_out() {
    let server = loopback();
    let client = vendor_client(&server, "openai");
    let request = request().seed(7).omit("stream_options").omit("seed").omit("no_such_member");
    for request in asked(&server, &client, &request) {
        let body = request.json().as_object().unwrap().clone();
        assert!(!body.contains_key("stream_options") && !body.contains_key("seed"), "{body:?}");
        assert!(body.contains_key("max_tokens") && body.contains_key("tools"));
    }
    for needed in ["model", "messages", "stream"] {
        let error = client.chat(ChatRequest::from("hi").omit(needed)).unwrap_err();
        assert!(error.message().contains("every request needs"), "{error}");
    }
}

#[test]
fn an_omitted_output_limit_is_not_added_back_for_a_budget() {
    use tollgate::{Budget, Money};

    let server = loopback();
    server.reply(Reply::text("fine"));
    let client = Client::builder()
        .provider("openai")
        .model("gpt-4o-mini")
        .api_key(KEY)
        .base_url(server.base_url("openai"))
        .budget(Budget::daily(Money::dollars(5)))
        .build()
        .unwrap();
    client.chat(ChatRequest::from("hi").omit("max_tokens")).unwrap();
    let sent = server.requests().pop().unwrap();
    assert_eq!(sent.json().get("max_tokens"), None);
}

#[test]
fn gemini_gets_its_own_path_headers_and_members() {
    let server = loopback();
    // The last is a model that has a collection of its own.
    for (name, model, path) in [
        ("gemini", "gemini-3.5-flash", "/v1beta/models/gemini-3.5-flash"),
        ("google", "models/gemini-3.5-flash", "/v1beta/models/gemini-3.5-flash"),
        ("gemini", "tunedModels/mine", "/v1beta/tunedModels/mine"),
    ] {
        let client = Client::builder()
            .provider(name)
            .model(model)
            .api_key(KEY)
            .base_url(server.base_url(name))
            .build()
            .unwrap();
        let request = ChatRequest::from("hi").max_output_tokens(9).seed(7).temperature(0.5);
        for request in asked(&server, &client, &request) {
            let method =
                if request.query().is_some() { "streamGenerateContent" } else { "generateContent" };
            assert_eq!(request.path(), format!("{path}:{method}"), "{name}");
            assert_eq!(request.header("x-goog-api-key"), Some(KEY));
            assert_eq!(request.header("authorization"), None);
            let config = json!({"temperature": 0.5, "maxOutputTokens": 9, "seed": 7});
            assert_eq!(request.json()["generationConfig"], config);
        }
    }
}
