//! A run that is killed again and again loses nothing, and makes no call twice beyond those in
//! flight at a kill.
//!
//! `TOLLGATE_BULK_KILLS=100000,64,10` runs it with that many items, workers and kills.

mod support;

use std::collections::{BTreeSet, HashMap};
use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use serde::Deserialize;
use support::{KEY, loopback};
use tollgate::bulk::{Journal, OnBudget};
use tollgate::testing::{Loopback, Reply};
use tollgate::{ChatRequest, Client, ClientBuilder, PoolConfig, RetryConfig, Usage};

const TOKENS: u64 = 25;

/// The sizes of the proof.
#[derive(Debug, Clone, Copy)]
struct Size {
    items: u64,
    workers: u64,
    kills: u64,
}

impl Size {
    fn wanted() -> Self {
        let wanted = std::env::var("TOLLGATE_BULK_KILLS").unwrap_or_else(|_| "3000,16,5".into());
        let numbers: Vec<u64> = wanted.split(',').map(|n| n.trim().parse().unwrap()).collect();
        let [items, workers, kills] = numbers[..] else { panic!("three numbers: {wanted}") };
        Self { items, workers, kills }
    }
}

/// Runs in a process that the other test starts. By itself, it does nothing.
#[test]
fn what_a_killed_process_does() {
    let Ok(url) = std::env::var("TOLLGATE_BULK_URL") else { return };
    let size = Size::wanted();
    let journal = PathBuf::from(std::env::var_os("TOLLGATE_BULK_JOURNAL").unwrap());
    let connections = usize::try_from(size.workers).unwrap();
    let builder = Client::builder()
        .model("openai/gpt-4o-mini")
        .api_key(KEY)
        .base_url(url)
        .attempt_timeout(Duration::from_secs(10))
        .pool(PoolConfig {
            max_size: connections,
            max_per_origin: connections,
            ..Default::default()
        })
        .retry(RetryConfig { max_retries: 0, ..RetryConfig::default() });
    let client = with_ledger(builder).build().unwrap();
    let requests = (0..size.items).map(|id| (id, ChatRequest::from(format!("item {id}"))));
    let journal = Journal::new(journal).repeat_failures(true);
    let bulk = client.bulk().workers(connections).journal(journal).on_budget(OnBudget::Stop);
    let mut run = bulk.chat(requests).unwrap();
    (&mut run).for_each(drop);
    println!("{}", run.finish().unwrap());
}

/// A budget that allows everything, kept in a file.
#[cfg(feature = "sqlite")]
fn with_ledger(builder: ClientBuilder) -> ClientBuilder {
    use tollgate::cost::ledger::SqliteLedger;
    use tollgate::{Budget, CostConfig, Money, Price, Prices, UnreportedUsage};

    let Some(file) = std::env::var_os("TOLLGATE_BULK_LEDGER") else { return builder };
    let day = Duration::from_secs(24 * 60 * 60);
    let ledger = SqliteLedger::open(file).unwrap().survive_power_loss(false);
    let ledger = ledger.abandon_after(day).busy_timeout(Duration::from_secs(60));
    let price = Price::per_million(Money::dollars(1), Money::dollars(2)).max_output(10);
    let costs = CostConfig::default()
        .budget(Budget::total(Money::dollars(1_000_000)))
        .prices(Prices::empty().set("openai", "gpt-4o-mini", price))
        // So that only whole answers are in the books.
        .unreported_usage(UnreportedUsage::Nothing)
        .ledger(ledger);
    builder.costs(costs)
}

#[cfg(not(feature = "sqlite"))]
fn with_ledger(builder: ClientBuilder) -> ClientBuilder {
    builder
}

fn start(server: &Loopback, files: &Files) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "what_a_killed_process_does"])
        .env("TOLLGATE_BULK_URL", server.base_url("openai"))
        .env("TOLLGATE_BULK_JOURNAL", &files.journal)
        .envs(files.ledger.as_ref().map(|ledger| ("TOLLGATE_BULK_LEDGER", ledger)))
        .stdout(Stdio::null())
        .spawn()
        .unwrap()
}

/// Answers, with random failures of every kind. Counts the complete answers.
fn unreliable(server: &Loopback, answered: &Arc<AtomicU64>) {
    let answered = Arc::clone(answered);
    server.record_requests(false);
    server.respond(move |_| {
        let answer = Reply::text("done").usage(TOKENS - 5, 5);
        let failure = match fastrand::u32(0..100) {
            0 => Reply::status(429).header("retry-after-ms", "1"),
            1 => Reply::status(500),
            2 => Reply::status(503).header("retry-after-ms", "1"),
            3 => Reply::disconnect(),
            4 => Reply::reset(),
            5 => answer.malformed(),
            6 => answer.cut_after(40),
            7 => answer.reset_after(40),
            8 => Reply::status(400),
            9 => Reply::raw(200, "text/html", "<html>a proxy</html>"),
            _ => {
                answered.fetch_add(1, Ordering::SeqCst);
                answer
            }
        };
        Some(failure)
    });
}

/// The files of a run, in a folder that is removed at the end.
struct Files {
    folder: PathBuf,
    journal: PathBuf,
    ledger: Option<PathBuf>,
}

impl Files {
    fn new(name: &str, has_ledger: bool) -> Self {
        let folder = std::env::temp_dir().join(format!("tollgate-{name}-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let (journal, ledger) = (folder.join("run.journal"), folder.join("costs.db"));
        Self { folder, journal, ledger: has_ledger.then_some(ledger) }
    }
}

impl Drop for Files {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// Kills runs, lets the last ones finish, and checks the journal. Returns how many answers the server
/// has given.
fn kill_and_finish(size: Size, files: &Files) -> u64 {
    let (server, answered) = (loopback(), Arc::new(AtomicU64::new(0)));
    unreliable(&server, &answered);

    for kill in 1..=size.kills {
        let mut child = start(&server, files);
        // Each dies after a random part of what is left.
        let left = (size.items * 9 / 10).saturating_sub(answered.load(Ordering::SeqCst));
        let part = left / (size.kills - kill + 1);
        let wanted = server.request_count() + fastrand::u64(part / 2..=part.max(1));
        assert!(server.wait_for_requests(wanted, Duration::from_secs(600)), "kill {kill}");
        child.kill().unwrap();
        child.wait().unwrap();
    }
    // Failures are repeated until none is left.
    let mut runs = 0;
    let books = loop {
        assert!(start(&server, files).wait().unwrap().success());
        runs += 1;
        let books = read(&files.journal);
        if books.answers.len() as u64 == size.items {
            break books;
        }
        assert!(runs < 20, "{} items have no answer after {runs} runs", size.items);
    };

    let ids: BTreeSet<u64> = books.answers.keys().map(|id| id.parse().unwrap()).collect();
    assert!(ids.into_iter().eq(0..size.items), "every id has an answer");
    assert!(books.answers.values().all(|count| *count == 1), "and exactly one");
    let served = answered.load(Ordering::SeqCst);
    let in_flight = size.kills * size.workers;
    assert!(
        (size.items..=size.items + in_flight).contains(&served),
        "the server answered {served} times for {} items and {in_flight} calls at the kills",
        size.items
    );
    // The books: what the journal adds up to is what the server served, without what died on the way.
    assert_eq!(books.tokens, size.items * TOKENS);
    eprintln!(
        "{} items, {} workers, {} kills, {runs} runs to the end: {} requests, {served} answers \
         served, {} lines",
        size.items,
        size.workers,
        size.kills,
        server.request_count(),
        books.lines
    );
    served
}

#[test]
fn killed_runs_finish_every_item_once() {
    kill_and_finish(Size::wanted(), &Files::new("kills", false));
}

#[test]
#[cfg(feature = "sqlite")]
fn a_ledger_in_a_file_agrees_with_the_server_after_kills() {
    /// What an answer costs, in pico-dollars: 20 tokens in and 5 out.
    const COST: u64 = 20 * 1_000_000 + 5 * 2_000_000;

    let (size, files) = (Size::wanted(), Files::new("kills-ledger", true));
    let served = kill_and_finish(size, &files);
    let database = rusqlite::Connection::open(files.ledger.as_ref().unwrap()).unwrap();
    let number = |query: &str| -> u64 {
        let number: i64 = database.query_row(query, [], |row| row.get(0)).unwrap();
        number.try_into().unwrap()
    };
    let spent = number("SELECT sum(spent) FROM slots");
    // Calls that were in flight at a kill stay reserved, until they count as abandoned.
    let open = number("SELECT count(*) FROM reservations");
    assert_eq!(spent % COST, 0, "every answer is settled at its price, and nothing else is");
    let settled = spent / COST;
    eprintln!("{settled} answers in the ledger, {open} calls that died in flight");
    assert!(open <= size.kills * size.workers, "{open} reservations are open");
    assert!(settled >= size.items, "{settled} answers are in the ledger");
    assert!(
        (settled..=settled + open).contains(&served),
        "the server gave {served} answers; {settled} are in the ledger, and {open} are reserved"
    );
}

/// What a journal adds up to.
#[derive(Debug, Default)]
struct Books {
    lines: u64,
    tokens: u64,
    /// How many answers each id has.
    answers: HashMap<String, u32>,
}

fn read(journal: &Path) -> Books {
    #[derive(Deserialize)]
    struct Line {
        id: String,
        answer: Option<Answer>,
    }
    #[derive(Deserialize)]
    struct Answer {
        usage: Usage,
    }
    let mut books = Books::default();
    for line in BufReader::new(File::open(journal).unwrap()).lines().skip(1) {
        let line: Line = serde_json::from_str(&line.unwrap()).unwrap();
        books.lines += 1;
        if let Some(answer) = line.answer {
            books.tokens += answer.usage.total_tokens;
            *books.answers.entry(line.id).or_insert(0) += 1;
        }
    }
    books
}
