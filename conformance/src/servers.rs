//! Starts the servers of others.

use std::env;
use std::fs::{self, File};
use std::io::Write;
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

/// How long a server may take to start. LiteLLM imports for half a minute on a busy machine.
const STARTS_WITHIN: Duration = Duration::from_secs(180);

/// A running server, which ends with this value.
pub(crate) struct Server {
    child: Child,
    /// Its files.
    folder: PathBuf,
    /// `http://127.0.0.1:PORT`
    pub(crate) url: String,
}

impl Server {
    /// Starts a program with these files in its folder, and waits until it accepts connections and,
    /// if there is a `ready` path, answers it with a success. `{port}` and `{folder}` stand for the port and the folder in its arguments and files.
    ///
    /// # Errors
    ///
    /// The program does not start, or ends.
    pub(crate) fn start(
        command: &mut Command,
        arguments: &[&str],
        files: &[(&str, &str)],
        ready: Option<&str>,
    ) -> Result<Self, String> {
        let port = free_port().map_err(|error| error.to_string())?;
        let folder = env::temp_dir().join(format!("conformance-{}-{port}", std::process::id()));
        let filled = |text: &str| {
            let folder = folder.display().to_string();
            text.replace("{port}", &port.to_string()).replace("{folder}", &folder)
        };
        let io = |error: std::io::Error| format!("{command:?}: {error}");
        fs::create_dir_all(&folder).map_err(io)?;
        for (name, text) in files {
            let mut file = File::create(folder.join(name)).map_err(io)?;
            file.write_all(filled(text).as_bytes()).map_err(io)?;
        }
        let log = File::create(folder.join("log")).map_err(io)?;
        let errors = log.try_clone().map_err(io)?;
        command.args(arguments.iter().map(|argument| filled(argument)));
        command.stdin(Stdio::null()).stdout(log).stderr(errors);
        let child = command.spawn().map_err(|error| format!("{command:?}: {error}"))?;
        let url = format!("http://127.0.0.1:{port}");
        let mut server = Self { child, folder, url: url.clone() };
        let began = Instant::now();
        let is_ready = || match ready {
            Some(path) => ureq::get(format!("{url}{path}")).call().is_ok(),
            None => TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_ok(),
        };
        while !is_ready() {
            let ended = server.child.try_wait().map_err(|error| error.to_string())?;
            if ended.is_some() || began.elapsed() > STARTS_WITHIN {
                let log = fs::read_to_string(server.folder.join("log")).unwrap_or_default();
                return Err(format!("{command:?} does not start: {log}"));
            }
            thread::sleep(Duration::from_millis(100));
        }
        Ok(server)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = fs::remove_dir_all(&self.folder);
    }
}

fn free_port() -> std::io::Result<u16> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port())
}

/// The path in this environment variable.
pub(crate) fn path(variable: &str, what: &str) -> Result<PathBuf, String> {
    let path = env::var_os(variable).ok_or_else(|| format!("{variable} must name {what}"))?;
    let path = PathBuf::from(path);
    // The servers run in this folder, but `prune.mjs` does not.
    path.canonicalize().map_err(|error| format!("{variable}: {}: {error}", path.display()))
}

/// A program of Node.js that npm installed in `folder`.
pub(crate) fn node(folder: &Path, program: &str) -> Command {
    let mut command = Command::new("node");
    command.arg(folder.join("node_modules/.bin").join(program)).current_dir(folder);
    command
}
