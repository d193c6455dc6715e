//! Tests of unmodelled members.

use super::*;
use serde_json::json;

fn members(object: &Value) -> Unknown {
    let mut unknown = Unknown::default();
    for (name, value) in object.as_object().into_iter().flatten() {
        unknown.insert(name.clone(), value.clone());
    }
    unknown
}

fn joined(pieces: &[Value]) -> Value {
    let mut unknown = Unknown::default();
    for piece in pieces {
        let piece = members(piece);
        unknown.extend(piece, &mut SizeLimit::new(1 << 20)).unwrap();
    }
    unknown.members.map_or(Value::Null, |members| Value::Object(*members))
}

#[test]
fn pieces_join_to_the_same_value_as_without_streaming() {
    for (pieces, expected) in [
        (vec![json!({"a": null, "b": "", "c": [], "d": {}, "role": "assistant"})], json!(null)),
        // OpenRouter, before Anthropic (recorded).
        (
            vec![
                json!({"reasoning_details": [{"type": "reasoning.text", "text": "", "signature": "", "format": "anthropic-claude-v1", "index": 0}]}),
                json!({"reasoning_details": [{"type": "reasoning.text", "text": "ha", "format": "anthropic-claude-v1", "index": 0}]}),
                json!({"reasoning_details": [{"type": "reasoning.text", "text": "ha", "format": "anthropic-claude-v1", "index": 0}]}),
                json!({"reasoning_details": []}),
                json!({"reasoning_details": [{"type": "reasoning.text", "signature": "Et0B", "format": "anthropic-claude-v1", "index": 0}]}),
                json!({"reasoning_details": [{"type": "reasoning.text", "text": "then", "index": 1}]}),
            ],
            json!({"reasoning_details": [
                {"type": "reasoning.text", "text": "haha", "signature": "Et0B", "format": "anthropic-claude-v1", "index": 0},
                {"type": "reasoning.text", "text": "then", "index": 1},
            ]}),
        ),
        // OpenRouter, before OpenAI and Gemini: one index for different elements.
        (
            vec![
                json!({"reasoning_details": [{"type": "reasoning.summary", "summary": "a", "index": 0}]}),
                json!({"reasoning_details": [{"type": "reasoning.summary", "summary": "b", "index": 0}]}),
                json!({"reasoning_details": [{"type": "reasoning.encrypted", "data": "X", "id": "t1", "index": 0}, {"type": "reasoning.encrypted", "data": "Y", "id": "t2", "index": 0}]}),
            ],
            json!({"reasoning_details": [
                {"type": "reasoning.summary", "summary": "ab", "index": 0},
                {"type": "reasoning.encrypted", "data": "X", "id": "t1", "index": 0},
                {"type": "reasoning.encrypted", "data": "Y", "id": "t2", "index": 0},
            ]}),
        ),
        // LiteLLM, without an index.
        (
            vec![
                json!({"thinking_blocks": [{"type": "thinking", "thinking": "a", "signature": null}]}),
                json!({"thinking_blocks": [{"type": "thinking", "thinking": "a", "signature": null}]}),
                json!({"thinking_blocks": [{"type": "thinking", "thinking": "", "signature": "S"}]}),
                json!({"thinking_blocks": [{"type": "redacted_thinking", "data": "R"}]}),
                json!({"thinking_blocks": [{"type": "thinking", "thinking": "b", "signature": "T"}]}),
            ],
            json!({"thinking_blocks": [
                {"type": "thinking", "thinking": "aa", "signature": "S"},
                {"type": "redacted_thinking", "data": "R"},
                {"type": "thinking", "thinking": "b", "signature": "T"},
            ]}),
        ),
        (
            vec![
                json!({"provider_specific_fields": {"thought_signatures": ["A"]}, "channel": "analysis"}),
                json!({"provider_specific_fields": {"thought_signatures": ["A", "B"]}, "channel": "analysis"}),
                json!({"channel": "final", "extra_content": {"google": {"thought_signature": "S"}}}),
                json!({"extra_content": {"google": {"thought_signature": "S"}}, "n": 1}),
            ],
            json!({
                "provider_specific_fields": {"thought_signatures": ["A", "B"]},
                "channel": "final",
                "extra_content": {"google": {"thought_signature": "S"}},
                "n": 1,
            }),
        ),
        // Two equal images are still two images.
        (
            vec![
                json!({"pictures": [{"type": "image_url", "image_url": {"url": "a"}}]}),
                json!({"pictures": [{"type": "image_url", "image_url": {"url": "b"}}]}),
                json!({"pictures": [{"type": "image_url", "image_url": {"url": "b"}}]}),
            ],
            json!({"pictures": [
                {"type": "image_url", "image_url": {"url": "a"}},
                {"type": "image_url", "image_url": {"url": "b"}},
            ]}),
        ),
    ] {
        assert_eq!(joined(&pieces), expected);
    }
}

/// Returns a random state, and the pieces in which a server can stream it.
fn state(random: &mut fastrand::Rng) -> (Value, Vec<Value>) {
    let word = |random: &mut fastrand::Rng| {
        (0..random.usize(1..9)).map(|_| random.choice(['a', 'b', 'ü', ' ', '"']).unwrap()).collect()
    };
    let (mut items, mut pieces) = (Vec::new(), Vec::new());
    for index in 0..random.usize(1..5) {
        let text: String = word(random);
        let base = json!({"type": "reasoning.text", "format": "f", "index": index});
        let with = |name: &str, value: &str| {
            let mut item = base.clone();
            item[name] = value.into();
            json!({"reasoning_details": [item]})
        };
        let mut whole = base.clone();
        whole["text"] = text.as_str().into();
        pieces.extend(text.chars().map(|char| with("text", &char.to_string())));
        if random.bool() {
            let signature: String = word(random);
            whole["signature"] = signature.as_str().into();
            pieces.push(with("signature", &signature));
        }
        items.push(whole);
    }
    let mark: String = word(random);
    pieces.insert(random.usize(..=pieces.len()), json!({"extra_content": {"mark": mark}}));
    (json!({"reasoning_details": items, "extra_content": {"mark": mark}}), pieces)
}

#[test]
fn any_state_is_the_same_at_once_and_in_pieces() {
    let mut random = fastrand::Rng::with_seed(7);
    for _ in 0..500 {
        let (whole, pieces) = state(&mut random);
        assert_eq!(joined(&pieces), whole, "{pieces:?}");
        assert_eq!(joined(std::slice::from_ref(&whole)), whole);
    }
}

#[test]
fn unmodelled_members_are_bounded() {
    let piece = || members(&json!({"state": "x".repeat(60)}));
    let mut unknown = Unknown::default();
    let mut room = SizeLimit::new(100);
    unknown.extend(piece(), &mut room).unwrap();
    // A repetition takes no more room.
    unknown.extend(piece(), &mut room).unwrap();
    let other = members(&json!({"more": "x".repeat(60)}));
    assert!(unknown.extend(other, &mut room).is_err());
}

#[test]
fn members_that_the_request_sets_stay() {
    let members = json!({"content": "no", "function": {"name": "no", "mark": 1}, "state": "s"});
    let mut object = json!({"content": "hi", "function": {"name": "f"}});
    self::members(&members).write_into(&mut object);
    assert_eq!(
        object,
        json!({"content": "hi", "function": {"name": "f", "mark": 1}, "state": "s"})
    );
}
