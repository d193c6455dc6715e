//! Requests are built from what a program has: files, tools, schemas, cache points.

mod support;

use serde_json::json;
use std::fs;
use support::{builder, client, loopback};
use tollgate::chat::{CacheTtl, JsonSchema};
use tollgate::testing::Reply;
use tollgate::{ChatRequest, Document, ErrorKind, Image, Message, Part, Tool};

#[test]
fn the_content_of_a_file_decides_its_media_type() {
    let folder = std::env::temp_dir().join(format!("tollgate-builders-{}", std::process::id()));
    fs::create_dir_all(&folder).unwrap();
    let file = |name: &str, content: &[u8]| {
        let path = folder.join(name);
        fs::write(&path, content).unwrap();
        path
    };
    let jpeg = file("photo.png", b"\xff\xd8\xff\xe0\0\x10JFIF\0");
    let image = Image::from_path(&jpeg).unwrap();
    assert_eq!(image, Image::from_bytes("image/jpeg", b"\xff\xd8\xff\xe0\0\x10JFIF\0"));
    let pdf = Document::from_path(file("report.txt", b"%PDF-1.4")).unwrap();
    assert_eq!(pdf, Document::from_bytes("application/pdf", b"%PDF-1.4").name("report.txt"));
    let text = Document::from_path(file("notes.md", "# ü".as_bytes())).unwrap();
    assert_eq!(text, Document::from_bytes("text/plain", "# ü".as_bytes()).name("notes.md"));
    for (problem, expected) in [
        (Image::from_path(file("a.png", b"secret")).err(), "convert it to PNG"),
        (Image::from_path(file("b.png", b"%PDF-1.4")).err(), "Document::from_path"),
        (Document::from_path(&jpeg).err(), "Image::from_path"),
        (Document::from_path(file("c.txt", b"secret\xff")).err(), "not PDF or text"),
        (Image::from_path(folder.join("none.png")).err(), "cannot read"),
    ] {
        let problem = problem.unwrap();
        assert_eq!(problem.kind(), ErrorKind::InvalidRequest);
        assert!(problem.message().contains(expected), "{problem}");
        assert!(!problem.message().contains("secret"), "{problem}");
    }
    fs::remove_dir_all(folder).unwrap();
}

#[test]
fn strictness_and_descriptions_are_set_in_place() {
    let server = loopback();
    let schema = json!({"type": "object", "properties": {"a": {"type": "string"}}});
    let request = ChatRequest::from("hi")
        .tool(Tool::function("f", "d", schema.clone()).strict(true).description("better"))
        .response_format(JsonSchema::new("s", schema.clone()).description("An s").strict(false));
    client(&server, "openai").chat(&request).unwrap();
    let client = client(&server, "openai");
    client.chat(ChatRequest::from("hi").json_schema("s", schema.clone())).unwrap();
    let requests = server.requests();
    let body = requests[0].json();
    assert_eq!(body["tools"][0]["function"]["strict"], true);
    assert_eq!(body["tools"][0]["function"]["description"], "better");
    let format = json!({"name": "s", "description": "An s", "schema": schema, "strict": false});
    assert_eq!(body["response_format"]["json_schema"], format);
    assert_eq!(requests[1].json()["response_format"]["json_schema"]["strict"], true);
}

#[test]
fn cache_points_go_through_gateways_that_take_them() {
    let conversation = [
        Message::system("s").with(Part::CachePoint(CacheTtl::OneHour)),
        Message::user("a").with(Part::CachePoint(CacheTtl::Short)).with("b"),
    ];
    let short = json!({"type": "ephemeral"});
    let hour = json!({"type": "ephemeral", "ttl": "1h"});
    for (provider, taken) in [("openrouter", true), ("litellm", true), ("openai", false)] {
        let server = loopback();
        client(&server, provider).chat(ChatRequest::new(conversation.clone())).unwrap();
        let requests = server.requests();
        let body = requests[0].json();
        for (place, control) in [
            ("/messages/0/content/0/cache_control", &hour),
            ("/messages/1/content/0/cache_control", &short),
        ] {
            assert_eq!(body.pointer(place), taken.then_some(control), "{provider} {place}");
        }
        assert_eq!(body.pointer("/messages/1/content/1/cache_control"), None);
    }
}

#[test]
fn the_model_learns_that_a_tool_failed() {
    let server = loopback();
    let call = tollgate::ToolCall::new("c1", "f", "{}");
    let request = ChatRequest::from("hi")
        .message(Message::assistant("").with(call))
        .message(Message::tool_error("c1", "no such city"));
    client(&server, "anthropic").chat(&request).unwrap();
    let requests = server.requests();
    let result = &requests[0].json()["messages"][2]["content"][0];
    assert_eq!((&result["is_error"], &result["content"]), (&json!(true), &json!("no such city")));
}

#[test]
fn the_client_sets_the_number_of_retries() {
    let server = loopback();
    server.reply(Reply::error(500, "server_error", "no"));
    let client = builder(&server, "openai").max_retries(0).build().unwrap();
    assert_eq!(client.chat("hi").unwrap_err().attempts().len(), 1);
}
