//! What an open stream costs in memory, beside a thread that reads a socket and nothing else.
//!
//! Each stream has had its first events and waits for more.

use futures_util::StreamExt;
use std::fs;
use std::io::{Read, Write};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;
use tollgate::PoolConfig;

use crate::arms;
use crate::failure::Failure;
use crate::server::answers::QUESTION;

/// As large as a stream's.
const STACK: usize = 256 * 1024;
const BUFFER: usize = 8 * 1024;

/// Opens so many streams, and tells how many KiB each takes of resident memory.
pub fn run(arm: &str, url: &str, count: usize) -> Result<f64, Failure> {
    match arm {
        "tollgate" => threads(url, count),
        "genai" => tasks(url, count),
        "floor" => sockets(url, count),
        _ => Err("an unknown arm".into()),
    }
}

fn threads(url: &str, count: usize) -> Result<f64, Failure> {
    let pool =
        PoolConfig { max_size: count + 1, max_per_origin: count + 1, ..PoolConfig::default() };
    let client = arms::tollgate::builder(url).pool(pool).build()?;
    // Whatever the first one keeps for good.
    drop(client.stream(QUESTION)?);
    let before = resident()?;
    let mut streams = Vec::new();
    for _ in 0..count {
        streams.push(client.stream(QUESTION)?);
    }
    for stream in &mut streams {
        stream.next().ok_or("a stream without an event")??;
    }
    Ok((resident()? - before) / count as f64)
}

fn tasks(url: &str, count: usize) -> Result<f64, Failure> {
    let runtime = arms::runtime::of_many_threads()?;
    let client = arms::genai::client(url, count)?;
    let options = arms::genai::options();
    runtime.block_on(async {
        // Its first event is not of the server: it says that the stream was asked for.
        drop(arms::genai::stream(&client, &options).await?.next().await);
        let before = resident()?;
        let mut streams = Vec::new();
        for _ in 0..count {
            let mut stream = arms::genai::stream(&client, &options).await?;
            for _ in 0..2 {
                stream.next().await.ok_or("a stream without an event")??;
            }
            streams.push(stream);
        }
        Ok((resident()? - before) / count as f64)
    })
}

fn sockets(url: &str, count: usize) -> Result<f64, Failure> {
    let before = resident()?;
    for _ in 0..count {
        let (mut socket, host, path) = arms::floor::connect(url)?;
        socket.write_all(
            format!("POST {path} HTTP/1.1\r\nhost: {host}\r\ncontent-length: 0\r\n\r\n").as_bytes(),
        )?;
        let (sender, receiver) = mpsc::channel();
        thread::Builder::new().stack_size(STACK).spawn(move || {
            let mut buffer = vec![0; BUFFER];
            while let Ok(1..) = socket.read(&mut buffer) {
                let _ = sender.send(());
            }
        })?;
        receiver.recv()?;
    }
    Ok((resident()? - before) / count as f64)
}

/// How many KiB of memory this process has.
fn resident() -> Result<f64, Failure> {
    // What was just freed or is about to be is not waited for.
    thread::sleep(Duration::from_millis(200));
    let status = fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line.ok_or("the system does not tell of memory")?.trim().trim_end_matches("kB");
    Ok(kib.trim().parse()?)
}
