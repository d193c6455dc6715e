//! What went wrong in other routers does not happen here. The names are those of their issues.
//!
//! Those that need a server are in `tests/routes.rs`: an error inside a response of status 200
//! before the first event (Bifrost), and one after it (LiteLLM's pull request 24005).

use super::*;
use crate::retry::RetryBudget;

fn is_moved(walk: &mut Walk, mut ticket: Ticket, error: &Error, now: Instant) -> bool {
    ticket.failed(error, MILLISECOND, false, now);
    drop(ticket);
    decided(walk, error, 2, now) == Decision::FailOver
}

fn decided(walk: &mut Walk, error: &Error, max_retries: u32, now: Instant) -> Decision {
    let budget = RetryBudget::UNLIMITED;
    let policy = RetryConfig { max_retries, budget, ..RetryConfig::default() };
    let ours = policy.backoff_with_seed(1).draw();
    let failed = Failed { error, policy: &policy, retries: 0, ours, left: Some(SECOND * 60) };
    walk.failed(&failed, now)
}

fn walk(route: &Arc<RouteState>) -> Walk {
    Walk::new(Arc::clone(route), RoutedCall::new(false, 1))
}

fn choose(walk: &mut Walk, now: Instant) -> (usize, Ticket) {
    match walk.choose(now, &mut || 0.5, &|_, _| None) {
        Chosen::Target(at, ticket) => (at, ticket),
        Chosen::Resting { .. } | Chosen::Full(_) | Chosen::None => panic!("a target is ready"),
    }
}

fn rest(route: &RouteState, at: usize, error: &Error, now: Instant) {
    let mut ticket = route.targets[at].admit(now).expect("it does not rest yet");
    ticket.failed(error, MILLISECOND, false, now);
}

fn touchy() -> BreakerConfig {
    BreakerConfig::default().min_calls(1)
}

/// LiteLLM keeps the first nine of ten samples for ever.
#[test]
fn the_latency_of_a_target_is_that_of_its_last_answers_however_many_came_before() {
    let start = Instant::now();
    let mut health = health::Health::new(start);
    let answer = |millis| Answered { whole: Some(MILLISECOND * millis), ..Answered::default() };
    for second in 0..1_000 {
        health.answered(&answer(2_000), start + SECOND * second);
    }
    for second in 1_000..1_060 {
        health.answered(&answer(100), start + SECOND * second);
    }
    let latency = health.latency(false, start + SECOND * 1_060).unwrap();
    assert!(latency < 0.15, "{latency}");
}

/// LiteLLM divides it by the output tokens.
#[test]
fn the_time_to_the_first_token_does_not_depend_on_the_length_of_the_answer() {
    let now = Instant::now();
    let measured = |output_tokens| {
        let mut health = health::Health::new(now);
        let first_token = Some(SECOND);
        health.answered(&Answered { first_token, output_tokens, ..Answered::default() }, now);
        (health.first_token(now), health.latency(true, now))
    };
    assert_eq!(measured(1), (Some(1.0), Some(1.0)));
    assert_eq!(measured(10_000), measured(1));
}

/// LiteLLM #28427: it keeps a conversation for five minutes, whatever the provider does.
#[test]
fn a_conversation_stays_as_long_as_its_cache_lives() {
    let now = Instant::now();
    let hour = Sticky::default().cache_lifetime(SECOND * 3_600);
    for (strategy, after, stays) in [
        (Sticky::default(), SECOND * 290, true),
        (Sticky::default(), SECOND * 310, false),
        (hour, SECOND * 3_500, true),
    ] {
        let route = route(3, strategy, touchy(), now);
        route.pin(1, 2, now);
        assert_eq!(route.pinned(1, now + after), stays.then_some(2), "{after:?}");
    }
}

/// LiteLLM #32574: only the first attempt of a call cools a deployment down.
#[test]
fn a_failure_rests_its_target_whichever_attempt_of_the_call_it_was() {
    let now = Instant::now();
    let route = Arc::new(route(3, Failover, touchy(), now));
    let mut walk = walk(&route);
    for expected in [0, 1] {
        let (at, ticket) = choose(&mut walk, now);
        assert_eq!(at, expected);
        assert!(is_moved(&mut walk, ticket, &server_error(), now));
    }
    let rests = |at: usize| route.targets[at].state.rests(now).is_some();
    assert_eq!([0, 1, 2].map(rests), [true, true, false]);
}

/// LiteLLM #31557: it falls back to smaller windows.
#[test]
fn a_prompt_that_is_too_long_for_one_window_goes_only_to_a_larger_one() {
    let now = Instant::now();
    let mut route = route(5, Failover, touchy(), now);
    let windows = [Some(8_000), Some(4_000), None, Some(8_000), Some(128_000)];
    for (target, window) in route.targets.iter_mut().zip(windows) {
        target.capabilities.context_window = window;
    }
    let mut walk = walk(&Arc::new(route));
    let (_, ticket) = choose(&mut walk, now);
    let too_long = Error::new(ErrorKind::ContextWindowExceeded, "too long").with_status(400);
    assert!(is_moved(&mut walk, ticket, &too_long, now));
    let (at, ticket) = choose(&mut walk, now);
    assert_eq!(at, 4);
    assert!(!is_moved(&mut walk, ticket, &too_long, now), "none is larger");
}

/// LiteLLM #10793 and #27823: the error names no time.
#[test]
fn if_all_targets_rest_the_caller_learns_when_the_first_returns() {
    let now = Instant::now();
    let route = Arc::new(route(3, Balanced, touchy(), now));
    for (at, seconds) in [90, 40, 70].into_iter().enumerate() {
        rest(&route, at, &rate_limited(SECOND * seconds), now);
    }
    let chosen = walk(&route).choose(now + SECOND, &mut || 0.5, &|_, _| None);
    let Chosen::Resting { until, reason } = chosen else { panic!("all rest") };
    assert_eq!((until, reason), (now + SECOND * 40, RestReason::RateLimit));
}

/// LiteLLM #16060: it finds no deployment although some are healthy.
#[test]
fn a_ready_target_is_found_among_any_number_that_rest() {
    fn check(strategy: impl Strategy + 'static) {
        let now = Instant::now();
        let route = Arc::new(route(10, strategy, touchy(), now));
        let wrong_key = Error::new(ErrorKind::Authentication, "wrong key").with_status(401);
        let errors = [server_error(), rate_limited(SECOND * 60), wrong_key];
        for at in (0..10).filter(|at| *at != 6) {
            rest(&route, at, &errors[at % 3], now);
        }
        for _ in 0..100 {
            assert_eq!(choose(&mut walk(&route), now).0, 6, "{}", route.strategy.name());
        }
    }
    check(Failover);
    check(Weighted);
    check(Balanced);
    check(Fastest::first_token());
    check(Cheapest);
    check(Sticky::default());
}

/// LiteLLM #40130: a second, longer cool-down ends with the first.
#[test]
fn a_longer_rest_replaces_a_shorter_one() {
    let now = Instant::now();
    let route = route(1, Failover, touchy(), now);
    let state = &route.targets[0].state;
    let tickets = [1, 60].map(|seconds| (seconds, route.targets[0].admit(now).unwrap()));
    for (seconds, mut ticket) in tickets {
        ticket.failed(&rate_limited(SECOND * seconds), MILLISECOND, false, now);
    }
    assert_eq!(state.rests(now), Some((now + SECOND * 60, RestReason::RateLimit)));
}

/// liter-llm averages the time of failures too, which are fast.
#[test]
fn a_target_that_fails_fast_attracts_no_calls() {
    fn share(strategy: impl Strategy + 'static) -> f64 {
        // Below the share at which it would rest.
        let breaker = BreakerConfig::default().consecutive_failures(1_000);
        let failing = Simulated {
            failure: |_, random| (random < 0.4).then(server_error),
            ..Simulated::default()
        };
        let targets = vec![failing, Simulated::default(), Simulated::default()];
        let report = World::new(targets, strategy, breaker).run(5_000, MILLISECOND * 10, 50);
        report.attempts[0] as f64 / 5_000.0
    }
    for share in [share(Balanced), share(Fastest::first_token())] {
        assert!(share <= 1.0 / 3.0, "{share}");
    }
}

/// liter-llm counts an unmeasured target as one that takes no time.
#[test]
fn a_target_without_measurements_gets_no_flood_of_calls() {
    fn share(strategy: impl Strategy + 'static) -> usize {
        let now = Instant::now();
        let route = Arc::new(route(5, strategy, touchy(), now));
        for target in &route.targets[1..] {
            let mut ticket = target.admit(now).unwrap();
            ticket.served(now);
            let (first_token, whole) = (Some(SECOND), Some(SECOND));
            ticket.answered(&Answered { first_token, whole, ..Answered::default() }, now);
        }
        let mut random = fastrand::Rng::with_seed(1);
        let calls: Vec<_> = (0..100)
            .map(|_| match walk(&route).choose(now, &mut || random.f64(), &|_, _| None) {
                Chosen::Target(at, ticket) => (at, ticket),
                Chosen::Resting { .. } | Chosen::Full(_) | Chosen::None => {
                    panic!("a target is ready")
                }
            })
            .collect();
        calls.iter().filter(|(at, _)| *at == 0).count()
    }
    assert!((10..=30).contains(&share(Balanced)), "a fair share");
    assert!(share(Fastest::first_token()) <= 5, "one at a time, and those that explore");
}

/// liter-llm never resets the count that lengthens its rests.
#[test]
fn a_target_that_has_returned_rests_as_short_as_at_first() {
    let mut now = Instant::now();
    let route = route(1, Failover, touchy(), now);
    let state = &route.targets[0].state;
    let mut rests = Vec::new();
    for outcome in [Some(server_error()), Some(server_error()), None, Some(server_error())] {
        let mut ticket = route.targets[0].admit(now).unwrap();
        match outcome {
            Some(error) => drop(ticket.failed(&error, MILLISECOND, false, now)),
            None => drop(ticket.served(now)),
        }
        drop(ticket);
        if let Some((until, _)) = state.rests(now) {
            rests.push((until - now).as_secs());
            now = until;
        }
    }
    assert_eq!(rests, [5, 10, 5]);
}

/// Bifrost #5876: it stops after `max_retries` keys, although others are healthy.
#[test]
fn every_target_is_tried_even_without_retries() {
    let now = Instant::now();
    let route = Arc::new(route(6, Failover, touchy(), now));
    let mut walk = walk(&route);
    let wrong_key = Error::new(ErrorKind::Authentication, "wrong key").with_status(401);
    for expected in 0..6 {
        let (at, mut ticket) = choose(&mut walk, now);
        assert_eq!(at, expected);
        ticket.failed(&wrong_key, MILLISECOND, false, now);
        let moves = decided(&mut walk, &wrong_key, 0, now) == Decision::FailOver;
        assert_eq!(moves, expected < 5);
    }
}

/// Bifrost: each fallback gets all retries, so three targets make twelve attempts.
#[test]
fn all_targets_share_one_set_of_retries() {
    let now = Instant::now();
    let patient = BreakerConfig::default().min_calls(100).consecutive_failures(100);
    let route = Arc::new(route(3, Failover, patient, now));
    let mut walk = walk(&route);
    let mut attempts = 0;
    loop {
        let (_, mut ticket) = choose(&mut walk, now);
        attempts += 1;
        ticket.failed(&server_error(), MILLISECOND, false, now);
        drop(ticket);
        if let Decision::GiveUp(_) = decided(&mut walk, &server_error(), 3, now) {
            break;
        }
    }
    assert_eq!(attempts, 3 + 3);
}
