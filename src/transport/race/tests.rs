//! Tests of the race by tables, and over sockets with a dialer that the test controls.

use super::*;
use crossbeam_channel::{Receiver, unbounded};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

/// `4a` is an IPv4 address, `6b` an IPv6 address.
fn address(name: &str) -> SocketAddr {
    let (family, letter) = name.split_at(1);
    let last = u16::from(letter.as_bytes()[0]);
    match family {
        "4" => SocketAddr::from(([192, 0, 2, u8::try_from(last).unwrap()], 443)),
        _ => SocketAddr::from(([0x2001, 0xdb8, 0, 0, 0, 0, 0, last], 443)),
    }
}

fn addresses(names: &str) -> Vec<SocketAddr> {
    names.split_whitespace().map(address).collect()
}

#[test]
fn the_address_families_alternate() {
    for (given, expected) in [
        ("6a 6b 4a 4b", "6a 4a 6b 4b"),
        ("4a 4b 6a", "4a 6a 4b"),
        ("6a 6b 6c 4a", "6a 4a 6b 6c"),
        ("6a 4a 4b 4c", "6a 4a 4b 4c"),
        ("4a 4b", "4a 4b"),
        ("4a", "4a"),
        ("6a 6a 4a 6a 4a", "6a 4a"),
        ("", ""),
    ] {
        assert_eq!(interleaved(addresses(given)), addresses(expected), "{given}");
    }
}

/// An event, in milliseconds since the race started, and what must be next.
enum Step {
    Next(u64, Next),
    Failed(u64, &'static str),
    Stopped,
}

#[test]
fn the_next_address_starts_after_the_delay_or_at_once_after_a_failure() {
    use Step::{Failed, Stopped};

    let begun = Instant::now();
    let at = |millis| begun + Duration::from_millis(millis);
    let start = |millis, name| Step::Next(millis, Next::Start(address(name)));
    let until = |millis, until| Step::Next(millis, Next::Wait(Some(at(until))));
    let wait = |millis| Step::Next(millis, Next::Wait(None));
    let lost = |millis| Step::Next(millis, Next::Lost);
    for (name, given, steps) in [
        ("nothing to try", "", vec![lost(0)]),
        ("one address gets all the time", "4a", vec![start(0, "4a"), wait(0), wait(9_000)]),
        ("one address fails", "4a", vec![start(0, "4a"), Failed(7, "4a"), lost(7)]),
        (
            "the next joins a dead address after 250 ms",
            "6a 4a 6b",
            vec![
                start(0, "6a"),
                until(0, 250),
                until(249, 250),
                start(250, "4a"),
                until(250, 500),
                start(500, "6b"),
                wait(500),
            ],
        ),
        (
            "a refused address starts the next at once",
            "6a 4a 6b",
            vec![
                start(0, "6a"),
                Failed(3, "6a"),
                start(3, "4a"),
                until(3, 253),
                Failed(5, "4a"),
                start(5, "6b"),
                wait(5),
                Failed(9, "6b"),
                lost(9),
            ],
        ),
        (
            "the latest fails while another is dead",
            "6a 4a 6b",
            vec![start(0, "6a"), start(250, "4a"), Failed(260, "4a"), start(260, "6b")],
        ),
        (
            "an earlier one fails, and the latest keeps its delay",
            "6a 4a 6b",
            vec![
                start(0, "6a"),
                start(250, "4a"),
                Failed(260, "6a"),
                until(260, 500),
                start(500, "6b"),
            ],
        ),
        (
            "time passes between two questions",
            "6a 4a 6b",
            vec![start(0, "6a"), start(900, "4a"), until(900, 1_150), start(1_150, "6b")],
        ),
        (
            "once stopped, nothing starts",
            "6a 4a 6b",
            vec![start(0, "6a"), Stopped, wait(250), Failed(300, "6a"), lost(300)],
        ),
    ] {
        let mut race = Race::new(addresses(given), DELAY, begun);
        for (number, step) in steps.into_iter().enumerate() {
            match step {
                Step::Next(millis, expected) => {
                    assert_eq!(race.next(at(millis)), expected, "{name}, step {number}");
                }
                Failed(millis, name) => race.failed(address(name), at(millis)),
                Stopped => race.stop(),
            }
        }
    }
}

const LONG: Duration = Duration::from_secs(60);

fn within(time: Duration) -> Deadline {
    Deadline::after(Instant::now(), time)
}

/// Dials loopback ports. Addresses of the documentation network (RFC 5737) are dead: attempts at
/// them block until the test releases them.
#[derive(Clone)]
struct Dialer {
    /// Every attempt, and whether it ran on the caller's thread.
    dialled: Sender<(SocketAddr, bool)>,
    released: Receiver<()>,
    /// Where a dead address connects once it is released.
    late: Option<SocketAddr>,
    caller: thread::ThreadId,
}

impl Dialer {
    fn dial(&self, address: SocketAddr, time: Option<Duration>) -> io::Result<TcpStream> {
        let is_callers = thread::current().id() == self.caller;
        self.dialled.send((address, is_callers)).unwrap();
        if address.ip().is_loopback() {
            return TcpStream::connect_timeout(&address, time.unwrap_or(LONG));
        }
        match self.released.recv_timeout(time.unwrap_or(LONG)) {
            Err(_) => Err(ErrorKind::TimedOut.into()),
            Ok(()) => match self.late {
                Some(late) => TcpStream::connect(late),
                None => Err(ErrorKind::ConnectionReset.into()),
            },
        }
    }
}

struct Bench {
    dialer: Dialer,
    dialled: Receiver<(SocketAddr, bool)>,
    release: Sender<()>,
}

fn bench(late: Option<SocketAddr>) -> Bench {
    let ((dialled, attempts), (release, released)) = (unbounded(), unbounded());
    let dialer = Dialer { dialled, released, late, caller: thread::current().id() };
    Bench { dialer, dialled: attempts, release }
}

impl Bench {
    fn connect(&self, addresses: &[SocketAddr], deadline: Deadline) -> io::Result<TcpStream> {
        let dialer = self.dialer.clone();
        let short = Duration::from_millis(20);
        let dial = move |address, time| dialer.dial(address, time);
        connect(addresses.iter().copied(), deadline, short, || false, dial)
    }

    fn dialled(&self) -> Vec<(SocketAddr, bool)> {
        self.dialled.try_iter().collect()
    }
}

fn listener() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    (listener, address)
}

fn refusing() -> SocketAddr {
    listener().1
}

#[test]
fn no_thread_starts_if_addresses_answer_or_refuse_in_time() {
    let (_listener, live) = listener();
    let (refusing, dead) = (refusing(), address("4d"));
    for given in [&[live][..], &[live, dead], &[refusing, live], &[refusing, refusing, live]] {
        let bench = bench(None);
        assert_eq!(bench.connect(given, within(LONG)).unwrap().peer_addr().unwrap(), live);
        assert!(bench.dialled().into_iter().all(|(_, is_callers)| is_callers), "{given:?}");
    }
    let bench = bench(None);
    let cause = bench.connect(&[refusing, refusing], within(LONG)).unwrap_err();
    assert_eq!(cause.kind(), ErrorKind::ConnectionRefused);
}

#[test]
fn a_late_connection_of_an_overtaken_address_is_closed() {
    let (_listener, live) = listener();
    let (late_listener, late) = listener();
    let dead = address("4d");
    let bench = bench(Some(late));
    let won = bench.connect(&[dead, live], within(LONG)).unwrap();
    assert_eq!(won.peer_addr().unwrap(), live);
    // On this thread during the delay, then both on threads of their own.
    let mut dialled: Vec<_> = (0..3).map(|_| bench.dialled.recv().unwrap()).collect();
    dialled[1..].sort();
    let mut expected = [(dead, false), (live, false)];
    expected.sort();
    assert_eq!(dialled, [&[(dead, true)], &expected[..]].concat());
    bench.release.send(()).unwrap();
    let (mut loser, _) = late_listener.accept().unwrap();
    assert_eq!(io::Read::read(&mut loser, &mut [0]).unwrap(), 0, "the loser is closed");
}

#[test]
fn a_slow_first_address_wins_if_it_connects_first() {
    let (_listener, late) = listener();
    let (dead, other) = (address("4d"), address("4e"));
    let bench = bench(Some(late));
    thread::scope(|scope| {
        let call = scope.spawn(|| bench.connect(&[dead, other], within(LONG)));
        // The caller's own attempt, then both.
        for _ in 0..3 {
            bench.dialled.recv().unwrap();
        }
        bench.release.send(()).unwrap();
        assert_eq!(call.join().unwrap().unwrap().peer_addr().unwrap(), late);
    });
    bench.release.send(()).unwrap();
}

#[test]
fn the_deadline_ends_the_race() {
    let dead = [address("4d"), address("6e"), address("4f")];
    for time in [Duration::ZERO, Duration::from_millis(10), Duration::from_millis(60)] {
        let bench = bench(None);
        let cause = bench.connect(&dead, within(time)).unwrap_err();
        assert_eq!(cause.kind(), ErrorKind::TimedOut, "{time:?}");
    }
    let bench = bench(None);
    assert_eq!(bench.connect(&[], within(LONG)).unwrap_err().kind(), ErrorKind::NotFound);
}

#[test]
fn if_every_address_fails_the_race_fails() {
    let bench = bench(None);
    let dead = [address("4d"), address("6e")];
    thread::scope(|scope| {
        let call = scope.spawn(|| bench.connect(&dead, within(LONG)));
        for _ in 0..3 {
            bench.dialled.recv().unwrap();
        }
        bench.release.send(()).unwrap();
        bench.release.send(()).unwrap();
        let cause = call.join().unwrap().unwrap_err();
        assert_eq!(cause.kind(), ErrorKind::ConnectionReset);
    });
}

#[test]
fn after_cancelling_nothing_starts_and_running_attempts_are_awaited() {
    let cancelled = Arc::new(AtomicBool::new(false));
    let running = Arc::new(AtomicUsize::new(0));
    let bench = bench(None);
    let dead = [address("4d"), address("6e"), address("4f")];
    let dialer = bench.dialer.clone();
    let count = Arc::clone(&running);
    let dial = move |address, time| {
        count.fetch_add(1, Ordering::SeqCst);
        let outcome = dialer.dial(address, time);
        count.fetch_sub(1, Ordering::SeqCst);
        outcome
    };
    thread::scope(|scope| {
        let is_cancelled = || cancelled.load(Ordering::SeqCst);
        let hour = Duration::from_secs(3600);
        let delay = Duration::from_millis(20);
        let call = scope.spawn(move || connect(dead, within(hour), delay, is_cancelled, dial));
        for _ in 0..3 {
            bench.dialled.recv().unwrap();
        }
        cancelled.store(true, Ordering::SeqCst);
        let third = bench.dialled.recv_timeout(Duration::from_millis(60)).is_ok();
        for _ in 0..2 + usize::from(third) {
            bench.release.send(()).unwrap();
        }
        assert!(call.join().unwrap().is_err());
        assert_eq!(running.load(Ordering::SeqCst), 0);
    });
    assert!(bench.dialled().is_empty());
}
