//! The server for whole calls. It runs in a process of its own and is not counted.

use std::env;
use std::error::Error;
use std::io::{self, BufRead, BufReader, Read};
use std::process::{Child, Command, Stdio};
use tollgate::testing::{Loopback, Reply};

use crate::workload::streams;

/// The server process. Dropping this ends it.
pub(crate) struct Server {
    process: Child,
    /// With the host's name.
    pub(crate) address: String,
}

impl Server {
    pub(crate) fn start() -> io::Result<Self> {
        let mut process = Command::new(env::current_exe()?)
            .arg("serve")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let mut address = String::new();
        if let Some(output) = process.stdout.take() {
            BufReader::new(output).read_line(&mut address)?;
        }
        Ok(Self { process, address: address.trim().to_owned() })
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.process.stdin.take());
        let _ = self.process.wait();
    }
}

/// Prints the address and serves until standard input ends.
pub(crate) fn serve() -> Result<bool, Box<dyn Error>> {
    let server = Loopback::start()?;
    server.record_requests(false);
    server.on(
        |request| request.body_contains("\"stream\":true"),
        Reply::pieces(streams::pieces()).rate_limit(10_000, 9_999),
    );
    server.default_reply(Reply::text("Paris").rate_limit(10_000, 9_999));
    println!("localhost:{}", server.address().port());
    io::stdin().read_to_end(&mut Vec::new())?;
    Ok(true)
}
