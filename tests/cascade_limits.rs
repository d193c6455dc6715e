//! What bounds a cascade: its budget, its deadline, its cancel token, and the failures of its steps.

mod support;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use support::cascades::{cascade, costs, priced, prices, reasons, usd};
use support::routes::{Servers, names};
use support::{builder, loopback, quick_retries};
use tollgate::chat::FinishReason;
use tollgate::observe::{Call, Observer};
use tollgate::route::{Candidate, Hedge, Route, RoutedCall, Sticky, Strategy, TargetStep};
use tollgate::testing::Reply;
use tollgate::{
    Attempt, Budget, CancelToken, ChatRequest, Client, CostConfig, Decision, ErrorKind, Money,
};

/// A client whose cascade accepts the answer of the last target only, with a budget.
fn limited(servers: &Servers, limit: Money) -> Client {
    let route = cascade().accept(|answer| answer.provider.as_str() == "groq");
    let costs = CostConfig::default().prices(prices()).budget(Budget::total(limit));
    servers.builder(|_| route.clone()).costs(costs).build().unwrap()
}

fn request() -> ChatRequest {
    ChatRequest::from("hi").max_output_tokens(50)
}

/// Asserts that the client's books say that these answers were charged, and nothing else.
fn assert_books(client: &Client, answers: [u64; 3]) {
    let report = client.costs();
    let total: i64 = costs().iter().zip(answers).map(|(cost, count)| cost * count as i64).sum();
    assert_eq!(report.total.cost.total, usd(total), "{report}");
    assert!(report.budgets.iter().all(|budget| budget.reserved.is_zero()), "{report}");
    assert!(report.budgets.iter().all(|budget| budget.spent == usd(total)), "{report}");
    let of_targets: Money = client.targets().iter().map(|target| target.cost).sum();
    assert_eq!(of_targets, usd(total));
}

#[test]
fn each_step_reserves_and_pays_its_own_price() {
    let servers = Servers::start();
    let client = limited(&servers, Money::dollars(1));
    let (watched, before) = (client.clone(), usd(costs()[0]));
    servers.0[1].respond(move |_| {
        let budget = &watched.costs().budgets[0];
        assert_eq!(budget.spent, before, "the first step is settled");
        assert!(!budget.reserved.is_zero(), "the second one is reserved");
        None
    });
    let response = client.chat(request()).unwrap();
    assert_eq!(response.not_accepted(), None);
    assert_eq!(response.cost.unwrap().total, usd(costs().iter().sum()));
    assert_books(&client, [1, 1, 1]);
    servers.0[1].clear();
}

#[test]
fn if_a_budget_refuses_a_step_the_answer_that_was_paid_for_comes_back() {
    // Enough for a reservation at the second target, but not at the third.
    let servers = Servers::start();
    let client = limited(&servers, usd(1_500));
    let response = client.chat(request()).unwrap();
    assert_eq!(response.text(), "from anthropic");
    assert!(response.not_accepted().is_some());
    assert_eq!(response.cost.unwrap().total, usd(costs()[0] + costs()[1]));
    assert_eq!(response.attempts().len(), 2);
    let last = &response.route().unwrap().targets[2];
    let [TargetStep::CannotServe(why)] = &last.steps[..] else { panic!("{last}") };
    assert!(why.contains("budget"), "{why}");
    assert_eq!(servers.counts(), [1, 1, 0]);
    assert_books(&client, [1, 1, 0]);
    let metrics = client.metrics();
    assert_eq!(metrics.total.cost, usd(costs()[0] + costs()[1]));
    assert_eq!((metrics.total.tokens.input, metrics.total.tokens.output), (200, 20));
}

#[test]
fn a_cascade_that_requires_acceptance_names_the_budget_instead() {
    let servers = Servers::start();
    let route = cascade().accept(|_| false).require_accepted(true);
    let costs = CostConfig::default().prices(prices()).budget(Budget::total(usd(1_500)));
    let client = servers.builder(|_| route.clone()).costs(costs).build().unwrap();
    let error = client.chat(request()).unwrap_err();
    assert_eq!((error.kind(), error.attempts().len()), (ErrorKind::BudgetExceeded, 2));
    assert_books(&client, [1, 1, 0]);
}

#[test]
fn a_step_that_fails_is_skipped_or_retried_like_in_any_route() {
    let servers = Servers::start();
    let client = limited(&servers, Money::dollars(1));
    servers.0[1].reply(Reply::error(500, "server_error", "it broke"));
    let response = client.chat(request()).unwrap();
    assert_eq!(response.provider.as_str(), "groq");
    let decisions: Vec<_> = response.attempts().iter().map(|one| one.decision).collect();
    assert_eq!(decisions, [Some(Decision::MoveUp), Some(Decision::FailOver), None]);
    assert_books(&client, [1, 0, 1]);

    // The last target is retried, and no cheaper one is asked again.
    servers.0[2].reply(Reply::error(500, "server_error", "it broke"));
    let response = client.chat(request()).unwrap();
    assert_eq!((response.provider.as_str(), response.attempts().len()), ("groq", 4));
    assert_eq!(servers.counts(), [2, 2, 3]);
    assert_books(&client, [2, 1, 2]);
}

#[test]
fn if_all_higher_targets_fail_the_answer_below_comes_back() {
    let servers = Servers::start();
    let client = limited(&servers, Money::dollars(1));
    for server in &servers.0[1..] {
        server.default_reply(Reply::error(401, "invalid_api_key", "wrong key"));
    }
    let response = client.chat(request()).unwrap();
    assert_eq!((response.text().as_str(), response.provider.as_str()), ("from openai", "openai"));
    assert_eq!(response.attempts().len(), 3);
    let trace = response.route().unwrap();
    assert!(matches!(
        trace.targets[0].steps[..],
        [TargetStep::NotAccepted { .. }, TargetStep::Answered]
    ));
    assert_eq!(trace.targets[2].steps, [TargetStep::Failed(ErrorKind::Authentication)]);
    assert_eq!(response.cost.unwrap().total, usd(costs()[0]));
    assert_books(&client, [1, 0, 0]);
    let by_model = &client.metrics().by_model;
    let openai = by_model.iter().find(|model| model.provider == "openai").unwrap();
    assert_eq!((openai.total.calls, openai.total.tokens.input), (1, 100), "once, at the answer");
}

#[test]
fn if_every_target_fails_the_call_fails() {
    let servers = Servers::start();
    let client = limited(&servers, Money::dollars(1));
    for server in &servers.0 {
        server.default_reply(Reply::error(401, "invalid_api_key", "wrong key"));
    }
    let error = client.chat(request()).unwrap_err();
    assert_eq!((error.kind(), error.attempts().len()), (ErrorKind::Authentication, 3));
    assert_books(&client, [0, 0, 0]);
}

/// Does something when an answer is not accepted, which is between two steps.
struct Between<F>(F);

impl<F: Fn() + Send + Sync> Observer for Between<F> {
    fn not_accepted(&self, _: &Call<'_>, _: &Attempt, _: &str) {
        (self.0)();
    }
}

/// Counts the answers of each server, and lets every third of them be refused or fail.
fn bill(servers: &Servers) -> Arc<[AtomicU64; 3]> {
    let billed = Arc::new([const { AtomicU64::new(0) }; 3]);
    for (at, server) in servers.0.iter().enumerate() {
        let (billed, asked) = (Arc::clone(&billed), AtomicU64::new(0));
        server.respond(move |_| {
            let number = asked.fetch_add(1, Ordering::SeqCst);
            if number % 5 == 4 {
                return Some(Reply::error(500, "server_error", "it broke"));
            }
            billed[at].fetch_add(1, Ordering::SeqCst);
            Some(match number % 3 {
                0 => Reply::text("fine").usage(100, 10),
                1 => Reply::refusal("no").usage(100, 10),
                _ => Reply::text("cut").finish_reason(FinishReason::Length).usage(100, 10),
            })
        });
    }
    billed
}

#[test]
fn the_books_equal_what_the_providers_billed_whatever_the_threads_do() {
    let servers = Servers::start();
    let billed = bill(&servers);
    // Not enough for all calls.
    let limit = usd(40_000);
    let costs_and_budget = CostConfig::default().prices(prices()).budget(Budget::total(limit));
    let client = servers.builder(|_| cascade()).costs(costs_and_budget).build().unwrap();
    let (answered, observed) = (AtomicU64::new(0), Mutex::new(Money::ZERO));
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                for _ in 0..25 {
                    if let Ok(response) = client.chat(request()) {
                        answered.fetch_add(1, Ordering::SeqCst);
                        *observed.lock().unwrap() += response.cost.unwrap().total;
                    }
                }
            });
        }
    });
    let billed = [0, 1, 2].map(|at| billed[at].load(Ordering::SeqCst));
    assert!(billed.iter().all(|answers| *answers > 0), "{billed:?}");
    assert_books(&client, billed);
    assert!(client.costs().budgets[0].spent <= limit);
    assert_eq!(
        observed.into_inner().unwrap(),
        client.costs().total.cost.total,
        "observers see the cost of every answer"
    );
    let metrics = client.metrics();
    assert_eq!(metrics.total.cost, client.costs().total.cost.total);
    assert_eq!(metrics.total.tokens.input, 100 * billed.iter().sum::<u64>());
    assert_eq!((metrics.total.answered, metrics.in_flight), (answered.into_inner(), 0));
    let rejected: u64 = client.targets().iter().map(|target| target.not_accepted).sum();
    assert!(rejected > 0 && client.targets().iter().all(|target| target.in_flight == 0));
}

#[test]
fn a_deadline_that_passes_between_two_steps_ends_the_cascade() {
    for strict in [false, true] {
        let (servers, silent) = (Servers::start(), loopback());
        silent.default_reply(Reply::hang());
        let timeout = Duration::from_millis(500);
        let other = builder(&silent, "openai").timeout(timeout).build().unwrap();
        // It begins later and has the same timeout, so when it ends, that of the cascade has passed.
        let wait = Between(move || drop(other.chat("hi")));
        let route = cascade().accept(|_| false).require_accepted(strict);
        let client = priced(&servers, route).observer(wait).build().unwrap();
        let outcome = client.chat(request().timeout(timeout));
        assert_eq!(servers.counts(), [1, 0, 0], "nothing is sent after the deadline");
        assert_books(&client, [1, 0, 0]);
        match outcome {
            Ok(response) => {
                assert_eq!((response.text().as_str(), strict), ("from openai", false));
                assert_eq!(response.attempts().len(), 1);
                let second = response.route().unwrap().targets[1].to_string();
                assert!(second.contains("skipped: timed out"), "{second}");
            }
            Err(error) => assert_eq!((error.kind(), strict), (ErrorKind::Timeout, true)),
        }
    }
}

#[test]
fn a_call_that_is_cancelled_between_two_steps_is_an_error() {
    let servers = Servers::start();
    let token = CancelToken::new();
    let cancel = {
        let token = token.clone();
        Between(move || token.cancel())
    };
    let client = priced(&servers, cascade().accept(|_| false)).observer(cancel).build().unwrap();
    let error = client.chat(request().cancel_token(&token)).unwrap_err();
    assert_eq!((error.kind(), error.attempts().len()), (ErrorKind::Cancelled, 1));
    assert_eq!(servers.counts(), [1, 0, 0]);
    assert_books(&client, [1, 0, 0]);
    assert_eq!(client.metrics().total.cost, usd(costs()[0]));
}

#[test]
fn a_check_that_panics_leaves_the_books_right() {
    let servers = Servers::start();
    let panics = Arc::new(AtomicBool::new(true));
    let check = Arc::clone(&panics);
    let route = cascade().accept(move |_| {
        assert!(!check.load(Ordering::SeqCst), "the check broke");
        true
    });
    let client = priced(&servers, route).build().unwrap();
    let outcome = catch_unwind(AssertUnwindSafe(|| client.chat(request())));
    assert!(outcome.is_err());
    assert_books(&client, [1, 0, 0]);
    let target = &client.targets()[0];
    assert_eq!((target.in_flight, target.answered, target.failed), (0, 1, 0));
    assert_eq!(client.metrics().in_flight, 0);
    panics.store(false, Ordering::SeqCst);
    assert_eq!(client.chat(request()).unwrap().text(), "from openai");
}

#[test]
fn a_cascade_takes_tokens_for_retries_only() {
    let servers = Servers::start();
    let client = priced(&servers, cascade().accept(|_| false)).build().unwrap();
    client.chat(request()).unwrap();
    assert_eq!(client.retries_left(), 100, "moving up is no retry");
}

#[test]
fn a_target_that_cannot_serve_the_request_is_no_step() {
    let servers = Servers::start();
    let [first, second, third] = names();
    let small = tollgate::route::RouteTarget::new(first).max_output(10);
    let route = Route::cascade("all", [small, second.into(), third.into()]).accept(|_| false);
    let client = priced(&servers, route).build().unwrap();
    let response = client.chat(request()).unwrap();
    assert_eq!(servers.counts(), [0, 1, 1]);
    assert_eq!(reasons(&response).iter().flatten().count(), 2);
}

#[test]
fn a_cascade_refuses_streams_before_anything_is_sent() {
    let servers = Servers::start();
    let client = priced(&servers, cascade()).build().unwrap();
    let error = client.stream("hi").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidRequest);
    assert!(error.message().contains("cannot stream; use Client::chat"), "{error}");
    assert_eq!(servers.counts(), [0, 0, 0]);
}

/// A strategy of the program, under the name that traces show for a cascade's own order.
struct Namesake;

impl Strategy for Namesake {
    fn name(&self) -> &str {
        "cascade"
    }

    fn choose(&self, _: &[Candidate<'_>], _: &RoutedCall, _: &mut dyn FnMut() -> f64) -> usize {
        0
    }
}

#[test]
fn combinations_that_make_no_sense_are_refused() {
    let servers = Servers::start();
    let [first, ..] = names();
    let plain = || Route::new("all").targets(names());
    for (route, problem) in [
        (cascade().hedge(Hedge::at_p95()), "a cascade cannot hedge"),
        (cascade().strategy(Sticky::default()), "cannot have the strategy \"sticky\""),
        (cascade().strategy(Namesake), "cannot have the strategy \"cascade\""),
        (
            cascade().cheapest_first(true).classifier(tollgate::route::ByPrompt::default()),
            "cheapest_first and the classifier",
        ),
        (Route::cascade("all", [first.as_str()]), "a cascade with one target cannot move up"),
        (plain().accept(|_| true), "accept is for cascades only"),
        (plain().require_accepted(true), "require_accepted is for cascades only"),
    ] {
        let builder = servers.builder(|_| route.clone()).retry(quick_retries(1));
        let error = builder.build().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Configuration);
        assert!(error.message().contains(problem), "{error}");
    }
}
