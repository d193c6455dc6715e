//! Tests of encoding messages.

use super::*;
use crate::chat::{Format, Opaque, Reasoning};

const PNG: &[u8] = b"\x89PNG\r\n\x1a\nabc";

fn encoded(messages: &[Message]) -> Result<Value, Error> {
    encode(messages, Target::ollama("m")).map(Value::Array)
}

fn refused(content: Vec<Part>) -> String {
    encoded(&[Message::new(Role::User, content)]).unwrap_err().message().to_owned()
}

fn answer(content: Vec<Part>) -> Message {
    Message::new(Role::Assistant, content)
}

#[test]
fn every_role_is_written() {
    let image = Image::from_bytes("image/png", PNG);
    let data = crate::base64::encode(PNG);
    let call = ToolCall::new("c1", "weather", r#"{"city": "Oslo"}"#);
    let messages = [
        Message::system("Be brief."),
        Message::new(
            Role::User,
            vec![Part::text("What is this?"), Part::Image(image.clone()), Part::text("Say.")],
        ),
        answer(vec![Part::text("It is "), Part::text("a cat."), Part::ToolCall(call)]),
        Message::new(
            Role::Tool,
            vec![Part::ToolResult(ToolResult::new("c1", "sunny").with(Part::Image(image)))],
        ),
    ];
    let arguments = json!({"city": "Oslo"});
    assert_eq!(
        encoded(&messages).unwrap(),
        json!([
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": "What is this?\nSay.", "images": [data]},
            {"role": "assistant", "content": "It is a cat.",
                "tool_calls": [{"id": "c1", "function": {"name": "weather", "arguments": arguments}}]},
            {"role": "tool", "content": "sunny", "tool_name": "weather", "tool_call_id": "c1",
                "images": [data]},
        ])
    );
}

#[test]
fn results_become_messages_of_their_own() {
    let calls = ["a", "b"].map(|id| Part::ToolCall(ToolCall::new(id, format!("f{id}"), "")));
    let results = ["b", "a"].map(|id| Part::ToolResult(ToolResult::error(id, format!("no {id}"))));
    let mut content = results.to_vec();
    content.push(Part::text("Go on."));
    let messages = [Message::user("hi"), answer(calls.to_vec()), Message::new(Role::User, content)];
    let written = encoded(&messages).unwrap();
    assert_eq!(
        written.as_array().unwrap()[2..],
        [
            json!({"role": "tool", "content": "no b", "tool_name": "fb", "tool_call_id": "b"}),
            json!({"role": "tool", "content": "no a", "tool_name": "fa", "tool_call_id": "a"}),
            json!({"role": "user", "content": "Go on."}),
        ]
    );
}

#[test]
fn thoughts_and_members_go_back_only_to_their_sender() {
    let state = |provider: &str, format: Format| {
        let provenance = Provenance::new(provider, format);
        let members = Map::from_iter([
            ("signature".to_owned(), json!("S")),
            ("function".to_owned(), json!({"odd": 1})),
        ]);
        let opaque = Some(Opaque::new(provenance.clone(), members).into());
        let thought = Reasoning { provenance: Some(provenance), ..Reasoning::new("hm") };
        let call = ToolCall { opaque, ..ToolCall::new("c", "f", "{}") };
        let result = Part::ToolResult(ToolResult::new("c", "x"));
        [
            Message::user("hi"),
            answer(vec![Part::Reasoning(thought), Part::ToolCall(call)]),
            Message::new(Role::Tool, vec![result]),
        ]
    };
    let written = encoded(&state("ollama", Format::Ollama)).unwrap();
    assert_eq!(
        written[1],
        json!({"role": "assistant", "content": "", "thinking": "hm", "tool_calls": [
            {"id": "c", "signature": "S", "function": {"name": "f", "arguments": {}, "odd": 1}}]})
    );
    for (provider, format) in [("ollama", Format::OpenAiChat), ("other", Format::Ollama)] {
        let written = encoded(&state(provider, format)).unwrap();
        assert_eq!(
            written[1],
            json!({"role": "assistant", "content": "", "tool_calls": [
                {"id": "c", "function": {"name": "f", "arguments": {}}}]})
        );
    }
}

#[test]
fn text_documents_become_text() {
    let mut document = Document::from_bytes("text/csv", b"a,b");
    document.name = Some("t.csv".into());
    let content = vec![Part::Document(document), Part::text("Sum up.")];
    let written = encoded(&[Message::new(Role::User, content)]).unwrap();
    assert_eq!(written[0]["content"], "t.csv\na,b\nSum up.");
}

#[test]
fn what_cannot_be_sent_is_refused_with_an_alternative() {
    let url = Image::from_url("https://a.example/secret.png");
    let file = Image::from_source(MediaSource::FileId("secret".into()));
    let pdf = Document::from_bytes("application/pdf", b"%PDF-1.4 secret");
    for (part, expected) in [
        (Part::Image(url), "holds an image by URL"),
        (Part::Image(file), "Image::from_path"),
        (Part::Document(pdf), "extract its text"),
        (Part::Reasoning(Reasoning::new("secret")), "a user message cannot contain"),
        (Part::text(""), "holds nothing that can be sent"),
    ] {
        let message = refused(vec![part]);
        assert!(message.starts_with("messages[0] ") && message.contains(expected), "{message}");
        assert!(!message.contains("secret"), "{message}");
    }
    let orphan = Part::ToolResult(ToolResult::new("c9", "x"));
    let error = encoded(&[Message::new(Role::Tool, vec![orphan])]).unwrap_err();
    assert!(error.message().contains("keep the message with the call"), "{error}");
    let error = encoded(&[Message::system("x")]).unwrap_err();
    assert!(error.message().contains("no user message"), "{error}");
}
