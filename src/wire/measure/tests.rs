//! Tests that no request uses more tokens than its upper bound.

mod recordings;

use serde_json::{Map, Value, json};

use super::*;
use crate::chat::{CacheTtl, ChatRequest, Image, Message, Part, Tool, ToolCall};
use crate::upper_bound::Tokenizer;
use crate::wire::{Delivery, Target};

/// A format, and what is known about a model.
#[derive(Clone, Copy)]
struct Basis<'a> {
    wire: Wire,
    provider: &'a str,
    model: &'a str,
    output_tokens: Option<u64>,
    context_window: Option<u64>,
    tokenizer: Option<&'a dyn Tokenizer>,
}

fn of(body: &Map<String, Value>, basis: &Basis<'_>) -> Result<UpperBound, Unbounded> {
    let &Basis { wire, provider, model, output_tokens, context_window, tokenizer } = basis;
    let limits = ModelLimits { provider, model, output_tokens, context_window, tokenizer };
    measure(&body.clone().into(), wire, &limits, None)
}

fn basis(wire: Wire, model: &str) -> Basis<'_> {
    Basis {
        wire,
        provider: "openai",
        model,
        output_tokens: None,
        context_window: None,
        tokenizer: None,
    }
}

fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(members) => members,
        _ => panic!("no object"),
    }
}

const CHAT: Wire = Wire::OpenAiChat;
const MESSAGES: Wire = Wire::Anthropic;

fn encoded(wire: Wire, request: &ChatRequest) -> Map<String, Value> {
    wire.members(request, Target::openai("m"), Delivery::Whole).unwrap()
}

/// Returns the bound of a short request with these extra members.
fn with(wire: Wire, model: &str, members: Value) -> Result<UpperBound, Unbounded> {
    let mut body = object(json!({"messages": [{"role": "user", "content": "hi"}]}));
    body.insert("max_tokens".into(), 100.into());
    body.extend(object(members));
    of(&body, &Basis { context_window: Some(1000), ..basis(wire, model) })
}

/// A simple tokenizer: three ASCII letters are one token, and so is every other byte.
fn triples(text: &str) -> u64 {
    let (mut tokens, mut letters) = (0, 0);
    for byte in text.bytes() {
        letters = if byte.is_ascii_alphabetic() { (letters + 1) % 3 } else { 0 };
        tokens += u64::from(letters <= 1);
    }
    tokens
}

#[test]
fn no_random_conversation_exceeds_its_bound() {
    let mut random = fastrand::Rng::with_seed(5);
    let alphabet =
        ["a", "the ", "é", "ﷺ", "㌖", "\"", "\\", "\n", "\u{1}", "🦀", "東", "{}", "</s>", "が"];
    for round in 0..500 {
        let mut texts = Vec::new();
        let mut text = |random: &mut fastrand::Rng| {
            let text: String = (0..random.usize(1..40))
                .map(|_| alphabet[random.usize(..alphabet.len())])
                .collect();
            let text = format!("x{text}x");
            texts.push(text.clone());
            text
        };
        let mut request = ChatRequest::new([Message::system(text(&mut random))]);
        for turn in 0..random.usize(1..9) {
            request = request.message(Message::user(text(&mut random)).with(text(&mut random)));
            let id = format!("c{turn}");
            let arguments = json!({ text(&mut random): text(&mut random) }).to_string();
            request = request
                .message(Message::assistant(text(&mut random)).with(ToolCall::new(
                    id.as_str(),
                    "f",
                    arguments,
                )))
                .message(Message::tool_result(id, text(&mut random)));
        }
        let schema = json!({"properties": {text(&mut random): {"description": text(&mut random)}}});
        let request = request.tool(Tool::function("f", text(&mut random), schema));
        let messages = u64::try_from(request.messages.len()).unwrap();
        for wire in [CHAT, MESSAGES] {
            let body = encoded(wire, &request);
            let plain = Basis { output_tokens: Some(1), ..basis(wire, "m") };
            // The most that a byte-level tokenizer can count, plus the overhead.
            let bytes: usize = texts.iter().map(String::len).sum();
            let bound = of(&body, &plain).unwrap().input_tokens;
            let tools = if wire == MESSAGES { 804 } else { 0 };
            assert!(bound >= u64::try_from(bytes).unwrap() + messages * 5 + 3 + tools, "{round}");

            let counts = |_: &str, _: &str, text: &str| Some(triples(text));
            let counted = of(&body, &Basis { tokenizer: Some(&counts), ..plain }).unwrap();
            let tokens: u64 = texts.iter().map(|text| triples(text)).sum();
            assert!(counted.input_tokens >= tokens + messages * 5 + 3 + tools, "{round}");
            assert!(counted.input_tokens < bound, "{round}");

            // A tokenizer that does not know the model changes nothing.
            let knows_none = |_: &str, _: &str, _: &str| None;
            let same = of(&body, &Basis { tokenizer: Some(&knows_none), ..plain }).unwrap();
            assert_eq!(same.input_tokens, bound);

            let window = Some(bound / 2);
            let cut = of(&body, &Basis { context_window: window, ..plain }).unwrap();
            assert_eq!(Some(cut.input_tokens), window);
        }
    }
}

#[test]
fn the_output_bound_is_the_limit_times_the_choices() {
    for (members, expected) in [
        (json!({}), 100),
        (json!({"n": 3}), 300),
        (json!({"n": 2, "best_of": 5}), 500),
        (json!({"n": 0}), 100),
        (json!({"max_completion_tokens": 300}), 300),
        (json!({"max_tokens": 12.5}), 13),
        (json!({"max_tokens": -1}), 777),
        (json!({"max_tokens": null}), 777),
        (json!({"max_tokens": 1_000_000}), 1000),
        (json!({"max_tokens": u64::MAX, "n": u64::MAX}), u64::MAX),
        (json!({"thinking": {"type": "enabled", "budget_tokens": 400}}), 400),
    ] {
        let mut body = object(json!({"messages": [], "max_tokens": 100}));
        body.extend(object(members.clone()));
        let basis =
            Basis { context_window: Some(1000), output_tokens: Some(777), ..basis(CHAT, "gpt-4o") };
        assert_eq!(of(&body, &basis).unwrap().output_tokens, expected, "{members}");
    }
    let predicted = with(CHAT, "m", json!({"prediction": {"content": "x".repeat(500)}})).unwrap();
    assert!((600..700).contains(&predicted.output_tokens), "{predicted:?}");
    let body = object(json!({"messages": []}));
    assert_eq!(of(&body, &basis(CHAT, "m")), Err(Unbounded::Output));
    let window = Basis { context_window: Some(1000), ..basis(CHAT, "m") };
    assert_eq!(of(&body, &window).unwrap().output_tokens, 1000);
    assert_eq!(
        output_limit(&encoded(MESSAGES, &"hi".into()), MESSAGES.format().output_limits),
        Some(4096)
    );
    assert_eq!(output_limit(&encoded(CHAT, &"hi".into()), CHAT.format().output_limits), None);
    assert_eq!(
        output_limit(
            &encoded(CHAT, &ChatRequest::from("hi").max_output_tokens(7)),
            CHAT.format().output_limits
        ),
        Some(7)
    );
}

#[test]
fn limit_within_returns_the_greatest_limit_that_fits() {
    for members in [
        json!({}),
        json!({"n": 3}),
        json!({"n": 2, "prediction": {"content": "x".repeat(50)}}),
        json!({"tools": [{"type": "web_fetch_20250910"}]}),
    ] {
        let mut body = object(members);
        let basis = Basis {
            output_tokens: Some(u64::MAX),
            context_window: Some(5000),
            ..basis(MESSAGES, "m")
        };
        let open = of(&body, &basis).unwrap();
        for tokens in [0, 1, 10, 1000, 4999, 20_000, u64::MAX] {
            let limit = open.limit_within(tokens);
            body.insert("max_tokens".into(), limit.into());
            let output_tokens = of(&body, &basis).unwrap().output_tokens;
            assert!(limit == 0 || output_tokens <= tokens, "{limit} {output_tokens} {tokens}");
            body.insert("max_tokens".into(), (limit.saturating_add(1)).into());
            let more = of(&body, &basis).unwrap().output_tokens;
            assert!(limit >= 5000 || more > tokens, "{limit} {more} {tokens}");
        }
    }
}

#[test]
fn content_that_cannot_be_counted_takes_the_context_window() {
    let part = |part: Value| json!({"messages": [{"role": "user", "content": [part]}]});
    for (wire, members) in [
        (CHAT, part(json!({"type": "file", "file": {"file_id": "f"}}))),
        (CHAT, part(json!({"type": "video_url", "video_url": {"url": "u"}}))),
        (CHAT, part(json!({"type": "image_url", "image_url": {"url": "https://x/y"}}))),
        (CHAT, json!({"previous_response_id": "r"})),
        (CHAT, json!({"enable_search": true})),
        (CHAT, json!({"messages": [{"role": "assistant", "audio": {"id": "a"}}]})),
        (MESSAGES, part(json!({"type": "document", "source": {"type": "base64", "data": "JVBE"}}))),
        (MESSAGES, part(json!({"type": "document", "source": {"type": "url", "url": "u"}}))),
        (MESSAGES, part(json!({"type": "container_upload", "file_id": "f"}))),
        (
            MESSAGES,
            part(json!({"type": "tool_result", "content": [
                {"type": "document", "source": {"type": "file", "file_id": "f"}}
            ]})),
        ),
    ] {
        assert_eq!(with(wire, "m", members.clone()).unwrap().input_tokens, 1000, "{members}");
        let mut body = object(json!({"max_tokens": 1}));
        body.extend(object(members.clone()));
        let unbounded = of(&body, &basis(wire, "m")).unwrap_err();
        let message = unbounded.to_string();
        assert!(matches!(unbounded, Unbounded::Input(_)), "{members}");
        assert!(message.contains("context window"), "{message}");
    }
}

#[test]
fn content_in_the_body_counts_for_its_own_tokens() {
    let part = |part: Value| json!({"messages": [{"role": "user", "content": [part]}]});
    let image = |detail: &str| json!({"url": "https://x/y", "detail": detail});
    for (wire, members, least, most) in [
        (CHAT, json!({}), 256, 300),
        (CHAT, json!({"top_a": 0.5, "user": "x".repeat(500), "stop": ["y"]}), 256, 300),
        (CHAT, part(json!({"type": "image_url", "image_url": image("low")})), 3779, 4200),
        (CHAT, part(json!({"type": "image_url", "image_url": image("high")})), 48_169, 48_500),
        (
            CHAT,
            part(json!({"type": "input_audio", "input_audio": {"data": "A".repeat(32_000)}})),
            1000,
            1400,
        ),
        (
            MESSAGES,
            part(json!({"type": "image", "source": {"type": "url", "url": "u"}})),
            4784,
            5200,
        ),
        (
            MESSAGES,
            part(json!({"type": "document", "source": {"type": "text", "data": "x".repeat(900)}})),
            900,
            1300,
        ),
        (MESSAGES, json!({"system": "x".repeat(900)}), 900, 1300),
        (MESSAGES, json!({"tools": []}), 256, 300),
    ] {
        let mut body = object(json!({"max_tokens": 1}));
        body.extend(object(members.clone()));
        let input_tokens = of(&body, &basis(wire, "m")).unwrap().input_tokens;
        assert!((least..most).contains(&input_tokens), "{members}: {input_tokens}");
    }
    // The size of an image in pixels lowers its bound; its size in bytes does not count.
    let png = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\x03\xe8\0\0\x02\x58\x08\x02\0\0\0";
    let mut bytes = png.to_vec();
    bytes.resize(100_000, 0);
    let request = Message::user("hi").with(Image::from_bytes("image/png", &bytes));
    let body = encoded(MESSAGES, &ChatRequest::from(request.clone()));
    let input_tokens = of(&body, &basis(MESSAGES, "m")).unwrap().input_tokens;
    assert!((800..1300).contains(&input_tokens), "{input_tokens}");
    let body = encoded(CHAT, &ChatRequest::from(request).max_output_tokens(1));
    let input_tokens = of(&body, &basis(CHAT, "gpt-5.6")).unwrap().input_tokens;
    assert!((48_169..48_600).contains(&input_tokens), "{input_tokens}");
    let input_tokens = of(&body, &basis(CHAT, "gpt-5.4")).unwrap().input_tokens;
    assert!((1445..2000).contains(&input_tokens), "{input_tokens}");
}

#[test]
fn every_search_counts_and_every_step_takes_the_window() {
    let search = |most: Value| {
        json!({"tools": [{"type": "web_search_20260209", "name": "web_search",
        "max_uses": most}]})
    };
    let bound = with(MESSAGES, "m", search(3.into())).unwrap();
    assert_eq!((bound.web_searches, bound.input_tokens), (3, 11_000));
    assert_eq!(bound.output_tokens, 1100);
    assert!(bound.cache_writes);
    let endless = with(MESSAGES, "m", search(Value::Null)).unwrap_err();
    assert_eq!(endless, Unbounded::WebSearches);
    assert!(endless.to_string().contains("max_uses"));
    let bound = with(CHAT, "m", json!({"web_search_options": {}, "n": 2})).unwrap();
    assert_eq!((bound.web_searches, bound.input_tokens), (2, 1000));
    assert_eq!(with(CHAT, "gpt-4o-search-preview", json!({})).unwrap().web_searches, 1);
    assert_eq!(with(CHAT, "gpt-4o", json!({})).unwrap().web_searches, 0);
}

#[test]
fn cache_writes_are_found_at_any_depth() {
    let writes = |wire, members| {
        let bound = with(wire, "m", members).unwrap();
        (bound.cache_writes, bound.cache_writes_1h)
    };
    assert_eq!(writes(CHAT, json!({})), (true, false));
    assert_eq!(writes(MESSAGES, json!({})), (false, false));
    assert_eq!(writes(MESSAGES, json!({"cache_control": {"type": "ephemeral"}})), (true, false));
    let tool = json!({"name": "f", "cache_control": {"type": "ephemeral", "ttl": "1h"}});
    assert_eq!(writes(MESSAGES, json!({"tools": [tool]})), (true, true));
    let request = ChatRequest::from(Message::user("a").with(Part::CachePoint(CacheTtl::OneHour)));
    let body = encoded(MESSAGES, &request);
    assert!(of(&body, &basis(MESSAGES, "m")).unwrap().cache_writes_1h);
}

#[test]
fn audio_is_found_in_input_and_output() {
    let members = json!({"modalities": ["text", "audio"], "messages": [{"role": "user", "content": [
        {"type": "input_audio", "input_audio": {"data": "AAAA", "format": "wav"}},
    ]}]});
    let bound = with(CHAT, "m", members).unwrap();
    assert!(bound.input_audio && bound.output_audio);
    let bound = with(CHAT, "m", json!({})).unwrap();
    assert!(!bound.input_audio && !bound.output_audio);
}

#[test]
fn several_prompts_multiply_the_output() {
    let bound = |prompt: Value| {
        let body = object(json!({"prompt": prompt, "max_tokens": 10, "n": 2}));
        of(&body, &basis(Wire::OpenAiCompletions, "davinci-002")).unwrap()
    };
    assert_eq!(bound("hi".into()).output_tokens, 20);
    assert_eq!(bound(json!(["a", "b", "c"])).output_tokens, 60);
    assert_eq!(bound(json!([1, 2, 3])).output_tokens, 20);
    assert_eq!(bound(json!([[1, 2], [3]])).output_tokens, 40);
}

#[test]
fn malformed_bodies_never_panic() {
    for value in [json!(null), json!(1), json!("x"), json!([]), json!([[]]), json!({"a": [{}]})] {
        for name in [
            "messages",
            "system",
            "prompt",
            "tools",
            "n",
            "max_tokens",
            "thinking",
            "modalities",
            "response_format",
            "prediction",
            "mcp_servers",
            "echo",
            "cache_control",
        ] {
            for wire in [CHAT, MESSAGES, Wire::OpenAiCompletions] {
                let _ = with(wire, "m", json!({name: value}));
                let nested = json!({"messages": [value, {"content": value}, {"content": [value]},
                    {"content": [{"type": "image", "source": value}, {"type": "image_url", "image_url": value},
                    {"type": "input_audio", "input_audio": value}, {"type": "document", "source": value}]}]});
                let _ = with(wire, "m", nested);
            }
        }
    }
}

#[test]
fn a_request_billed_at_another_price_has_no_bound() {
    for (members, is_bounded) in [
        (json!({}), true),
        (json!({"speed": null, "inference_geo": null}), true),
        (json!({"speed": "standard", "inference_geo": "global"}), true),
        (json!({"speed": "fast"}), false),
        (json!({"speed": 2}), false),
        (json!({"inference_geo": "us"}), false),
    ] {
        let mut body = object(json!({"max_tokens": 1, "messages": []}));
        body.extend(object(members));
        let bound = of(&body, &basis(Wire::Anthropic, "claude-opus-4-6"));
        match bound {
            Ok(_) => assert!(is_bounded, "{body:?}"),
            Err(why) => assert!(!is_bounded && why.to_string().contains("leave it out"), "{why}"),
        }
    }
}

#[test]
fn a_stated_bound_replaces_what_cannot_be_counted() {
    let pdf = json!({"messages": [{"role": "user", "content": [{"type": "document",
        "source": {"type": "base64", "media_type": "application/pdf", "data": "eA=="}}]}],
        "max_tokens": 100});
    let text = json!({"messages": [{"role": "user", "content": "hi"}], "max_tokens": 100});
    let bound = |body: &Value, context_window, stated| {
        let limits = ModelLimits {
            provider: "anthropic",
            model: "m",
            output_tokens: None,
            context_window,
            tokenizer: None,
        };
        measure(&object(body.clone()).into(), Wire::Anthropic, &limits, stated)
            .map(|bound| (bound.input_tokens, bound.is_window))
            .ok()
    };
    assert_eq!(bound(&pdf, Some(200_000), None), Some((200_000, true)));
    assert_eq!(bound(&pdf, Some(200_000), Some(9_000)), Some((9_000, false)));
    assert_eq!(bound(&pdf, Some(200_000), Some(900_000)), Some((200_000, false)));
    assert_eq!(bound(&pdf, None, Some(9_000)), Some((9_000, false)));
    assert_eq!(bound(&pdf, None, None), None);
    // What can be counted is still counted.
    assert_eq!(bound(&text, None, Some(1)), bound(&text, None, None));
}
