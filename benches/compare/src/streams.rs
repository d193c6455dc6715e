//! What an open stream costs in memory, beside a thread that reads a socket and
//! nothing else.
//!
//! The streams are opened in a process of their own, so that the server's memory is
//! not counted. Each has had its first events and waits for more.

use serde::Serialize;
use std::env;
use std::fs;
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::Command;
use std::thread;
use std::time::Duration;
use tollgate::{Client, PoolConfig, Provider};

const STREAMS: usize = 1000;

/// What may be reached at most, in KiB.
const TARGET: f64 = 64.0;

/// As large as a stream's.
const STACK: usize = 256 * 1024;
const BUFFER: usize = 8 * 1024;

#[derive(Debug, Serialize)]
struct Report {
    bench: &'static str,
    streams: usize,
    /// Resident memory for each open stream.
    tollgate_kib: f64,
    /// The same for a thread that waits at a socket.
    floor_kib: f64,
    target_kib: f64,
    holds: bool,
}

pub fn measure(json: bool) -> io::Result<()> {
    let address = serve()?;
    let report = Report {
        bench: "streams",
        streams: STREAMS,
        tollgate_kib: in_a_process_of_its_own("tollgate", address)?,
        floor_kib: in_a_process_of_its_own("floor", address)?,
        target_kib: TARGET,
        holds: false,
    };
    let report = Report { holds: report.tollgate_kib <= TARGET, ..report };
    println!(
        "{STREAMS} open streams, resident memory of each: tollgate {:.1} KiB, a thread that reads \
         a socket {:.1} KiB; to reach: {TARGET} KiB, {}",
        report.tollgate_kib,
        report.floor_kib,
        if report.holds { "holds" } else { "missed" }
    );
    if json {
        println!("{}", serde_json::to_string(&report)?);
    }
    Ok(())
}

fn in_a_process_of_its_own(arm: &str, address: SocketAddr) -> io::Result<f64> {
    let address = address.to_string();
    let output = Command::new(env::current_exe()?).args(["open", arm, &address]).output()?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    text.trim().parse().map_err(|_| {
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        io::Error::other(format!("the {arm} arm failed: {text}{said}"))
    })
}

/// Opens the streams and prints how many KiB each takes.
pub fn open(arm: &str, address: &str) {
    let kib = match arm {
        "tollgate" => open_streams(address),
        _ => open_sockets(address),
    };
    println!("{kib}");
}

fn open_streams(address: &str) -> f64 {
    let pool =
        PoolConfig { max_size: STREAMS + 1, max_per_origin: STREAMS + 1, ..PoolConfig::default() };
    let client = Client::builder()
        .provider(Provider::OpenAi)
        .model("gpt-4o-mini")
        .api_key("sk-loopback")
        .base_url(format!("http://{address}/v1"))
        .pool(pool)
        .build()
        .expect("a valid configuration");
    let stream = || client.stream("Write a long story.").expect("a stream");
    // Whatever the first one keeps for good.
    drop(stream());
    let before = resident_kib();
    let mut streams: Vec<_> = (0..STREAMS).map(|_| stream()).collect();
    for stream in &mut streams {
        assert!(stream.next().expect("an event").is_ok());
    }
    (resident_kib() - before) / STREAMS as f64
}

fn open_sockets(address: &str) -> f64 {
    let before = resident_kib();
    for _ in 0..STREAMS {
        let mut socket = TcpStream::connect(address).expect("a connection");
        socket
            .write_all(b"POST / HTTP/1.1\r\ncontent-length: 0\r\n\r\n")
            .expect("room for a request");
        let (sender, receiver) = std::sync::mpsc::channel();
        thread::Builder::new()
            .stack_size(STACK)
            .spawn(move || {
                let mut buffer = vec![0; BUFFER];
                while let Ok(1..) = socket.read(&mut buffer) {
                    let _ = sender.send(());
                }
            })
            .expect("a thread");
        receiver.recv().expect("an answer");
    }
    (resident_kib() - before) / STREAMS as f64
}

fn resident_kib() -> f64 {
    // What was just freed or is about to be is not waited for.
    thread::sleep(Duration::from_millis(200));
    let status = fs::read_to_string("/proc/self/status").expect("Linux");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("Linux");
    line.trim().trim_end_matches("kB").trim().parse().expect("a number")
}

/// A server that answers every request with the beginning of a stream.
fn serve() -> io::Result<SocketAddr> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    thread::spawn(move || {
        for socket in listener.incoming().flatten() {
            let spawned = thread::Builder::new().stack_size(64 * 1024).spawn(|| begin(socket));
            spawned.expect("a thread");
        }
    });
    Ok(address)
}

fn begin(mut socket: TcpStream) {
    let mut request = [0; 4096];
    if socket.read(&mut request).is_err() {
        return;
    }
    let head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n";
    let chunk = r#"{"id":"chatcmpl-1","object":"chat.completion.chunk","created":1,"model":"gpt-4o-mini","choices":[{"index":0,"delta":{"content":" word"},"finish_reason":null}]}"#;
    let body = format!("data: {chunk}\n\n").repeat(20);
    if socket.write_all((head.to_owned() + &body).as_bytes()).is_ok() {
        // Until the client goes.
        while let Ok(1..) = socket.read(&mut request) {}
    }
}
