//! A request is sent completely, in as few writes as possible.

mod support;

use std::io::{Read, Write};
use std::net::TcpListener;
use std::thread;
use support::{builder, client, loopback};
use tollgate::Client;

#[test]
fn a_small_request_is_one_write() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/v1", listener.local_addr().unwrap());
    let server = thread::spawn(move || {
        let (mut socket, _) = listener.accept().unwrap();
        let mut request = vec![0; 64 * 1024];
        let length = socket.read(&mut request).unwrap();
        let body = r#"{"choices":[{"message":{"content":"Paris"},"finish_reason":"stop"}]}"#;
        let length_header = body.len();
        write!(socket, "HTTP/1.1 200 OK\r\ncontent-length: {length_header}\r\n\r\n{body}").unwrap();
        String::from_utf8(request[..length].to_vec()).unwrap()
    });
    let client = Client::builder()
        .provider("openai")
        .model("gpt-4o-mini")
        .api_key(support::KEY)
        .base_url(url)
        .build()
        .unwrap();
    assert_eq!(client.chat("What is the capital of France?").unwrap().text(), "Paris");
    let first_read = server.join().unwrap();
    let (head, body) = first_read.split_once("\r\n\r\n").unwrap();
    assert!(
        head.to_ascii_lowercase().contains(&format!("content-length: {}", body.len())),
        "{head}"
    );
    assert!(body.contains("capital of France"), "{body}");
}

#[test]
fn bodies_of_any_size_arrive_whole() {
    // Around what the buffer of a connection holds beside the head, and far above.
    let sizes = (7_000..9_000).step_by(97).chain([1, 16_384, 32_768, 100_000, 1_000_000]);
    let server = loopback();
    let client = client(&server, "openai");
    for size in sizes {
        let question = "q".repeat(size);
        client.chat(question.as_str()).unwrap();
        assert_eq!(server.requests().last().unwrap().messages()[0]["content"], question, "{size}");
    }
    assert_eq!(server.connections().opened, 1);
}

#[test]
fn heads_of_any_size_arrive_whole() {
    for size in [1, 3_000, 3_500, 4_100, 7_000, 8_100, 9_000, 15_000, 25_000] {
        let server = loopback();
        let value = "v".repeat(size);
        let client = builder(&server, "openai")
            .header("x-first", "v".repeat(500))
            .header("x-long", value.as_str())
            .build()
            .unwrap();
        for _ in 0..2 {
            client.chat("hello").unwrap();
        }
        let requests = server.requests();
        assert!(requests.iter().all(|request| request.header("x-long") == Some(&value)), "{size}");
    }
}
