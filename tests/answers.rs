//! Only a finished answer counts as one: refusals and truncated answers are errors.

mod support;

use serde::Deserialize;
use serde_json::json;
use support::{client, loopback};
use tollgate::testing::Reply;
use tollgate::{ChatRequest, ChatResponse, ErrorKind, FinishReason, Tool};

const BOTH: [&str; 2] = ["openai", "anthropic"];

/// The whole answer and the streamed one.
fn answers(provider: &str, reply: &Reply) -> [ChatResponse; 2] {
    let server = loopback();
    let client = client(&server, provider);
    server.reply(reply.clone());
    let whole = client.chat("hi").unwrap();
    server.reply(reply.clone());
    [whole, client.stream("hi").unwrap().finish().unwrap()]
}

#[derive(Debug, PartialEq, Deserialize)]
struct City {
    name: String,
    inhabitants: Option<u64>,
    #[serde(default)]
    rivers: Vec<String>,
}

#[test]
fn a_finished_answer_has_its_text_and_parses_into_a_type() {
    let body = r#"{"name": "Oslo", "inhabitants": null, "rivers": null}"#;
    for provider in BOTH {
        for text in [body.to_owned(), format!("```json\n{body}\n```")] {
            for response in answers(provider, &Reply::text(&text)) {
                assert_eq!(response.complete_text().unwrap(), text);
                let city: City = response.parse().unwrap();
                let oslo = City { name: "Oslo".into(), inhabitants: None, rivers: Vec::new() };
                assert_eq!(city, oslo, "{provider}");
            }
        }
    }
}

#[test]
fn an_unfinished_answer_is_an_error_that_does_not_quote_it() {
    for provider in BOTH {
        let secret = || Reply::text("a secret beginn");
        for (reply, kind) in [
            (secret().finish_reason(FinishReason::Length), ErrorKind::Truncated),
            (Reply::refusal("no secret for you"), ErrorKind::ContentPolicy),
            (Reply::tool_call("f", json!({})), ErrorKind::Protocol),
        ] {
            for response in answers(provider, &reply) {
                for error in
                    [response.complete_text().unwrap_err(), response.parse::<City>().unwrap_err()]
                {
                    assert_eq!(error.kind(), kind, "{provider} {error}");
                    assert!(!error.is_retryable(), "{error}");
                    assert!(!format!("{error} {error:?}").contains("secret"), "{error:?}");
                }
            }
        }
    }
    let filtered = Reply::text("a secret beginn").finish_reason(FinishReason::ContentFilter);
    for response in answers("openai", &filtered) {
        assert_eq!(response.complete_text().unwrap_err().kind(), ErrorKind::ContentPolicy);
        assert_eq!(response.text(), "a secret beginn");
    }
}

#[test]
fn an_answer_that_does_not_fit_the_type_is_an_error_that_does_not_quote_it() {
    for text in ["secret", r#"{"name": "secret"#, r#"{"name": 1, "x": "secret"}"#, "[\"secret\"]"] {
        for response in answers("openai", &Reply::text(text)) {
            let error = response.parse::<City>().unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Protocol);
            assert!(!format!("{error} {error:?}").contains("secret"), "{error:?}");
        }
    }
    for response in answers("openai", &Reply::text("{}")) {
        let error = response.parse::<City>().unwrap_err();
        assert!(error.message().contains("missing field `name`"), "{error}");
    }
}

#[test]
fn arguments_with_nulls_parse_into_a_type_without_options() {
    let arguments = json!({"name": "Oslo", "inhabitants": null, "rivers": null});
    for provider in BOTH {
        for response in answers(provider, &Reply::tool_call("f", arguments.clone())) {
            let city: City = response.tool_calls().next().unwrap().parse().unwrap();
            assert_eq!(city.rivers, Vec::<String>::new());
        }
    }
}

#[test]
fn other_choices_and_log_probabilities_can_be_read() {
    let server = loopback();
    let choice = |index: u64, text: &str| {
        json!({"index": index, "finish_reason": "stop", "logprobs": {"content": [index]},
            "message": {"role": "assistant", "content": text}})
    };
    let body = json!({"id": "x", "object": "chat.completion", "model": "m",
        "choices": [choice(1, "b"), choice(0, "a"), choice(2, "c")]});
    server.reply(Reply::raw(200, "application/json", body.to_string()));
    let tools = [Tool::function("f", "d", json!({})), Tool::function("g", "d", json!({}))];
    let request = ChatRequest::from("hi").n(3).logprobs(2).tools(tools);
    let response = client(&server, "openai").chat(&request).unwrap();
    assert_eq!(response.other_choices(), ["b", "c"]);
    assert_eq!(response.logprobs(), json!({"content": [0]}));
    let requests = server.requests();
    let sent = requests[0].json();
    assert_eq!((&sent["n"], &sent["logprobs"]), (&json!(3), &json!(true)));
    assert_eq!(sent["top_logprobs"], 2);
    assert_eq!(sent["tools"].as_array().unwrap().len(), 2);
}
