//! A ledger file shared by processes, some of which are killed. The processes are this test program,
//! run again with [`ROLE`] set.

use rusqlite::Connection;
use std::collections::HashMap;
use std::env;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{self, Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::Duration;
use tollgate::Money;
use tollgate::cost::ledger::{Balance, Hold, HoldError, Ledger, Line, SqliteLedger};

/// The task of a process that a test starts: `spend` or `try`.
const ROLE: &str = "TOLLGATE_TEST_LEDGER_ROLE";

/// The ledger's file, for such a process.
const FILE: &str = "TOLLGATE_TEST_LEDGER_FILE";

/// Where it reports what it spends.
const SERVER: &str = "TOLLGATE_TEST_LEDGER_SERVER";

/// What a call reserves, in pico-dollars.
const RESERVED: i128 = 100;

/// What may be spent in a slot.
const LIMIT: i128 = 20 * RESERVED;

/// The length of a slot in seconds. Every call takes a second, so most slots see more calls than
/// fit.
const SLOT: i64 = 60;

/// When an open reservation counts as abandoned: soon enough to happen to living processes, too,
/// whose calls are then corrected.
const ABANDON_AFTER: Duration = Duration::from_secs(40);

/// A directory of its own, removed at the end.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        let name = format!("tollgate-processes-{}-{}", process::id(), fastrand::u64(..));
        let folder = env::temp_dir().join(name);
        fs::create_dir(&folder).unwrap();
        Self(folder)
    }

    fn file(&self) -> PathBuf {
        self.0.join("budget.db")
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn again(role: &str, file: &Path) -> Command {
    let mut command = Command::new(env::current_exe().unwrap());
    command.args(["--exact", "what_a_process_does", "--nocapture"]);
    command.env(ROLE, role).env(FILE, file).stdin(Stdio::null()).stdout(Stdio::null());
    command
}

/// Does nothing unless another test runs this program again.
#[test]
fn what_a_process_does() {
    let Ok(role) = env::var(ROLE) else { return };
    let file = PathBuf::from(env::var_os(FILE).unwrap());
    match role.as_str() {
        "spend" => spend(&file, env::var(SERVER).unwrap().parse().unwrap()),
        "try" => match SqliteLedger::open(&file) {
            Ok(_) => eprintln!("opened"),
            Err(error) => eprintln!("{error}"),
        },
        other => panic!("{other}"),
    }
}

/// One budget per slot, and a total that only counts.
fn lines(now: i64) -> [Line<'static>; 2] {
    let slot = now - now % SLOT;
    [
        Line {
            account: "slots",
            slot,
            from: slot,
            until: slot + SLOT,
            limit: Some(Money::picos(LIMIT)),
        },
        Line { account: "all", slot: 0, from: 0, until: i64::MAX, limit: None },
    ]
}

/// Makes calls on two threads until the server says to stop. A panic ends the process
/// with a status that the parent looks at.
fn spend(file: &Path, server: SocketAddr) {
    let ledger = SqliteLedger::open(file)
        .unwrap()
        .abandon_after(ABANDON_AFTER)
        .busy_timeout(Duration::from_secs(60))
        .survive_power_loss(false);
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                let server = TcpStream::connect(server).unwrap();
                let mut answers = BufReader::new(server.try_clone().unwrap());
                let mut tell = |text: String| -> Option<i64> {
                    (&server).write_all(text.as_bytes()).unwrap();
                    let mut answer = String::new();
                    answers.read_line(&mut answer).unwrap();
                    answer.trim().parse().ok()
                };
                let mut time = tell("hello\n".to_owned());
                while let Some(now) = time {
                    let lines = lines(now);
                    let amount = Money::picos(RESERVED);
                    time = match ledger.reserve(&Hold {
                        lines: &lines,
                        least: amount,
                        most: amount,
                        now,
                    }) {
                        Ok(grant) => {
                            let cost = fastrand::i128(0..=RESERVED);
                            let call = format!("call {} {} {cost}\n", grant.id.0, lines[0].slot);
                            let later = tell(call);
                            ledger
                                .settle(grant.id, Money::picos(cost), later.unwrap_or(now))
                                .unwrap();
                            later
                        }
                        Err(HoldError::Refused { line: 0, .. }) => tell("refused\n".to_owned()),
                        Err(other) => panic!("{other:?}"),
                    };
                }
            });
        }
    });
}

/// The provider: counts what is spent, and is the clock of all.
#[derive(Default)]
struct Provider {
    /// How many times it was asked.
    now: Mutex<i64>,
    asked: Condvar,
    stop: AtomicBool,
    /// Nobody will connect any more.
    closed: AtomicBool,
    refusals: AtomicI64,
    /// By reservation: the slot and the cost.
    calls: Mutex<HashMap<u64, (i64, i128)>>,
}

impl Provider {
    fn now(&self) -> i64 {
        *self.now.lock().unwrap()
    }

    /// Waits until it is asked once more.
    fn wait(&self) {
        let now = self.now.lock().unwrap();
        let before = *now;
        let limit = Duration::from_secs(60);
        let waited = self.asked.wait_timeout_while(now, limit, |now| *now == before).unwrap();
        assert!(!waited.1.timed_out(), "nobody asks any more");
    }

    fn serve(&self, client: TcpStream) {
        let mut lines = BufReader::new(client.try_clone().unwrap());
        loop {
            let mut line = String::new();
            // Half a line is no request, nor is what is reset.
            match lines.read_line(&mut line) {
                Ok(_) if line.ends_with('\n') => {}
                _ => return,
            }
            let words: Vec<_> = line.split_whitespace().collect();
            match words[..] {
                ["call", id, slot, cost] => {
                    let call = (slot.parse().unwrap(), cost.parse().unwrap());
                    let before = self.calls.lock().unwrap().insert(id.parse().unwrap(), call);
                    assert_eq!(before, None, "an id is used once");
                }
                ["refused"] => {
                    self.refusals.fetch_add(1, Ordering::Relaxed);
                }
                _ => assert_eq!(words, ["hello"]),
            }
            let now = {
                let mut next = self.now.lock().unwrap();
                *next += 1;
                *next - 1
            };
            self.asked.notify_all();
            let stop = self.stop.load(Ordering::Relaxed);
            let answer = if stop { "stop\n".to_owned() } else { format!("{now}\n") };
            if (&client).write_all(answer.as_bytes()).is_err() {
                return;
            }
        }
    }
}

#[test]
fn the_ledger_balances_even_if_some_processes_are_killed() {
    let folder = Folder::new();
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let address = listener.local_addr().unwrap();
    let provider = Arc::new(Provider::default());
    let served = Arc::clone(&provider);
    let accepting = thread::spawn(move || {
        let mut serving = Vec::new();
        for client in listener.incoming() {
            let client = client.unwrap();
            if served.closed.load(Ordering::Relaxed) {
                break;
            }
            let served = Arc::clone(&served);
            serving.push(thread::spawn(move || served.serve(client)));
        }
        serving.into_iter().for_each(|thread| thread.join().unwrap());
    });

    let start = || again("spend", &folder.file()).env(SERVER, address.to_string()).spawn().unwrap();
    let mut children: Vec<Child> = (0..8).map(|_| start()).collect();
    let observer = SqliteLedger::open(folder.file()).unwrap().survive_power_loss(false);
    let within = |balance: &Balance| balance.committed() <= Money::picos(LIMIT);
    let observe = || {
        let now = provider.now();
        let recent = [lines(now)[0], lines((now - SLOT).max(0))[0]];
        let balances = observer.balances(&recent).unwrap();
        assert!(balances.iter().all(within), "{balances:?}");
    };
    let observe_until = |time: i64| {
        while provider.now() < time {
            observe();
            provider.wait();
        }
    };
    for killed in 0..24 {
        observe_until(provider.now() + fastrand::i64(0..200));
        let child = &mut children[killed % 8];
        assert!(child.try_wait().unwrap().is_none(), "only who is killed ends");
        child.kill().unwrap();
        child.wait().unwrap();
        *child = start();
    }
    observe_until(20 * SLOT);
    provider.stop.store(true, Ordering::Relaxed);
    for mut child in children {
        assert!(child.wait().unwrap().success());
    }
    provider.closed.store(true, Ordering::Relaxed);
    drop(TcpStream::connect(address).unwrap());
    accepting.join().unwrap();
    assert!(provider.refusals.load(Ordering::Relaxed) > 0, "no limit was met");

    // What the killed processes left behind, read directly.
    let tool = Connection::open(folder.file()).unwrap();
    let left: Vec<(u64, i64)> = tool
        .prepare("SELECT reservation, slot FROM reservation_lines WHERE account = 'slots'")
        .unwrap()
        .query_map((), |row| Ok((row.get::<_, i64>(0)?.unsigned_abs(), row.get(1)?)))
        .unwrap()
        .collect::<Result<_, _>>()
        .unwrap();
    assert!(left.len() <= 2 * 24, "{left:?}");

    // Much later, that is charged in full, and the rest as it was counted.
    let now = provider.now() + 10 * SLOT;
    let amount = Money::picos(RESERVED);
    let later = Hold { lines: &lines(now), least: amount, most: amount, now };
    let grant = observer.reserve(&later).unwrap();
    observer.release(grant.id, now).unwrap();
    let calls = provider.calls.lock().unwrap();
    let mut expected: HashMap<i64, i128> = HashMap::new();
    for (id, (slot, cost)) in calls.iter() {
        if !left.contains(&(*id, *slot)) {
            *expected.entry(*slot).or_default() += cost;
        }
    }
    for (_, slot) in &left {
        *expected.entry(*slot).or_default() += RESERVED;
    }
    for slot in (0..=now).step_by(usize::try_from(SLOT).unwrap()) {
        let [balance] = observer.balances(&lines(slot)[..1]).unwrap()[..] else { panic!() };
        let spent = Money::picos(expected.get(&slot).copied().unwrap_or_default());
        assert_eq!(balance, Balance { spent, reserved: Money::ZERO }, "slot {slot}");
        assert!(within(&balance), "slot {slot}: {balance:?}");
        let counted = calls.values().filter(|(of, _)| *of == slot).map(|(_, cost)| cost).sum();
        assert!(balance.spent >= Money::picos(counted), "slot {slot}: {balance:?}");
    }
    let [_, all] = observer.balances(&lines(now)).unwrap()[..] else { panic!() };
    assert_eq!(all.spent, Money::picos(expected.values().sum()));
    let check: String = tool.query_row("PRAGMA integrity_check", (), |row| row.get(0)).unwrap();
    assert_eq!(check, "ok");
    println!("{} calls, {} of them of killed processes", calls.len(), left.len());
}

/// Permissions do not apply to root, so as root this runs as the user `nobody`.
#[test]
#[cfg(unix)]
fn a_file_or_directory_that_cannot_be_written_is_told() {
    use std::os::unix::fs::{MetadataExt, PermissionsExt};
    use std::os::unix::process::CommandExt;

    let folder = Folder::new();
    drop(SqliteLedger::open(folder.file()).unwrap());
    let root = fs::metadata(folder.file()).unwrap().uid() == 0;
    let allow = |directory: u32, file: u32| {
        fs::set_permissions(folder.file(), PermissionsExt::from_mode(file)).unwrap();
        fs::set_permissions(&folder.0, PermissionsExt::from_mode(directory)).unwrap();
        let mut command = again("try", &folder.file());
        if root {
            command.uid(65_534);
        }
        let output = command.stderr(Stdio::piped()).output();
        fs::set_permissions(&folder.0, PermissionsExt::from_mode(0o777)).unwrap();
        output.map(|output| String::from_utf8(output.stderr).unwrap())
    };
    match allow(0o777, 0o666) {
        Ok(output) if output == "opened\n" => {}
        other => {
            println!("skipped: another user cannot run this program: {other:?}");
            return;
        }
    }
    for (directory, file, expected) in [
        (0o777, 0o444, "cannot be written; give this user permission"),
        (0o555, 0o666, "permission"),
        (0o555, 0o444, "permission"),
        (0o777, 0o000, "give this user permission to read and write it"),
        (0o000, 0o666, "permission"),
    ] {
        let output = allow(directory, file).unwrap();
        assert!(output.contains(expected), "{directory:o} {file:o}: {output}");
        println!("{directory:o} {file:o}: {output}");
    }
}
