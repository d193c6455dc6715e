//! What is asked and answered: shaped as `api.openai.com` shapes it.

use serde_json::Value;
use std::fmt::Write as _;
use std::time::Duration;

pub const MODEL: &str = "gpt-4o-mini";
pub const KEY: &str = "sk-proj-4fVbXo0mJ1kq7Zr9Hc2LwTn8sYd6Ue5A";
pub const QUESTION: &str = "What is the capital of France?";
pub const ANSWER: &str = "The capital of France is Paris.";

/// How long an answer takes that comes soon.
pub const SOON: Duration = Duration::from_millis(50);

/// How long an answer takes that is late.
pub const DELAY: Duration = Duration::from_millis(200);

/// How many chunks a stream has, without the one of the usage.
pub const CHUNKS: usize = 1_000;

/// How much of a stream is written at once.
const WRITE: usize = 16 * 1024;

/// How many chunks a stream has that is left open.
const BEGINNING: usize = 20;

const BODY: &str = r#"{
  "id": "chatcmpl-CXz1PQmC0bYhTqkWb8Jr5yY4nVn2u",
  "object": "chat.completion",
  "created": 1761300000,
  "model": "gpt-4o-mini-2024-07-18",
  "choices": [
    {
      "index": 0,
      "message": {
        "role": "assistant",
        "content": "The capital of France is Paris.",
        "refusal": null,
        "annotations": []
      },
      "logprobs": null,
      "finish_reason": "stop"
    }
  ],
  "usage": {
    "prompt_tokens": 14,
    "completion_tokens": 7,
    "total_tokens": 21,
    "prompt_tokens_details": {
      "cached_tokens": 0,
      "audio_tokens": 0
    },
    "completion_tokens_details": {
      "reasoning_tokens": 0,
      "audio_tokens": 0,
      "accepted_prediction_tokens": 0,
      "rejected_prediction_tokens": 0
    }
  },
  "service_tier": "default",
  "system_fingerprint": "fp_560af6e559"
}
"#;

/// The headers of both kinds of answers.
const HEADERS: &str = "\
Connection: keep-alive\r\n\
access-control-expose-headers: X-Request-ID\r\n\
openai-organization: org-7hq2wz5k0m\r\n\
openai-processing-ms: 412\r\n\
openai-project: proj_Qm8tV3xJb6yLr1Zk\r\n\
openai-version: 2020-10-01\r\n\
x-envoy-upstream-service-time: 431\r\n\
x-ratelimit-limit-requests: 10000\r\n\
x-ratelimit-limit-tokens: 200000\r\n\
x-ratelimit-remaining-requests: 9999\r\n\
x-ratelimit-remaining-tokens: 199989\r\n\
x-ratelimit-reset-requests: 8.64s\r\n\
x-ratelimit-reset-tokens: 3ms\r\n\
x-request-id: req_6f2b9f0c3c6d4d1f8a3c8e7d5b1a2c3d\r\n\
cf-cache-status: DYNAMIC\r\n\
Strict-Transport-Security: max-age=31536000; includeSubDomains; preload\r\n\
X-Content-Type-Options: nosniff\r\n\
Server: cloudflare\r\n\
CF-RAY: 9937d2c1ae5b9a3f-FRA\r\n\
\r\n";

/// The same in every chunk.
const CHUNK: &str = r#""id":"chatcmpl-CXz1PQmC0bYhTqkWb8Jr5yY4nVn2u","object":"chat.completion.chunk","created":1761300000,"model":"gpt-4o-mini-2024-07-18","service_tier":"default","system_fingerprint":"fp_560af6e559""#;

const USAGE: &str = r#"{"prompt_tokens":14,"completion_tokens":998,"total_tokens":1012,"prompt_tokens_details":{"cached_tokens":0,"audio_tokens":0},"completion_tokens_details":{"reasoning_tokens":0,"audio_tokens":0,"accepted_prediction_tokens":0,"rejected_prediction_tokens":0}}"#;

const PADDING: &str = "a7Qx2LmZ0pRt9Vw";

const TOKENS: [&str; 48] = [
    "In",
    " the",
    " early",
    " morning",
    ",",
    " when",
    " the",
    " cafés",
    " were",
    " still",
    " closed",
    " and",
    " the",
    " river",
    " lay",
    " as",
    " smooth",
    " as",
    " glass",
    ",",
    " she",
    " would",
    " say",
    ":",
    " \"",
    "Not",
    " yet",
    ".\"",
    " Then",
    " she",
    " walked",
    " along",
    " the",
    " quay",
    " to",
    " the",
    " old",
    " book",
    "st",
    "alls",
    ",",
    " unhurried",
    " —",
    " as",
    " always",
    ".",
    "\n\n",
    "Nobody",
];

/// The texts of a stream, one after the other.
fn tokens() -> impl Iterator<Item = &'static str> {
    // The first chunk has the role and the last one why it ends.
    TOKENS.iter().copied().cycle().take(CHUNKS - 2)
}

/// How many bytes of text a stream has in all.
pub fn streamed() -> usize {
    tokens().map(str::len).sum()
}

/// Everything that is ever sent, with its head.
pub struct Answers {
    pub whole: Vec<u8>,
    /// Without and with the usage.
    pub streams: [Stream; 2],
    pub beginning: Vec<u8>,
}

/// The writes of a stream.
pub struct Stream {
    pub large: Vec<Vec<u8>>,
    /// The head, then each event.
    pub packets: Vec<Vec<u8>>,
}

impl Answers {
    pub fn new() -> Self {
        let whole = format!(
            "HTTP/1.1 200 OK\r\nDate: Fri, 24 Oct 2025 10:00:00 GMT\r\n\
             Content-Type: application/json\r\nContent-Length: {}\r\n{HEADERS}{BODY}",
            BODY.len()
        );
        let beginning = packets(false).into_iter().take(1 + BEGINNING);
        Self {
            whole: whole.into_bytes(),
            streams: [false, true].map(|usage| {
                let packets = packets(usage);
                let large = packets.concat().chunks(WRITE).map(<[u8]>::to_vec).collect();
                Stream { large, packets }
            }),
            beginning: beginning.flatten().collect(),
        }
    }
}

/// The head, then a chunk of the transfer coding for each event, as it comes from a server
/// that sends each as soon as it has it.
fn packets(usage: bool) -> Vec<Vec<u8>> {
    let head = format!(
        "HTTP/1.1 200 OK\r\nDate: Fri, 24 Oct 2025 10:00:00 GMT\r\n\
         Content-Type: text/event-stream; charset=utf-8\r\nTransfer-Encoding: chunked\r\n{HEADERS}"
    );
    let events = events(usage).into_iter();
    let chunks = events.map(|data| {
        let event = format!("data: {data}\n\n");
        format!("{:x}\r\n{event}\r\n", event.len()).into_bytes()
    });
    let mut packets: Vec<_> = [head.into_bytes()].into_iter().chain(chunks).collect();
    if let Some(last) = packets.last_mut() {
        last.extend(b"0\r\n\r\n");
    }
    packets
}

fn events(usage: bool) -> Vec<String> {
    let first = (r#"{"role":"assistant","content":"","refusal":null}"#.to_owned(), "null", 9);
    let last = ("{}".to_owned(), "\"stop\"", 6);
    let texts = tokens().map(|token| {
        let delta = format!(r#"{{"content":{}}}"#, Value::from(token));
        (delta, "null", PADDING.len().saturating_sub(token.len()))
    });
    let chunks = [first].into_iter().chain(texts).chain([last]);
    let mut events: Vec<String> = chunks
        .map(|(delta, reason, padding)| {
            let mut event = format!(
                r#"{{{CHUNK},"choices":[{{"index":0,"delta":{delta},"logprobs":null,"finish_reason":{reason}}}]"#
            );
            // There without a value where it is asked for.
            event.push_str(if usage { r#","usage":null"# } else { "" });
            let _ = write!(event, r#","obfuscation":"{}"}}"#, &PADDING[..padding]);
            event
        })
        .collect();
    if usage {
        events.push(format!(r#"{{{CHUNK},"choices":[],"usage":{USAGE},"obfuscation":"k3Vd"}}"#));
    }
    events.push("[DONE]".to_owned());
    events
}
