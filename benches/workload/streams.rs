//! Streamed answers as the providers write them.

use serde_json::json;
use std::fmt::Write;
use tollgate::internals::encode_aws_frame;

/// How many pieces of text a stream has.
pub(crate) const CHUNKS: usize = 1_000;

/// Tokens of an answer, with quotation marks and line ends as code has them, and letters
/// that are not ASCII.
const PIECES: [&str; 16] = [
    "The",
    " capital",
    " of",
    " France",
    " is",
    " Paris",
    ",",
    " a",
    " city",
    " of",
    " more",
    " than",
    " two",
    " million",
    ".\n\n",
    " “Où”",
];

/// The pieces of text of a stream.
pub(crate) fn pieces() -> impl Iterator<Item = &'static str> {
    PIECES.into_iter().cycle().take(CHUNKS)
}

/// The body of a whole stream.
pub(crate) fn body(provider: &str) -> Vec<u8> {
    match provider {
        "anthropic" => anthropic(),
        "bedrock" => return bedrock(),
        "cohere" => cohere(),
        "gemini" => gemini(),
        "ollama" => ollama(),
        "responses" => responses(),
        _ => openai(),
    }
    .into_bytes()
}

/// Chunks as the API reference has them ("The chat completion chunk object").
fn openai() -> String {
    let mut body = String::new();
    let mut chunk = |delta: &str, finish_reason: &str| {
        write_event(
            &mut body,
            None,
            &format!(
                r#"{{"id":"chatcmpl-CXz1PQmC0bYhTqkWb8Jr5yY4nVn2u","object":"chat.completion.chunk","created":1761300000,"model":"gpt-4o-mini-2024-07-18","service_tier":"default","system_fingerprint":"fp_560af6e559","choices":[{{"index":0,"delta":{delta},"logprobs":null,"finish_reason":{finish_reason}}}],"usage":null,"obfuscation":"x7Kq2"}}"#
            ),
        );
    };
    chunk(r#"{"role":"assistant","content":"","refusal":null}"#, "null");
    for piece in pieces() {
        chunk(&format!(r#"{{"content":{}}}"#, json!(piece)), "null");
    }
    chunk("{}", "\"stop\"");
    write_event(
        &mut body,
        None,
        r#"{"id":"chatcmpl-CXz1PQmC0bYhTqkWb8Jr5yY4nVn2u","object":"chat.completion.chunk","created":1761300000,"model":"gpt-4o-mini-2024-07-18","service_tier":"default","system_fingerprint":"fp_560af6e559","choices":[],"usage":{"prompt_tokens":14,"completion_tokens":1000,"total_tokens":1014,"prompt_tokens_details":{"cached_tokens":0,"audio_tokens":0},"completion_tokens_details":{"reasoning_tokens":0,"audio_tokens":0,"accepted_prediction_tokens":0,"rejected_prediction_tokens":0}},"obfuscation":""}"#,
    );
    write_event(&mut body, None, "[DONE]");
    body
}

/// Events as "Streaming messages" has them.
fn anthropic() -> String {
    let mut body = String::new();
    let mut event = |name: &str, data: &str| write_event(&mut body, Some(name), data);
    event(
        "message_start",
        r#"{"type":"message_start","message":{"model":"claude-haiku-4-5-20251001","id":"msg_01XFDUDYJgAACzvnptvVoYEL","type":"message","role":"assistant","content":[],"stop_reason":null,"stop_sequence":null,"usage":{"input_tokens":14,"cache_creation_input_tokens":0,"cache_read_input_tokens":0,"cache_creation":{"ephemeral_5m_input_tokens":0,"ephemeral_1h_input_tokens":0},"output_tokens":1,"service_tier":"standard"}}}"#,
    );
    event(
        "content_block_start",
        r#"{"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}"#,
    );
    event("ping", r#"{"type": "ping"}"#);
    for piece in pieces() {
        let piece = json!(piece);
        event(
            "content_block_delta",
            &format!(
                r#"{{"type":"content_block_delta","index":0,"delta":{{"type":"text_delta","text":{piece}}}}}"#
            ),
        );
    }
    event("content_block_stop", r#"{"type":"content_block_stop","index":0}"#);
    event(
        "message_delta",
        r#"{"type":"message_delta","delta":{"stop_reason":"end_turn","stop_sequence":null},"usage":{"input_tokens":14,"cache_creation_input_tokens":0,"cache_read_input_tokens":0,"output_tokens":1000}}"#,
    );
    event("message_stop", r#"{"type":"message_stop"}"#);
    body
}

/// Chunks as recorded of `streamGenerateContent?alt=sse`.
fn gemini() -> String {
    let mut body = String::new();
    let mut chunk = |part: &str, finish_reason: &str, written: usize| {
        write_event(
            &mut body,
            None,
            &format!(
                r#"{{"candidates": [{{"content": {{"parts": [{part}],"role": "model"}}{finish_reason},"index": 0}}],"usageMetadata": {{"promptTokenCount": 14,"candidatesTokenCount": {written},"totalTokenCount": {},"promptTokensDetails": [{{"modality": "TEXT","tokenCount": 14}}],"serviceTier": "standard"}},"modelVersion": "gemini-3.5-flash","responseId": "mqZfatDUG_vrjrEPwcqDwA8"}}"#,
                written + 14
            ),
        );
    };
    for (index, piece) in pieces().enumerate() {
        chunk(&format!(r#"{{"text": {}}}"#, json!(piece)), "", index + 1);
    }
    let signed = r#"{"text": "","thoughtSignature": "EpoCCpcCARFNMg8TA4fMkY"}"#;
    chunk(signed, r#","finishReason": "STOP""#, CHUNKS);
    body
}

/// Events as Cohere's page "Streaming" has them.
fn cohere() -> String {
    let mut body = String::new();
    let mut event = |name: &str, rest: &str| {
        let data = format!(r#"{{"type":"{name}"{rest}}}"#);
        write_event(&mut body, Some(name), &data);
    };
    event(
        "message-start",
        r#","id":"c14c80c3-18eb-4519-9460-6c92edd8cfb4","delta":{"message":{"role":"assistant","content":[],"tool_plan":"","tool_calls":[],"citations":[]}}"#,
    );
    event(
        "content-start",
        r#","index":0,"delta":{"message":{"content":{"type":"text","text":""}}}"#,
    );
    for piece in pieces() {
        let delta = format!(
            r#","index":0,"delta":{{"message":{{"content":{{"text":{}}}}}}}"#,
            json!(piece)
        );
        event("content-delta", &delta);
    }
    event("content-end", r#","index":0"#);
    event(
        "message-end",
        r#","delta":{"finish_reason":"COMPLETE","usage":{"billed_units":{"input_tokens":14,"output_tokens":1000},"tokens":{"input_tokens":507,"output_tokens":1000}}}"#,
    );
    body
}

/// Lines as Ollama's `docs/api.md` has them ("Generate a chat completion").
fn ollama() -> String {
    let mut body = String::new();
    let mut line = |text: &str, rest: &str| {
        let text = json!(text);
        writeln!(
            body,
            r#"{{"model":"llama3.2","created_at":"2023-08-04T08:52:19.385406455-07:00","message":{{"role":"assistant","content":{text}}},{rest}}}"#
        )
        .expect("a text grows");
    };
    for piece in pieces() {
        line(piece, r#""done":false"#);
    }
    line(
        "",
        r#""done_reason":"stop","done":true,"total_duration":4883583458,"load_duration":1334875,"prompt_eval_count":14,"prompt_eval_duration":342546000,"eval_count":1000,"eval_duration":4535599000"#,
    );
    body
}

/// Events as recorded of `ConverseStream`, with the padding that hides their length.
fn bedrock() -> Vec<u8> {
    let mut body = Vec::new();
    let mut event = |name: &str, payload: &str| {
        let headers = [
            (":event-type", name),
            (":content-type", "application/json"),
            (":message-type", "event"),
        ];
        body.extend(encode_aws_frame(&headers, payload.as_bytes()));
    };
    event("messageStart", r#"{"p":"abcdefghijkl","role":"assistant"}"#);
    for piece in pieces() {
        let delta = format!(
            r#"{{"contentBlockIndex":0,"delta":{{"text":{}}},"p":"abcdefghijklmnopqrstu"}}"#,
            json!(piece)
        );
        event("contentBlockDelta", &delta);
    }
    event("contentBlockStop", r#"{"contentBlockIndex":0,"p":"abcdefghijklmn"}"#);
    event("messageStop", r#"{"p":"abcdefghij","stopReason":"end_turn"}"#);
    event(
        "metadata",
        r#"{"metrics":{"latencyMs":1275},"p":"abcdefgh","usage":{"inputTokens":14,"outputTokens":1000,"totalTokens":1014}}"#,
    );
    body
}

/// Events as "Streaming events" in OpenAI's API reference has them.
fn responses() -> String {
    let mut body = String::new();
    let mut number = 0;
    let mut event = |name: &str, rest: &str| {
        let data = format!(r#"{{"type":"{name}","sequence_number":{number},{rest}}}"#);
        write_event(&mut body, Some(name), &data);
        number += 1;
    };
    let response = |status: &str, output: &str, usage: &str| {
        format!(
            r#""response":{{"id":"resp_68ae4b5a0b7c81a2a3c5d6e7f8091a2b","object":"response","created_at":1761300000,"status":"{status}","error":null,"incomplete_details":null,"model":"gpt-5.2-2025-12-11","output":[{output}],"service_tier":"default","store":false,"usage":{usage}}}"#
        )
    };
    let item = |status: &str, content: &str| {
        format!(
            r#"{{"id":"msg_68ae4b5b6d2c81a2","type":"message","status":"{status}","content":[{content}],"role":"assistant"}}"#
        )
    };
    let part = |text: &str| {
        format!(r#"{{"type":"output_text","annotations":[],"logprobs":[],"text":{}}}"#, json!(text))
    };
    let place = r#""item_id":"msg_68ae4b5b6d2c81a2","output_index":0,"content_index":0"#;
    let text: String = pieces().collect();
    event("response.created", &response("in_progress", "", "null"));
    event("response.in_progress", &response("in_progress", "", "null"));
    let empty = item("in_progress", "");
    event("response.output_item.added", &format!(r#""output_index":0,"item":{empty}"#));
    event("response.content_part.added", &format!(r#"{place},"part":{}"#, part("")));
    for piece in pieces() {
        let delta =
            format!(r#"{place},"delta":{},"logprobs":[],"obfuscation":"4fRb2kJQx""#, json!(piece));
        event("response.output_text.delta", &delta);
    }
    event("response.output_text.done", &format!(r#"{place},"text":{},"logprobs":[]"#, json!(text)));
    event("response.content_part.done", &format!(r#"{place},"part":{}"#, part(&text)));
    let done = item("completed", &part(&text));
    event("response.output_item.done", &format!(r#""output_index":0,"item":{done}"#));
    let usage = r#"{"input_tokens":14,"input_tokens_details":{"cached_tokens":0},"output_tokens":1000,"output_tokens_details":{"reasoning_tokens":0},"total_tokens":1014}"#;
    event("response.completed", &response("completed", &done, usage));
    body
}

fn write_event(body: &mut String, name: Option<&str>, data: &str) {
    let name = name.map(|name| format!("event: {name}\n")).unwrap_or_default();
    write!(body, "{name}data: {data}\n\n").expect("a text grows");
}
