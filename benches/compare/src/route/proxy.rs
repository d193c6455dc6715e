//! LiteLLM's proxy, as a process.

use std::fs;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use crate::failure::Failure;
use crate::footprint::Scratch;
use crate::server::answers::MODEL;

/// How long it may take to start. Its imports alone take half a minute on a slow machine.
const START: Duration = Duration::from_secs(180);

/// A running proxy. Dropping it ends the process.
pub struct Proxy {
    process: Child,
    /// The base URL of its clients.
    pub url: String,
    /// Holds its configuration.
    _scratch: Scratch,
}

impl Proxy {
    /// Starts it with one worker and its default routing, over the servers at these base URLs.
    pub fn start(program: &str, servers: &[String]) -> Result<Self, Failure> {
        let scratch = Scratch::new()?;
        let config = scratch.path().join("litellm.yaml");
        let mut text = "model_list:\n".to_owned();
        for url in servers {
            text += &format!(
                "  - model_name: {MODEL}\n    litellm_params: {{model: openai/{MODEL}, api_key: x, \
                 api_base: \"{url}\"}}\n"
            );
        }
        fs::write(&config, text)?;
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let process = Command::new(program)
            .arg("--config")
            .arg(&config)
            .args(["--host", "127.0.0.1", "--port", &port.to_string(), "--num_workers", "1"])
            .env("LITELLM_DANGEROUSLY_PERMIT_WEAK_OR_UNSET_MASTER_KEY", "true")
            .env("LITELLM_LOG", "ERROR")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .map_err(|error| format!("{program} cannot start: {error}; set LITELLM to its path"))?;
        let url = format!("http://127.0.0.1:{port}/v1");
        let mut proxy = Self { process, url, _scratch: scratch };
        let begun = Instant::now();
        while !is_up(port) {
            if let Some(status) = proxy.process.try_wait()? {
                return Err(format!("{program} ended: {status}").into());
            }
            if begun.elapsed() > START {
                return Err(format!("{program} did not start within {START:?}").into());
            }
            thread::sleep(Duration::from_millis(200));
        }
        Ok(proxy)
    }

    /// The processor time that it has used so far, in steps of 10 ms (`proc_pid_stat(5)`: the 14th
    /// and 15th field, in ticks, of which Linux has 100 a second).
    pub fn processor(&self) -> Result<Duration, Failure> {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.process.id()))?;
        let (_, fields) = stat.rsplit_once(')').ok_or("an unknown /proc/…/stat")?;
        let ticks: u64 =
            fields.split_whitespace().skip(11).take(2).flat_map(str::parse::<u64>).sum();
        Ok(Duration::from_millis(ticks * 10))
    }
}

/// Returns true if a proxy answers on this port.
fn is_up(port: u16) -> bool {
    let ask = || -> std::io::Result<String> {
        let mut socket = TcpStream::connect(("127.0.0.1", port))?;
        socket.set_read_timeout(Some(Duration::from_secs(5)))?;
        let request = "GET /health/liveliness HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";
        socket.write_all(request.as_bytes())?;
        let mut said = String::new();
        socket.read_to_string(&mut said)?;
        Ok(said)
    };
    ask().is_ok_and(|said| said.starts_with("HTTP/1.1 200"))
}

impl Drop for Proxy {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
