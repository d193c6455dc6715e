//! Tables of conversations and the messages they make.

use serde_json::{Value, json};

use super::*;
use crate::chat::{Audio, CacheTtl, Document, Opaque};

fn written(messages: &[Message]) -> Result<Value, Error> {
    let mut body = Map::new();
    write(messages, Target::cohere("m"), &mut body)?;
    Ok(body.into())
}

fn own() -> Option<Provenance> {
    Some(Provenance::new("cohere", Format::Cohere))
}

fn reasoning(text: &str, field: Option<&str>, provenance: Option<Provenance>) -> Part {
    let field = field.map(str::to_owned);
    Part::Reasoning(Reasoning { field, provenance, ..Reasoning::new(text) })
}

#[test]
fn assistant_messages_keep_their_own_plans_thinking_and_members() {
    let foreign = || Some(Provenance::new("openai", Format::OpenAiChat));
    let opaque = |provenance: Option<Provenance>| {
        let members = Map::from_iter([("mark".to_owned(), json!(1)), ("id".to_owned(), json!(2))]);
        provenance.map(|provenance| Opaque::new(provenance, members).into())
    };
    let call = |provenance| {
        Part::ToolCall(ToolCall { opaque: opaque(provenance), ..ToolCall::new("c", "f", "") })
    };
    let sent = json!({"id": "c", "type": "function",
        "function": {"name": "f", "arguments": "{}"}});
    let mut marked = sent.clone();
    marked["mark"] = 1.into();
    let speech = Audio { transcript: "said".into(), ..Audio::default() };
    let block = json!({"type": "hologram"});
    for (parts, expected) in [
        (vec![Part::text("a")], json!({"content": "a"})),
        (
            vec![Part::Refusal("no".into()), speech.into()],
            json!({"content": [
            {"type": "text", "text": "no"}, {"type": "text", "text": "said"}]}),
        ),
        (
            vec![reasoning("hm", None, own()), Part::text("a")],
            json!({"content": [
                {"type": "thinking", "thinking": "hm"}, {"type": "text", "text": "a"}]}),
        ),
        (
            vec![reasoning("look", Some(PLAN), own()), call(own())],
            json!({"tool_plan": "look", "tool_calls": [marked]}),
        ),
        (vec![reasoning("look", None, foreign()), call(foreign())], json!({"tool_calls": [sent]})),
        (
            vec![Part::text("a"), Part::CachePoint(CacheTtl::Short), call(None)],
            json!({"content": "a", "tool_calls": [sent]}),
        ),
        (
            vec![Part::Other { provenance: own(), value: block.clone() }, Part::text("")],
            json!({"content": [block]}),
        ),
    ] {
        let messages = [Message::user("hi"), Message::new(Role::Assistant, parts)];
        let mut expected = expected;
        expected["role"] = "assistant".into();
        assert_eq!(written(&messages).unwrap()["messages"][1], expected);
    }
    // With nothing to send, the message is left out.
    let silent = Message::new(Role::Assistant, [reasoning("x", None, foreign())]);
    let body = written(&[Message::user("hi"), silent]).unwrap();
    assert_eq!(body["messages"].as_array().map(Vec::len), Some(1));
}

#[test]
fn only_its_own_citations_go_back_with_the_place_of_their_block() {
    let cited = |index: u64| json!({"start": 0, "end": 1, "text": "a", "sources": [], "content_index": index});
    let citations = vec![json!({"type": "url_citation"}), cited(3)];
    let text = Text { citations, ..Text::from("a") };
    let mut thought = Reasoning { provenance: own(), ..Reasoning::new("hm") };
    thought.extra.insert("citations".to_owned(), json!([cited(9)]));
    let parts = [Part::Reasoning(thought), Part::Text(text)];
    let body = written(&[Message::new(Role::Assistant, parts)]).unwrap();
    assert_eq!(body["messages"][0]["citations"], json!([cited(0), cited(1)]));
}

#[test]
fn results_follow_their_calls_and_documents_go_beside_the_messages() {
    let file = |name: &str| Document::from_bytes("text/plain", b"fact").name(name);
    let call = |id: &str| Part::ToolCall(ToolCall::new(id, "f", "{}"));
    let looked_up = ToolResult { content: vec![file("found").into()], ..ToolResult::new("b", "") };
    let messages = [
        Message::user("hi").with(file("given")),
        Message::new(Role::Assistant, [call("a"), call("b")]),
        Message::user("wait"),
        Message::tool_error("a", "failed"),
        Message::new(Role::User, [Part::from(looked_up), Part::text("go on")]),
    ];
    let body = written(&messages).unwrap();
    let document = |name: &str| json!({"data": {"text": "fact", "title": name}});
    assert_eq!(body["documents"], json!([document("given")]));
    let messages = body["messages"].as_array().unwrap();
    assert_eq!(
        messages[2..],
        [
            json!({"role": "tool", "tool_call_id": "a", "content": "failed"}),
            json!({"role": "tool", "tool_call_id": "b",
                "content": [{"type": "document", "document": document("found")}]}),
            json!({"role": "user", "content": "wait"}),
            json!({"role": "user", "content": "go on"}),
        ]
    );
}

#[test]
fn misplaced_parts_are_rejected_without_quoting_them() {
    let secret = "the prompt";
    let pdf = || Document::from_bytes("application/pdf", b"%PDF-");
    let image = || Image::from_url("https://x/secret.png");
    for (role, part, expected) in [
        (Role::System, image().into(), "holds an image, which a system message"),
        (Role::User, Part::ToolCall(ToolCall::new("c", "f", secret)), "holds a tool call, which"),
        (Role::User, reasoning(secret, None, own()), "holds reasoning, which a user message"),
        (Role::Assistant, ToolResult::new("c", secret).into(), "which an assistant message"),
        (Role::Assistant, image().into(), "holds an image, which an assistant message"),
        (Role::Assistant, ToolCall::new("", "f", secret).into(), "without an id or a name"),
        (Role::Tool, Part::text(secret), "holds text, which a tool message"),
        (Role::Tool, Part::CachePoint(CacheTtl::Short), "holds no tool result"),
        (Role::Tool, ToolResult::new("", secret).into(), "without the id of its call"),
        (Role::Tool, ToolResult::new("c", secret).with(image()).into(), "into a user message"),
        (Role::Tool, ToolResult::new("c", secret).with(pdf()).into(), "extract its text"),
        (Role::User, Document::from_bytes("text/plain", b"x").into(), "add a text"),
    ] {
        let error = written(&[Message::user("hi"), Message::new(role, [part])]).unwrap_err();
        assert!(error.message().contains(expected), "{error}");
        assert!(error.message().starts_with("messages[1] "), "{error}");
        assert!(
            !error.message().contains(secret) && !error.message().contains("secret"),
            "{error}"
        );
    }
}
