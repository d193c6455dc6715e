//! How long the programs take from their start until a server has the first byte of the
//! request.

use std::io::{self, Error, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

/// Of each program.
const STARTS: usize = 100;

const ANSWER: &str = "Paris";

const BODY: &str = r#"{"id":"chatcmpl-CXz1PQmC0bYhTqkWb8Jr5yY4nVn2u","object":"chat.completion","created":1761300000,"model":"gpt-4o-mini-2024-07-18","choices":[{"index":0,"message":{"role":"assistant","content":"Paris","refusal":null,"annotations":[]},"logprobs":null,"finish_reason":"stop"}],"usage":{"prompt_tokens":14,"completion_tokens":2,"total_tokens":16,"prompt_tokens_details":{"cached_tokens":0,"audio_tokens":0},"completion_tokens_details":{"reasoning_tokens":0,"audio_tokens":0,"accepted_prediction_tokens":0,"rejected_prediction_tokens":0}},"service_tier":"default","system_fingerprint":"fp_560af6e559"}"#;

/// Microseconds of each start, for each program; all in turn, so that what else the
/// machine does hits all alike.
pub fn measure(programs: &[PathBuf]) -> io::Result<Vec<Vec<f64>>> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let mut found = vec![Vec::new(); programs.len()];
    for _ in 0..STARTS {
        for (program, starts) in programs.iter().zip(&mut found) {
            starts.push(start(program, &listener)?.as_secs_f64() * 1e6);
        }
    }
    Ok(found)
}

fn start(program: &PathBuf, listener: &TcpListener) -> io::Result<Duration> {
    let url = format!("http://{}/v1", listener.local_addr()?);
    let mut command = Command::new(program);
    // Nothing else, so that no proxy comes in between.
    command
        .env_clear()
        .env("OPENAI_BASE_URL", url)
        .env("OPENAI_API_KEY", "none")
        .stdin(Stdio::null())
        .stdout(Stdio::piped());
    thread::scope(|scope| {
        let server = scope.spawn(|| serve(listener));
        let begun = Instant::now();
        let output = command.spawn()?.wait_with_output()?;
        if !String::from_utf8_lossy(&output.stdout).contains(ANSWER) {
            // One that sent nothing is still waited for.
            let _ = TcpStream::connect(listener.local_addr()?);
            return Err(Error::other(format!("{} got no answer", program.display())));
        }
        let first = server.join().map_err(|_| Error::other("the server panicked"))??;
        Ok(first - begun)
    })
}

/// Answers one request and returns when its first byte came.
fn serve(listener: &TcpListener) -> io::Result<Instant> {
    let (mut socket, _) = listener.accept()?;
    socket.set_nodelay(true)?;
    let mut request = Vec::new();
    let mut buffer = [0; 4096];
    let mut first = None;
    while !is_whole(&request) {
        let many = socket.read(&mut buffer)?;
        first.get_or_insert_with(Instant::now);
        if many == 0 {
            break;
        }
        request.extend_from_slice(&buffer[..many]);
    }
    write!(
        socket,
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\
         connection: close\r\n\r\n{BODY}",
        BODY.len()
    )?;
    first.ok_or_else(|| Error::other("no request"))
}

/// Whether the head and as much as it announces are there.
fn is_whole(request: &[u8]) -> bool {
    let text = String::from_utf8_lossy(request).to_ascii_lowercase();
    let Some((head, body)) = text.split_once("\r\n\r\n") else { return false };
    let length = head.lines().find_map(|line| line.strip_prefix("content-length:"));
    length.and_then(|length| length.trim().parse().ok()).is_some_and(|length| body.len() >= length)
}
