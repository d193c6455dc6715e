//! Our dependencies log no key and no prompt at any level, whether we send it or a server repeats
//! it.

mod support;

use log::{LevelFilter, Log, Metadata, Record};
use std::sync::Mutex;
use support::{builder, loopback};
use tollgate::testing::Reply;

static LINES: Mutex<Vec<String>> = Mutex::new(Vec::new());

struct Capture;

impl Log for Capture {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &Record<'_>) {
        let line = format!("{} {} {}", record.level(), record.target(), record.args());
        LINES.lock().unwrap().push(line);
    }

    fn flush(&self) {}
}

#[test]
fn neither_key_nor_prompt_reaches_a_log() {
    const KEY: &str = "zq7x-k93w-v55p-j21m";
    const GATEWAY: &str = "gateway-pass-phrase-0815";
    const PROMPT: &str = "the launch code is four noughts";
    log::set_logger(&Capture).unwrap();
    log::set_max_level(LevelFilter::Trace);
    let server = loopback();
    for provider in ["openai", "anthropic"] {
        server.reply(Reply::text("fine"));
        server.reply(Reply::error(400, "bad", "no"));
        let client =
            builder(&server, provider).api_key(KEY).header("x-gateway", GATEWAY).build().unwrap();
        client.chat(PROMPT).unwrap();
        client.chat(PROMPT).unwrap_err();
        let sent = server.requests().pop().unwrap();
        assert_eq!((sent.api_key(), sent.header("x-gateway")), (Some(KEY), Some(GATEWAY)));
    }
    // A server may also repeat the key, and a URL may contain it.
    server.reply(Reply::error(400, "bad", KEY).header("server", KEY).header("x-request-id", KEY));
    let url = format!("{}?key={KEY}", server.base_url("openai"));
    let client = builder(&server, "openai").api_key(KEY).base_url(url).build().unwrap();
    client.chat(PROMPT).unwrap_err();
    log::trace!("the logger works");
    let log = LINES.lock().unwrap().join("\n");
    assert!(log.contains("the logger works"));
    for secret in [KEY, GATEWAY, PROMPT] {
        // A dump shows sixteen bytes a line.
        for piece in secret.as_bytes().windows(8) {
            let piece = std::str::from_utf8(piece).unwrap();
            assert!(!log.contains(piece), "{piece:?} is in the log");
        }
    }
}
