//! What holds for every strategy.

use super::*;

/// Fails for some time, recovers, and fails now and then.
fn unsteady(now: Duration, random: f64) -> Option<Error> {
    let is_down = (now.as_secs() / 20) % 2 == 0;
    (is_down || random < 0.05).then(server_error)
}

fn limited(now: Duration, _: f64) -> Option<Error> {
    let wait = if now.as_secs() % 3 == 0 { MILLISECOND * 500 } else { SECOND * 10 };
    (now.as_secs() % 7 < 3).then(|| rate_limited(wait))
}

fn targets() -> Vec<Simulated> {
    vec![
        Simulated { failure: unsteady, ..Simulated::default() },
        Simulated { failure: limited, ..Simulated::default() },
        Simulated { latency: |_| SECOND, ..Simulated::default() },
        Simulated {
            failure: |_, _| Some(Error::new(ErrorKind::Authentication, "wrong key")),
            ..Simulated::default()
        },
    ]
}

const CALLS: u64 = 1_500;

/// Every strategy, with several seeds.
fn reports() -> Vec<Report> {
    fn report(strategy: impl Strategy + Clone + 'static) -> Vec<Report> {
        let world = |seed| {
            let world = World::new(targets(), strategy.clone(), BreakerConfig::default());
            world.with_seed(seed).run(CALLS, MILLISECOND * 60, 50)
        };
        (0..3).map(world).collect()
    }
    [
        report(Failover),
        report(Weighted),
        report(Balanced),
        report(Fastest::first_token()),
        report(Fastest::tokens_per_second()),
        report(Cheapest),
        report(Sticky::default()),
    ]
    .into_iter()
    .flatten()
    .collect()
}

#[test]
fn no_failure_reaches_the_caller_while_a_target_is_healthy() {
    for report in reports() {
        assert_eq!((report.failed, report.latencies.len() as u64), (0, CALLS), "{report:?}");
    }
}

#[test]
fn only_a_probe_goes_to_a_target_that_rests() {
    for report in reports() {
        assert_eq!(report.differences, [""; 0]);
        // Its key is wrong: one call finds out, and one after each rest of five minutes.
        assert!(report.attempts[3] <= 2, "{:?}", report.attempts);
    }
}

#[test]
fn a_call_makes_no_more_attempts_than_targets_and_retries() {
    let all_down = || Simulated { failure: |_, _| Some(server_error()), ..Simulated::default() };
    for breaker in [BreakerConfig::default(), BreakerConfig::default().min_calls(u32::MAX)] {
        let targets = vec![all_down(), all_down(), all_down()];
        let report = World::new(targets, Balanced, breaker).run(500, MILLISECOND * 25, 50);
        assert!(report.most_attempts <= 3 + 2, "{report:?}");
        assert_eq!(report.failed, 500);
    }
    for report in reports() {
        assert!(report.most_attempts <= 4 + 2, "{report:?}");
    }
}

#[test]
fn a_ready_target_is_tried_again_however_bad_it_was() {
    /// The time of the last call, and when each target was last tried.
    fn last_tried(strategy: impl Strategy + 'static, seed: u64) -> (Duration, Vec<Duration>) {
        // One was very slow in the first minute, one hangs in it, and one is always slow and dear.
        let targets = vec![
            Simulated::default(),
            Simulated {
                latency: |now| if now < SECOND * 60 { SECOND * 50 } else { MILLISECOND * 100 },
                ..Simulated::default()
            },
            Simulated {
                failure: |now, _| {
                    (now < SECOND * 60).then(|| Error::timeout(crate::error::Phase::FirstByte))
                },
                ..Simulated::default()
            },
            Simulated {
                latency: |_| SECOND * 2,
                rates: |_| (9.0, 0.9, 36.0),
                ..Simulated::default()
            },
        ];
        let world = World::new(targets, strategy, BreakerConfig::default()).with_seed(seed);
        // Half an hour.
        let tried = world.run(1_800, SECOND, 50).last_tried;
        (*tried.iter().max().unwrap(), tried)
    }
    for seed in 0..3 {
        for (last, tried) in [
            last_tried(Weighted, seed),
            last_tried(Balanced, seed),
            last_tried(Fastest::first_token(), seed),
            last_tried(Fastest::tokens_per_second(), seed),
            last_tried(Cheapest, seed),
            last_tried(Sticky::default(), seed),
        ] {
            let recent = |at: &Duration| *at + SECOND * 600 > last;
            assert!(tried.iter().all(recent), "{tried:?} of {last:?}");
        }
    }
}

#[test]
fn no_target_starves_and_a_returned_one_gets_its_load_back() {
    // Down for the first 20 seconds.
    let early = Simulated {
        failure: |now, _| (now < SECOND * 20).then(server_error),
        ..Simulated::default()
    };
    let targets = vec![early, Simulated::default(), Simulated::default()];
    let report =
        World::new(targets, Balanced, BreakerConfig::default()).run(20_000, MILLISECOND * 10, 50);
    let [returned, ..] = report.attempts[..] else { panic!() };
    assert!(returned > 20_000 / 6, "{:?}", report.attempts);
}

#[test]
fn a_target_that_breaks_in_mid_stream_rests_too() {
    let now = Instant::now();
    let state = Arc::new(TargetState::new("a", "m", BreakerConfig::default().min_calls(4), now));
    let target = RoutedTarget::new("t".into(), state);
    let broken = Error::new(ErrorKind::Truncated, "cut off");
    for _ in 0..2 {
        let mut ticket = target.admit(now).expect("it does not rest");
        ticket.served(now);
        ticket.failed_late(&broken, now);
    }
    assert!(target.state.rests(now).is_some());
}

#[test]
fn a_ticket_that_is_dropped_frees_the_place_of_the_probe() {
    let now = Instant::now();
    let state = Arc::new(TargetState::new("a", "m", BreakerConfig::default(), now));
    let target = RoutedTarget::new("t".into(), state);
    let mut ticket = target.admit(now).expect("it does not rest");
    let wrong = Error::new(ErrorKind::Authentication, "wrong key");
    ticket.failed(&wrong, SECOND, false, now);
    drop(ticket);
    let later = now + SECOND * 301;
    drop(target.admit(later).expect("a probe"));
    assert!(target.admit(later).is_some());
}
