//! A provider of canned answers in a process of its own, so that none of its work is taken
//! for the client's.
//!
//! It speaks OpenAI's chat format and answers everyone alike: with all the headers that
//! `api.openai.com` sends, each whole answer in one write, a stream in writes of 16 KiB. A
//! thread of its own serves each connection, and all bytes are made before the first request
//! comes, so that a client waits for nothing but the kernel.

pub mod answers;
mod request;
mod serve;

pub use serve::serve;

use std::env;
use std::io::{self, BufRead, BufReader};
use std::process::{Child, Command, Stdio};

use crate::failure::Failure;

/// Who vouches for the server's certificate: that of the crate's own tests, for `localhost`.
pub const AUTHORITY: &[u8] = include_bytes!("../../../../tests/tls/ca.pem");

/// How a request is answered. The first part of its path selects it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Manner {
    /// At once, a stream in large writes.
    AtOnce,
    /// After [`answers::SOON`].
    Soon,
    /// After [`answers::DELAY`].
    Late,
    /// With the beginning of a stream, which is then left open.
    Open,
    /// At once, a stream with a write for each event, which are packets as long as the
    /// client keeps up.
    Packets,
}

impl Manner {
    const ALL: [(Self, &'static str); 5] = [
        (Self::AtOnce, "/at-once/"),
        (Self::Soon, "/soon/"),
        (Self::Late, "/late/"),
        (Self::Open, "/open/"),
        (Self::Packets, "/packets/"),
    ];

    fn path(self) -> &'static str {
        Self::ALL[self as usize].1
    }
}

/// It ends when this is dropped.
pub struct Server {
    process: Child,
    scheme: &'static str,
    port: u16,
}

impl Server {
    pub fn start(encrypted: bool) -> Result<Self, Failure> {
        let scheme = if encrypted { "https" } else { "http" };
        let mut process = Command::new(env::current_exe()?)
            .args(["serve", scheme])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let mut port = String::new();
        if let Some(output) = process.stdout.take() {
            BufReader::new(output).read_line(&mut port)?;
        }
        let port = port.trim().parse().map_err(|_| io::Error::other("the server did not start"))?;
        Ok(Self { process, scheme, port })
    }

    /// The base URL of clients that are to be answered so.
    pub fn url(&self, manner: Manner) -> String {
        format!("{}://localhost:{}{}v1", self.scheme, self.port, manner.path())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.process.stdin.take());
        let _ = self.process.wait();
    }
}
