//! The path, the headers and the members of each vendor's requests.

use serde_json::{Value, json};
use tollgate::{ChatRequest, Client, Tool};

use super::support::{KEY, loopback, vendor_client};
use super::{CHATS, Chat, MAX_COMPLETION, asked, request};

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

#[test]
fn tools_are_sent_with_the_members_that_each_vendor_knows() {
    let server = loopback();
    let unknown = |name: &str| {
        let no_parallel = [
            "cohere-openai",
            "deepinfra",
            "huggingface",
            "moonshot",
            "ollama-openai",
            "ollama-cloud-openai",
            "zai",
        ];
        let no_strict =
            ["deepinfra", "huggingface", "ollama-openai", "ollama-cloud-openai", "together"];
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
