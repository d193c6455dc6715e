//! Tests of the moderation formats.

use super::*;
use crate::chat::{Document, Image, MediaSource, Message, Part, ToolCall};
use crate::error::Error;
use crate::moderation::{ModerationFormat, ModerationInput, ModerationRequest};
use crate::provider::Profile;
use crate::usage::UsageSource;
use crate::wire::{Target, header_fields};
use ModerationFormat::{Mistral, OpenAi};
use serde_json::{Value, json};

fn encoded(format: ModerationFormat, request: &ModerationRequest) -> Result<Encoded, Error> {
    let profile = Profile::builtin(format.as_str()).unwrap();
    let (provider, dialect) = (&profile.id, &profile.dialect);
    encode(format, request, Target::of(provider, "m", dialect))
}

fn decoded(body: &str, results: usize) -> Result<Decoded, Failure> {
    let headers = header_fields(&[("content-type", "application/json")]);
    decode(Reply { status: 200, headers: &headers, body: body.as_bytes(), sent: None }, results)
}

#[test]
fn each_kind_of_input_has_its_endpoint_and_form() {
    let image = || Part::Image(Image::from_url("data:image/png;base64,Zm9v"));
    let linked = Part::Image(Image::from_url("https://example.com/a.png"));
    let chat = [Message::system("Be nice."), Message::user("hi"), Message::assistant("Hello!")];
    let messages = json!([
        {"role": "system", "content": "Be nice."},
        {"role": "user", "content": "hi"},
        {"role": "assistant", "content": "Hello!"},
    ]);
    let two = ModerationInput::Chats(vec![chat.to_vec(), vec![Message::user("ho")]]);
    for (format, request, path, input) in [
        (OpenAi, ModerationRequest::from("a"), "/moderations", json!(["a"])),
        (Mistral, ModerationRequest::new(["a", ""]), "/moderations", json!(["a", ""])),
        (
            OpenAi,
            ModerationRequest::content([Part::text("a"), image(), linked]),
            "/moderations",
            json!([
                {"type": "text", "text": "a"},
                {"type": "image_url", "image_url": {"url": "data:image/png;base64,Zm9v"}},
                {"type": "image_url", "image_url": {"url": "https://example.com/a.png"}},
            ]),
        ),
        (Mistral, ModerationRequest::chat(chat), "/chat/moderations", messages.clone()),
        (
            Mistral,
            ModerationRequest::of(two),
            "/chat/moderations",
            json!([messages, [{"role": "user", "content": "ho"}]]),
        ),
    ] {
        let encoded = encoded(format, &request).unwrap();
        assert_eq!(encoded.path, path, "{request:?}");
        let body: Value = serde_json::from_slice(&encoded.body).unwrap();
        assert_eq!(body, json!({"model": "m", "input": input}));
        assert_eq!(encoded.results, request.input.results());
    }
}

#[test]
fn what_a_format_cannot_express_is_refused_with_the_alternative() {
    let call = ToolCall::new("1", "f", "{}");
    let file = Part::Image(Image::from_source(MediaSource::FileId("file-1".into())));
    let document = Part::Document(Document::from_url("https://example.com/a.pdf"));
    let none: [&str; 0] = [];
    for (format, request, expected) in [
        (OpenAi, ModerationRequest::new(none), "add at least one text"),
        (OpenAi, ModerationRequest::content([]), "add at least one text or image"),
        (Mistral, ModerationRequest::chat([]), "the request has no messages"),
        (Mistral, ModerationRequest::of(ModerationInput::Chats(vec![])), "one conversation"),
        (OpenAi, ModerationRequest::chat([Message::user("hi")]), "\"mistral\""),
        (Mistral, ModerationRequest::content([Part::text("hi")]), "\"openai\""),
        (OpenAi, ModerationRequest::content([document]), "parts[0] is neither a text nor an image"),
        (OpenAi, ModerationRequest::content([Part::ToolCall(call)]), "parts[0] is neither"),
        (OpenAi, ModerationRequest::content([Part::text("a"), file]), "parts[1] holds an image by"),
        (OpenAi, ModerationRequest::from("a").extra("model", "other"), "\"model\" in extra"),
        (Mistral, ModerationRequest::from("a").extra("input", "b"), "\"input\" in extra"),
    ] {
        let error = encoded(format, &request).unwrap_err();
        assert!(error.message().contains(expected), "{request:?}: {error}");
    }
}

#[test]
fn the_bound_covers_the_text_and_what_the_provider_adds() {
    for (request, bytes) in [
        (ModerationRequest::new(["four", "five!"]), 9),
        (ModerationRequest::from("a").extra("metadata", json!({"long": "x".repeat(9_999)})), 1),
    ] {
        let encoded = encoded(Mistral, &request).unwrap();
        assert_eq!(encoded.text_bytes, bytes);
        let added = 256 * request.input.results() as u64;
        assert_eq!(encoded.most_tokens, bytes as u64 + added);
    }
    // An image has no text.
    let image = Part::Image(Image::from_url("data:image/png;base64,Zm9v"));
    let alone = encoded(OpenAi, &ModerationRequest::content([image])).unwrap();
    assert!(alone.text_bytes <= "image_url".len(), "{}", alone.text_bytes);
}

#[test]
fn a_verdict_is_read_in_both_formats() {
    let openai = json!({
        "id": "modr-1",
        "model": "omni-moderation-2024-09-26",
        "results": [{
            "flagged": true,
            "categories": {"violence": true, "illicit": null, "hate/threatening": false},
            "category_scores": {"hate/threatening": 1e-7, "violence": 0.9, "illicit": null},
            "category_applied_input_types": {"violence": ["text", "image"], "illicit": []},
        }],
    });
    let read = decoded(&openai.to_string(), 1).unwrap();
    assert_eq!(read.usage.source, UsageSource::Missing);
    assert_eq!((read.id.as_deref(), &*read.model), (Some("modr-1"), "omni-moderation-2024-09-26"));
    let [result] = &read.results[..] else { panic!("{read:?}") };
    let names: Vec<_> = result.categories.iter().map(|one| &*one.name).collect();
    assert_eq!(names, ["violence", "illicit", "hate/threatening"]);
    let violence = result.category("violence").unwrap();
    assert_eq!((result.flagged, violence.flagged, violence.score), (true, true, Some(0.9)));
    assert_eq!(violence.applied_input_types, ["text", "image"]);
    let illicit = result.category("illicit").unwrap();
    assert_eq!((illicit.flagged, illicit.score), (false, None));
    assert_eq!(result.category("hate/threatening").unwrap().score, Some(1e-7));
    assert_eq!(result.flagged_categories().count(), 1);

    let mistral = json!({
        "id": "x",
        "model": "mistral-moderation-2603",
        "usage": {"prompt_tokens": 9, "total_tokens": 98, "completion_tokens": 0, "request_count": 1},
        "results": [
            {"category_scores": {"pii": 0.1}, "categories": {"pii": false}},
            {"category_scores": {"pii": 0.9}, "categories": {"pii": true}},
        ],
    });
    let read = decoded(&mistral.to_string(), 2).unwrap();
    assert_eq!((read.usage.prompt_tokens, read.usage.completion_tokens), (98, 0));
    assert_eq!(read.results.iter().map(|one| one.flagged).collect::<Vec<_>>(), [false, true]);
}

#[test]
fn an_answer_without_a_verdict_for_each_input_is_a_failure() {
    let one = json!({"flagged": false, "categories": {}, "category_scores": {}});
    for (body, results, expected) in [
        (json!({"results": [one]}), 2, "has 1 results, but the request had 2 inputs"),
        (json!({"results": [one, one]}), 1, "has 2 results, but the request had 1 inputs"),
        (json!({"results": []}), 1, "has 0 results"),
        (json!({"results": [one, {}]}), 2, "the result 1 says neither"),
        (json!({"results": [{"category_scores": {"pii": 0.1}}]}), 1, "the result 0 says neither"),
        (json!({"id": "x"}), 1, "has no \"results\""),
        (json!({"error": {"message": "no such model"}}), 1, "no such model"),
        (json!({"results": null, "error": {"message": "busy"}}), 1, "busy"),
        (json!({"results": [{"flagged": "no", "categories": {}}]}), 1, ""),
        (
            json!({"results": [{"categories": {"pii": false}, "category_scores": {"pii": "x"}}]}),
            1,
            "",
        ),
        (json!([]), 1, ""),
    ] {
        let failure = decoded(&body.to_string(), results).unwrap_err();
        assert!(failure.message.contains(expected), "{body}: {}", failure.message);
    }
    for body in ["", "{", "<html></html>", "data: {}\n\n"] {
        decoded(body, 1).unwrap_err();
    }
    // A verdict without categories counts.
    let bare = decoded(r#"{"results": [{"flagged": true}]}"#, 1).unwrap();
    assert!(bare.results[0].flagged && bare.results[0].categories.is_empty());
}
