//! Images and speech that a model generated are parts of its answer and go back only to its
//! provider.

mod support;

use serde_json::{Value, json};
use support::{loopback, vendor_client};
use tollgate::testing::{Loopback, Reply};
use tollgate::{ChatResponse, ErrorKind, MediaSource, Message, Part, Role, StreamEvent};

const PNG: &str = "data:image/png;base64,iVBORw0KGgo=";

/// Returns an answer with `message`, whole and streamed in these deltas.
fn answers(server: &Loopback, name: &str, message: &Value, deltas: &[Value]) -> [ChatResponse; 2] {
    let client = vendor_client(server, name);
    let body = json!({"choices": [{"index": 0, "message": message, "finish_reason": "stop"}]});
    server.reply(Reply::raw(200, "application/json", body.to_string()));
    let whole = client.chat("go").unwrap();
    let chunk = |delta: &Value, finish: Value| {
        let choice = json!({"index": 0, "delta": delta, "finish_reason": finish});
        format!("data: {}\n\n", json!({"choices": [choice]}))
    };
    let mut body: String = deltas.iter().map(|delta| chunk(delta, Value::Null)).collect();
    body += &chunk(&json!({}), json!("stop"));
    server.reply(Reply::raw(200, "text/event-stream", body + "data: [DONE]\n\n"));
    let streamed = client.stream("go").unwrap().finish().unwrap();
    assert_eq!(streamed.message, whole.message);
    [whole, streamed]
}

/// Returns the model's message as the next turn sends it to `name`, once stored and loaded.
fn sent(server: &Loopback, name: &str, answer: &ChatResponse) -> Value {
    let stored = serde_json::to_string(&answer.message).unwrap();
    let message: Message = serde_json::from_str(&stored).unwrap();
    assert_eq!(message, answer.message);
    let last = Message::user("more");
    server.reply(Reply::text("fine"));
    vendor_client(server, name)
        .chat(tollgate::ChatRequest::new([Message::user("go"), message, last]))
        .unwrap();
    server.requests().pop().unwrap().json()["messages"].clone()
}

fn image(url: &str) -> Value {
    json!({"type": "image_url", "image_url": {"url": url}, "index": 0})
}

#[test]
fn images_are_parts_and_go_back_only_to_their_sender() {
    let server = loopback();
    let list = json!([image(PNG), image("https://x.example/a.webp")]);
    let message = json!({"role": "assistant", "content": "Here.", "images": list});
    let deltas = [
        json!({"role": "assistant", "content": "Here."}),
        json!({"content": "", "images": [list[0]]}),
        // The same image again, and another.
        json!({"content": "", "images": list}),
    ];
    for answer in answers(&server, "openrouter", &message, &deltas) {
        let [Part::Text(_), Part::Image(bytes), Part::Image(address)] = &answer.message.content[..]
        else {
            panic!("{answer:?}")
        };
        assert_eq!(bytes.source.to_bytes().unwrap(), b"\x89PNG\r\n\x1a\n");
        let MediaSource::Base64 { media_type, .. } = &bytes.source else { panic!("{bytes:?}") };
        assert_eq!(media_type, "image/png");
        assert_eq!(address.source, MediaSource::Url("https://x.example/a.webp".into()));
        assert_eq!(answer.message.images().count(), 2);
        assert_eq!(answer.text(), "Here.");
        assert!(answer.message.opaque.is_none(), "kept twice");
        let shown = format!("{answer:?}");
        assert!(!shown.contains("iVBOR") && !shown.contains("a.webp"), "{shown}");

        assert_eq!(
            sent(&server, "openrouter", &answer)[1],
            json!({"role": "assistant", "content": "Here.", "images": list})
        );
        // `mistral` refuses members that it does not know; the others have no place for images.
        for other in ["openai", "mistral", "anthropic"] {
            let messages = sent(&server, other, &answer);
            assert_eq!(messages[1], json!({"role": "assistant", "content": "Here."}), "{other}");
        }
    }
}

#[test]
fn an_answer_of_only_images_is_valid_input_for_every_provider() {
    let server = loopback();
    let message = json!({"role": "assistant", "content": "", "images": [image(PNG)]});
    let deltas = [json!({"role": "assistant", "content": "", "images": [image(PNG)]})];
    for answer in answers(&server, "openrouter", &message, &deltas) {
        let own = sent(&server, "openrouter", &answer);
        assert_eq!((&own[1]["content"], &own[1]["images"][0]), (&json!(""), &image(PNG)));
        let openai = sent(&server, "openai", &answer);
        assert_eq!(openai[1], json!({"role": "assistant", "content": ""}));
        let anthropic = sent(&server, "anthropic", &answer);
        assert_eq!(anthropic.as_array().unwrap().len(), 1, "{anthropic}");
    }
}

#[test]
fn images_of_the_content_go_back_in_the_content() {
    let server = loopback();
    let content = json!([{"type": "text", "text": "a"}, image(PNG), {"type": "text", "text": "b"}]);
    let message = json!({"role": "assistant", "content": content});
    for answer in answers(&server, "openrouter", &message, &[json!({"content": content})]) {
        assert!(matches!(&answer.message.content[..], [_, Part::Image(_), _]), "{answer:?}");
        assert_eq!(sent(&server, "openrouter", &answer)[1]["content"], content);
        let text = json!([{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]);
        assert_eq!(sent(&server, "openai", &answer)[1]["content"], text);
    }
}

#[test]
fn a_generated_image_reaches_another_model_in_a_user_message() {
    let server = loopback();
    let message = json!({"role": "assistant", "content": "", "images": [image(PNG)]});
    let [answer, _] = answers(&server, "openrouter", &message, &[json!({"images": [image(PNG)]})]);
    let made = answer.message.images().next().unwrap().clone();
    for (name, expected) in [
        ("openai", json!({"type": "image_url", "image_url": {"url": PNG}})),
        (
            "anthropic",
            json!({"type": "image", "source":
            {"type": "base64", "media_type": "image/png", "data": "iVBORw0KGgo="}}),
        ),
    ] {
        server.reply(Reply::text("fine"));
        vendor_client(&server, name).chat([Message::user("see").with(made.clone())]).unwrap();
        let request = server.requests().pop().unwrap();
        assert_eq!(request.json()["messages"][0]["content"][1], expected);
        // The caller's own image has no sender to go back to.
        let own = tollgate::Image::from_url(PNG);
        let messages = [Message::user("go"), Message::new(Role::Assistant, [own])];
        let error = vendor_client(&server, name).chat(messages).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidRequest, "{error}");
        assert!(error.message().contains("holds an image"), "{error}");
    }
}

#[test]
fn speech_goes_back_by_its_id_and_its_transcript_to_all_others() {
    let server = loopback();
    let audio = json!({"id": "audio_1", "data": "Zm9v", "transcript": "Hi there.",
        "expires_at": 1_700_000_000});
    let message = json!({"role": "assistant", "content": null, "audio": audio});
    let deltas = [
        json!({"role": "assistant", "audio": {"id": "audio_1", "transcript": "Hi "}}),
        json!({"audio": {"data": "Zg=="}}),
        json!({"audio": {"transcript": "there.", "data": "b28="}}),
        json!({"audio": {"expires_at": 1_700_000_000}}),
    ];
    for mut answer in answers(&server, "openai", &message, &deltas) {
        let [Part::Audio(audio)] = &answer.message.content[..] else { panic!("{answer:?}") };
        assert_eq!((audio.id.as_deref(), audio.expires_at), (Some("audio_1"), Some(1_700_000_000)));
        assert_eq!(audio.to_bytes().unwrap(), b"foo");
        assert_eq!(answer.complete_text().unwrap(), "Hi there.");
        assert!(!format!("{answer:?}").contains("there"));
        assert_eq!(
            sent(&server, "openai", &answer)[1],
            json!({"role": "assistant", "content": null, "audio": {"id": "audio_1"}})
        );
        let spoken = json!({"role": "assistant", "content": "Hi there."});
        for other in ["openrouter", "anthropic"] {
            assert_eq!(sent(&server, other, &answer)[1], spoken, "{other}");
        }
        // Expired.
        let Part::Audio(audio) = &mut answer.message.content[0] else { unreachable!() };
        audio.id = None;
        assert_eq!(sent(&server, "openai", &answer)[1], spoken);
    }
}

#[test]
fn a_stream_yields_images_and_speech_as_they_arrive() {
    let server = loopback();
    let chunks = [
        json!({"audio": {"id": "a", "transcript": "Hi 🚀"}}),
        json!({"audio": {"data": "Zm9v"}}),
        json!({"images": [image(PNG)]}),
        json!({"content": "Done."}),
    ];
    let mut body = String::new();
    for delta in &chunks {
        body += &format!("data: {}\n\n", json!({"choices": [{"index": 0, "delta": delta}]}));
    }
    body += "data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n";
    // Two chunks can share a character.
    let body = body.replace('🚀', "\\ud83d\"}}}]}\n\ndata: {\"choices\":[{\"index\":0,\"delta\":{\"audio\":{\"transcript\":\"\\ude80");
    server.reply(Reply::raw(200, "text/event-stream", body));
    let mut stream = vendor_client(&server, "openrouter").stream("go").unwrap();
    let events: Vec<_> = stream.by_ref().map(Result::unwrap).collect();
    let yielded: Vec<_> = events
        .iter()
        .filter(|event| !matches!(event, StreamEvent::Usage(_) | StreamEvent::Finished(_)))
        .collect();
    let [
        StreamEvent::TextDelta(first),
        StreamEvent::TextDelta(second),
        StreamEvent::AudioDelta(data),
        StreamEvent::Image(made),
        StreamEvent::TextDelta(third),
    ] = &yielded[..]
    else {
        panic!("{yielded:?}")
    };
    let answer = stream.finish().unwrap();
    assert_eq!((&*format!("{first}{second}{third}"), &**data), ("Hi 🚀Done.", "Zm9v"));
    assert_eq!(answer.text(), "Hi 🚀Done.");
    assert_eq!(answer.message.images().next(), Some(&**made));
    let sender = &made.opaque.as_ref().unwrap().provenance;
    assert_eq!(sender.provider.as_ref().unwrap().as_str(), "openrouter");
}

#[test]
fn stored_media_are_bounded() {
    let big = "A".repeat(4096);
    let image = |number: usize| image(&format!("data:image/png;base64,{number:08}{big}"));
    let deltas: Vec<_> = (0..64).map(|number| json!({"images": [image(number)]})).collect();
    let speech: Vec<_> = (0..64).map(|_| json!({"audio": {"data": big}})).collect();
    let content: Vec<_> = (0..64).map(|number| json!({"content": [image(number)]})).collect();
    for deltas in [deltas, speech, content] {
        let mut decoder = tollgate::StreamDecoder::openai_chat().max_bytes(65_536);
        let mut events = Vec::new();
        let failed = deltas.iter().find_map(|delta| {
            let event = format!("data: {}\n\n", json!({"choices": [{"delta": delta}]}));
            decoder.push(event.as_bytes(), &mut events).err()
        });
        let error = failed.expect("more than is kept");
        assert_eq!(error.kind(), ErrorKind::Protocol, "{error}");
        assert!(error.message().contains("65536 bytes allowed"), "{error}");
        let kept = serde_json::to_string(&decoder.partial().message).unwrap();
        assert!(kept.len() < 80_000, "{}", kept.len());
    }
}
