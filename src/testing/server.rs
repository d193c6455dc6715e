//! The accept loop, its open connections, and how everything ends.

use parking_lot::RwLock;
use std::collections::{HashMap, VecDeque};
use std::io;
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use super::Connections;
use super::batches::Store;
use super::connection;
use super::paths::Paths;
use super::record::Record;
use super::recordings::Recordings;
use super::script::Script;
use crate::sync::Lock;
use crate::sync::ordered::{Condvar, Mutex};

/// What happens to a client that connects.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mode {
    Serve,
    /// Connections are refused.
    Refuse,
    /// Closed as soon as accepted.
    Drop,
    /// Accepted and never answered.
    Silent,
}

/// The state that the handle and all threads share. Only `control` is held while another lock is
/// taken; see `sync.rs`.
#[derive(Debug)]
pub(super) struct Server {
    pub(super) address: SocketAddr,
    pub(super) paths: Paths,
    pub(super) script: Script,
    pub(super) record: Record,
    pub(super) batches: Store,
    pub(super) recordings: RwLock<Recordings>,
    pub(super) key: RwLock<Option<String>>,
    /// Serialises listening, refusing and stopping.
    control: Mutex<()>,
    /// Set once, under the lock of `state`, so that no sleeping thread misses it.
    stopping: AtomicBool,
    state: Mutex<State>,
    /// Signals that a connection or the listener has changed.
    changed: Condvar,
    stopped: Condvar,
}

/// `connections.open` counts the sockets accepted and not yet released. It decreases before the
/// socket is closed, so a client that saw its connection end finds it already counted.
#[derive(Debug)]
struct State {
    mode: Mode,
    /// The next mode, and the connection after which it applies.
    switch: Option<(Mode, Option<SocketAddr>)>,
    listening: bool,
    /// A new listener on its way to the accept thread.
    listener: Option<TcpListener>,
    connections: Connections,
    open: HashMap<u64, Open>,
    /// Threads that have finished and are not joined yet.
    ended: VecDeque<JoinHandle<()>>,
    acceptor: Option<JoinHandle<()>>,
}

#[derive(Debug)]
struct Open {
    stream: Arc<TcpStream>,
    /// `None` briefly, between accepting and starting the thread.
    thread: Option<JoinHandle<()>>,
}

impl Server {
    /// Listens on a port; 0 stands for any free one.
    pub(super) fn start(port: u16) -> io::Result<Arc<Self>> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port))?;
        let address = listener.local_addr()?;
        let state = State {
            mode: Mode::Serve,
            switch: None,
            listening: true,
            listener: Some(listener),
            connections: Connections::default(),
            open: HashMap::new(),
            ended: VecDeque::new(),
            acceptor: None,
        };
        let server = Arc::new(Self {
            address,
            paths: Paths::default(),
            script: Script::default(),
            record: Record::default(),
            batches: Store::default(),
            recordings: RwLock::default(),
            key: RwLock::new(None),
            control: Mutex::new(Lock::LoopbackControl, ()),
            stopping: AtomicBool::new(false),
            state: Mutex::new(Lock::Loopback, state),
            changed: Condvar::new(),
            stopped: Condvar::new(),
        });
        let shared = Arc::clone(&server);
        let acceptor = thread::Builder::new()
            .name("tollgate-loopback".to_owned())
            .spawn(move || shared.accept_loop())?;
        server.state.lock().acceptor = Some(acceptor);
        Ok(server)
    }

    pub(super) fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::Acquire)
    }

    pub(super) fn connections(&self) -> Connections {
        self.state.lock().connections
    }

    /// Waits until `enough` returns true. Returns false if time runs out first.
    pub(super) fn wait(
        &self,
        enough: impl Fn(Connections) -> bool,
        deadline: Option<Instant>,
    ) -> bool {
        loop {
            // The caller's code runs without the lock; `seen` detects changes meanwhile.
            let seen = self.connections();
            if enough(seen) {
                return true;
            }
            let mut state = self.state.lock();
            while state.connections == seen {
                match deadline {
                    None => self.changed.wait(&mut state),
                    Some(deadline) => {
                        if self.changed.wait_until(&mut state, deadline).timed_out() {
                            return false;
                        }
                    }
                }
            }
        }
    }

    /// Sleeps. Returns false if the server stops first.
    pub(super) fn sleep(&self, deadline: Instant) -> bool {
        let mut state = self.state.lock();
        while !self.is_stopping() {
            if self.stopped.wait_until(&mut state, deadline).timed_out() {
                return true;
            }
        }
        false
    }

    fn accept_loop(self: Arc<Self>) {
        while let Some(listener) = self.await_listener() {
            self.accept_all(&listener);
            drop(listener);
            self.state.lock().listening = false;
            self.changed.notify_all();
        }
    }

    /// Waits for the listener; `None` if the server stops.
    fn await_listener(&self) -> Option<TcpListener> {
        let mut state = self.state.lock();
        loop {
            let listener = state.listener.take();
            if self.is_stopping() {
                state.listening = false;
                drop(state);
                self.changed.notify_all();
                return None;
            }
            if listener.is_some() {
                return listener;
            }
            self.changed.wait(&mut state);
        }
    }

    /// Accepts until the server stops or refuses connections.
    fn accept_all(self: &Arc<Self>, listener: &TcpListener) {
        loop {
            let accepted = listener.accept();
            let peer = accepted.as_ref().ok().map(|(_, peer)| *peer);
            let mut state = self.state.lock();
            let ended = std::mem::take(&mut state.ended);
            // A connection may arrive before `switch_to` knows its address.
            while matches!(state.switch, Some((_, None))) && !self.is_stopping() {
                self.changed.wait(&mut state);
            }
            let marker = match state.switch {
                Some((mode, marker)) if marker == peer => {
                    state.mode = mode;
                    state.switch = None;
                    true
                }
                _ => false,
            };
            let mode = state.mode;
            drop(state);
            join(ended);
            if self.is_stopping() || mode == Mode::Refuse {
                return;
            }
            match accepted {
                Ok(_) if marker => {
                    self.changed.notify_all();
                }
                Ok((stream, _)) => self.admit(stream, mode),
                // Most likely out of file descriptors; retrying at once would spin.
                Err(_) => {
                    self.sleep(Instant::now() + Duration::from_millis(10));
                }
            }
        }
    }

    /// Counts a connection and starts its thread.
    fn admit(self: &Arc<Self>, stream: TcpStream, mode: Mode) {
        let stream = Arc::new(stream);
        let number = {
            let mut state = self.state.lock();
            if self.is_stopping() {
                return;
            }
            let counts = &mut state.connections;
            counts.opened += 1;
            counts.open += 1;
            counts.peak = counts.peak.max(counts.open);
            let number = counts.opened;
            let open = Open { stream: Arc::clone(&stream), thread: None };
            state.open.insert(number, open);
            number
        };
        self.changed.notify_all();
        let lease = Lease { server: Arc::clone(self), number, stream };
        if mode == Mode::Drop {
            return;
        }
        let spawned = thread::Builder::new()
            .name(format!("tollgate-loopback-{number}"))
            .spawn(move || connection::run(&lease, mode == Mode::Silent));
        // If the thread cannot start, its closure is dropped, and the lease with it.
        if let Ok(thread) = spawned {
            let mut state = self.state.lock();
            match state.open.get_mut(&number) {
                Some(open) => open.thread = Some(thread),
                None => state.ended.push_back(thread),
            }
        }
    }

    /// Changes what happens to new clients. Returns when the change applies.
    pub(super) fn set_mode(&self, mode: Mode) -> io::Result<()> {
        let _turn = self.control.lock();
        if self.is_stopping() {
            return Err(io::Error::other("the loopback provider is stopped"));
        }
        let listening = self.state.lock().listening;
        match (listening, mode) {
            (true, _) => self.switch_to(mode),
            (false, Mode::Refuse) => Ok(()),
            (false, _) => {
                let listener = TcpListener::bind(self.address)?;
                let mut state = self.state.lock();
                state.mode = mode;
                state.listening = true;
                state.listener = Some(listener);
                drop(state);
                self.changed.notify_all();
                Ok(())
            }
        }
    }

    /// Marks the change by a connection of its own. The accept queue is in order, so clients that
    /// connected earlier still get the old mode, and later ones the new mode.
    fn switch_to(&self, mode: Mode) -> io::Result<()> {
        self.state.lock().switch = Some((mode, None));
        let marker = TcpStream::connect(self.address).and_then(|stream| {
            let address = stream.local_addr()?;
            Ok((stream, address))
        });
        let mut state = self.state.lock();
        match marker {
            Err(error) => {
                state.switch = None;
                drop(state);
                self.changed.notify_all();
                Err(error)
            }
            // The stream lives until its address is no longer needed.
            Ok((_stream, address)) => {
                state.switch = Some((mode, Some(address)));
                self.changed.notify_all();
                while state.switch.is_some() || (mode == Mode::Refuse && state.listening) {
                    self.changed.wait(&mut state);
                }
                Ok(())
            }
        }
    }

    /// Makes the accept thread check its state and give up its listener. It blocks in `accept`,
    /// which std can end only by a connection.
    fn wake(&self) {
        loop {
            if !self.state.lock().listening {
                return;
            }
            let _ = TcpStream::connect_timeout(&self.address, Duration::from_secs(1));
            let mut state = self.state.lock();
            // Try again only if that connection could not be made.
            let again = Instant::now() + Duration::from_millis(100);
            while state.listening {
                if self.changed.wait_until(&mut state, again).timed_out() {
                    break;
                }
            }
        }
    }

    /// Ends every open connection; their threads then end on their own.
    pub(super) fn shut_connections(&self) {
        let open: Vec<_> =
            self.state.lock().open.values().map(|open| Arc::clone(&open.stream)).collect();
        for stream in open {
            // An error means the client was faster, which is fine.
            let _ = stream.shutdown(Shutdown::Both);
        }
    }

    /// Ends everything and waits for it.
    pub(super) fn stop(&self) {
        let upstream = self.recordings.read().upstream.clone();
        if let Some(upstream) = upstream {
            upstream.stop();
        }
        let _turn = self.control.lock();
        {
            let _state = self.state.lock();
            self.stopping.store(true, Ordering::Release);
        }
        self.changed.notify_all();
        self.stopped.notify_all();
        self.wake();
        let acceptor = self.state.lock().acceptor.take();
        join(acceptor);
        // No connection is accepted any more: the open ones are the last.
        self.shut_connections();
        let threads: Vec<_> = {
            let mut state = self.state.lock();
            let mut threads: Vec<_> = state.ended.drain(..).collect();
            threads.extend(state.open.values_mut().filter_map(|open| open.thread.take()));
            threads
        };
        join(threads);
    }
}

fn join(threads: impl IntoIterator<Item = JoinHandle<()>>) {
    for thread in threads {
        // A matcher may own the server and drop it on a connection's thread.
        if thread.thread().id() != thread::current().id() {
            // That thread already reported a panic in a user's matcher.
            let _ = thread.join();
        }
    }
}

/// An accepted connection. Dropping it updates the counts, then closes the socket.
#[derive(Debug)]
pub(super) struct Lease {
    pub(super) server: Arc<Server>,
    pub(super) number: u64,
    pub(super) stream: Arc<TcpStream>,
}

impl Drop for Lease {
    fn drop(&mut self) {
        let mut state = self.server.state.lock();
        state.connections.open -= 1;
        let open = state.open.remove(&self.number);
        if let Some(Open { thread: Some(thread), .. }) = open {
            state.ended.push_back(thread);
        }
        drop(state);
        self.server.changed.notify_all();
    }
}
