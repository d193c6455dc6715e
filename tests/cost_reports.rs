//! Costs and budgets by customer, model and provider, also across clients.

mod support;

use std::time::Duration;

use support::costs::{ample, client, config, spent, usd};
use support::stream::BOTH;
use support::{builder, loopback};
use tollgate::testing::Reply;
use tollgate::{Budget, ChatRequest, CostEvent, ErrorKind, Money};

fn of(customer: &str) -> ChatRequest {
    ChatRequest::from("hi").max_output_tokens(100).tag("customer", customer)
}

#[test]
fn every_customer_has_a_budget_of_its_own() {
    let server = loopback();
    server.default_reply(Reply::text("Paris").usage(100, 100));
    let budget = Budget::daily(usd("0.0008")).per_tag("customer");
    let client = client(&server, "openai", config([budget]));
    client.chat(of("acme")).unwrap();
    client.stream(of("acme")).unwrap().finish().unwrap();
    let error = client.chat(of("acme")).unwrap_err();
    assert_eq!(error.budget().unwrap().account, "customer=acme");
    client.chat(of("bolt")).unwrap();
    // A call without the tag does not escape the budget.
    for _ in 0..2 {
        client.chat(ChatRequest::from("hi").max_output_tokens(100)).unwrap();
    }
    client.chat(ChatRequest::from("hi").max_output_tokens(100)).unwrap_err();
    let report = client.costs();
    let rows: Vec<_> = report.by_tag["customer"]
        .iter()
        .map(|row| (row.key.as_str(), row.tally.calls, row.tally.cost.total))
        .collect();
    let each = usd("0.0003");
    assert_eq!(rows, [("acme", 2, each + each), ("bolt", 1, each), ("(none)", 2, each + each)]);
    assert_eq!((report.refused, spent(&client)), (2, each * 5));
    // The provider does not see the tags.
    assert!(!server.requests().iter().any(|request| request.body_contains("acme")));
}

#[test]
fn two_clients_share_a_tracker() {
    let servers = [loopback(), loopback()];
    let costs = config([
        Budget::total(usd("0.0015")).name("all"),
        Budget::total(usd("0.0005")).provider("anthropic").name("theirs"),
        Budget::total(usd("0.0005")).model("gpt-4o-mini").name("mini"),
    ]);
    let tracker = costs.build().unwrap();
    let clients: Vec<_> = servers
        .iter()
        .zip(BOTH)
        .map(|(server, provider)| {
            server.default_reply(Reply::text("Paris").usage(50, 50));
            builder(server, provider).cost_tracker(tracker.clone()).build().unwrap()
        })
        .collect();
    for client in &clients {
        client.chat(of("acme")).unwrap();
        assert_eq!(client.costs().total, tracker.report().total);
    }
    let report = tracker.report();
    let held: Vec<_> =
        report.budgets.iter().map(|held| (held.budget.as_str(), held.spent)).collect();
    let each = usd("0.00015");
    assert_eq!(held, [("all", each + each), ("theirs", each), ("mini", each)]);
    let error = clients[1].chat(of("acme")).unwrap_err();
    assert_eq!(error.budget().unwrap().budget, "theirs");
    let error = clients[0].chat(of("acme")).unwrap_err();
    assert_eq!(error.budget().unwrap().budget, "mini");
    // A call of another model still fits the budget for all.
    clients[0].chat(of("acme").model("gpt-5")).unwrap();
    assert_eq!(report.by_provider.len(), 2);
}

#[test]
fn a_report_adds_up_and_prints_and_compares_models() {
    let server = loopback();
    server.default_reply(Reply::text("Paris").usage(1_000, 500));
    let client = client(&server, "openai", config([ample()]));
    for _ in 0..2 {
        client.chat("hi").unwrap();
    }
    client.chat(of("acme").model("gpt-5")).unwrap();
    let report = client.costs();
    assert_eq!(report.total.usage.total_tokens, 4_500);
    assert_eq!(report.by_model.len(), 2);
    assert_eq!((report.by_day.len(), report.last.len()), (1, 3));
    let table = report.to_string();
    assert!(table.contains("gpt-4o-mini") && table.contains("Budgets"), "{table}");
    let csv = report.csv();
    assert_eq!(csv.lines().filter(|line| line.contains("gpt-")).count(), 2, "{csv}");
    assert_eq!(report.calls_csv().lines().count(), 4);
    let json = report.json();
    assert!(!json.contains("Paris") && !json.contains("\"hi\""), "no content is kept: {json}");

    let what_if = client.cost_tracker().what_if("openai", "gpt-5").unwrap();
    assert_eq!((what_if.actual, what_if.would_be), (usd("0.006"), usd("0.006")));
    let error = client.cost_tracker().what_if("openai", "nothing").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Configuration, "{error}");
}

#[test]
fn live_events_show_what_happens_to_the_money() {
    let server = loopback();
    server.default_reply(Reply::text("Paris").usage(100, 100));
    let client = client(&server, "openai", config([Budget::total(usd("0.0008"))]));
    let mut events = client.cost_tracker().events();
    client.chat(of("acme")).unwrap();
    client.chat(of("acme")).unwrap();
    client.chat(of("acme")).unwrap_err();
    drop(client);
    let mut seen = Vec::new();
    while let Ok(event) = events.next_timeout(Duration::from_secs(60)) {
        seen.push(match event {
            CostEvent::Spent(call) => format!("spent {}", call.cost.unwrap().total),
            CostEvent::Alert(alert) => format!("alert {}", alert.threshold),
            CostEvent::Refused(refusal) => format!("refused {}", refusal.spent),
            _ => "?".to_owned(),
        });
    }
    assert_eq!(seen, ["spent $0.0003", "spent $0.0003", "alert 50", "refused $0.0006"]);
}

#[test]
fn contradictory_budgets_are_refused_when_the_client_is_built() {
    let server = loopback();
    let wrong = |budgets: Vec<Budget>| {
        let built = builder(&server, "openai").costs(config(budgets)).build();
        let error = built.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Configuration, "{error}");
        error.message().to_owned()
    };
    for dollars in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        assert!(Money::try_from(dollars).is_err());
    }
    let negative = Money::try_from(-0.5).unwrap();
    let message = wrong(vec![Budget::daily(negative)]);
    assert!(message.contains("-$0.50"), "{message}");
    // All of it at once.
    let message = wrong(vec![
        Budget::daily(negative),
        Budget::rolling(Duration::ZERO, Money::dollars(1)),
        Budget::total(Money::dollars(1)).alert_at([80, 50]),
        Budget::daily(Money::dollars(1)),
    ]);
    for part in ["-$0.50", "rolling", "[80, 50]", "two budgets"] {
        assert!(message.contains(part), "{message}");
    }
    // A shared tracker has its own.
    let tracker = config([]).build().unwrap();
    let twice = builder(&server, "openai").cost_tracker(tracker).budget(ample());
    assert_eq!(twice.build().unwrap_err().kind(), ErrorKind::Configuration);
    // A limit of zero still allows free calls.
    let nothing = client(&server, "openai", config([Budget::total(Money::ZERO)]));
    assert_eq!(nothing.chat("hi").unwrap_err().kind(), ErrorKind::BudgetExceeded);
    assert_eq!(server.request_count(), 0);
}
