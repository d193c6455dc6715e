//! Tests of encoding messages.

use super::*;
use crate::chat::{CacheTtl, Reasoning, ToolCall, ToolResult};

fn encoded(messages: impl IntoIterator<Item = Message>) -> Value {
    let messages: Vec<_> = messages.into_iter().collect();
    Value::Array(encode(&messages, Target::openai("m")).unwrap())
}

fn provenance(provider: &str) -> Option<Provenance> {
    Some(Provenance::new(provider, Format::OpenAiChat))
}

fn other(provider: &str, value: Value) -> Part {
    Part::Other { provenance: provenance(provider), value }
}

#[test]
fn single_texts_become_strings_and_everything_else_arrays() {
    assert_eq!(
        encoded([
            Message::system("s").named("boss"),
            Message::user("u").named("ann"),
            Message::assistant("a").named("bot"),
            Message::user("one").with("two"),
            Message::system("one").with("two"),
        ]),
        json!([
            {"role": "system", "content": "s", "name": "boss"},
            {"role": "user", "content": "u", "name": "ann"},
            {"role": "assistant", "content": "a", "name": "bot"},
            {"role": "user", "content": [{"type": "text", "text": "one"}, {"type": "text", "text": "two"}]},
            {"role": "system", "content": [{"type": "text", "text": "one"}, {"type": "text", "text": "two"}]},
        ])
    );
}

#[test]
fn media_are_written() {
    assert_eq!(
        encoded([
            Message::user("see")
                .with(Image::from_url("https://x.test/a.png").detail(ImageDetail::Low))
                .with(Image::from_bytes("image/png", b"abc")),
            Message::new(Role::User, [Document::from_file_id("file-1").name("n")]),
            Message::new(
                Role::User,
                [
                    Document::from_bytes("application/pdf", b"abc"),
                    Document::from_bytes("text/csv", b"abc").name("t.csv"),
                ]
            ),
        ]),
        json!([
            {"role": "user", "content": [
                {"type": "text", "text": "see"},
                {"type": "image_url", "image_url": {"url": "https://x.test/a.png", "detail": "low"}},
                {"type": "image_url", "image_url": {"url": "data:image/png;base64,YWJj"}},
            ]},
            {"role": "user", "content": [{"type": "file", "file": {"file_id": "file-1"}}]},
            {"role": "user", "content": [
                {"type": "file", "file": {"filename": "document.pdf", "file_data": "data:application/pdf;base64,YWJj"}},
                {"type": "text", "text": "<document name=\"t.csv\">\nabc\n</document>"},
            ]},
        ])
    );
}

#[test]
fn tool_calls_and_results_are_written() {
    let custom = json!({"id": "c3", "type": "custom", "custom": {"name": "sh", "input": "ls"}});
    assert_eq!(
        encoded([
            Message::new(
                Role::Assistant,
                [
                    Part::Reasoning(Reasoning::new("hm")),
                    ToolCall::new("c1", "f", "{\"a\":1}").into(),
                    ToolCall::new("c2", "g", " ").into(),
                    other("openai", custom.clone()),
                ]
            ),
            Message::tool_result("c1", "one"),
            Message::new(
                Role::Tool,
                [ToolResult::error("c2", "broke"), ToolResult::new("c3", "x").with("y")]
            ),
            Message::new(
                Role::Assistant,
                [Part::text("let me"), ToolCall::new("c4", "f", "{}").into()]
            ),
            Message::user("and now?").with(ToolResult::new("c4", "ok")),
            Message::new(
                Role::User,
                [ToolResult { call_id: "c5".into(), content: vec![], is_error: false }]
            ),
        ]),
        json!([
            {"role": "assistant", "content": null, "tool_calls": [
                {"id": "c1", "type": "function", "function": {"name": "f", "arguments": "{\"a\":1}"}},
                {"id": "c2", "type": "function", "function": {"name": "g", "arguments": "{}"}},
                custom,
            ]},
            {"role": "tool", "tool_call_id": "c1", "content": "one"},
            {"role": "tool", "tool_call_id": "c2", "content": "broke"},
            {"role": "tool", "tool_call_id": "c3", "content": [{"type": "text", "text": "x"}, {"type": "text", "text": "y"}]},
            {"role": "assistant", "content": "let me", "tool_calls": [
                {"id": "c4", "type": "function", "function": {"name": "f", "arguments": "{}"}},
            ]},
            {"role": "tool", "tool_call_id": "c4", "content": "ok"},
            {"role": "user", "content": "and now?"},
            {"role": "tool", "tool_call_id": "c5", "content": ""},
        ])
    );
}

#[test]
fn refusals_go_back_and_foreign_content_is_left_out() {
    let marked =
        json!({"type": "text", "text": "t", "prompt_cache_breakpoint": {"mode": "explicit"}});
    let odd = json!({"type": "text", "odd": 1});
    let spoken = json!({"type": "audio", "audio": {"id": "audio_1", "data": "AAAA"}});
    let audio = json!({"type": "input_audio", "input_audio": {"data": "", "format": "wav"}});
    assert_eq!(
        encoded([
            Message::user("u")
                .with(Part::CachePoint(CacheTtl::Short))
                .with(other("anthropic", json!({"type": "x"}))),
            Message::new(Role::User, [other("openai", audio.clone())]),
            Message::new(Role::User, [other("openai", marked.clone())]),
            Message::new(Role::User, [other("openai", odd.clone())]),
            Message::new(Role::Assistant, [Part::Refusal("no".into())]),
            Message::assistant("half").with(Part::Refusal("no".into())),
            Message::new(Role::Assistant, [other("openai", spoken)]),
            Message::new(Role::Assistant, [Part::Reasoning(Reasoning::new("hm"))]),
        ]),
        json!([
            {"role": "user", "content": "u"},
            {"role": "user", "content": [audio]},
            {"role": "user", "content": [marked]},
            {"role": "user", "content": [odd]},
            {"role": "assistant", "content": [{"type": "refusal", "refusal": "no"}]},
            {"role": "assistant", "content": "half", "refusal": "no"},
            {"role": "assistant", "content": null, "audio": {"id": "audio_1"}},
            {"role": "assistant", "content": ""},
        ])
    );
}

#[test]
fn reasoning_goes_back_only_where_a_server_requires_it() {
    let thought = |provider: &str, field: Option<&str>| Reasoning {
        provenance: provenance(provider),
        field: field.map(str::to_owned),
        ..Reasoning::new("hm")
    };
    let call = || ToolCall::new("c", "f", "{}");
    for (reasoning, called, expected) in [
        (thought("openai", Some("reasoning_content")), true, json!("hm")),
        (thought("openai", Some("reasoning_content")), false, Value::Null),
        (thought("openai", Some("reasoning")), true, Value::Null),
        (thought("openai", None), true, Value::Null),
        (thought("anthropic", Some("reasoning_content")), true, Value::Null),
        (Reasoning::new("old"), true, Value::Null),
    ] {
        let mut message = Message::new(Role::Assistant, [Part::from(reasoning), "a".into()]);
        if called {
            message = message.with(call());
        }
        assert_eq!(encoded([message])[0]["reasoning_content"], expected);
    }
}

#[test]
fn foreign_blocks_beside_tool_results_are_left_out() {
    let message = Message::tool_result("c", "r").with(other("anthropic", json!({"type": "x"})));
    let expected = json!([{"role": "tool", "tool_call_id": "c", "content": "r"}]);
    assert_eq!(encoded([message]), expected);
}

#[test]
fn parts_in_the_wrong_message_are_rejected_with_advice_and_not_quoted() {
    let image = || Image::from_bytes("image/png", b"secret");
    let call = || ToolCall::new("c", "f", "secret");
    let result = || ToolResult::new("c", "secret");
    for (message, expected) in [
        (Message::system("secret").with(image()), "holds an image"),
        (Message::system("secret").with(result()), "with Message::tool_result"),
        (Message::assistant("secret").with(image()), "holds an image"),
        (Message::assistant("secret").with(Document::from_file_id("secret")), "holds a document"),
        (Message::assistant("secret").with(result()), "holds a tool result"),
        (Message::assistant("secret").with(ToolCall::new("", "f", "")), "without an id"),
        (Message::user("secret").with(call()), "holds a tool call"),
        (Message::user("secret").with(Part::Refusal("secret".into())), "holds a refusal"),
        (Message::user("x").with(Document::from_url("https://secret")), "Document::from_bytes"),
        (
            Message::user("x").with(Image::from_source(MediaSource::FileId("secret".into()))),
            "by file id",
        ),
        (Message::new(Role::User, [Part::CachePoint(CacheTtl::Short)]), "has no content"),
        (Message::new(Role::System, Vec::<Part>::new()), "has no content"),
        (Message::new(Role::Tool, ["secret"]), "beside tool results"),
        (Message::new(Role::Tool, Vec::<Part>::new()), "holds no tool result"),
        (Message::tool_result("", "secret"), "without a call id"),
        (Message::new(Role::Tool, [other("openai", json!("secret"))]), "beside tool results"),
        (Message::new(Role::Tool, [result().with(image())]), "more than text"),
    ] {
        let error = encode(&[Message::user("x"), message], Target::openai("m")).unwrap_err();
        assert_eq!(error.kind(), crate::ErrorKind::InvalidRequest);
        assert!(error.message().starts_with("messages[1], a"), "{}", error.message());
        assert!(error.message().contains(expected), "{expected}: {}", error.message());
        for wrong in ["secret", "a assistant"] {
            assert!(!error.message().contains(wrong), "{}", error.message());
        }
    }
}
