//! Races of attempts, by table and in virtual time.

use super::*;
use crate::error::GiveUp;

const SECOND: Duration = Duration::from_secs(1);
const STOP: Decision = Decision::GiveUp(GiveUp::Lasting);
const MOVE: Decision = Decision::FailOver;

/// What happens in a race, in seconds since its start.
#[derive(Debug, Clone, Copy)]
enum Event {
    /// A hedge begins, which is hedged itself after so many seconds, if ever.
    Hedged(u32, Option<u32>),
    Closed,
    /// The attempt with this number fails.
    Failed(u32, Decision),
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Expected {
    Hedge,
    Until(u32),
    Wait,
    Over,
}

#[test]
fn the_silence_of_the_first_attempt_and_what_has_failed_decide_what_comes_next() {
    use Event::{Closed, Failed, Hedged};
    use Expected::{Hedge, Over, Until, Wait};

    let start = Instant::now();
    for (delay, events, now, expected) in [
        // Silence.
        (Some(5), &[][..], 0, Until(5)),
        (Some(5), &[], 4, Until(5)),
        (Some(5), &[], 5, Hedge),
        (Some(5), &[], 9, Hedge),
        (None, &[], 900, Wait),
        (Some(u32::MAX), &[], 900, Until(u32::MAX)),
        // One hedge at a time, and none after the last.
        (Some(5), &[Hedged(5, Some(1))], 99, Wait),
        (Some(5), &[Closed], 99, Wait),
        // The first fails alone: the call goes on without a race.
        (Some(5), &[Failed(0, MOVE)], 1, Over),
        (Some(5), &[Failed(0, STOP)], 1, Over),
        // The first fails, and its hedge takes its place, with its own delay.
        (Some(5), &[Hedged(5, Some(2)), Failed(0, MOVE)], 6, Until(7)),
        (Some(5), &[Hedged(5, Some(2)), Failed(0, MOVE)], 7, Hedge),
        (Some(5), &[Hedged(5, None), Failed(0, MOVE)], 99, Wait),
        (Some(5), &[Hedged(5, Some(2)), Failed(0, MOVE), Failed(1, MOVE)], 8, Over),
        (Some(5), &[Hedged(5, Some(2)), Closed, Failed(0, MOVE)], 8, Wait),
        // What fails for good is not tried elsewhere.
        (Some(5), &[Hedged(5, Some(2)), Failed(0, STOP)], 6, Over),
        // The hedge fails: another one follows at once, unless it would fail in the same way.
        (Some(5), &[Hedged(5, Some(2)), Failed(1, MOVE)], 6, Hedge),
        (Some(5), &[Hedged(5, Some(2)), Failed(1, STOP)], 6, Wait),
        (Some(5), &[Hedged(5, Some(2)), Failed(1, STOP), Failed(0, MOVE)], 6, Over),
        (Some(5), &[Hedged(5, None), Failed(1, MOVE), Hedged(6, None)], 7, Wait),
        (Some(5), &[Hedged(5, None), Failed(1, MOVE), Hedged(6, None), Failed(0, MOVE)], 7, Wait),
    ] {
        let at = |seconds: u32| start + SECOND * seconds;
        let runner = |number, begun, delay: Option<u32>| Runner {
            number,
            begun: at(begun),
            delay: delay.map(|seconds| SECOND * seconds),
        };
        let mut race = Race::new(runner(0, 0, delay));
        let mut number = 0;
        for event in events {
            match *event {
                Hedged(begun, delay) => {
                    number += 1;
                    race.hedged(runner(number, begun, delay));
                }
                Closed => race.close(),
                Failed(number, decision) => race.failed(number, decision),
            }
        }
        let next = match expected {
            Hedge => Next::Hedge,
            Until(seconds) => Next::Wait(Some(at(seconds))),
            Wait => Next::Wait(None),
            Over => Next::Over,
        };
        assert_eq!(race.next(at(now)), next, "{delay:?} {events:?} at {now}");
    }
}

#[test]
fn a_delay_too_long_to_express_never_ends() {
    let now = Instant::now();
    let race = Race::new(Runner { number: 0, begun: now, delay: Some(Duration::MAX) });
    assert_eq!(race.next(now), Next::Wait(None));
}

/// How a simulated attempt ends, and after how long.
#[derive(Debug, Clone, Copy)]
struct Fate {
    after: Duration,
    failure: Option<Decision>,
}

/// What came of a simulated race.
#[derive(Debug)]
struct Run {
    begun: Vec<Duration>,
    /// When each attempt ended by itself.
    ended: Vec<Duration>,
    most_at_once: usize,
    /// When it was over, and the attempt that answered.
    over: Duration,
    winner: Option<usize>,
}

/// Runs a race over targets in their order, in virtual time. Each target has one attempt.
fn run(fates: &[Fate], delays: &[Option<Duration>]) -> Run {
    let start = Instant::now();
    let runner = |at: usize, now| Runner {
        number: u32::try_from(at).unwrap(),
        begun: now,
        delay: delays[at],
    };
    let mut race = Race::new(runner(0, start));
    let (mut now, mut running) = (start, vec![(start + fates[0].after, 0)]);
    let mut run = Run {
        begun: vec![Duration::ZERO],
        ended: vec![],
        most_at_once: 1,
        over: Duration::ZERO,
        winner: None,
    };
    loop {
        let until = match race.next(now) {
            Next::Over => break,
            Next::Wait(until) => until,
            Next::Hedge if run.begun.len() == fates.len() => {
                race.close();
                continue;
            }
            Next::Hedge => {
                let at = run.begun.len();
                race.hedged(runner(at, now));
                running.push((now + fates[at].after, at));
                run.begun.push(now - start);
                run.most_at_once = run.most_at_once.max(running.len());
                continue;
            }
        };
        let (place, (end, at)) =
            running.iter().copied().enumerate().min_by_key(|(_, r)| *r).unwrap();
        if until.is_some_and(|until| until < end) {
            now = until.unwrap();
            continue;
        }
        now = end;
        running.remove(place);
        run.ended.push(now - start);
        match fates[at].failure {
            None => {
                run.winner = Some(at);
                break;
            }
            Some(decision) => race.failed(u32::try_from(at).unwrap(), decision),
        }
    }
    run.over = now - start;
    run
}

#[test]
fn no_race_has_more_than_two_attempts_at_once_or_hedges_before_its_time() {
    let mut random = fastrand::Rng::with_seed(11);
    for _ in 0..20_000 {
        let count = random.usize(1..6);
        let fates: Vec<_> = (0..count)
            .map(|_| Fate {
                after: SECOND.mul_f64(random.f64() * 10.0),
                failure: [None, Some(MOVE), Some(STOP)][random.usize(..3)],
            })
            .collect();
        let delays: Vec<_> = (0..count)
            .map(|_| (random.u8(..4) > 0).then(|| SECOND.mul_f64(random.f64() * 10.0)))
            .collect();
        let race = run(&fates, &delays);
        let case = format!("{fates:?} {delays:?} {race:?}");
        assert!(race.most_at_once <= 2, "{case}");
        // The first hedge comes exactly when the first attempt has been silent for long enough.
        if let Some(hedged) = race.begun.get(1) {
            assert_eq!(Some(*hedged), delays[0], "{case}");
            assert!(fates[0].after >= *hedged, "{case}");
        }
        // Nobody waits longer than for the first attempt alone, if that is answered.
        if fates[0].failure.is_none() {
            assert!(race.winner.is_some() && race.over <= fates[0].after, "{case}");
        }
        // The race ends with the first answer of the attempts that were made.
        let answers = race.begun.iter().zip(&fates).filter(|(_, fate)| fate.failure.is_none());
        let earliest = answers.map(|(begun, fate)| *begun + fate.after).min();
        if race.winner.is_some() {
            assert_eq!(Some(race.over), earliest, "{case}");
        }
        // Without an answer, no attempt is left running, unless the first one failed for good.
        if race.winner.is_none() && fates.iter().all(|fate| fate.failure != Some(STOP)) {
            assert_eq!(race.ended.len(), race.begun.len(), "{case}");
        }
    }
}

#[test]
fn a_hedge_reads_from_json_and_back() {
    for (json, hedge) in [
        ("\"p95\"", Hedge::at_p95()),
        ("2.5", Hedge::after(Duration::from_millis(2500))),
        ("3.0", Hedge::after(SECOND * 3)),
    ] {
        assert_eq!(serde_json::from_str::<Hedge>(json).unwrap(), hedge);
        assert_eq!(serde_json::to_string(&hedge).unwrap(), json);
    }
    for (json, problem) in [
        ("\"p99\"", "a hedge must be \"p95\" or a number of seconds"),
        ("{}", "a hedge must be"),
        ("-1", "-1 is not a number of seconds of 0 or more"),
    ] {
        let error = serde_json::from_str::<Hedge>(json).unwrap_err().to_string();
        assert!(error.contains(problem), "{json}: {error}");
    }
    assert!(Hedge::after(Duration::ZERO).problem().is_some());
    assert!(Hedge::at_p95().problem().is_none());
}
