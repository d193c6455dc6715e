//! What a provider is known to refuse is corrected, or refused before it is sent.

mod support;

use serde_json::json;
use support::{client, loopback};
use tollgate::chat::CacheTtl;
use tollgate::{
    ChatRequest, Document, ErrorKind, Image, Message, Part, Role, Tool, ToolCall, ToolResult,
};

fn hi(part: impl Into<Part>) -> ChatRequest {
    ChatRequest::from(Message::user("secret").with(part))
}

fn tool(parameters: serde_json::Value) -> ChatRequest {
    ChatRequest::from("secret").tool(Tool::function("f", "d", parameters))
}

#[test]
fn what_cannot_be_corrected_is_refused_before_sending_with_the_remedy() {
    let points = || (0..5).map(|_| Message::user("a").with(Part::CachePoint(CacheTtl::Short)));
    let call = || Message::new(Role::Assistant, [ToolCall::new("c1", "f", "{}")]);
    for (providers, request, remedy) in [
        (&["openai", "anthropic"][..], hi(Image::from_url("/tmp/street.png")), "Image::from_path"),
        (&["openai", "anthropic"], hi(Image::from_url("street.png")), "Image::from_path"),
        (&["openai", "anthropic"], hi(Image::from_bytes("movie", b"x")), "image/png"),
        (&["openai", "anthropic"], tool(json!({"type": "string"})), "must be an object"),
        (&["openai", "anthropic"], tool(json!("x")), "not a JSON Schema"),
        (&["openai", "anthropic"], tool(json!({"oneOf": []})), "at the top"),
        (
            &["openai", "anthropic"],
            hi(Document::from_bytes("application/msword", b"x")),
            "only PDF and text",
        ),
        (
            &["openai", "anthropic"],
            ChatRequest::new([Message::user("a"), Message::tool_result("c1", "x")]),
            "no such call",
        ),
        (
            &["openai", "anthropic"],
            ChatRequest::new([Message::user("a"), call(), Message::user("b")]),
            "Message::tool_result",
        ),
        (&["anthropic"], ChatRequest::new(points()), "has 5 cache points"),
        (&["anthropic"], ChatRequest::from("a").stop("\n"), "remove it"),
        (&["anthropic"], hi(Image::from_bytes("image/tiff", b"x")), "convert it"),
    ] {
        for provider in providers {
            let server = loopback();
            let error = client(&server, provider).chat(&request).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidRequest, "{provider} {error}");
            assert!(error.message().contains(remedy), "{provider} {remedy}: {error}");
            assert!(!error.message().contains("secret"), "{error}");
            assert!(!error.is_retryable());
            assert_eq!(server.connections().opened, 0);
        }
    }
}

#[test]
fn what_is_clear_is_corrected() {
    let result = ToolResult::new("c1", "x");
    let late = ChatRequest::new([
        Message::user("a"),
        Message::new(Role::Assistant, [ToolCall::new("c1", "f", "{}")]),
        Message::user("meanwhile"),
        Message::new(Role::Tool, [result]),
    ]);
    let empty = json!({"type": "object", "properties": {}});
    let url = |media_type: &str| json!(format!("data:{media_type};base64,eA=="));
    for (provider, request, place, expected) in [
        (
            "openai",
            hi(Image::from_bytes("image/jpg", b"x")),
            "/messages/0/content/1/image_url/url",
            url("image/jpeg"),
        ),
        (
            "openai",
            hi(Image::from_bytes("png", b"x")),
            "/messages/0/content/1/image_url/url",
            url("image/png"),
        ),
        (
            "anthropic",
            hi(Image::from_bytes("image/jpg", b"x")),
            "/messages/0/content/1/source/media_type",
            json!("image/jpeg"),
        ),
        (
            "anthropic",
            hi(Image::from_bytes("PNG", b"x")),
            "/messages/0/content/1/source/media_type",
            json!("image/png"),
        ),
        (
            "openai",
            hi(Document::from_bytes("text/markdown", b"x")),
            "/messages/0/content/1",
            json!({"type": "text", "text": "<document>\nx\n</document>"}),
        ),
        (
            "openai",
            hi(Document::from_bytes("pdf", b"x")),
            "/messages/0/content/1/file/file_data",
            url("application/pdf"),
        ),
        ("openai", tool(json!({"type": "object"})), "/tools/0/function/parameters", empty.clone()),
        ("openai", tool(json!({})), "/tools/0/function/parameters", empty.clone()),
        ("openai", tool(json!(null)), "/tools/0/function/parameters", empty.clone()),
        ("anthropic", tool(json!(null)), "/tools/0/input_schema", empty),
        ("openai", late, "/messages/2/role", json!("tool")),
    ] {
        let server = loopback();
        client(&server, provider).chat(&request).unwrap();
        let requests = server.requests();
        assert_eq!(requests[0].json().pointer(place), Some(&expected), "{provider} {place}");
    }
}
