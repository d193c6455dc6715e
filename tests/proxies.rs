//! Calls through a proxy: many calls share one tunnel, and errors name the proxy but never its
//! password.

mod support;

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::Command;
use std::sync::{Arc, Mutex, mpsc};
use std::time::{Duration, Instant};
use support::listener::{
    Listener, PATIENCE, connect, relay, repeat_until_the_end, wait_for_the_end,
};
use support::{KEY, builder, cancelled, eventually, loopback, quick_retries};
use tollgate::{Client, ClientBuilder, Error, ErrorKind, OriginStats, Phase, Proxy};

/// A user name and a password as they stand in a URL.
const USER_INFO: &str = "porter:p%40ss-%25word";
/// The parts that must never be shown.
const SECRETS: [&str; 3] = ["p%40ss-%25word", "p@ss-%word", CREDENTIALS];
/// `porter:p@ss-%word` in base 64, as the proxy gets it.
const CREDENTIALS: &str = "cG9ydGVyOnBAc3MtJXdvcmQ=";

/// A proxy that keeps what it was asked.
struct ConnectProxy {
    listener: Listener,
    asked: Arc<Mutex<Vec<String>>>,
}

impl ConnectProxy {
    /// `serve` gets the client and the head of its request, without the blank line.
    fn start(serve: impl Fn(&TcpStream, &str) + Send + Sync + 'static) -> Self {
        let asked = Arc::new(Mutex::new(Vec::new()));
        let listener = Listener::start({
            let asked = Arc::clone(&asked);
            move |client| {
                if let Some(head) = read_head(client) {
                    asked.lock().unwrap().push(head.clone());
                    serve(client, &head);
                }
            }
        });
        Self { listener, asked }
    }

    /// Connects to whatever it is asked for.
    fn open() -> Self {
        Self::start(|client, head| {
            let target = head.split(' ').nth(1).unwrap();
            tunnel(client, &TcpStream::connect(target).unwrap());
        })
    }

    /// Answers this and no more.
    fn answering(answer: &'static str) -> Self {
        Self::start(move |mut client, _| client.write_all(answer.as_bytes()).unwrap())
    }

    /// Never answers.
    fn hanging() -> Self {
        Self::start(|client, _| wait_for_the_end(client))
    }

    fn address(&self) -> SocketAddr {
        self.listener.address()
    }

    fn proxy(&self) -> Proxy {
        Proxy::Url(format!("http://{}", self.address()))
    }

    fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }
}

/// The head of a request and nothing after it; `None` if the client goes before
/// its end.
fn read_head(mut client: &TcpStream) -> Option<String> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        client.read_exact(&mut byte).ok()?;
        head.extend(byte);
    }
    head.truncate(head.len() - 4);
    Some(String::from_utf8(head).unwrap())
}

fn tunnel(mut client: &TcpStream, target: &TcpStream) {
    client.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n").unwrap();
    relay(client, target);
}

/// A builder for a client of a server that is never reached.
fn unreachable(proxy: Proxy) -> ClientBuilder {
    Client::builder()
        .provider("openai")
        .model("gpt-4o-mini")
        .api_key(KEY)
        .base_url("http://127.0.0.1:9/v1")
        .timeout(PATIENCE)
        .connect_timeout(PATIENCE)
        .retry(quick_retries(0))
        .proxy(proxy)
}

fn with_tls(builder: ClientBuilder) -> ClientBuilder {
    builder.base_url("https://127.0.0.1:9/v1")
}

/// Plain and TLS targets; only plain ones if the crate is built without TLS.
fn both(builder: ClientBuilder) -> Vec<ClientBuilder> {
    let encrypted = cfg!(any(feature = "rustls", feature = "native-tls"));
    let with_tls = encrypted.then(|| with_tls(builder.clone()));
    [Some(builder), with_tls].into_iter().flatten().collect()
}

/// The error of one call, which must come in time and without secrets, and the pool's counts.
fn failure(builder: ClientBuilder) -> (Error, OriginStats) {
    hides_its_secrets(&builder);
    let client = builder.build().unwrap();
    let begun = Instant::now();
    let error = client.chat("hi").unwrap_err();
    assert!(begun.elapsed() < PATIENCE, "{error}");
    hides_its_secrets(&client);
    hides_its_secrets(&error);
    hides_its_secrets(&error.to_string());
    (error, client.pool().total)
}

fn hides_its_secrets(shown: &impl std::fmt::Debug) {
    for text in [format!("{shown:?}"), format!("{shown:#?}")] {
        for secret in SECRETS {
            assert!(!text.contains(secret), "{text}");
        }
    }
}

#[test]
fn a_proxy_that_is_set_is_used_even_for_this_machine() {
    let (server, proxy) = (loopback(), ConnectProxy::open());
    let client = builder(&server, "openai").proxy(proxy.proxy()).build().unwrap();
    client.chat("hi").unwrap();
    assert_eq!(server.request_count(), 1);
    let asked = proxy.asked();
    assert_eq!(asked.len(), 1, "{asked:?}");
    let lines: Vec<_> = asked[0].lines().collect();
    assert_eq!(lines[0], format!("CONNECT {} HTTP/1.1", server.address()));
    assert!(lines.contains(&format!("Host: {}", server.address()).as_str()), "{asked:?}");
    assert!(!asked[0].contains(KEY), "the key is for the server alone: {asked:?}");
}

#[test]
fn credentials_reach_the_proxy_and_nobody_else() {
    let (server, proxy) = (loopback(), ConnectProxy::open());
    let url = format!("http://{USER_INFO}@{}", proxy.address());
    let builder = builder(&server, "openai").proxy(Proxy::Url(url));
    hides_its_secrets(&builder);
    let client = builder.build().unwrap();
    client.chat("hi").unwrap();
    hides_its_secrets(&client);
    let asked = proxy.asked();
    let expected = format!("Proxy-Authorization: Basic {CREDENTIALS}");
    assert!(asked[0].lines().any(|line| line == expected), "{asked:?}");
    assert_eq!(server.requests()[0].header("proxy-authorization"), None);
}

#[test]
fn many_calls_share_one_tunnel() {
    let (server, proxy) = (loopback(), ConnectProxy::open());
    let client = builder(&server, "openai").proxy(proxy.proxy()).build().unwrap();
    for _ in 0..20 {
        client.chat("hi").unwrap();
    }
    assert_eq!(server.request_count(), 20);
    assert_eq!((proxy.listener.accepted(), proxy.asked().len()), (1, 1));
    let pool = client.pool().total;
    assert_eq!((pool.opened, pool.reused), (1, 19));
    assert_eq!(pool.closed.total(), 0);
}

#[test]
fn a_tunnel_that_closed_while_idle_is_opened_again() {
    let (server, proxy) = (loopback(), ConnectProxy::open());
    let client = builder(&server, "openai").proxy(proxy.proxy()).build().unwrap();
    client.chat("hi").unwrap();
    server.close_connections();
    assert!(server.wait_for_connections(|now| now.open == 0, PATIENCE));
    assert_eq!(client.chat("hi").unwrap().attempts().len(), 1);
    assert_eq!(proxy.asked().len(), 2);
}

#[cfg(feature = "rustls")]
#[test]
fn an_encrypted_tunnel_is_shared_too() {
    use support::tls::{AUTHORITY, TlsServer};
    let (server, proxy) = (loopback(), ConnectProxy::open());
    let tls = TlsServer::start(server.address());
    let builder = builder(&server, "openai")
        .base_url(tls.base_url())
        .proxy(proxy.proxy())
        .tls(tollgate::Tls::Roots(AUTHORITY.to_vec()));
    let client = builder.clone().build().unwrap();
    for _ in 0..20 {
        client.chat("hi").unwrap();
    }
    assert_eq!(server.request_count(), 20);
    assert_eq!((tls.handshakes(), proxy.asked().len()), (1, 1));
    // By its name: the proxy looks it up.
    let target = format!("CONNECT localhost:{} HTTP/1.1", tls.port());
    assert_eq!(proxy.asked()[0].lines().next(), Some(target.as_str()));
    let pool = client.pool().total;
    assert_eq!((pool.opened, pool.reused), (1, 19));

    let (error, pool) = failure(builder.tls(tollgate::Tls::Bundled));
    assert_eq!(error.kind(), ErrorKind::Tls, "{error}");
    assert_eq!(error.phase(), Some(Phase::Tls));
    assert_eq!((pool.failed.tls, pool.failed.total()), (1, 1));
}

#[cfg(feature = "rustls")]
#[test]
fn the_connection_to_the_proxy_may_use_tls_as_well() {
    use support::tls::{AUTHORITY, TlsServer};
    let (server, proxy) = (loopback(), ConnectProxy::open());
    let (front, tls) = (TlsServer::start(proxy.address()), TlsServer::start(server.address()));
    let encrypted = |port: u16| Proxy::Url(format!("https://{USER_INFO}@localhost:{port}"));
    let trusting = builder(&server, "openai").tls(tollgate::Tls::Roots(AUTHORITY.into()));
    for base_url in [server.base_url("openai"), tls.base_url()] {
        let builder = trusting.clone().base_url(base_url).proxy(encrypted(front.port()));
        let client = builder.build().unwrap();
        client.chat("hi").unwrap();
        client.chat("hi").unwrap();
        assert_eq!(client.pool().total.opened, 1);
    }
    assert_eq!(server.request_count(), 4);
    assert_eq!((front.handshakes(), tls.handshakes(), proxy.asked().len()), (2, 1, 2));
    assert!(proxy.asked().iter().all(|head| head.contains(CREDENTIALS)));

    for builder in both(unreachable(encrypted(front.port()))) {
        let (error, pool) = failure(builder.tls(tollgate::Tls::Bundled).retry(quick_retries(1)));
        assert_eq!(error.kind(), ErrorKind::Tls, "{error}");
        assert_eq!(error.phase(), Some(Phase::Tls));
        assert_eq!(error.attempts().len(), 1, "trying again does not help");
        assert!(error.to_string().contains(&format!("proxy localhost:{}", front.port())));
        assert_eq!((pool.failed.tls, pool.failed.total()), (1, 1));
    }
    let silent = Listener::start(wait_for_the_end);
    let proxy = ConnectProxy::hanging();
    let front = TlsServer::start(proxy.address());
    // One second is enough to reach the request to the proxy.
    for (port, millis, phase) in
        [(silent.address().port(), 1000, Phase::Tls), (front.port(), 1500, Phase::Connect)]
    {
        let builder = with_tls(unreachable(encrypted(port)))
            .tls(tollgate::Tls::Roots(AUTHORITY.into()))
            .connect_timeout(Duration::from_millis(millis));
        let (error, _) = failure(builder);
        assert_eq!(error.kind(), ErrorKind::Timeout, "{error}");
        assert_eq!(error.phase(), Some(phase));
    }
}

#[cfg(feature = "rustls")]
#[test]
fn a_handshake_that_hangs_behind_the_proxy_differs_from_a_proxy_that_hangs() {
    let (server, proxy) = (Listener::start(wait_for_the_end), ConnectProxy::open());
    let (error, pool) = failure(
        unreachable(proxy.proxy())
            .base_url(format!("https://{}/v1", server.address()))
            // Enough to come as far as the handshake.
            .connect_timeout(Duration::from_millis(1500)),
    );
    assert_eq!(error.kind(), ErrorKind::Timeout, "{error}");
    assert_eq!(error.phase(), Some(Phase::Tls));
    assert_eq!((pool.failed.timeout, pool.failed.total()), (1, 1));
}

#[test]
fn a_refusal_by_the_proxy_names_the_proxy() {
    for (answer, status, kind) in [
        (
            "HTTP/1.1 407 Proxy Authentication Required\r\n\
             Proxy-Authenticate: Basic realm=\"x\"\r\nContent-Length: 0\r\n\r\n",
            "407",
            ErrorKind::Configuration,
        ),
        ("HTTP/1.1 502 Bad Gateway\r\nContent-Length: 4\r\n\r\noops", "502", ErrorKind::Connection),
    ] {
        let proxy = ConnectProxy::answering(answer);
        let url = format!("http://{USER_INFO}@{}", proxy.address());
        for builder in both(unreachable(Proxy::Url(url))) {
            let (error, pool) = failure(builder);
            assert_eq!(error.kind(), kind, "{error}");
            assert_eq!(error.phase(), Some(Phase::Connect));
            assert_eq!(error.status(), None, "it is not the provider's");
            let text = error.to_string();
            assert!(text.contains(&format!("through the proxy {}", proxy.address())), "{text}");
            assert!(text.contains(status), "{text}");
            assert_eq!((pool.failed.connect, pool.failed.total()), (1, 1));
        }
    }
}

#[test]
fn a_proxy_that_hangs_up_is_named() {
    let proxy = ConnectProxy::answering("");
    for builder in both(unreachable(proxy.proxy())) {
        let (error, pool) = failure(builder.retry(quick_retries(1)));
        assert_eq!(error.kind(), ErrorKind::Connection, "{error}");
        assert_eq!(error.phase(), Some(Phase::Connect));
        assert_eq!(error.attempts().len(), 2);
        assert!(error.to_string().contains(&format!("proxy {}", proxy.address())), "{error}");
        assert_eq!((pool.failed.connect, pool.failed.total()), (2, 2));
    }
}

#[test]
fn a_dead_proxy_is_named() {
    // A port that was free a moment ago, and where nobody listens.
    let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    for scheme in ["http", "socks5"] {
        let url = format!("{scheme}://{USER_INFO}@{address}");
        for builder in both(unreachable(Proxy::Url(url))) {
            let (error, pool) = failure(builder);
            assert_eq!(error.kind(), ErrorKind::Connection, "{error}");
            assert_eq!(error.phase(), Some(Phase::Connect));
            assert!(error.to_string().contains(&format!("through the proxy {address}")), "{error}");
            assert_eq!((pool.failed.connect, pool.failed.total()), (1, 1));
        }
    }
}

#[test]
fn a_proxy_that_cannot_be_resolved_is_named() {
    // RFC 6761 section 6.4 reserves this top-level name.
    let proxy = Proxy::Url("http://no-such-proxy.invalid:3128".to_owned());
    for builder in both(unreachable(proxy)) {
        let (error, pool) = failure(builder);
        assert_eq!(error.kind(), ErrorKind::Connection, "{error}");
        assert_eq!(error.phase(), Some(Phase::Resolve));
        assert!(error.to_string().contains("proxy no-such-proxy.invalid:3128"), "{error}");
        assert_eq!((pool.failed.resolve, pool.failed.total()), (1, 1));
    }
}

#[test]
fn a_hanging_proxy_ends_at_the_connect_timeout() {
    let proxy = ConnectProxy::hanging();
    for scheme in ["http", "socks5"] {
        let url = format!("{scheme}://{}", proxy.address());
        for builder in both(unreachable(Proxy::Url(url))) {
            let (error, pool) = failure(builder.connect_timeout(Duration::from_millis(200)));
            assert_eq!(error.kind(), ErrorKind::Timeout, "{error}");
            assert_eq!(error.phase(), Some(Phase::Connect));
            assert_eq!((pool.failed.timeout, pool.failed.total()), (1, 1));
        }
    }
}

#[test]
fn a_proxy_that_never_ends_its_answer_ends_at_the_connect_timeout() {
    let proxy = ConnectProxy::start(|mut client, _| {
        client.write_all(b"HTTP/1.1 200 OK\r\nx-slow: ").unwrap();
        repeat_until_the_end(client, b".");
    });
    for builder in both(unreachable(proxy.proxy())) {
        let (error, pool) = failure(builder.connect_timeout(Duration::from_millis(300)));
        assert_eq!(error.kind(), ErrorKind::Timeout, "{error}");
        assert_eq!(error.phase(), Some(Phase::Connect));
        assert_eq!((pool.failed.timeout, pool.failed.total()), (1, 1));
    }
}

#[test]
fn a_cancel_token_ends_the_wait_for_a_hanging_proxy() {
    for builder in both(unreachable(Proxy::Direct)) {
        let (begun, has_begun) = mpsc::sync_channel(1);
        let proxy = ConnectProxy::start(move |client, _| {
            begun.send(()).unwrap();
            wait_for_the_end(client);
        });
        let client =
            builder.proxy(proxy.proxy()).connect_timeout(Duration::from_secs(60)).build().unwrap();
        let error = cancelled(&client, || has_begun.recv_timeout(PATIENCE).unwrap());
        assert_eq!(error.phase(), Some(Phase::Connect));
        // The connecting thread reports it after it has let go.
        eventually("it is counted", || client.pool().total.failed.cancelled == 1);
    }
}

#[test]
fn a_malformed_proxy_is_a_configuration_error() {
    for url in [
        format!("http://{USER_INFO}@:3128"),
        format!("http://{USER_INFO}@"),
        format!("http://{USER_INFO}@proxy.example:port"),
        format!("http://{USER_INFO}@proxy.example:99999"),
        format!("http://{USER_INFO}@proxy.example:0"),
        format!("http://{USER_INFO} @proxy.example:3128"),
        format!("ftp://{USER_INFO}@proxy.example"),
        format!("{USER_INFO}@/proxy.example"),
        String::new(),
        "/".to_owned(),
    ] {
        let builder = unreachable(Proxy::Url(url.clone()));
        hides_its_secrets(&builder);
        let error = builder.build().expect_err(&url);
        assert_eq!(error.kind(), ErrorKind::Configuration, "{error}");
        assert!(error.to_string().contains("the proxy of .proxy(…) is not a valid URL"), "{error}");
        hides_its_secrets(&error);
        hides_its_secrets(&error.to_string());
    }
}

/// Runs itself again in a process of its own, since a test must not change the environment of the
/// others.
#[test]
fn a_proxy_from_the_environment_is_used_unless_a_setting_overrides_it() {
    const SECOND_RUN: &str = "TOLLGATE_TEST_SECOND_RUN";
    const NAME: &str = "a_proxy_from_the_environment_is_used_unless_a_setting_overrides_it";
    // RFC 6761 section 6.4 reserves this top-level name.
    const TARGET: &str = "no-such-host.invalid";
    if std::env::var_os(SECOND_RUN).is_some() {
        let builder = unreachable(Proxy::Environment)
            .base_url(format!("http://{TARGET}/v1"))
            .allow_plain_http(true);
        let client = builder.clone().build().unwrap();
        client.chat("hi").unwrap();
        client.chat("hi").unwrap();
        let (error, _) = failure(builder.proxy(Proxy::Direct));
        assert_eq!(error.phase(), Some(Phase::Resolve), "{error}");
        return;
    }
    let server = loopback();
    let address = server.address();
    let proxy = ConnectProxy::start(move |client, _| tunnel(client, &connect(address).unwrap()));
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", NAME, "--nocapture"])
        .env(SECOND_RUN, "1")
        .env("HTTP_PROXY", format!("http://{USER_INFO}@{}", proxy.address()))
        .env_remove("NO_PROXY")
        .env_remove("no_proxy")
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    let asked = proxy.asked();
    assert_eq!(asked.len(), 1, "{asked:?}");
    assert!(asked[0].starts_with(&format!("CONNECT {TARGET}:80 ")), "{asked:?}");
    assert!(asked[0].contains(CREDENTIALS), "{asked:?}");
    assert_eq!(server.request_count(), 2);
}
