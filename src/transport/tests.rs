//! Tests of opening connections to hosts with several addresses, over real sockets.

use std::io;
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream};
use std::thread;

use ureq::config::Config;

use super::*;
use crate::cancel::CancelToken;

/// Test hosts are named by their addresses: `127-0-0-2.127-0-0-1.test`.
fn look_up(name: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
    let labels = name.strip_suffix(".test").unwrap_or(name).split('.');
    let addresses = labels.map(|label| label.replace('-', ".").parse::<IpAddr>());
    let addresses: Vec<_> = addresses.collect::<Result<_, _>>().map_err(io::Error::other)?;
    Ok(addresses.into_iter().map(|address| SocketAddr::new(address, port)).collect())
}

/// Two dead addresses, 127.0.0.2 and 127.0.0.3, and the live 127.0.0.1 at the same port.
struct Host {
    live: TcpListener,
    /// Keeps the dead addresses dead.
    _dead: Vec<(TcpListener, Vec<TcpStream>)>,
}

impl Host {
    fn new() -> Self {
        let live = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = live.local_addr().unwrap().port();
        let dead = ["127.0.0.2", "127.0.0.3"].map(|address| full(address, port));
        Self { live, _dead: dead.into() }
    }

    fn port(&self) -> u16 {
        self.live.local_addr().unwrap().port()
    }

    fn opener(&self, name: &str, connect_timeout: Duration) -> Arc<Opener> {
        let url = format!("http://{name}:{}/", self.port());
        let config = Config::builder().proxy(None).build();
        let base = url.parse().unwrap();
        let config = (config, String::new());
        let mut opener = Opener::new(&base, config, connect_timeout, Observers::default()).unwrap();
        opener.resolver = Arc::new(resolve::Resolver::new(look_up));
        Arc::new(opener)
    }
}

/// A listener with a full queue, which answers no further connection attempt (listen(2)), and the
/// connections that fill it.
fn full(address: &str, port: u16) -> (TcpListener, Vec<TcpStream>) {
    let listener = TcpListener::bind((address, port)).unwrap();
    let address = listener.local_addr().unwrap();
    let (mut queue, mut unanswered) = (Vec::new(), 0);
    while unanswered < 3 {
        assert!(queue.len() < 10_000, "the system's queue never fills");
        match TcpStream::connect_timeout(&address, Duration::from_millis(100)) {
            Ok(socket) => queue.push(socket),
            Err(_) => unanswered += 1,
        }
    }
    (listener, queue)
}

const LONG: Duration = Duration::from_secs(60);

fn pool(places: usize) -> (Pool<Connection>, OriginId) {
    let limits = Limits { max_size: places, max_per_origin: places, idle_timeout: LONG };
    let pool = Pool::new(limits, LONG);
    let origin = pool.register("http://host.test:80");
    (pool, origin)
}

fn bounds(cancel: Option<&CancelToken>) -> Bounds {
    Bounds { deadline: Deadline::after(Instant::now(), LONG), cancel: cancel.cloned() }
}

#[test]
fn dead_addresses_are_overtaken_within_one_place_of_the_pool() {
    let host = Host::new();
    let opener = host.opener("127-0-0-2.127-0-0-3.127-0-0-1.test", LONG);
    let (pool, origin) = pool(1);
    for token in [None, Some(CancelToken::new())] {
        let Some(permit) = pool.spare(origin) else { panic!("the place is free") };
        let begun = Instant::now();
        let lease = dial(&opener, permit, || None, &bounds(token.as_ref())).unwrap();
        // It waited for no dead address: each of them has a minute.
        assert!(begun.elapsed() < LONG / 2);
        let (_socket, _) = host.live.accept().unwrap();
        let stats = pool.stats().total;
        assert_eq!((stats.active, stats.opening), (1, 0));
        assert!(pool.spare(origin).is_none(), "there is one connection for one place");
        lease.close(CloseReason::Broken);
    }
    assert_eq!(pool.stats().total.opened, 2);
}

#[test]
fn a_refused_first_address_does_not_fail_the_connection() {
    let host = Host::new();
    // Nothing listens at the first address.
    let opener = host.opener("127-0-0-4.127-0-0-1.test", LONG);
    let (pool, origin) = pool(1);
    let permit = pool.spare(origin).unwrap();
    let lease = dial(&opener, permit, || None, &bounds(None)).unwrap();
    host.live.accept().unwrap();
    drop(lease);
}

#[test]
fn a_call_cancelled_while_connecting_returns_at_once_and_frees_its_place_later() {
    let (host, timeout) = (Host::new(), Duration::from_millis(900));
    let opener = host.opener("127-0-0-2.127-0-0-3.test", timeout);
    let (pool, origin) = pool(1);
    let (permit, token) = (pool.spare(origin).unwrap(), CancelToken::new());
    thread::scope(|scope| {
        let call = scope.spawn(|| dial(&opener, permit, || None, &bounds(Some(&token))));
        token.cancel();
        let error = call.join().unwrap().err().unwrap();
        assert!(error.is_cancelled(), "{error}");
    });
    while pool.stats().total.opening > 0 {
        thread::yield_now();
    }
    assert_eq!(pool.stats().total.opened, 0);
}

#[test]
fn if_every_address_is_dead_the_connect_timeout_ends_the_attempt() {
    let host = Host::new();
    let opener = host.opener("127-0-0-2.127-0-0-3.test", Duration::from_millis(600));
    let (pool, origin) = pool(1);
    let permit = pool.spare(origin).unwrap();
    let error = dial(&opener, permit, || None, &bounds(None)).err().unwrap();
    assert_eq!((error.kind(), error.phase()), (ErrorKind::Timeout, Some(Phase::Connect)));
    let stats = pool.stats().total;
    assert_eq!((stats.opening, stats.failed.timeout), (0, 1));
}
