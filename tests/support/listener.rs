use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, Weak};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// A test that goes wrong fails after this long rather than hanging.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// A listener that serves each connection in a thread
/// of its own. Dropping it ends all connections and joins all threads.
pub(crate) struct Listener {
    address: SocketAddr,
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct Shared {
    accepted: AtomicUsize,
    /// The sockets to end, `None` once stopped: none is added after that.
    sockets: Mutex<Option<Vec<Weak<TcpStream>>>>,
}

impl Listener {
    /// The socket is closed when `serve` returns.
    pub(crate) fn start(serve: impl Fn(&TcpStream) + Send + Sync + 'static) -> Self {
        Self::on("127.0.0.1:0", serve).expect("a free port on 127.0.0.1")
    }

    pub(crate) fn on(
        address: &str,
        serve: impl Fn(&TcpStream) + Send + Sync + 'static,
    ) -> io::Result<Self> {
        let listener = TcpListener::bind(address)?;
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared::default());
        *shared.sockets.lock().unwrap() = Some(Vec::new());
        let thread = thread::spawn({
            let shared = Arc::clone(&shared);
            move || {
                let serve = &serve;
                thread::scope(|scope| {
                    for socket in listener.incoming() {
                        let socket = Arc::new(patient(socket.unwrap()));
                        match &mut *shared.sockets.lock().unwrap() {
                            Some(sockets) => sockets.push(Arc::downgrade(&socket)),
                            None => break,
                        }
                        shared.accepted.fetch_add(1, Ordering::SeqCst);
                        scope.spawn(move || serve(&socket));
                    }
                });
            }
        });
        Ok(Self { address, shared, thread: Some(thread) })
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// How many connections came.
    pub(crate) fn accepted(&self) -> usize {
        self.shared.accepted.load(Ordering::SeqCst)
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        let sockets = self.shared.sockets.lock().unwrap().take();
        for socket in sockets.iter().flatten().filter_map(Weak::upgrade) {
            let _ = socket.shutdown(Shutdown::Both);
        }
        // Ends the wait for the next one.
        drop(TcpStream::connect(self.address));
        let ended = self.thread.take().map(JoinHandle::join);
        if !thread::panicking() {
            assert!(matches!(ended, Some(Ok(()))), "a thread of the test's server panicked");
        }
    }
}

/// Sets a timeout for every read and write.
fn patient(socket: TcpStream) -> TcpStream {
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    socket.set_write_timeout(Some(PATIENCE)).unwrap();
    socket.set_nodelay(true).unwrap();
    socket
}

pub(crate) fn connect(address: SocketAddr) -> io::Result<TcpStream> {
    TcpStream::connect_timeout(&address, PATIENCE).map(patient)
}

/// Reads until the other side closes, and panics if it does not: a client must leave a server that
/// hangs.
pub(crate) fn wait_for_the_end(mut socket: &TcpStream) {
    if let Err(error) = io::copy(&mut socket, &mut io::sink()) {
        assert!(!is_late(&error), "the client did not go");
    }
}

/// Sends `bytes` every 20 ms until the client closes, and panics if it does not. For timeouts that
/// these bytes must not extend: time is under test, and the pace is far below the timeout.
pub(crate) fn repeat_until_the_end(mut socket: &TcpStream, bytes: &[u8]) {
    socket.set_read_timeout(Some(Duration::from_millis(20))).unwrap();
    let begun = Instant::now();
    while socket.write_all(bytes).is_ok() {
        match socket.read(&mut [0]) {
            Err(error) if is_late(&error) => {}
            _ => return,
        }
        assert!(begun.elapsed() < PATIENCE / 2, "the client did not go");
    }
}

fn is_late(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut)
}

/// Copies both ways until both sides have ended.
pub(crate) fn relay(one: &TcpStream, two: &TcpStream) {
    let copy = |mut from: &TcpStream, mut to: &TcpStream| {
        let _ = io::copy(&mut from, &mut to);
        let _ = to.shutdown(Shutdown::Write);
    };
    thread::scope(|scope| {
        scope.spawn(|| copy(one, two));
        copy(two, one);
    });
}
