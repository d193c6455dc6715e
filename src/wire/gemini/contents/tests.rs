//! Tests of encoding a conversation.

use super::*;
use crate::chat::{
    CacheTtl, Document, Format, Image, Opaque, Provenance, Reasoning, ToolCall, ToolResult,
};
use crate::wire::gemini::decode::decode;
use serde_json::json;

fn written(messages: &[Message], model: &str) -> Result<Value, Error> {
    let mut body = Map::new();
    write(messages, Target::gemini(model), &Service::GEMINI, &mut body)?;
    Ok(body.into())
}

fn contents(messages: &[Message], model: &str) -> Value {
    written(messages, model).unwrap()["contents"].take()
}

const FLASH: &str = "gemini-2.5-flash";

#[test]
fn system_messages_become_the_instruction_and_roles_alternate() {
    let messages = [
        Message::system("a"),
        Message::user("hi"),
        Message::user("there").with(Part::CachePoint(CacheTtl::Short)),
        Message::assistant("yes"),
        Message::assistant(""),
        Message::system("b"),
        Message::user("go"),
    ];
    assert_eq!(
        written(&messages, FLASH).unwrap(),
        json!({
            "contents": [
                {"role": "user", "parts": [{"text": "hi"}, {"text": "there"}]},
                {"role": "model", "parts": [{"text": "yes"}]},
                {"role": "user", "parts": [{"text": "go"}]},
            ],
            "systemInstruction": {"parts": [{"text": "a"}, {"text": "b"}]},
        })
    );
    // Gemma has no system instruction.
    let body = written(&messages[..2], "gemma-3-27b-it").unwrap();
    assert_eq!(
        body,
        json!({"contents": [{"role": "user", "parts": [{"text": "a"}, {"text": "hi"}]}]})
    );
}

#[test]
fn errors_name_the_message_and_never_quote_it() {
    let secret = || "the prompt";
    let call = || Message::assistant("").with(ToolCall::new("c", "f", "{}"));
    let png = || Image::from_bytes("image/png", b"\x89PNG\r\n\x1a\n");
    let result = |part: Part| Message::new(Role::Tool, [ToolResult::new("c", secret()).with(part)]);
    for (messages, model, expected) in [
        (vec![Message::assistant(secret())], FLASH, "the request has no user message; add one"),
        (vec![Message::user("")], FLASH, "messages[0] holds nothing that can be sent; remove it"),
        (
            vec![Message::system("").with(png())],
            FLASH,
            "messages[0] holds an image, which a system message cannot contain",
        ),
        (
            vec![Message::user(secret()).with(Image::from_bytes("image/gif", b"GIF89a"))],
            FLASH,
            "messages[0] holds an image of type \"image/gif\"",
        ),
        (
            vec![Message::user("hi"), Message::tool_result("c", secret())],
            FLASH,
            "messages[1] holds the result of tool call \"c\", which is not in",
        ),
        (
            vec![Message::user("hi"), call(), result(Image::from_url("https://x/y.png").into())],
            "gemini-3.5-flash",
            "give the bytes instead",
        ),
        (
            vec![
                Message::user("hi"),
                call(),
                result(Document::from_bytes("audio/mp3", b"x").into()),
            ],
            "gemini-3.5-flash",
            "media of type \"audio/mp3\"",
        ),
        (
            vec![Message::user("hi"), call(), result(Reasoning::new(secret()).into())],
            FLASH,
            "a tool result that contains reasoning",
        ),
    ] {
        let error = written(&messages, model).unwrap_err();
        assert!(error.message().contains(expected), "{error}");
        assert!(!error.message().contains(secret()));
    }
}

#[test]
fn tool_results_name_their_function_and_come_first() {
    let messages = [
        Message::user("go"),
        Message::assistant("")
            .with(ToolCall::new("c1", "f", "{\"a\": 1}"))
            .with(ToolCall::new("c2", "g", " ")),
        Message::user("meanwhile"),
        Message::tool_result("c1", "one"),
        Message::tool_error("c2", "bad"),
    ];
    assert_eq!(
        contents(&messages, FLASH),
        json!([
            {"role": "user", "parts": [{"text": "go"}]},
            {"role": "model", "parts": [
                {"functionCall": {"id": "c1", "name": "f", "args": {"a": 1}}},
                {"functionCall": {"id": "c2", "name": "g", "args": {}}},
            ]},
            {"role": "user", "parts": [
                {"functionResponse": {"id": "c1", "name": "f", "response": {"output": "one"}}},
                {"functionResponse": {"id": "c2", "name": "g", "response": {"error": "bad"}}},
                {"text": "meanwhile"},
            ]},
        ])
    );
}

#[test]
fn gemini_3_and_later_take_media_inside_tool_results() {
    let png = b"\x89PNG\r\n\x1a\n";
    let result = ToolResult::new("c", "see")
        .with(Image::from_bytes("image/png", png))
        .with(Document::from_bytes("application/pdf", b"%PDF-").name("a.pdf"));
    let messages = [
        Message::user("go"),
        Message::assistant("").with(ToolCall::new("c", "f", "{}")),
        Message::new(Role::Tool, [result]),
    ];
    let image = json!({"inlineData": {"mimeType": "image/png", "data": "iVBORw0KGgo="}});
    let pdf = json!({"mimeType": "application/pdf", "data": "JVBERi0="});
    let mut named = pdf.clone();
    named["displayName"] = "a.pdf".into();
    let response = json!({"id": "c", "name": "f", "response": {"output": "see"}});
    let mut inside = response.clone();
    inside["parts"] = json!([image, {"inlineData": named}]);
    assert_eq!(
        contents(&messages, "gemini-3.5-flash")[2]["parts"],
        json!([{"functionResponse": inside}])
    );
    assert_eq!(
        contents(&messages, FLASH)[2]["parts"],
        json!([{"functionResponse": response}, image, {"text": "a.pdf"}, {"inlineData": pdf}])
    );
}

#[test]
fn an_answer_returns_unchanged_and_only_to_its_sender() {
    let parts = json!([
        {"text": "hm", "thought": true, "thoughtSignature": "S0"},
        {"text": "Signed.", "thoughtSignature": "S1"},
        {"text": "", "thoughtSignature": "S2"},
        {"functionCall": {"id": "c1", "name": "f", "args": {"a": 1.5}, "willContinue": false},
            "thoughtSignature": "S3", "partMetadata": {"k": 1}},
        {"executableCode": {"language": "PYTHON", "code": "1"}, "thoughtSignature": "S4"},
        {"inlineData": {"mimeType": "image/png", "data": "Zm9v"}, "thoughtSignature": "S5"},
        {"inlineData": {"mimeType": "audio/L16;rate=24000", "data": "Zm9v"}},
        {"toolCall": {"toolType": "GOOGLE_SEARCH_WEB"}},
    ]);
    let body = json!({"candidates": [{"content": {"parts": parts}, "finishReason": "STOP"}]});
    let answer = decode(body.to_string().as_bytes().into()).unwrap().message;
    let messages = [Message::user("go"), answer.clone(), Message::tool_result("c1", "done")];
    assert_eq!(contents(&messages, "gemini-3.5-flash")[1]["parts"], parts);
    let mut foreign = answer;
    foreign.set_sender(&crate::Provider::new("vertex"));
    let messages = [Message::user("go"), foreign, Message::tool_result("c1", "done")];
    assert_eq!(
        contents(&messages, "gemini-2.5-flash")[1]["parts"],
        json!([
            {"text": "Signed."},
            {"functionCall": {"id": "c1", "name": "f", "args": {"a": 1.5}}},
        ])
    );
}

#[test]
fn unsigned_calls_of_the_current_turn_get_a_placeholder_for_gemini_3() {
    let call = |id: &str| ToolCall::new(id, "f", "{}");
    let mut signed = call("c5");
    let members = Map::from_iter([(SIGNATURE.to_owned(), json!("S"))]);
    let provenance = Provenance::new("gemini", Format::Gemini);
    signed.opaque = Some(Opaque::new(provenance, members).into());
    let messages = [
        Message::user("one"),
        Message::assistant("").with(call("c1")),
        Message::tool_result("c1", "done"),
        Message::assistant("done"),
        Message::user("two"),
        Message::assistant("").with(call("c2")).with(call("c3")),
        Message::tool_result("c2", "done"),
        Message::tool_result("c3", "done"),
        Message::assistant("").with(call("c4")),
        Message::tool_result("c4", "done"),
        Message::assistant("").with(signed),
        Message::tool_result("c5", "done"),
    ];
    let marks = |model: &str| -> Vec<Option<String>> {
        let contents = contents(&messages, model);
        let parts = contents.as_array().unwrap().iter().flat_map(|content| {
            content["parts"]
                .as_array()
                .unwrap()
                .iter()
                .filter(|part| part["functionCall"].is_object())
        });
        parts.map(|part| part[SIGNATURE].as_str().map(str::to_owned)).collect()
    };
    let skip = || Some(FOREIGN.to_owned());
    assert_eq!(marks("gemini-3.5-flash"), [None, skip(), None, skip(), Some("S".into())]);
    assert_eq!(marks(FLASH), [None, None, None, None, Some("S".into())]);
}
