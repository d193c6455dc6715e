//! What batches cost, and how budgets hold over them.

mod support;

use support::batches::{builder, expected, outcomes, requests, server};
use tollgate::testing::BatchScript;
use tollgate::{Batch, Budget, ChatRequest, Client, CostConfig, ErrorKind, Money, Price, Prices};

/// $1 per million input tokens and $10 per million output tokens.
fn price() -> Price {
    Price::per_million(Money::dollars(1), Money::dollars(10))
        .max_output(1_000)
        .context_window(9_000)
}

fn client(server: &tollgate::testing::Loopback, price: Price, limit: Money) -> Client {
    let prices = Prices::empty().set("openai", "gpt-4o-mini", price);
    let costs = CostConfig::default().prices(prices).budget(Budget::total(limit));
    builder(server, "openai", "gpt-4o-mini").costs(costs).build().unwrap()
}

fn reserved(client: &Client) -> Money {
    client.costs().budgets[0].reserved
}

fn spent(client: &Client) -> Money {
    client.costs().budgets[0].spent
}

/// 100 input and 10 output tokens at half the price.
const EACH: Money = Money::picos(100_000_000);

#[test]
fn a_batch_reserves_and_costs_half_the_price_item_by_item() {
    let server = server();
    let client = client(&server, price(), Money::dollars(1));
    let batches = client.batches("openai");
    client.chat(requests(1).remove(0).1).unwrap();
    assert_eq!(spent(&client), EACH * 2);

    let batch = batches.submit(requests(10)).unwrap();
    let whole = reserved(&client);
    // The output alone: 50 tokens each at half of $10 per million.
    assert!(whole >= Money::picos(250_000_000) * 10, "{whole}");
    assert!(whole < Money::picos(250_000_000) * 20, "{whole}");
    batches.wait(&batch).unwrap();
    let mut results = batches.results(&batch).unwrap();
    for number in 1..=10 {
        let response = results.next().unwrap().unwrap().outcome.into_chat().unwrap();
        assert_eq!(response.cost.unwrap().total, EACH);
        assert_eq!(spent(&client), EACH * 2 + EACH * number);
    }
    assert_eq!(reserved(&client), Money::ZERO);
    // Read again, it costs nothing more.
    let again = batches.results(&batch).unwrap().next().unwrap().unwrap();
    assert_eq!(again.outcome.into_chat().unwrap().cost.unwrap().total, EACH);
    assert_eq!(outcomes(&batches, &batch), expected(10, |_| None));
    assert_eq!(spent(&client), EACH * 12);
    assert_eq!(client.costs().total.calls, 11);
}

#[test]
fn without_a_budget_results_that_are_read_twice_are_recorded_once() {
    let server = server();
    let prices = Prices::empty().set("openai", "gpt-4o-mini", price());
    let costs = CostConfig::default().prices(prices);
    let client = builder(&server, "openai", "gpt-4o-mini").costs(costs).build().unwrap();
    let batches = client.batches("openai");
    let batch = batches.submit(requests(3)).unwrap();
    batches.wait(&batch).unwrap();
    outcomes(&batches, &batch);
    outcomes(&batches, &batch);
    let total = client.costs().total;
    assert_eq!((total.calls, total.cost.total), (3, EACH * 3));
}

#[test]
fn a_listed_price_for_batches_counts_instead_of_half() {
    let server = server();
    let batch_price = Price::per_million(Money::dollars(2), Money::dollars(3));
    let client = client(&server, price().service_tier("batch", batch_price), Money::dollars(1));
    let batches = client.batches("openai");
    let batch = batches.submit(requests(1)).unwrap();
    batches.wait(&batch).unwrap();
    outcomes(&batches, &batch);
    assert_eq!(spent(&client), Money::picos(230_000_000));
}

#[test]
fn together_has_the_standard_price_unless_one_for_batches_is_listed() {
    for (price, cost) in [
        (price(), EACH * 2),
        (price().service_tier("batch", Price::per_million(Money::ZERO, Money::dollars(10))), EACH),
    ] {
        let server = server();
        let model = "meta-llama/Llama-3.3-70B-Instruct-Turbo";
        let costs = CostConfig::default().prices(Prices::empty().set("together", model, price));
        let client = builder(&server, "together", model).costs(costs).build().unwrap();
        let batches = client.batches("together");
        let batch = batches.submit(requests(1)).unwrap();
        batches.wait(&batch).unwrap();
        outcomes(&batches, &batch);
        assert_eq!(client.costs().total.cost.total, cost);
    }
}

#[test]
fn failed_expired_and_cancelled_requests_cost_nothing() {
    let server = server();
    server.batches(BatchScript::new().answer_only(3).fail("id-0", 400, ""));
    let client = client(&server, price(), Money::dollars(1));
    let batches = client.batches("openai");
    let batch = batches.submit(requests(6)).unwrap();
    batches.wait(&batch).unwrap();
    outcomes(&batches, &batch);
    assert_eq!((spent(&client), reserved(&client)), (EACH * 2, Money::ZERO));
}

#[test]
fn a_batch_that_does_not_fit_into_the_budget_reserves_and_sends_nothing() {
    let server = server();
    let client = client(&server, price(), Money::picos(250_000_000) * 5);
    let error = client.batches("openai").submit(requests(10)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::BudgetExceeded, "{error}");
    assert_eq!((reserved(&client), server.request_count()), (Money::ZERO, 0));
    let unknown = [("a", ChatRequest::from("hi").model("gpt-9"))];
    let error = client.batches("openai").submit(unknown).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::CostUnknown, "{error}");
}

#[test]
fn a_refused_job_releases_what_it_reserved() {
    let server = server();
    let refused = tollgate::testing::Reply::error(400, "", "no");
    server.on(|request| request.path() == "/v1/batches", refused);
    let client = client(&server, price(), Money::dollars(1));
    client.batches("openai").submit(requests(5)).unwrap_err();
    assert_eq!((reserved(&client), spent(&client)), (Money::ZERO, Money::ZERO));
}

#[test]
fn tags_go_with_each_request() {
    let server = server();
    let prices = Prices::empty().set("openai", "gpt-4o-mini", price());
    let budget = Budget::total(Money::dollars(1)).per_tag("customer");
    let costs = CostConfig::default().prices(prices).budget(budget);
    let client = builder(&server, "openai", "gpt-4o-mini").costs(costs).build().unwrap();
    let mut tagged = requests(3);
    for (number, (_, request)) in tagged.iter_mut().enumerate() {
        let customer = if number == 1 { "zenith" } else { "acme" };
        *request = request.clone().tag("customer", customer);
    }
    let batches = client.batches("openai");
    let batch = batches.submit(tagged).unwrap();
    let stored = serde_json::to_string(&batch).unwrap();
    let batch: Batch = serde_json::from_str(&stored).unwrap();
    batches.wait(&batch).unwrap();
    outcomes(&batches, &batch);
    let report = client.costs();
    let of =
        |name: &str| report.budgets.iter().find(|line| line.account.contains(name)).unwrap().spent;
    assert_eq!((of("acme"), of("zenith")), (EACH * 2, EACH));
}

#[test]
fn another_tracker_records_the_cost_without_the_reservation() {
    let server = server();
    let first = client(&server, price(), Money::dollars(1));
    let batch = first.batches("openai").submit(requests(2)).unwrap();
    let second = client(&server, price(), Money::dollars(1));
    // A reservation of the same number there must not be mistaken for one of the batch.
    let other = second.batches("openai").submit(requests(2)).unwrap();
    let before = reserved(&second);
    let batches = second.batches("openai");
    batches.wait(&batch).unwrap();
    outcomes(&batches, &batch);
    assert_eq!((spent(&second), reserved(&second)), (EACH * 2, before));
    drop(other);
}

#[cfg(feature = "sqlite")]
#[test]
fn reservations_survive_a_restart_in_a_ledger_on_disk() {
    use tollgate::SqliteLedger;

    let folder = std::env::temp_dir().join(format!("tollgate-batch-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let path = folder.join("budget.db");
    let server = server();
    let open = || {
        let prices = Prices::empty().set("openai", "gpt-4o-mini", price());
        let costs = CostConfig::default()
            .prices(prices)
            .budget(Budget::total(Money::dollars(1)))
            .ledger(SqliteLedger::open(&path).unwrap());
        builder(&server, "openai", "gpt-4o-mini").costs(costs).build().unwrap()
    };
    let stored = {
        let client = open();
        let batch = client.batches("openai").submit(requests(4)).unwrap();
        assert!(reserved(&client) > Money::ZERO);
        serde_json::to_string(&batch).unwrap()
    };
    let client = open();
    let batch: Batch = serde_json::from_str(&stored).unwrap();
    let batches = client.batches("openai");
    assert!(client.costs().budgets.is_empty() || reserved(&client) > Money::ZERO);
    batches.wait(&batch).unwrap();
    outcomes(&batches, &batch);
    assert_eq!((spent(&client), reserved(&client)), (EACH * 4, Money::ZERO));
    drop(client);
    // A third process reads the same results: they are settled already.
    let client = open();
    let batches = client.batches("openai");
    let batch: Batch = serde_json::from_str(&stored).unwrap();
    outcomes(&batches, &batch);
    client.chat(requests(1).remove(0).1).unwrap();
    assert_eq!(spent(&client), EACH * 6);
    assert_eq!(client.costs().total.calls, 1, "{}", client.costs());
    drop(client);
    std::fs::remove_dir_all(&folder).unwrap();
}
