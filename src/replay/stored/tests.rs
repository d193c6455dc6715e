//! What a recording looks like, and that reading it gives what was written.

use super::*;
use crate::replay::key::Request;
use crate::replay::rules::Rules;

const BODY: &str = r#"{"model":"gpt-4o-mini","messages":[{"role":"user","content":"hi"}]}"#;

fn identity(body: &str) -> Identity {
    let url = "https://api.openai.com/v1/chat/completions".parse().unwrap();
    let request = Request {
        provider: "openai",
        model: "gpt-4o-mini",
        method: "POST",
        url: &url,
        betas: None,
        body: body.as_bytes(),
    };
    Identity::of(&request, &Rules::default())
}

fn response(pieces: &[&[u8]]) -> Response {
    Response {
        status: 200,
        headers: vec![
            ("x-request-id".to_owned(), "req-1".to_owned()),
            ("content-type".to_owned(), "text/event-stream".to_owned()),
        ],
        pieces: pieces.iter().map(|piece| piece.to_vec()).collect(),
        streamed: true,
        ..Response::default()
    }
}

fn whole(body: &[u8]) -> Response {
    Response { streamed: false, ..response(&[body]) }
}

fn written(response: &Response) -> String {
    write(&identity(BODY), response, &Secrets::default(), None).unwrap()
}

#[test]
fn a_recording_is_indented_json_with_sorted_headers_and_one_line_for_each_line() {
    assert_eq!(
        written(&whole(b"{\n  \"id\": 1\n}")),
        r#"{
  "tollgate_recording": 1,
  "key": "8f41ccd1c3e9c8bd3802757563fa2048",
  "request": {
    "provider": "openai",
    "method": "POST",
    "url": "https://api.openai.com/v1/chat/completions",
    "body": {
      "model": "gpt-4o-mini",
      "messages": [
        {
          "role": "user",
          "content": "hi"
        }
      ]
    }
  },
  "response": {
    "status": 200,
    "headers": [
      "content-type: text/event-stream",
      "x-request-id: req-1"
    ],
    "body": [
      "{\n",
      "  \"id\": 1\n",
      "}"
    ]
  }
}
"#
    );
}

#[test]
fn what_is_read_is_what_was_written() {
    for mut response in [
        whole(b""),
        whole(b"{}"),
        whole(b"a\r\nb\n\n"),
        whole(b"\xff\x00"),
        response(&[]),
        response(&[b"data: a\n\n", b"data: b\n\n"]),
        response(&[b"\xff", b"b"]),
        Response { until_close: true, waits: vec![1, 20], ..response(&[b"a", b"b"]) },
    ] {
        let read = read(&written(&response), &identity(BODY)).unwrap();
        response.headers.sort();
        assert_eq!(read, response);
    }
}

#[test]
fn a_character_that_two_pieces_share_moves_to_the_second() {
    let text = "aé漢🎉z";
    for cut in 0..=text.len() {
        for second in cut..=text.len() {
            let bytes = text.as_bytes();
            let pieces = [&bytes[..cut], &bytes[cut..second], &bytes[second..]];
            let written = written(&response(&pieces));
            assert!(!written.contains("base64"), "{cut} {second}: {written}");
            let read = read(&written, &identity(BODY)).unwrap();
            assert_eq!((read.pieces.len(), read.pieces.concat()), (3, bytes.to_vec()));
        }
    }
}

#[test]
fn no_secret_is_written_even_if_pieces_share_it() {
    let secrets = Secrets::new([("x-api-key", "sk-12345678")]);
    let body = r#"{"messages":"my key is sk-12345678","sk-12345678":1}"#;
    let mut answer = response(&[b"data: sk-12", b"345678\n\n"]);
    answer.headers.push(("x-request-id".to_owned(), "sk-12345678".to_owned()));
    for answer in [answer.clone(), Response { streamed: false, ..answer }] {
        let text = write(&identity(body), &answer, &secrets, None).unwrap();
        for part in ["sk-12", "345678"] {
            assert!(!text.contains(part), "{text}");
        }
        // The prompt still has its key, so the recording is found.
        let read = read(&text, &identity(body)).unwrap();
        assert_eq!(read.pieces.concat(), b"data: [key]\n\n");
    }
    assert_eq!(write(&identity(BODY), &whole(b"\xff sk-12345678"), &secrets, None), None);
}

#[test]
fn a_file_that_cannot_be_used_says_why() {
    let good = written(&whole(b"{}"));
    let version = |version: &str| good.replace("\"tollgate_recording\": 1", version);
    for (text, expected) in [
        ("{}".to_owned(), Unreadable::NotRecording),
        (version("\"tollgate_recording\": 2"), Unreadable::Newer(2)),
        (good[..good.len() / 2].to_owned(), Unreadable::Damaged { line: 14, column: 4 }),
        (String::new(), Unreadable::Damaged { line: 1, column: 0 }),
        (good.replace("\"hi\"", "\"ho\""), Unreadable::OtherRequest),
        (good.replace("8f41", "0000"), Unreadable::OtherRequest),
        (good.replace("\"{}\"", "{\"base64\": \"?\"}"), Unreadable::NotBase64),
    ] {
        let found = read(&text, &identity(BODY)).unwrap_err();
        match (&found, &expected) {
            (Unreadable::Damaged { .. }, Unreadable::Damaged { .. }) => {}
            _ => assert_eq!(found, expected, "{text}"),
        }
    }
}

#[test]
fn the_date_is_written_only_if_given() {
    let day = Some("2026-11-27".to_owned());
    let text = write(&identity(BODY), &whole(b"{}"), &Secrets::default(), day.clone()).unwrap();
    assert_eq!(recorded(&text), day);
    assert_eq!(recorded(&written(&whole(b"{}"))), None);
    assert!(read(&text, &identity(BODY)).is_ok());
}
