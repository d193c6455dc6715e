//! Behind nginx, which ends connections after few requests and short rests.
//!
//! The program is named by `TOLLGATE_NGINX`; without it this test says that it
//! skips.

mod support;

use std::fmt::Write as _;
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};
use support::{builder_at, loopback};
use tollgate::{PoolConfig, RetryConfig};

/// Stops nginx, whatever becomes of the test.
struct Nginx {
    child: Child,
    folder: PathBuf,
}

impl Drop for Nginx {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

fn start(program: &str, port: u16, upstream: &str) -> Nginx {
    let folder = std::env::temp_dir().join(format!("tollgate-nginx-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a folder for nginx");
    let mut config = String::new();
    // One process, so that killing it leaves nothing behind.
    write!(
        config,
        "daemon off; master_process off; pid nginx.pid; error_log stderr crit;
         events {{ worker_connections 1024; }}
         http {{
           access_log off; client_body_temp_path body; proxy_temp_path proxy;
           fastcgi_temp_path f; uwsgi_temp_path u; scgi_temp_path s;
           upstream loopback {{ server {upstream}; keepalive 32; }}
           server {{
             listen 127.0.0.1:{port};
             keepalive_requests 3;
             keepalive_timeout 1s;
             location / {{
               proxy_pass http://loopback;
               proxy_http_version 1.1;
               proxy_set_header Connection '';
             }}
           }}
         }}"
    )
    .expect("text");
    let file = folder.join("nginx.conf");
    std::fs::write(&file, config).expect("nginx.conf");
    let child = Command::new(program)
        .arg("-p")
        .arg(&folder)
        .arg("-c")
        .arg(&file)
        .stdin(Stdio::null())
        .spawn()
        .expect("nginx starts");
    let nginx = Nginx { child, folder };
    let end = Instant::now() + Duration::from_secs(30);
    while TcpStream::connect(("127.0.0.1", port)).is_err() {
        assert!(Instant::now() < end, "nginx does not listen");
        thread::yield_now();
    }
    nginx
}

#[test]
fn ten_thousand_calls_from_32_threads_without_an_error() {
    let Ok(program) = std::env::var("TOLLGATE_NGINX") else {
        eprintln!("skipped: TOLLGATE_NGINX does not name nginx");
        return;
    };
    let server = loopback();
    server.record(false);
    // A port that is free now. nginx cannot take one of its own choosing.
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let _nginx = start(&program, port, &server.address().to_string());
    let client = builder_at(&format!("http://127.0.0.1:{port}/v1"))
        .pool(PoolConfig { max_size: 16, ..PoolConfig::default() })
        // Whatever goes wrong is to be seen.
        .retry(RetryConfig { max_retries: 0, ..RetryConfig::default() })
        .build()
        .unwrap();
    const THREADS: usize = 32;
    const CALLS: usize = 10_000;
    thread::scope(|scope| {
        for thread in 0..THREADS {
            let client = &client;
            scope.spawn(move || {
                for call in (thread..CALLS).step_by(THREADS) {
                    client.chat("hi").unwrap_or_else(|error| panic!("call {call}: {error}"));
                }
            });
        }
    });
    let total = client.pool().total;
    assert!(total.opened >= (CALLS / 3) as u64, "{total:?}");
    assert_eq!(total.opened, total.idle as u64 + total.closed.total());
    // Past nginx's patience with a connection at rest.
    thread::sleep(Duration::from_millis(1500));
    client.chat("hi").unwrap();
}
