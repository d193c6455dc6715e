//! Bulk runs over batches: every item has exactly one result and one line, whatever the batches do.

mod support;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use serde_json::Value;
use support::batches::{NoSleep, PROVIDERS, builder, client, requests, server};
use support::folder::Folder;
use support::routes::config;
use tollgate::bulk::{Batched, FailedItem, Journal, JsonLines, OnBudget};
use tollgate::route::Route;
use tollgate::testing::{BatchScript, Loopback, Reply};
use tollgate::{
    Budget, Client, CostConfig, EmbedRequest, Error, ErrorKind, Limits, Money, Price, Prices,
    RetryConfig,
};

/// Looks at batches without a pause.
fn quick() -> Batched {
    Batched::new()
        .poll_interval(Duration::from_millis(1))
        .max_poll_interval(Duration::from_millis(5))
}

/// The text or the kind of the error of each item.
fn words(
    run: impl Iterator<Item = (String, Result<tollgate::ChatResponse, Error>)>,
) -> BTreeMap<String, String> {
    let mut words = BTreeMap::new();
    for (id, result) in run {
        let word = match result {
            Ok(answer) => answer.text(),
            Err(error) => format!("{:?}", error.kind()),
        };
        assert!(words.insert(id.clone(), word).is_none(), "{id} came twice");
    }
    words
}

fn answers(numbers: impl IntoIterator<Item = usize>) -> BTreeMap<String, String> {
    let answer = |number| (format!("id-{number}"), format!("answer to id-{number}."));
    numbers.into_iter().map(answer).collect()
}

/// The final line of each item: whether it is an answer. Batches must be over.
fn lines(journal: &Path) -> BTreeMap<String, bool> {
    let text = std::fs::read_to_string(journal).unwrap();
    let (mut lines, mut open) = (BTreeMap::new(), 0);
    for line in text.lines().skip(1) {
        let line: Value = serde_json::from_str(line).unwrap();
        match line["id"].as_str() {
            Some(id) => {
                let before = lines.insert(id.to_owned(), line["answer"].is_object());
                assert_eq!(before, None, "{id} has two lines");
            }
            None if !line["step"]["submits"].is_null() => open += 1,
            None if line["step"].is_null() => open -= 1,
            None => {}
        }
    }
    assert_eq!(open, 0, "batches that are not over");
    lines
}

/// Counts the single calls for chats.
fn calls(server: &Loopback) -> usize {
    let is_call = |request: &tollgate::testing::Request| {
        request.method() == "POST" && request.path().ends_with("/chat/completions")
    };
    server.requests().iter().filter(|request| is_call(request)).count()
}

#[test]
fn every_providers_batches_answer_all_items() {
    for (provider, model) in PROVIDERS {
        let server = server();
        server.batches(BatchScript::new().looks(2));
        let client = client(&server, provider, model);
        let batched = quick().max_requests(10).in_flight(2);
        let mut run = client.bulk().batched_with(batched).chat(requests(35)).unwrap();
        assert_eq!(words(&mut run), answers(0..35), "{provider}");
        let status = run.finish().unwrap();
        assert_eq!((status.answered, status.failed, status.batches), (35, 0, 0), "{provider}");
    }
}

#[test]
fn all_traps_at_once_leave_one_line_for_each_item() {
    let (folder, server) = (Folder::new("batched-traps"), server());
    let script = BatchScript::new()
        .looks(1)
        .fail("id-1", 400, "")
        .fail("id-3", 500, "")
        .answer_only(8)
        .omit("id-5")
        .double("id-7")
        .foreign_result()
        .cut_results(2, 100)
        .halve_results(2)
        .lose_answers(1)
        .lose_requests(1);
    server.batches(script);
    let client = client(&server, "openai", "gpt-4o-mini");
    let (journal, failed) = (folder.file("run.journal"), folder.file("failed.jsonl"));
    let bulk =
        client.bulk().batched_with(quick().max_requests(10).in_flight(2).fall_back_to_calls(true));
    let mut run = bulk.journal(&journal).failures(&failed).chat(requests(40)).unwrap();
    let mut expected = answers(0..40);
    expected.insert("id-1".to_owned(), "InvalidRequest".to_owned());
    assert_eq!(words(&mut run), expected);
    run.finish().unwrap();
    // Two of each ten expired; one failed in a way that may pass, and one had no result.
    assert_eq!(calls(&server), 4 * 2 + 2);
    let lines = lines(&journal);
    assert_eq!(lines.len(), 40);
    assert!(lines.iter().all(|(id, is_answer)| *is_answer == (id != "id-1")));
    let failures: Vec<FailedItem> =
        JsonLines::open(&failed).unwrap().collect::<Result<_, Error>>().unwrap();
    assert_eq!(failures.len(), 1);
    assert_eq!((&*failures[0].id, failures[0].kind), ("id-1", ErrorKind::InvalidRequest));
    // The next run has nothing to do.
    let before = server.request_count();
    let again = client.bulk().batched_with(quick()).journal(&journal).chat(requests(40)).unwrap();
    assert_eq!((again.count(), server.request_count()), (0, before));
}

#[test]
fn an_expired_item_fails_and_a_run_that_repeats_failures_submits_it_again() {
    let (folder, server) = (Folder::new("batched-expired"), server());
    server.batches(BatchScript::new().answer_only(3));
    let client = client(&server, "openai", "gpt-4o-mini");
    let journal = Journal::new(folder.file("run.journal")).repeat_failures(true);
    let bulk = || client.bulk().batched_with(quick()).journal(journal.clone());
    let mut run = bulk().ordered().chat(requests(5)).unwrap();
    let ids: Vec<String> = (&mut run).map(|(id, _)| id).collect();
    assert_eq!(ids, ["id-0", "id-1", "id-2", "id-3", "id-4"]);
    assert_eq!(run.finish().unwrap().failed, 2);
    assert_eq!(words(bulk().chat(requests(5)).unwrap()), answers([3, 4]));
    assert_eq!(calls(&server), 0);
}

#[test]
fn each_item_goes_to_the_batches_of_its_provider() {
    let server = server();
    let client = |batched: Batched| {
        let client = Client::builder()
            .add_provider(config(&server, "openai"))
            .add_provider(config(&server, "mistral"))
            .add_provider(config(&server, "deepseek"))
            .sleeper(NoSleep)
            .build();
        let models =
            ["openai/gpt-4o-mini", "mistral/mistral-small-latest", "deepseek/deepseek-chat"];
        let items = requests(9).into_iter().enumerate();
        let items = items.map(|(number, (id, request))| (id, request.model(models[number % 3])));
        words(client.unwrap().bulk().batched_with(batched).chat(items.collect::<Vec<_>>()).unwrap())
    };
    let mut expected = answers(0..9);
    assert_eq!(client(quick().fall_back_to_calls(true)), expected);
    assert_eq!(calls(&server), 3, "DeepSeek has no batches");
    for number in [2, 5, 8] {
        expected.insert(format!("id-{number}"), "InvalidRequest".to_owned());
    }
    assert_eq!(client(quick()), expected);
    assert_eq!(calls(&server), 3);
}

#[test]
fn a_batch_that_is_too_much_for_now_is_submitted_again() {
    let server = server();
    server.batches(BatchScript::new().refuse("token_limit_exceeded", "Enqueued too much."));
    let client = client(&server, "openai", "gpt-4o-mini");
    let bulk = client.bulk().batched_with(quick().fall_back_to_calls(true));
    let run = bulk.chat(requests(5)).unwrap();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            assert!(server.wait_for_requests(4, Duration::from_secs(60)));
            server.batches(BatchScript::new());
        });
        assert_eq!(words(run), answers(0..5));
    });
    assert_eq!(calls(&server), 0, "calls for all of it would be expensive");
    assert!(client.batches("openai").list().unwrap().len() > 1);
}

/// A server whose batches expire without an answer, and how many calls it got.
fn expiring(limited: impl Fn(u32) -> bool + Send + Sync + 'static) -> (Loopback, Arc<AtomicU32>) {
    let (server, called) = (support::loopback(), Arc::new(AtomicU32::new(0)));
    server.batches(BatchScript::new().answer_only(0));
    let counted = Arc::clone(&called);
    server.respond(move |request| {
        let number = (0..100).map(|number| format!("id-{number}."));
        let id = number.into_iter().find(|id| request.body_contains(id))?;
        request.path().ends_with("/chat/completions").then(|| {
            match limited(counted.fetch_add(1, Ordering::Relaxed)) {
                true => Reply::status(429).header("retry-after-ms", "1"),
                false => Reply::text(format!("answer to {id}")).usage(100, 10),
            }
        })
    });
    (server, called)
}

#[test]
fn calls_for_expired_items_slow_down_after_a_rate_limit() {
    // Every third of the first 60 meets a limit.
    let (server, called) = expiring(|number| number < 60 && number % 3 == 0);
    let once = RetryConfig { max_retries: 0, ..RetryConfig::default() };
    let client = builder(&server, "openai", "gpt-4o-mini").retry(once).build().unwrap();
    let bulk = client.bulk().workers(8).batched_with(quick().fall_back_to_calls(true));
    let mut run = bulk.chat(requests(100)).unwrap();
    let progress = run.progress();
    let (mut slowest, mut longest_line) = (8, 0);
    let results = (&mut run).inspect(|_| {
        let status = progress.status();
        slowest = slowest.min(status.workers);
        longest_line = longest_line.max(status.waiting);
    });
    assert_eq!(words(results), answers(0..100));
    assert!(slowest < 8 && longest_line > 20, "{slowest} workers, {longest_line} waiting");
    assert_eq!(called.load(Ordering::Relaxed), 120);
}

#[test]
fn calls_for_expired_items_take_room_in_the_clients_limits_and_wait_for_it() {
    let (server, called) = expiring(|_| false);
    let limits = Limits::new().requests_per_minute(60).tokens_per_minute(6_000);
    let limits = limits.burst(Duration::from_secs(10));
    let client = builder(&server, "openai", "gpt-4o-mini").limits(limits).build().unwrap();
    let bulk = client.bulk().batched_with(quick().fall_back_to_calls(true));
    assert_eq!(words(bulk.chat(requests(3)).unwrap()), answers(0..3));
    assert_eq!(called.load(Ordering::Relaxed), 3);
    let left = &client.limits()[0];
    let (requests_left, tokens_left) = (left.requests.unwrap(), left.tokens.unwrap());
    assert!((7..10).contains(&requests_left.available), "{left:?}");
    assert!(tokens_left.available < 1_000, "{left:?}");

    // Without the run, a call that does not fit within its timeout fails.
    let limits = Limits::new().requests_per_minute(1_200).burst(Duration::from_millis(50));
    let client = builder(&server, "openai", "gpt-4o-mini").limits(limits);
    let client = client.timeout(Duration::from_secs(1)).build().unwrap();
    let bulk = client.bulk().workers(32).batched_with(quick().fall_back_to_calls(true));
    assert_eq!(words(bulk.chat(requests(40)).unwrap()), answers(0..40));
}

#[test]
fn a_request_over_a_route_has_no_batch() {
    let server = server();
    let route = Route::new("all").targets(["openai/gpt-4o-mini"]);
    let client =
        Client::builder().add_provider(config(&server, "openai")).route(route).model("all");
    let client = client.build().unwrap();
    let error = client.bulk().batched_with(quick()).chat(requests(1)).unwrap().next().unwrap().1;
    let error = error.unwrap_err().to_string();
    assert!(error.contains("over a route") && error.contains("fall_back_to_calls"), "{error}");
    let bulk = client.bulk().batched_with(quick().fall_back_to_calls(true));
    assert_eq!(words(bulk.chat(requests(1)).unwrap()), answers([0]));
}

#[test]
fn ids_that_the_provider_does_not_allow_are_replaced_in_the_batch() {
    let (folder, server) = (Folder::new("batched-ids"), server());
    let client = client(&server, "anthropic", "claude-haiku-4-5");
    let ids = ["a/b", "item-0", "é", &"x".repeat(100), "item-2"];
    let items = || ids.into_iter().zip(requests(5)).map(|(id, (_, request))| (id, request));
    let journal = folder.file("run.journal");
    let run = client.bulk().batched_with(quick()).journal(&journal).chat(items()).unwrap();
    let answers = words(run);
    for (number, id) in ids.iter().enumerate() {
        assert_eq!(answers[*id], format!("answer to id-{number}."));
    }
    assert_eq!(lines(&journal).len(), 5);
}

#[test]
fn equal_requests_are_submitted_once_and_answers_are_mapped() {
    let server = server();
    let client = client(&server, "openai", "gpt-4o-mini");
    let items = requests(4).into_iter().chain((4..20).map(|number| {
        let (_, request) = requests(4).remove(number % 4);
        (format!("id-{number}"), request)
    }));
    let bulk = client.bulk().batched_with(quick()).deduplicate(true);
    let run = bulk.chat_map(items.collect::<Vec<_>>(), |answer| match answer.text() {
        text if text.contains("id-2") => Err("not this one"),
        text => Ok(text.len()),
    });
    let results: Vec<_> = run.unwrap().collect();
    assert_eq!(results.iter().filter(|(_, result)| result.is_ok()).count(), 15);
    assert_eq!(results.len(), 20);
    let status = client.batches("openai").list().unwrap().pop().unwrap().status;
    assert_eq!(status.counts.total, 4);
}

#[test]
fn embeddings_come_from_batches_too() {
    let server = server();
    let client = client(&server, "openai", "text-embedding-3-small");
    let texts = |number: usize| EmbedRequest::from([format!("text {number}")]).dimensions(4);
    let items = (0..6).map(|number| (number, texts(number)));
    let run = client.bulk().batched_with(quick().max_requests(4)).embed(items).unwrap();
    for (id, result) in run {
        let single = client.embed(texts(id.parse().unwrap())).unwrap();
        assert_eq!(result.unwrap()[0], single[0], "{id}");
    }
    assert_eq!(client.batches("openai").list().unwrap().len(), 2);
}

#[test]
fn a_budget_holds_at_the_price_of_batches() {
    // 100 input and 10 output tokens at $1 and $10 per million, at half the price.
    const EACH: Money = Money::picos(100_000_000);
    let price = Price::per_million(Money::dollars(1), Money::dollars(10)).max_output(1_000);
    // At most, an item costs three times as much: the first batch cannot have all of them.
    let (enough, too_little) = (EACH * 48, EACH * 20);
    for (on_budget, limit, is_enough, fails) in [
        (OnBudget::Stop, enough, true, false),
        (OnBudget::Stop, too_little, false, false),
        (OnBudget::Continue, too_little, false, true),
    ] {
        let server = server();
        let prices = Prices::empty().set("openai", "gpt-4o-mini", price.clone());
        let costs = CostConfig::default().prices(prices).budget(Budget::total(limit));
        let client = builder(&server, "openai", "gpt-4o-mini").costs(costs).build().unwrap();
        let bulk = client.bulk().batched_with(quick()).on_budget(on_budget);
        let mut run = bulk.chat(requests(30)).unwrap();
        let words = words(&mut run);
        let refused = words.values().filter(|word| *word == "BudgetExceeded").count();
        let status = run.finish().unwrap();
        assert!(status.answered > 0 && (refused == 0) == is_enough, "{status:?}");
        assert_eq!(status.answered + status.failed + status.unfinished, 30);
        assert_eq!(status.failed > 0, fails, "{on_budget:?}");
        let budget = &client.costs().budgets[0];
        assert_eq!((budget.spent, budget.reserved), (EACH * status.answered, Money::ZERO));
        assert_eq!(status.spent, budget.spent);
    }
}
