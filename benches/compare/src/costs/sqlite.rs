//! The ledger in a file against the least that SQLite can do: one row changed in one
//! transaction, in the same journal mode and with the same flush.

use rusqlite::{Connection, TransactionBehavior};
use serde::Serialize;
use std::env;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{self, Command, Stdio};
use std::sync::Barrier;
use std::thread;
use std::time::{Duration, Instant};
use tollgate::cost::Money;
use tollgate::cost::ledger::{Hold, Ledger, SqliteLedger};

use parking_lot::Mutex;

use super::calls::{LIMIT, lines};
use crate::rounds::{Effort, median, ratio, spread};

/// How many threads, or how many processes.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Crowd {
    pub threads: usize,
    pub processes: usize,
}

pub const CROWDS: [Crowd; 3] = [
    Crowd { threads: 1, processes: 1 },
    Crowd { threads: 8, processes: 1 },
    Crowd { threads: 1, processes: 4 },
];

const ARMS: [&str; 2] = ["ledger", "update"];

#[derive(Debug, Serialize)]
pub struct Sqlite {
    pub crowd: Crowd,
    /// Whether the disk is flushed, so that a power cut forgets nothing.
    pub flush: bool,
    /// Reserved and settled: two transactions on three accounts.
    pub calls_per_second: f64,
    /// Transactions that change a row.
    pub updates_per_second: f64,
    /// How far the middle half of the rounds lies apart, of their median.
    pub spread: [f64; 2],
    pub to_updates: f64,
}

pub fn measure(effort: Effort, crowd: Crowd, flush: bool) -> Sqlite {
    let found = effort.rotate(&ARMS, |arm| {
        let directory = env::temp_dir().join(format!("compare-costs-{}", process::id()));
        fs::create_dir_all(&directory).expect("a directory for temporary files");
        let rate = rate(arm, &directory.join("books.db"), crowd, flush);
        let _ = fs::remove_dir_all(&directory);
        rate
    });
    let [ledger, update] = &found;
    let to_updates = ratio(ledger, update, |rate| *rate);
    let spread = [spread(ledger), spread(update)];
    let [calls_per_second, updates_per_second] = found.map(median);
    Sqlite { crowd, flush, calls_per_second, updates_per_second, spread, to_updates }
}

fn rate(arm: &str, path: &Path, crowd: Crowd, flush: bool) -> f64 {
    // The tables are made before.
    drop(open(arm, path, flush));
    if crowd.processes == 1 {
        return work(arm, path, crowd.threads, flush);
    }
    let this = env::current_exe().expect("a running program has a file");
    let begin = || {
        Command::new(&this)
            .args(["sqlite", arm, if flush { "flush" } else { "-" }])
            .arg(path)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("it runs once more")
    };
    let mut children: Vec<_> = (0..crowd.processes).map(|_| begin()).collect();
    // All of them wait until the last one has started.
    children.iter_mut().for_each(|child| drop(child.stdin.take()));
    let outputs = children.into_iter().map(|child| child.wait_with_output());
    outputs
        .map(|output| {
            let output = output.expect("it ran");
            String::from_utf8_lossy(&output.stdout).trim().parse::<f64>().expect("a number")
        })
        .sum()
}

/// What one of several processes does: prints its operations a second.
pub fn child(arm: &str, flush: &str, path: &str) {
    let _ = io::read_to_string(io::stdin());
    println!("{}", work(arm, &PathBuf::from(path), 1, flush == "flush"));
}

/// Operations a second, of all threads together.
fn work(arm: &str, path: &Path, threads: usize, flush: bool) -> f64 {
    const SPAN: Duration = Duration::from_millis(400);
    let books = open(arm, path, flush);
    books.operate();
    let ready = Barrier::new(threads);
    let run = || {
        ready.wait();
        let begun = Instant::now();
        let mut times = 0;
        while begun.elapsed() < SPAN {
            books.operate();
            times += 1;
        }
        f64::from(times) / begun.elapsed().as_secs_f64()
    };
    thread::scope(|scope| {
        let workers: Vec<_> = (0..threads).map(|_| scope.spawn(run)).collect();
        workers.into_iter().map(|worker| worker.join().expect("it can be written")).sum()
    })
}

trait Operate: Sync {
    fn operate(&self);
}

fn open(arm: &str, path: &Path, flush: bool) -> Box<dyn Operate> {
    if arm == "ledger" {
        return Box::new(SqliteLedger::open(path).expect("a file").survive_power_loss(flush));
    }
    let connection = Connection::open(path).expect("a file");
    connection.busy_timeout(Duration::from_secs(10)).expect("a number");
    let mode = if flush { "FULL" } else { "NORMAL" };
    connection
        .execute_batch(&format!(
            "PRAGMA journal_mode = WAL;
             PRAGMA synchronous = {mode};
             CREATE TABLE IF NOT EXISTS spent (account TEXT PRIMARY KEY, amount INTEGER);
             INSERT OR IGNORE INTO spent VALUES ('daily', 0);"
        ))
        .expect("a file");
    Box::new(Update(Mutex::new(connection)))
}

impl Operate for SqliteLedger {
    fn operate(&self) {
        const NOW: i64 = 1_800_000_000;
        // Of a size that the file can hold.
        let lines = lines(LIMIT.min(Money::dollars(1_000_000)));
        let most = Money::picos(1_000_000);
        let hold = Hold { lines: &lines, least: most, most, now: NOW };
        let grant = self.reserve(&hold).expect("all the money there is");
        self.settle(grant.id, Money::picos(400_000), NOW).expect("a reservation");
    }
}

/// One connection for all threads, as the ledger has.
struct Update(Mutex<Connection>);

impl Operate for Update {
    fn operate(&self) {
        let mut connection = self.0.lock();
        let transaction = connection
            .transaction_with_behavior(TransactionBehavior::Immediate)
            .expect("it can be written");
        let changed = transaction
            .prepare_cached("UPDATE spent SET amount = amount + 1 WHERE account = ?1")
            .and_then(|mut update| update.execute(["daily"]));
        assert_eq!(changed, Ok(1));
        transaction.commit().expect("it can be written");
    }
}
