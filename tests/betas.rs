//! Anthropic's betas, as clients and requests send them.

mod support;

use support::{builder, last, loopback, quick_retries};
use tollgate::testing::{Reply, Request};
use tollgate::{ChatRequest, Document, ErrorKind, Message, ToolCall, ToolResult};

const FILES: &str = "files-api-2025-04-14";

/// The values of the header in a request.
fn betas(request: &Request) -> Vec<String> {
    let all = request.headers().iter().filter(|(name, _)| name == "anthropic-beta");
    all.map(|(_, value)| value.clone()).collect()
}

fn with_file() -> ChatRequest {
    Message::user("What does it say?").with(Document::from_file_id("file_1")).into()
}

#[test]
fn a_file_by_its_id_is_sent_with_its_beta() {
    let server = loopback();
    let client = builder(&server, "anthropic").build().unwrap();
    client.chat("hi").unwrap();
    assert_eq!(betas(&last(&server)), [""; 0]);
    client.chat(with_file()).unwrap();
    let request = last(&server);
    assert_eq!(betas(&request), [FILES]);
    let source = &request.messages()[0]["content"][1]["source"];
    assert_eq!(source["file_id"], "file_1");
    client.stream(with_file()).unwrap().finish().unwrap();
    assert_eq!(betas(&last(&server)), [FILES]);
    let result = ToolResult::new("t", "see").with(Document::from_file_id("file_1"));
    let call = ToolCall::new("t", "look", "{}");
    let turns =
        [Message::user("hi"), Message::assistant("").with(call), Message::user("").with(result)];
    client.chat(ChatRequest::new(turns)).unwrap();
    assert_eq!(betas(&last(&server)), [FILES]);
    client.chat("hi").unwrap();
    assert_eq!(betas(&last(&server)), [""; 0], "it is that request's alone");
}

#[test]
fn betas_of_the_client_and_of_the_request_go_into_one_header() {
    let server = loopback();
    let client = builder(&server, "anthropic")
        .header("Anthropic-Beta", "context-management-2025-06-27, files-api-2025-04-14")
        .build()
        .unwrap();
    client.chat("hi").unwrap();
    assert_eq!(betas(&last(&server)), ["context-management-2025-06-27, files-api-2025-04-14"]);
    let request = with_file().beta("mcp-client-2025-11-20").beta("context-management-2025-06-27");
    client.chat(request).unwrap();
    let all = format!("context-management-2025-06-27,{FILES},mcp-client-2025-11-20");
    assert_eq!(betas(&last(&server)), [all]);
}

#[test]
fn every_attempt_sends_the_betas() {
    let server = loopback();
    server.reply(Reply::status(500));
    let builder = builder(&server, "anthropic").retry(quick_retries(1));
    let response = builder.build().unwrap().chat(with_file().beta("a-1")).unwrap();
    assert_eq!(response.attempts().len(), 2);
    for request in server.requests() {
        assert_eq!(betas(&request), [format!("a-1,{FILES}")]);
    }
}

#[test]
fn an_invalid_beta_is_refused_before_sending() {
    let server = loopback();
    for (provider, beta, expected) in [
        ("anthropic", "a\r\nx-evil: 1", "cannot be sent"),
        ("anthropic", "", "cannot be sent"),
        ("openai", "a-1", "only Anthropic has betas"),
    ] {
        let client = builder(&server, provider).build().unwrap();
        let error = client.chat(ChatRequest::from("hi").beta(beta)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidRequest);
        assert!(error.message().contains(expected), "{error}");
        assert!(error.message().contains(&format!("{beta:?}")), "{error}");
    }
    assert_eq!(server.request_count(), 0);
    // A gateway in OpenAI's format may pass the header on.
    let client = builder(&server, "openai").header("anthropic-beta", "a-1").build().unwrap();
    client.chat("hi").unwrap();
    assert_eq!(betas(&last(&server)), ["a-1"]);
}

#[test]
fn betas_are_stored_with_the_request() {
    let request = with_file().beta("a-1");
    let stored = serde_json::to_string(&request).unwrap();
    assert_eq!(serde_json::from_str::<ChatRequest>(&stored).unwrap(), request);
    let older = stored.replace(r#","betas":["a-1"]"#, "");
    assert_ne!(older, stored);
    assert_eq!(serde_json::from_str::<ChatRequest>(&older).unwrap(), with_file());
}
