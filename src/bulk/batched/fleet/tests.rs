//! Batches in virtual time: an unreliable provider, and items that are read meanwhile.

use std::collections::BTreeMap;
use std::time::Duration;

use super::*;
use crate::bulk::verdict::OnBudget;
use crate::error::ErrorKind;

const SECOND: Duration = Duration::from_secs(1);

/// An item: its id, and how often it was submitted again.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Item(String, u32);

impl InBatch for Item {
    fn id(&self) -> &str {
        &self.0
    }

    fn rounds(&mut self) -> &mut u32 {
        &mut self.1
    }
}

fn item(number: usize) -> Item {
    Item(number.to_string(), 0)
}

fn rules(fall_back: bool) -> Rules {
    Rules { fall_back, on_budget: OnBudget::Stop, pause: (SECOND, SECOND * 60) }
}

fn fleet(fall_back: bool, most: usize, in_flight: usize) -> Fleet<Item> {
    Fleet::new(rules(fall_back), most, in_flight)
}

fn openai() -> Provider {
    Provider::from("openai")
}

fn failed(kind: ErrorKind) -> BatchOutcome {
    BatchOutcome::Failed(Error::new(kind, "no"))
}

fn answer() -> BatchOutcome {
    let response = serde_json::from_str(
        r#"{"message": {"role": "assistant", "content": []}, "finish_reason": "stop",
            "usage": {}, "model": "m", "provider": "openai", "rate_limit": {},
            "latency": {"secs": 0, "nanos": 0}, "raw": ""}"#,
    );
    BatchOutcome::Answered(Box::new(response.unwrap()))
}

/// It has no results left.
fn landing() -> Landing {
    Landing { error: None, is_over: true, has_lines: true }
}

fn launch(fleet: &mut Fleet<Item>, any: bool, now: Instant) -> Option<(u64, Vec<Item>)> {
    let launch = fleet.launch(any, || "name".to_owned(), now)?;
    Some((launch.number, launch.jobs))
}

/// Runs items to the end. Returns how each ended.
fn simulate(seed: u64, count: usize) -> BTreeMap<String, &'static str> {
    let mut random = fastrand::Rng::with_seed(seed);
    let (most, limit) = (random.usize(1..9), random.usize(1..4));
    let mut fleet = fleet(random.bool(), most, limit);
    let begun = Instant::now();
    let mut now = begun;
    // An earlier run submitted some.
    let earlier = random.usize(0..=count.min(10));
    let mut flights: Vec<(u64, Vec<Item>)> = Vec::new();
    if earlier > 0 {
        let claims = (0..earlier).map(|number| (number.to_string(), Fingerprint(0)));
        let number = fleet.resume("earlier".to_owned(), openai(), claims);
        fleet.not_created(number, &[]);
        flights.push((number, (0..earlier).map(item).collect()));
    }
    let (mut read, mut ended, mut most_in_flight) = (0, BTreeMap::new(), 0);
    let mut end = |item: Item, how| {
        assert_eq!(ended.insert(item.0.clone(), how), None, "{item:?} ended twice");
    };
    let mut over = 0;
    loop {
        if read < count {
            let next = item(read);
            read += 1;
            match fleet.claim(next.id()) {
                Some((number, _)) => match fleet.park(number, next) {
                    Some(Action::Receive(item, _, number)) => {
                        end(item, "received");
                        fleet.received(number);
                    }
                    Some(Action::Call(item)) => end(item, "called"),
                    Some(Action::Undone(item, _)) => end(item, "undone"),
                    None => {}
                },
                None => fleet.add(&openai(), next),
            }
        }
        while let Some((number, jobs)) = launch(&mut fleet, read == count, now) {
            assert!(jobs.len() <= most);
            fleet.submitted(number, jobs.clone());
            flights.push((number, jobs));
        }
        most_in_flight = most_in_flight.max(fleet.in_flight());
        if read == count && flights.is_empty() {
            match fleet.next_due() {
                Some(due) => now = now.max(due),
                None => break,
            }
            continue;
        }
        if flights.is_empty() || random.bool() {
            continue;
        }
        let (number, jobs) = flights.swap_remove(random.usize(..flights.len()));
        let refused = random.u8(..8) == 0;
        let mut actions = Vec::new();
        for job in &jobs {
            let outcome = match random.u8(..6) {
                _ if refused => failed(ErrorKind::RateLimited),
                0 => BatchOutcome::Expired,
                1 => BatchOutcome::Cancelled,
                2 => failed(ErrorKind::InvalidRequest),
                3 => failed(ErrorKind::Overloaded),
                _ => answer(),
            };
            actions.extend(fleet.result(number, job.0.clone(), outcome, refused));
        }
        actions.extend(fleet.landed(number, landing(), now));
        for action in actions {
            match action {
                Action::Receive(item, _, number) => {
                    end(item, "received");
                    fleet.received(number);
                }
                Action::Call(item) => end(item, "called"),
                Action::Undone(item, _) => end(item, "undone"),
            }
        }
        over += fleet.over(false).len();
    }
    over += fleet.over(true).len();
    assert!(over > 0 || count == 0);
    assert!(fleet.flights.is_empty() && fleet.waiting() == 0, "{seed}");
    assert!(most_in_flight <= limit, "{seed}");
    ended
}

#[test]
fn every_item_ends_once_whatever_its_batches_do() {
    for seed in 0..500 {
        let count = usize::try_from(seed % 60).expect("a small number");
        let ended = simulate(seed, count);
        assert_eq!(ended.len(), count, "{seed}");
        assert!(ended.values().all(|how| *how != "undone"), "{seed}");
    }
}

#[test]
fn items_that_are_submitted_again_stay_together() {
    let (mut fleet, now) = (fleet(false, 10, 2), Instant::now());
    (0..10).for_each(|number| fleet.add(&openai(), item(number)));
    let (number, jobs) = launch(&mut fleet, false, now).unwrap();
    fleet.submitted(number, jobs.clone());
    for job in &jobs {
        assert!(
            fleet.result(number, job.0.clone(), failed(ErrorKind::Overloaded), false).is_none()
        );
    }
    assert!(fleet.landed(number, landing(), now).is_empty());
    assert!(launch(&mut fleet, true, now).is_none(), "they wait");
    assert_eq!(fleet.next_due(), Some(now + SECOND));
    let (_, again) = launch(&mut fleet, true, now + SECOND).unwrap();
    assert_eq!(again.len(), 10);
    assert!(again.iter().all(|job| job.1 == 1));
}

#[test]
fn a_refused_batch_waits_for_the_others_and_keeps_its_chances() {
    let (mut fleet, now) = (fleet(false, 1, 2), Instant::now());
    (0..2).for_each(|number| fleet.add(&openai(), item(number)));
    let flights = [(); 2].map(|()| {
        let (number, jobs) = launch(&mut fleet, false, now).unwrap();
        assert!(launch(&mut fleet, true, now).is_none(), "one is submitted at a time");
        fleet.submitted(number, jobs.clone());
        (number, jobs)
    });
    let [(first, refused), (second, _)] = flights;
    let outcome = failed(ErrorKind::RateLimited);
    assert!(fleet.result(first, refused[0].0.clone(), outcome, true).is_none());
    fleet.landed(first, landing(), now);
    assert!(launch(&mut fleet, true, now).is_none());
    fleet.landed(second, landing(), now);
    let (_, again) = launch(&mut fleet, true, now).unwrap();
    assert_eq!(again, refused, "it counts as no attempt");
}

#[test]
fn a_batch_is_over_once_all_its_items_have_lines() {
    let (mut fleet, now) = (fleet(false, 2, 1), Instant::now());
    let claims = ["a", "b", "c"].map(|id| (id.to_owned(), Fingerprint(7)));
    let number = fleet.resume("earlier".to_owned(), openai(), claims);
    assert_eq!(fleet.claim("a"), Some((number, Fingerprint(7))));
    assert!(fleet.park(number, Item("a".to_owned(), 0)).is_none());
    let action = fleet.result(number, "a".to_owned(), answer(), false);
    assert!(matches!(action, Some(Action::Receive(..))));
    assert!(fleet.result(number, "b".to_owned(), answer(), false).is_none());
    // An item that failed is submitted again when it is read.
    assert!(fleet.result(number, "c".to_owned(), BatchOutcome::Expired, false).is_none());
    assert_eq!(fleet.claim("c"), None);
    fleet.landed(number, landing(), now);
    assert!(fleet.over(true).is_empty(), "a worker has the first");
    fleet.received(number);
    assert!(fleet.over(false).is_empty(), "the second may still be read");
    let over = fleet.over(true).pop().unwrap();
    assert_eq!((over.name.as_str(), over.unread.len()), ("earlier", 1));
    assert_eq!((over.unread[0].id.as_str(), over.unread[0].request), ("b", Fingerprint(7)));
}

#[test]
fn items_of_a_batch_that_is_not_read_are_not_done() {
    let (mut fleet, now) = (fleet(true, 1, 1), Instant::now());
    fleet.add(&openai(), item(1));
    let (number, jobs) = launch(&mut fleet, false, now).unwrap();
    fleet.submitted(number, jobs);
    let late = Landing { error: Some(Error::cancelled()), ..Landing::default() };
    let actions = fleet.landed(number, late, now);
    assert!(matches!(&actions[..], [Action::Undone(..)]));
    assert!(fleet.over(true).is_empty(), "a later run reads it");
}

#[test]
fn the_later_of_two_interrupted_batches_has_the_item() {
    let mut fleet = fleet(false, 1, 2);
    let claim = || [("a".to_owned(), Fingerprint(7))];
    let first = fleet.resume("first".to_owned(), openai(), claim());
    let second = fleet.resume("second".to_owned(), openai(), claim());
    fleet.not_created(first, &["a".to_owned()]);
    assert!(fleet.result(first, "a".to_owned(), BatchOutcome::Expired, false).is_none());
    assert!(fleet.result(first, "a".to_owned(), answer(), false).is_none());
    fleet.landed(first, landing(), Instant::now());
    assert_eq!(fleet.over(true).pop().map(|over| over.unread.len()), Some(0));
    assert_eq!(fleet.claim("a"), Some((second, Fingerprint(7))));
}
