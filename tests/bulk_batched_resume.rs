//! A run over batches that ends early goes on where it ended, and submits nothing twice.

mod support;

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::Value;
use support::folder::Folder;
use support::{KEY, loopback};
use tollgate::bulk::{Batched, Journal, OnCancel, OnDeadline};
use tollgate::testing::{BatchScript, Loopback, Reply};
use tollgate::{BatchState, CancelToken, ChatRequest, Client, ErrorKind, RetryConfig};

const ITEMS: usize = 25;
const TOKENS: u64 = 110;

fn quick() -> Batched {
    Batched::new()
        .poll_interval(Duration::from_millis(1))
        .max_poll_interval(Duration::from_millis(5))
        .max_requests(10)
        .in_flight(2)
}

fn client(url: &str, provider: &str, model: &str) -> Client {
    Client::builder()
        .provider(provider)
        .model(model)
        .api_key(KEY)
        .base_url(url)
        .retry(RetryConfig { max_retries: 0, ..RetryConfig::default() })
        .build()
        .unwrap()
}

fn items() -> impl Iterator<Item = (String, ChatRequest)> {
    (0..ITEMS).map(|number| (format!("id-{number}"), ChatRequest::from(format!("item {number}."))))
}

/// How often each item was answered.
type Answers = Arc<Mutex<HashMap<usize, u32>>>;

/// A server that counts the answers to each item.
fn server() -> (Loopback, Answers) {
    let (server, answers) = (loopback(), Answers::default());
    let counted = Arc::clone(&answers);
    server.respond(move |request| {
        let path = request.path();
        if path.contains("/batch") || path.contains("/files") || path.contains(":batch") {
            return None;
        }
        let number = (0..ITEMS).find(|number| request.body_contains(&format!("item {number}.")))?;
        *counted.lock().unwrap().entry(number).or_insert(0) += 1;
        Some(Reply::text(format!("answer {number}")).usage(TOKENS - 10, 10))
    });
    (server, answers)
}

/// How many requests all jobs of the server have.
fn submitted(server: &Loopback, provider: &str, model: &str) -> u64 {
    let client = client(&server.base_url(provider), provider, model);
    let listed = client.batches(provider).list().unwrap();
    listed.iter().map(|batch| batch.status.counts.total).sum()
}

/// The tokens of the answers in a journal, and how many lines each item has. All batches are over.
fn books(journal: &Path) -> (u64, BTreeMap<String, u32>) {
    let text = std::fs::read_to_string(journal).unwrap();
    let (mut tokens, mut lines, mut open) = (0, BTreeMap::new(), BTreeMap::new());
    for line in text.lines().skip(1) {
        let line: Value = serde_json::from_str(line).unwrap();
        if let Some(id) = line["id"].as_str() {
            *lines.entry(id.to_owned()).or_insert(0) += 1;
            // A failure has none.
            tokens += line["answer"]["usage"]["total_tokens"].as_u64().unwrap_or(0);
        } else if line["step"].is_null() {
            open.remove(&line["batch"].to_string());
        } else {
            open.insert(line["batch"].to_string(), ());
        }
    }
    assert!(open.is_empty(), "{open:?} are not over");
    (tokens, lines)
}

/// The run, if this process was started to be killed.
#[test]
fn what_a_killed_process_does() {
    let Ok(url) = std::env::var("TOLLGATE_BATCHED_URL") else { return };
    let var = |name: &str| std::env::var(name).unwrap();
    let client = client(&url, &var("TOLLGATE_BATCHED_PROVIDER"), &var("TOLLGATE_BATCHED_MODEL"));
    let journal = PathBuf::from(var("TOLLGATE_BATCHED_JOURNAL"));
    let run = client.bulk().batched_with(quick()).journal(journal).chat(items()).unwrap();
    for (id, result) in run {
        result.unwrap_or_else(|error| panic!("{id}: {error}"));
    }
}

fn start(server: &Loopback, provider: &str, model: &str, journal: &Path) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "what_a_killed_process_does"])
        .env("TOLLGATE_BATCHED_URL", server.base_url(provider))
        .env("TOLLGATE_BATCHED_PROVIDER", provider)
        .env("TOLLGATE_BATCHED_MODEL", model)
        .env("TOLLGATE_BATCHED_JOURNAL", journal)
        .stdout(Stdio::null())
        .spawn()
        .unwrap()
}

/// Kills the run when the server has got so many requests. Returns whether it was still running.
fn kill_and_resume(provider: &str, model: &str, kill_at: u64) -> bool {
    let folder = Folder::new(&format!("batched-kill-{provider}-{kill_at}"));
    let journal = folder.file("run.journal");
    let (server, answers) = server();
    server.batches(BatchScript::new().looks(1));
    let mut child = start(&server, provider, model, &journal);
    let mut running = true;
    while running && server.request_count() < kill_at {
        server.wait_for_requests(kill_at, Duration::from_millis(20));
        running = child.try_wait().unwrap().is_none();
    }
    child.kill().unwrap();
    child.wait().unwrap();
    let resumed = start(&server, provider, model, &journal).wait().unwrap();
    assert!(resumed.success(), "{provider} {kill_at}");
    assert_eq!(submitted(&server, provider, model), ITEMS as u64, "{provider} {kill_at}");
    let answers = answers.lock().unwrap();
    assert!(answers.values().all(|count| *count == 1), "{provider} {kill_at}: {answers:?}");
    let (tokens, lines) = books(&journal);
    assert_eq!(lines.len(), ITEMS, "{provider} {kill_at}");
    assert!(lines.values().all(|count| *count == 1), "{provider} {kill_at}");
    assert_eq!(tokens, TOKENS * answers.len() as u64, "{provider} {kill_at}");
    running
}

#[test]
fn a_run_that_is_killed_at_any_request_submits_every_item_once() {
    let mut kill_at = 1;
    while kill_and_resume("openai", "gpt-4o-mini", kill_at) {
        kill_at += 1;
    }
    assert!(kill_at > 10, "only {kill_at} requests");
}

#[test]
fn jobs_without_a_file_are_found_again_after_a_kill() {
    for (provider, model) in [("gemini", "gemini-2.5-flash"), ("anthropic", "claude-haiku-4-5")] {
        for kill_at in [2, 3, 5] {
            kill_and_resume(provider, model, kill_at);
        }
    }
}

#[test]
fn a_cancelled_run_leaves_its_batches_or_cancels_them_and_resumes() {
    for (on_cancel, word, answered) in
        [(OnCancel::Finish, "goes on", ITEMS), (OnCancel::Cancel, "is being cancelled", ITEMS)]
    {
        let folder = Folder::new(&format!("batched-cancel-{answered}-{on_cancel:?}"));
        let journal = folder.file("run.journal");
        let (server, _) = server();
        server.batches(BatchScript::new().looks(1_000_000).answer_only(4));
        let client = client(&server.base_url("openai"), "openai", "gpt-4o-mini");
        let token = CancelToken::new();
        let batched = quick().max_requests(100);
        let bulk = client.bulk().batched_with(batched).cancel_token(&token).on_cancel(on_cancel);
        let mut run = bulk.journal(&journal).chat(items()).unwrap();
        let progress = run.progress();
        let results: Vec<_> = std::thread::scope(|scope| {
            scope.spawn(|| {
                support::eventually("a batch in flight", || progress.status().batches == 1);
                let line = progress.to_string();
                assert!(line.contains("waiting for 1 batch (0 of 25 requests done)"), "{line}");
                token.cancel();
            });
            (&mut run).collect()
        });
        assert_eq!(results.len(), ITEMS);
        for (_, result) in results {
            let error = result.unwrap_err();
            assert!(error.is_cancelled() && error.message().contains(word), "{error}");
            assert!(error.message().contains("with the same journal"), "{error}");
        }
        assert_eq!(run.finish().unwrap().unfinished, ITEMS as u64);

        // Jobs that exist keep their script; a new one answers all.
        server.batches(BatchScript::new());
        let batches = client.batches("openai");
        if on_cancel == OnCancel::Finish {
            let batch = batches.list().unwrap().remove(0).batch;
            batches.cancel(&batch).unwrap();
        }
        let run = client.bulk().batched_with(quick()).journal(&journal).chat(items()).unwrap();
        let answers = run.map(|(id, result)| (id, result.unwrap().text()));
        assert_eq!(answers.collect::<BTreeMap<_, _>>().len(), ITEMS);
        let (tokens, lines) = books(&journal);
        assert_eq!((tokens, lines.len()), (TOKENS * ITEMS as u64, ITEMS));
        // The four that were answered were not submitted again.
        let submitted = submitted(&server, "openai", "gpt-4o-mini");
        assert_eq!(submitted, (ITEMS + ITEMS - 4) as u64);
    }
}

#[test]
fn a_batch_that_is_late_is_left_for_a_later_run() {
    let (folder, (server, answers)) = (Folder::new("batched-late"), server());
    let journal = folder.file("run.journal");
    server.batches(BatchScript::new().looks(1_000_000));
    let client = client(&server.base_url("openai"), "openai", "gpt-4o-mini");
    let batched = quick().max_requests(100).fall_back_to_calls(true);
    let late = batched.deadline(Duration::from_millis(20));
    let mut run = client.bulk().batched_with(late).journal(&journal).chat(items()).unwrap();
    for (_, result) in &mut run {
        let (error, then) = (result.unwrap_err(), "run it again with the same journal");
        assert!(error.is_timeout() && error.to_string().contains(then), "{error}");
    }
    let status = run.finish().unwrap();
    assert_eq!((status.unfinished, status.failed), (ITEMS as u64, 0));
    let batches = client.batches("openai");
    let left = batches.list().unwrap();
    assert!(left.len() == 1 && !left[0].status.state.is_final(), "{left:?}");
    assert!(answers.lock().unwrap().is_empty(), "it is not called");

    batches.cancel(&left[0].batch).unwrap();
    let run = client.bulk().batched_with(batched).journal(&journal).chat(items()).unwrap();
    assert_eq!(run.filter(|(_, result)| result.is_ok()).count(), ITEMS);
    assert_eq!(submitted(&server, "openai", "gpt-4o-mini"), ITEMS as u64);
}

#[test]
fn a_batch_that_is_late_is_cancelled_and_the_rest_of_it_fails_or_is_called() {
    for (fall_back, answered) in [(false, 4), (true, ITEMS)] {
        let folder = Folder::new(&format!("batched-late-{fall_back}"));
        let ((server, answers), journal) = (server(), folder.file("run.journal"));
        server.batches(BatchScript::new().looks(1_000_000).answer_only(4));
        let client = client(&server.base_url("openai"), "openai", "gpt-4o-mini");
        let batched = quick().max_requests(100).fall_back_to_calls(fall_back);
        let late = batched.deadline(Duration::from_millis(20)).on_deadline(OnDeadline::Cancel);
        let bulk = || client.bulk().batched_with(late).journal(&journal);
        let mut run = bulk().chat(items()).unwrap();
        let failed: Vec<_> = (&mut run).filter_map(|(_, result)| result.err()).collect();
        assert!(failed.iter().all(tollgate::Error::is_timeout), "{failed:?}");
        let status = run.finish().unwrap();
        assert_eq!((status.answered, status.failed), (answered as u64, (ITEMS - answered) as u64));
        assert_eq!((status.unfinished, failed.len()), (0, ITEMS - answered));
        let state = client.batches("openai").list().unwrap().remove(0).status.state;
        assert_eq!(state, BatchState::Cancelled);
        let answers = answers.lock().unwrap().clone();
        assert!(answers.len() == answered && answers.values().all(|times| *times == 1));
        // The next run has nothing to do.
        let (tokens, lines) = books(&journal);
        assert_eq!((tokens, lines.len()), (TOKENS * answered as u64, ITEMS));
        assert_eq!(bulk().chat(items()).unwrap().count(), 0);
    }
}

#[test]
fn a_run_without_batches_refuses_a_journal_with_batches_in_flight() {
    let folder = Folder::new("batched-refused");
    let journal = folder.file("run.journal");
    let (server, _) = server();
    server.batches(BatchScript::new().looks(1_000_000));
    let client = client(&server.base_url("openai"), "openai", "gpt-4o-mini");
    let batched = quick().deadline(Duration::from_millis(30));
    let mut run = client.bulk().batched_with(batched).journal(&journal).chat(items()).unwrap();
    assert!(run.by_ref().all(|(_, result)| result.unwrap_err().is_timeout()));
    assert_eq!(run.finish().unwrap().unfinished, ITEMS as u64);
    let error = client.bulk().journal(&journal).chat(items()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Configuration);
    assert!(error.message().contains("has 3 batches in flight"), "{error}");

    // With another request for an item, the batch is not its own.
    let other = (0..ITEMS).map(|number| {
        let text = if number == 3 { "another".to_owned() } else { format!("item {number}.") };
        (format!("id-{number}"), ChatRequest::from(text))
    });
    let run = client.bulk().batched_with(batched).journal(&journal).chat(other).unwrap();
    let errors = run.filter_map(|(_, result)| result.err());
    assert!(errors.into_iter().any(|error| error.message().contains("another request for the id")));
}

#[test]
fn a_batch_that_is_gone_is_submitted_again_on_request() {
    let folder = Folder::new("batched-gone");
    let journal = folder.file("run.journal");
    let (first, _) = server();
    first.batches(BatchScript::new().looks(1_000_000));
    let client_of = |server: &Loopback| client(&server.base_url("openai"), "openai", "gpt-4o-mini");
    let batched = quick().deadline(Duration::from_millis(30));
    client_of(&first).bulk().batched_with(batched).journal(&journal).chat(items()).unwrap().count();
    // Another server knows nothing of these batches.
    let (second, _) = server();
    let client = client_of(&second);
    let run = client.bulk().batched_with(quick()).journal(&journal).chat(items()).unwrap();
    for (_, result) in run {
        let error = result.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotFound);
        assert!(error.to_string().contains("repeat_failures submits"), "{error}");
    }
    let repeat = Journal::new(&journal).repeat_failures(true);
    let run = client.bulk().batched_with(quick()).journal(repeat).chat(items()).unwrap();
    let answers: Vec<_> = run.map(|(_, result)| result.unwrap()).collect();
    assert_eq!(answers.len(), ITEMS);
    assert_eq!(books(&journal).1.len(), ITEMS);
}

#[cfg(feature = "sqlite")]
#[test]
fn a_ledger_on_disk_is_settled_by_the_run_that_reads_the_results() {
    use tollgate::{Budget, CostConfig, Money, Price, Prices, SqliteLedger};

    let folder = Folder::new("batched-ledger");
    let (journal, ledger) = (folder.file("run.journal"), folder.file("budget.db"));
    let (server, _) = server();
    let open = || {
        let price = Price::per_million(Money::dollars(1), Money::dollars(10)).max_output(1_000);
        let costs = CostConfig::default()
            .prices(Prices::empty().set("openai", "gpt-4o-mini", price))
            .budget(Budget::total(Money::dollars(1)))
            .ledger(SqliteLedger::open(&ledger).unwrap());
        let client = Client::builder().model("openai/gpt-4o-mini").api_key(KEY).costs(costs);
        client.base_url(server.base_url("openai")).build().unwrap()
    };
    server.batches(BatchScript::new().looks(300));
    let batched = quick().in_flight(3).deadline(Duration::from_millis(10));
    let first = open();
    first.bulk().batched_with(batched).journal(&journal).chat(items()).unwrap().count();
    let budget = &first.costs().budgets[0];
    assert_eq!(budget.spent, Money::ZERO);
    assert!(budget.reserved > Money::ZERO);
    drop(first);

    let second = open();
    let run = second.bulk().batched_with(quick()).journal(&journal).chat(items()).unwrap();
    let answers: Vec<_> = run.map(|(_, result)| result.unwrap()).collect();
    assert_eq!(answers.len(), ITEMS);
    let budget = &second.costs().budgets[0];
    // 100 input and 10 output tokens each, at half the price.
    let each = Money::picos(100_000_000);
    assert_eq!((budget.spent, budget.reserved), (each * ITEMS as u64, Money::ZERO));
}

#[test]
fn a_resumed_run_reads_its_batches_in_any_order_of_the_items() {
    let folder = Folder::new("batched-order");
    let (server, answers) = server();
    server.batches(BatchScript::new().looks(200));
    let client = client(&server.base_url("openai"), "openai", "gpt-4o-mini");
    let journal = Journal::new(folder.file("run.journal")).job("night");
    // All batches are in flight, and dropping the run leaves them there.
    let bulk = client.bulk().batched_with(quick().in_flight(3));
    let mut run = bulk.journal(journal.clone()).chat(items()).unwrap();
    assert!(run.next().unwrap().1.is_ok());
    drop(run);
    let mut backwards: Vec<_> = items().collect();
    backwards.reverse();
    let bulk = client.bulk().batched_with(quick().in_flight(1)).look_ahead(7).journal(journal);
    let rest = bulk.chat(backwards).unwrap();
    for (id, result) in rest {
        let number = id.trim_start_matches("id-");
        assert_eq!(result.unwrap().text(), format!("answer {number}"));
    }
    assert!(answers.lock().unwrap().values().all(|count| *count == 1));
    assert_eq!(submitted(&server, "openai", "gpt-4o-mini"), ITEMS as u64);
    let (tokens, lines) = books(&folder.file("run.journal"));
    assert_eq!((tokens, lines.len()), (TOKENS * ITEMS as u64, ITEMS));
}
