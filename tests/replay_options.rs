//! What recordings keep only on request: the pace of streams, and dates.

mod support;

use serde_json::{Value, json};
use std::fs;
use std::time::Duration;
use support::folder::Folder;
use support::{builder, loopback};
use tollgate::replay::Mode;
use tollgate::testing::Reply;
use tollgate::{CancelToken, ChatRequest, Client, ErrorKind, Replay};

/// Records one stream and returns its file.
fn recorded(folder: &Folder, change: impl Fn(Replay) -> Replay) -> (Value, String) {
    let server = loopback();
    server.reply(Reply::text("one two three").header("date", "Fri, 27 Nov 2026 10:00:00 GMT"));
    let replay = change(folder.replay(Mode::Refresh));
    let client = builder(&server, "openai").replay(replay).build().unwrap();
    client.stream("hi").unwrap().finish().unwrap();
    let [(_, text)] = folder.files().try_into().unwrap();
    (serde_json::from_str(&text).unwrap(), server.base_url("openai"))
}

fn replaying(url: &str, folder: &Folder) -> Client {
    let builder = Client::builder().provider("openai").model("gpt-4o-mini").base_url(url);
    builder.replay(folder.replay(Mode::Replay)).build().unwrap()
}

#[test]
fn the_pace_of_a_stream_is_recorded_only_on_request() {
    let folder = Folder::new("pace");
    let (file, _) = recorded(&folder, |replay| replay);
    assert_eq!(file["response"].get("waits_ms"), None);
    let folder = Folder::new("pace-kept");
    let (file, url) = recorded(&folder, |replay| replay.timing(true));
    let (waits, chunks) = (&file["response"]["waits_ms"], &file["response"]["chunks"]);
    assert_eq!(waits.as_array().unwrap().len(), chunks.as_array().unwrap().len());
    assert!(waits.as_array().unwrap().iter().all(Value::is_u64), "{waits}");
    let answer = replaying(&url, &folder).stream("hi").unwrap().finish().unwrap();
    assert_eq!(answer.text(), "one two three");
}

#[test]
fn a_stream_is_replayed_at_its_recorded_pace_until_it_is_cancelled() {
    let folder = Folder::new("slow");
    let (mut file, url) = recorded(&folder, |replay| replay.timing(true));
    // One event in each piece. From the third on, each takes an hour.
    let chunks = file["response"]["chunks"].as_array().unwrap();
    let body: String = chunks.iter().map(|chunk| chunk.as_str().unwrap()).collect();
    let events: Vec<_> = body.split_inclusive("\n\n").collect();
    let waits = (0..events.len()).map(|at| if at < 2 { 0 } else { 3_600_000 });
    file["response"]["waits_ms"] = waits.collect::<Vec<u64>>().into();
    file["response"]["chunks"] = json!(events);
    fs::write(folder.0.join(&folder.names()[0]), file.to_string()).unwrap();
    let token = CancelToken::new();
    let request = ChatRequest::from("hi").cancel_token(&token).timeout(Duration::from_secs(7200));
    let mut stream = replaying(&url, &folder).stream(request).unwrap();
    stream.next().unwrap().unwrap();
    // The rest would take hours.
    token.cancel();
    assert_eq!(stream.finish().unwrap_err().kind(), ErrorKind::Cancelled);
    assert!(stream.partial().text().len() < "one two three".len());
}

#[test]
fn a_file_has_dates_only_on_request() {
    let folder = Folder::new("dates");
    let has_date = |file: &Value| {
        let headers = file["response"]["headers"].as_array().unwrap();
        headers.iter().any(|header| header.as_str().unwrap().starts_with("date: "))
    };
    let (file, _) = recorded(&folder, |replay| replay);
    assert_eq!((file.get("recorded"), has_date(&file)), (None, false));
    let folder = Folder::new("dates-kept");
    let (file, _) = recorded(&folder, |replay| replay.dates(true));
    let day = file["recorded"].as_str().unwrap();
    assert!(day.len() == 10 && day.starts_with("20"), "{day}");
    assert!(has_date(&file));
}

#[test]
fn the_same_answer_recorded_again_changes_no_file() {
    let folder = Folder::new("stable");
    let server = loopback();
    let body = json!({
        "id": "1", "object": "chat.completion", "model": "gpt-4o-mini", "created": 1,
        "choices": [{"message": {"role": "assistant", "content": "hi"}, "finish_reason": "stop"}],
    });
    let mut texts = Vec::new();
    for day in ["Fri, 27 Nov 2026 10:00:00 GMT", "Sat, 28 Nov 2026 11:00:00 GMT"] {
        let reply = Reply::raw(200, "application/json", body.to_string());
        server.reply(reply.header("date", day).header("x-request-id", "req-1"));
        let client = builder(&server, "openai").replay(folder.replay(Mode::Refresh)).build();
        client.unwrap().chat("hi").unwrap();
        texts.push(folder.files());
    }
    assert_eq!(server.request_count(), 2);
    assert_eq!(texts[0], texts[1]);
}
