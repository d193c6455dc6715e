//! Tests of encoding conversations.

use serde_json::json;

use super::super::message::LONGEST_ID;
use super::*;
use crate::chat::{
    Audio, CacheTtl, Document, Format, Image, MediaSource, Message, Opaque, Provenance, Reasoning,
    Text, ToolCall, ToolResult,
};

fn written(request: &ChatRequest) -> Result<(Value, Value), Error> {
    let input = encode(request, Target::openai("gpt-5"))?;
    Ok((input.instructions.map(Value::from).unwrap_or_default(), input.items.into()))
}

fn items(messages: impl IntoIterator<Item = Message>) -> Value {
    written(&ChatRequest::new(messages)).unwrap().1
}

fn own() -> Option<Provenance> {
    Some(Provenance::new("openai", Format::OpenAiResponses))
}

fn opaque(members: Value) -> Option<Box<Opaque>> {
    let Value::Object(members) = members else { panic!() };
    Some(Opaque::new(own().unwrap(), members).into())
}

fn thought(encrypted: Option<&str>) -> Reasoning {
    Reasoning {
        id: Some("rs_1".into()),
        encrypted: encrypted.map(str::to_owned),
        provenance: own(),
        field: Some("summary".into()),
        ..Reasoning::new("hm")
    }
}

#[test]
fn the_first_system_message_is_the_instructions_and_others_are_messages() {
    let messages = [
        Message::system("a"),
        Message::user("hi"),
        Message::assistant("yes"),
        Message::system("b"),
        Message::user("go"),
    ];
    let request = ChatRequest::new(messages);
    let rest = json!([
        {"role": "user", "content": "hi"},
        {"type": "message", "role": "assistant", "content": "yes"},
        {"role": "developer", "content": "b"},
        {"role": "user", "content": "go"},
    ]);
    assert_eq!(written(&request).unwrap(), (json!("a"), rest.clone()));
    // With instructions in extra, the system message stays a message.
    let (instructions, items) = written(&request.extra("instructions", "c")).unwrap();
    assert_eq!(instructions, Value::Null);
    assert_eq!(items[0], json!({"role": "developer", "content": "a"}));
    assert_eq!(items.as_array().unwrap()[1..], rest.as_array().unwrap()[..]);
}

#[test]
fn content_parts_are_written() {
    let message = Message::user("look")
        .with(Image::from_url("https://x/y.png"))
        .with(Image::from_bytes("image/png", b"foo").detail(crate::chat::ImageDetail::Low))
        .with(Image::from_source(MediaSource::FileId("file_1".into())))
        .with(Document::from_bytes("application/pdf", b"%PDF-").name("a.pdf"))
        .with(Document::from_url("https://x/y.pdf"))
        .with(Document::from_file_id("file_2"))
        .with(Document::from_bytes("text/plain", b"words"))
        .with(Part::CachePoint(CacheTtl::Short))
        .with(Part::native(Format::OpenAiResponses, json!({"type": "input_audio", "n": 1})))
        .with(Part::native(Format::OpenAiChat, json!({"type": "input_audio"})));
    assert_eq!(
        items([message]),
        json!([{"role": "user", "content": [
            {"type": "input_text", "text": "look"},
            {"type": "input_image", "image_url": "https://x/y.png", "detail": "auto"},
            {"type": "input_image", "image_url": "data:image/png;base64,Zm9v", "detail": "low"},
            {"type": "input_image", "file_id": "file_1", "detail": "auto"},
            {"type": "input_file", "filename": "a.pdf",
                "file_data": "data:application/pdf;base64,JVBERi0="},
            {"type": "input_file", "file_url": "https://x/y.pdf"},
            {"type": "input_file", "file_id": "file_2"},
            {"type": "input_text", "text": "<document>\nwords\n</document>"},
            {"type": "input_audio", "n": 1},
        ]}])
    );
}

#[test]
fn an_answer_goes_back_unchanged_to_its_sender_only() {
    let text = Text {
        citations: vec![json!({"type": "url_citation"})],
        opaque: opaque(json!({"id": "msg_1", "status": "completed", "phase": "commentary"})),
        ..Text::from("I look.")
    };
    let mut call = ToolCall::new("call_1", "f", "{\"a\":1}");
    call.opaque = opaque(json!({"id": "fc_1", "status": "completed"}));
    let search = json!({"type": "web_search_call", "id": "ws_1", "status": "completed"});
    let image = Image {
        opaque: opaque(
            json!({"item": {"id": "ig_1", "type": "image_generation_call", "result": null}}),
        ),
        ..Image::from_bytes("image/png", b"foo")
    };
    let message = Message::new(Role::Assistant, [Part::Reasoning(thought(Some("E")))])
        .with(Part::Other { provenance: own(), value: search.clone() })
        .with(text)
        .with(image)
        .with(call);
    let conversation = [Message::user("go"), message, Message::tool_result("call_1", "done")];
    assert_eq!(
        items(conversation.clone()),
        json!([
            {"role": "user", "content": "go"},
            {"type": "reasoning", "id": "rs_1", "encrypted_content": "E",
                "summary": [{"type": "summary_text", "text": "hm"}]},
            search,
            {"type": "message", "role": "assistant", "id": "msg_1", "status": "completed",
                "phase": "commentary", "content": [{"type": "output_text", "text": "I look.",
                    "annotations": [{"type": "url_citation"}]}]},
            {"id": "ig_1", "type": "image_generation_call", "result": "Zm9v"},
            {"type": "function_call", "call_id": "call_1", "name": "f", "arguments": "{\"a\":1}",
                "id": "fc_1", "status": "completed"},
            {"type": "function_call_output", "call_id": "call_1", "output": "done"},
        ])
    );
    let xai = Target { provider: &crate::Provider::new("xai"), ..Target::openai("grok-4") };
    let sent = encode(&ChatRequest::new(conversation), xai).unwrap().items;
    assert_eq!(
        Value::Array(sent),
        json!([
            {"role": "user", "content": "go"},
            {"type": "message", "role": "assistant", "content": "I look."},
            {"type": "function_call", "call_id": "call_1", "name": "f", "arguments": "{\"a\":1}"},
            {"type": "function_call_output", "call_id": "call_1", "output": "done"},
        ])
    );
}

#[test]
fn reasoning_that_the_server_cannot_read_is_dropped_with_the_ids_after_it() {
    let conversation = |reasoning: Reasoning| {
        let mut call = ToolCall::new("call_1", "f", "{}");
        call.opaque = opaque(json!({"id": "fc_1"}));
        let message = Message::new(Role::Assistant, [Part::Reasoning(reasoning)]).with(call);
        ChatRequest::new([Message::user("go"), message, Message::tool_result("call_1", "done")])
    };
    let lost = written(&conversation(thought(None))).unwrap().1;
    assert_eq!(
        lost[1],
        json!({"type": "function_call", "call_id": "call_1", "name": "f", "arguments": "{}"})
    );
    // A server that stores items knows both ids.
    let stored = written(&conversation(thought(None)).extra("store", true)).unwrap().1;
    assert_eq!((&stored[1]["id"], &stored[2]["id"]), (&json!("rs_1"), &json!("fc_1")));
    // Any server can read full reasoning, which DeepSeek and llama.cpp show.
    let full = Reasoning { field: Some("content".into()), ..thought(None) };
    let full = written(&conversation(full)).unwrap().1;
    assert_eq!(full[1]["content"], json!([{"type": "reasoning_text", "text": "hm"}]));
    assert_eq!(full[1]["summary"], json!([]));
    // The answer was cut off after its reasoning.
    let cut = Message::new(Role::Assistant, [Part::Reasoning(thought(Some("E")))]);
    assert_eq!(
        items([Message::user("a"), cut, Message::user("b")]),
        json!([{"role": "user", "content": "a"}, {"role": "user", "content": "b"}])
    );
}

#[test]
fn results_follow_the_calls_of_their_turn() {
    let custom =
        json!({"type": "custom_tool_call", "call_id": "call_c", "name": "x", "input": "i"});
    let calls = Message::assistant("")
        .with(ToolCall::new("call_a", "f", ""))
        .with(ToolCall::new("call_b", "f", "nonsense"))
        .with(Part::Other { provenance: own(), value: custom.clone() });
    let seen = ToolResult::new("call_a", "see").with(Image::from_url("https://x/y"));
    let messages = [
        Message::user("go"),
        calls,
        Message::user("meanwhile"),
        Message::new(Role::Tool, [seen]),
        Message::user("").with(ToolResult::error("call_b", "bad")),
        Message::tool_result("call_c", ""),
    ];
    let call = |id: &str, arguments: &str| json!({"type": "function_call", "call_id": id, "name": "f", "arguments": arguments});
    let written = items(messages);
    let written = written.as_array().unwrap();
    assert_eq!(
        written[1..7],
        [
            call("call_a", "{}"),
            call("call_b", "{\"invalid_arguments\":\"nonsense\"}"),
            custom,
            json!({"type": "function_call_output", "call_id": "call_a", "output": [
                {"type": "input_text", "text": "see"},
                {"type": "input_image", "image_url": "https://x/y", "detail": "auto"},
            ]}),
            json!({"type": "function_call_output", "call_id": "call_b", "output": "bad"}),
            json!({"type": "custom_tool_call_output", "call_id": "call_c", "output": ""}),
        ]
    );
    assert_eq!(written[7], json!({"role": "user", "content": "meanwhile"}));
    let long = "call_".to_owned() + &"x".repeat(80);
    let messages = [
        Message::user("go"),
        Message::assistant("").with(ToolCall::new(long.as_str(), "f", "{}")),
        Message::tool_result(long.as_str(), "done"),
    ];
    let written = items(messages);
    assert!(written[1]["call_id"].as_str().unwrap().len() <= LONGEST_ID);
    assert_eq!(written[1]["call_id"], written[2]["call_id"]);
}

#[test]
fn native_items_and_assistant_texts_are_written() {
    let approval =
        json!({"type": "mcp_approval_response", "approval_request_id": "m", "approve": true});
    let speech = Audio { transcript: "spoken".into(), ..Audio::default() };
    let messages = [
        Message::new(Role::User, [Part::native(Format::OpenAiResponses, approval.clone())]),
        Message::assistant("a").with("b").with(Part::Refusal("no".into())).with(speech),
        Message::new(Role::Assistant, [Part::Reasoning(Reasoning::new("foreign"))]),
        Message::user("go"),
    ];
    assert_eq!(
        items(messages),
        json!([
            approval,
            {"type": "message", "role": "assistant", "content": "ab\n\nno\n\nspoken"},
            {"role": "user", "content": "go"},
        ])
    );
}

#[test]
fn misplaced_parts_are_rejected_by_an_error_without_their_text() {
    let image = || Image::from_url("https://secret/y");
    let cases: [(Message, &str); 9] = [
        (Message::system("a").with(image()), "messages[1], a system message, holds an image"),
        (Message::user("a").with(ToolCall::new("c", "f", "secret")), "holds a tool call"),
        (Message::user("a").with(Part::Refusal("secret".into())), "holds a refusal"),
        (Message::user("a").with(Audio::default()), "holds speech"),
        (Message::assistant("a").with(image()), "holds an image; put images into a user"),
        (Message::assistant("a").with(ToolCall::new("", "f", "")), "without an id"),
        (Message::new(Role::User, Vec::<Part>::new()), "has no content"),
        (Message::new(Role::Tool, ["secret"]), "beside tool results"),
        (Message::new(Role::Tool, [ToolResult::new("", "secret")]), "without a call id"),
    ];
    for (message, expected) in cases {
        let error = written(&ChatRequest::new([Message::user("hi"), message])).err().unwrap();
        assert!(error.message().contains(expected), "{error}");
        assert!(!error.message().contains("secret"));
    }
}
