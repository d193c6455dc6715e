//! A call can be cancelled from another thread in every phase, and leaks nothing. This test runs
//! alone in its process, so that it can count threads and descriptors.
#![cfg(target_os = "linux")]

mod support;

use std::fs;
use std::io::Read;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Mutex;
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::{Duration, Instant};
use support::listener::wait_for_the_end;
use support::server::{RawServer, request, send};
use support::{builder, builder_at, eventually, loopback};
use tollgate::testing::Reply;
use tollgate::{CancelToken, ChatRequest, Client, Error, Phase, PoolConfig, Proxy, RetryConfig};

/// Much longer than cancelling takes, and much shorter than the operations being cancelled.
const AT_ONCE: Duration = Duration::from_secs(10);

/// The phases in which the server can have the whole request, even if the call does not know yet.
const SENT: &[Phase] = &[Phase::FirstByte, Phase::Send];

/// How long the operations would take without cancelling.
const LONG: Duration = Duration::from_secs(300);

fn count(folder: &str) -> usize {
    fs::read_dir(folder).expect("/proc is there").count()
}

fn threads_and_descriptors() -> (usize, usize) {
    (count("/proc/self/task"), count("/proc/self/fd"))
}

/// Cancels `calls` calls with one token once `ready` returns, and checks how they end. They must
/// end in one of `phases`.
fn cancel(client: &Client, calls: usize, prompt: &str, phases: &[Phase], ready: impl FnOnce()) {
    let token = CancelToken::new();
    let ends: Vec<(Error, Instant)> = thread::scope(|scope| {
        let threads: Vec<_> = (0..calls)
            .map(|_| {
                scope.spawn(|| {
                    let request = ChatRequest::from(prompt).cancel_token(&token);
                    let error = client.chat(request.timeout(LONG)).unwrap_err();
                    (error, Instant::now())
                })
            })
            .collect();
        ready();
        let cancelled = Instant::now();
        token.cancel();
        let ends: Vec<_> = threads.into_iter().map(|thread| thread.join().unwrap()).collect();
        let last = ends.iter().map(|(_, at)| at.saturating_duration_since(cancelled)).max();
        println!("{:<10} {:?}", format!("{:?}", phases[0]), last.unwrap());
        assert!(last.unwrap() < AT_ONCE);
        ends
    });
    for (error, _) in ends {
        assert!(error.is_cancelled(), "{error}");
        assert!(error.phase().is_some_and(|phase| phases.contains(&phase)), "{error:?}");
    }
    eventually("the pool comes to rest", || {
        let total = client.pool().total;
        (total.active, total.opening, total.waiting) == (0, 0, 0)
    });
}

/// A listener whose queue is full, so that connecting to it hangs.
struct Full {
    listener: TcpListener,
    _queue: Vec<TcpStream>,
}

impl Full {
    fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let (mut queue, mut refused) = (Vec::new(), 0);
        while refused < 3 {
            assert!(queue.len() < 10_000, "the system's queue has no end");
            match TcpStream::connect_timeout(&address, Duration::from_millis(200)) {
                Ok(socket) => queue.push(socket),
                Err(_) => refused += 1,
            }
        }
        Self { listener, _queue: queue }
    }

    fn address(&self) -> SocketAddr {
        self.listener.local_addr().unwrap()
    }

    /// How many sockets are connecting to it: those in the state `SYN_SENT`, 2 (proc(5)).
    fn connecting(&self) -> usize {
        let port = format!(":{:04X}", self.address().port());
        let sockets = fs::read_to_string("/proc/self/net/tcp").unwrap();
        let mut count = 0;
        for socket in sockets.lines() {
            let mut fields = socket.split_whitespace().skip(2);
            let (peer, state) = (fields.next().unwrap_or_default(), fields.next());
            count += usize::from(peer.ends_with(&port) && state == Some("02"));
        }
        count
    }
}

/// A server that reports when a connection has reached a certain point, and then waits until the
/// client leaves.
fn hanging(prepare: impl Fn(&mut TcpStream) + Send + Sync + 'static) -> (RawServer, Receiver<()>) {
    let (sender, receiver) = channel();
    let server = RawServer::start(move |_, mut socket| {
        prepare(&mut socket);
        sender.send(()).unwrap();
        wait_for_the_end(&socket);
    });
    (server, receiver)
}

fn before_it_begins() {
    let server = loopback();
    let client = builder(&server, "openai").build().unwrap();
    let token = CancelToken::new();
    token.cancel();
    let error = client.chat(ChatRequest::from("hi").cancel_token(&token)).unwrap_err();
    assert!(error.is_cancelled(), "{error}");
    assert_eq!(server.connections().opened, 0);
    client.chat("hi").unwrap();
}

fn waiting_in_line() {
    let server = loopback();
    server.default_reply(Reply::hang());
    let one = PoolConfig { max_size: 1, ..PoolConfig::default() };
    let client = builder(&server, "openai").pool(one).timeout(LONG).build().unwrap();
    let (holder, token) = (CancelToken::new(), CancelToken::new());
    thread::scope(|scope| {
        let holding =
            scope.spawn(|| client.chat(ChatRequest::from("hi").cancel_token(&holder)).unwrap_err());
        assert!(server.wait_for_requests(1, AT_ONCE));
        let waiting =
            scope.spawn(|| client.chat(ChatRequest::from("hi").cancel_token(&token)).unwrap_err());
        eventually("the second call waits", || client.pool().total.waiting == 1);
        token.cancel();
        let error = waiting.join().unwrap();
        assert!(error.is_cancelled() && error.phase() == Some(Phase::PoolWait), "{error:?}");
        assert_eq!(client.pool().total.waiting, 0);
        holder.cancel();
        assert!(holding.join().unwrap().is_cancelled());
    });
    assert_eq!(server.connections().opened, 1);
}

fn connecting() {
    let full = Full::new();
    let client = builder_at(&format!("http://{}/v1", full.address()))
        // The system keeps connecting for that long after the call has returned.
        .connect_timeout(Duration::from_secs(2))
        .retry(RetryConfig { max_retries: 0, ..RetryConfig::default() })
        .build()
        .unwrap();
    cancel(&client, 3, "hi", &[Phase::Connect], || {
        // The pool counts a connection as opening before its address is looked up.
        eventually("all three connect", || full.connecting() == 3);
    });
    assert_eq!(client.pool().total.opened, 0);
}

fn asking_a_proxy() {
    let (proxy, asked) = hanging(|socket| drop(request(socket)));
    let client = builder_at("http://192.0.2.1/v1")
        .allow_plain_http(true)
        .connect_timeout(LONG)
        .proxy(Proxy::Url(format!("http://{}", proxy.address())))
        .build()
        .unwrap();
    cancel(&client, 1, "hi", &[Phase::Connect], || asked.recv().unwrap());
}

#[cfg(feature = "rustls")]
fn in_the_tls_handshake() {
    // The client speaks first.
    let (server, asked) = hanging(|socket| drop(socket.read(&mut [0; 1])));
    let client = builder_at(&server.base_url().replace("http://", "https://"))
        .connect_timeout(LONG)
        .build()
        .unwrap();
    cancel(&client, 1, "hi", &[Phase::Tls], || asked.recv().unwrap());
}

fn sending() {
    let (sender, begun) = channel();
    let (done, gone) = channel::<()>();
    let gone = Mutex::new(gone);
    // Reads the beginning and no more.
    let server = RawServer::start(move |_, mut socket| {
        socket.read_exact(&mut [0; 1]).unwrap();
        sender.send(()).unwrap();
        assert!(gone.lock().unwrap().recv().is_err());
    });
    let client = builder_at(&server.base_url()).build().unwrap();
    // More than the sockets' buffers hold.
    let prompt = "x".repeat(64 << 20);
    cancel(&client, 1, &prompt, &[Phase::Send], || begun.recv().unwrap());
    drop(done);
}

fn waiting_for_the_answer() {
    let server = loopback();
    server.default_reply(Reply::hang());
    let client = builder(&server, "openai").build().unwrap();
    cancel(&client, 8, "hi", SENT, || {
        assert!(server.wait_for_requests(8, AT_ONCE));
    });
}

fn reading_the_answer() {
    let (server, sent) = hanging(|socket| {
        drop(request(socket));
        send(socket, "HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n{\"choices\":");
    });
    let client = builder_at(&server.base_url()).build().unwrap();
    let phases = [&[Phase::Body], SENT].concat();
    cancel(&client, 1, "hi", &phases, || sent.recv().unwrap());
}

fn waiting_to_try_again() {
    let server = loopback();
    server.default_reply(Reply::status(503).header("retry-after", "100"));
    let client = builder(&server, "openai")
        .retry(RetryConfig { max_retries: 2, ..RetryConfig::default() })
        .build()
        .unwrap();
    cancel(&client, 4, "hi", &[Phase::Backoff], || {
        assert!(server.wait_for_requests(4, AT_ONCE));
        eventually("the connections are back", || client.pool().total.active == 0);
    });
    assert_eq!(server.requests().len(), 4);
}

#[test]
fn a_cancelled_call_ends_at_once_in_every_phase_and_leaks_nothing() {
    // The first use of the network allocates some descriptors for good.
    before_it_begins();
    let phases: &[fn()] = &[
        before_it_begins,
        waiting_in_line,
        connecting,
        asking_a_proxy,
        #[cfg(feature = "rustls")]
        in_the_tls_handshake,
        sending,
        waiting_for_the_answer,
        reading_the_answer,
        waiting_to_try_again,
    ];
    let before = threads_and_descriptors();
    for phase in phases {
        phase();
        eventually("threads and descriptors are as before", || {
            let now = threads_and_descriptors();
            now.0 <= before.0 && now.1 <= before.1
        });
    }
}
