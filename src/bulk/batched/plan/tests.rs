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

fn plan(fall_back: bool, most: usize, in_flight: usize) -> Plan<Item> {
    Plan::new(rules(fall_back), most, in_flight)
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
fn usual() -> BatchEnd {
    BatchEnd { error: None, is_over: true, has_lines: true }
}

fn next_batch(plan: &mut Plan<Item>, any: bool, now: Instant) -> Option<(u64, Vec<Item>)> {
    let next = plan.next_batch(any, || "name".to_owned(), now)?;
    Some((next.number, next.jobs))
}

/// Runs items to the end. Returns how each ended.
fn simulate(seed: u64, count: usize) -> BTreeMap<String, &'static str> {
    let mut random = fastrand::Rng::with_seed(seed);
    let (most, limit) = (random.usize(1..9), random.usize(1..4));
    let mut plan = plan(random.bool(), most, limit);
    let begun = Instant::now();
    let mut now = begun;
    // An earlier run submitted some.
    let earlier = random.usize(0..=count.min(10));
    let mut batches: Vec<(u64, Vec<Item>)> = Vec::new();
    if earlier > 0 {
        let claims = (0..earlier).map(|number| (number.to_string(), Fingerprint(0)));
        let number = plan.resume("earlier".to_owned(), openai(), claims);
        plan.not_created(number, &[]);
        batches.push((number, (0..earlier).map(item).collect()));
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
            match plan.claim(next.id()) {
                Some((number, _)) => match plan.park(number, next) {
                    Some(Action::Receive(item, _, number)) => {
                        end(item, "received");
                        plan.received(number);
                    }
                    Some(Action::Call(item)) => end(item, "called"),
                    Some(Action::Undone(item, _)) => end(item, "undone"),
                    None => {}
                },
                None => plan.add(&openai(), next),
            }
        }
        while let Some((number, jobs)) = next_batch(&mut plan, read == count, now) {
            assert!(jobs.len() <= most);
            plan.submitted(number, jobs.clone());
            batches.push((number, jobs));
        }
        most_in_flight = most_in_flight.max(plan.in_flight());
        if read == count && batches.is_empty() {
            match plan.next_due() {
                Some(due) => now = now.max(due),
                None => break,
            }
            continue;
        }
        if batches.is_empty() || random.bool() {
            continue;
        }
        let (number, jobs) = batches.swap_remove(random.usize(..batches.len()));
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
            actions.extend(plan.result(number, job.0.clone(), outcome, refused));
        }
        actions.extend(plan.ended(number, usual(), now));
        for action in actions {
            match action {
                Action::Receive(item, _, number) => {
                    end(item, "received");
                    plan.received(number);
                }
                Action::Call(item) => end(item, "called"),
                Action::Undone(item, _) => end(item, "undone"),
            }
        }
        over += plan.over(false).len();
    }
    over += plan.over(true).len();
    assert!(over > 0 || count == 0);
    assert!(plan.batches.is_empty() && plan.waiting() == 0, "{seed}");
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
    let (mut plan, now) = (plan(false, 10, 2), Instant::now());
    (0..10).for_each(|number| plan.add(&openai(), item(number)));
    let (number, jobs) = next_batch(&mut plan, false, now).unwrap();
    plan.submitted(number, jobs.clone());
    for job in &jobs {
        assert!(plan.result(number, job.0.clone(), failed(ErrorKind::Overloaded), false).is_none());
    }
    assert!(plan.ended(number, usual(), now).is_empty());
    assert!(next_batch(&mut plan, true, now).is_none(), "they wait");
    assert_eq!(plan.next_due(), Some(now + SECOND));
    let (_, again) = next_batch(&mut plan, true, now + SECOND).unwrap();
    assert_eq!(again.len(), 10);
    assert!(again.iter().all(|job| job.1 == 1));
}

#[test]
fn a_refused_batch_waits_for_the_others_and_keeps_its_chances() {
    let (mut plan, now) = (plan(false, 1, 2), Instant::now());
    (0..2).for_each(|number| plan.add(&openai(), item(number)));
    let batches = [(); 2].map(|()| {
        let (number, jobs) = next_batch(&mut plan, false, now).unwrap();
        assert!(next_batch(&mut plan, true, now).is_none(), "one is submitted at a time");
        plan.submitted(number, jobs.clone());
        (number, jobs)
    });
    let [(first, refused), (second, _)] = batches;
    let outcome = failed(ErrorKind::RateLimited);
    assert!(plan.result(first, refused[0].0.clone(), outcome, true).is_none());
    plan.ended(first, usual(), now);
    assert!(next_batch(&mut plan, true, now).is_none());
    plan.ended(second, usual(), now);
    let (_, again) = next_batch(&mut plan, true, now).unwrap();
    assert_eq!(again, refused, "it counts as no attempt");
}

#[test]
fn a_batch_is_over_once_all_its_items_have_lines() {
    let (mut plan, now) = (plan(false, 2, 1), Instant::now());
    let claims = ["a", "b", "c"].map(|id| (id.to_owned(), Fingerprint(7)));
    let number = plan.resume("earlier".to_owned(), openai(), claims);
    assert_eq!(plan.claim("a"), Some((number, Fingerprint(7))));
    assert!(plan.park(number, Item("a".to_owned(), 0)).is_none());
    let action = plan.result(number, "a".to_owned(), answer(), false);
    assert!(matches!(action, Some(Action::Receive(..))));
    assert!(plan.result(number, "b".to_owned(), answer(), false).is_none());
    // An item that failed is submitted again when it is read.
    assert!(plan.result(number, "c".to_owned(), BatchOutcome::Expired, false).is_none());
    assert_eq!(plan.claim("c"), None);
    plan.ended(number, usual(), now);
    assert!(plan.over(true).is_empty(), "a worker has the first");
    plan.received(number);
    assert!(plan.over(false).is_empty(), "the second may still be read");
    let over = plan.over(true).pop().unwrap();
    assert_eq!((over.name.as_str(), over.unread.len()), ("earlier", 1));
    assert_eq!((over.unread[0].id.as_str(), over.unread[0].request), ("b", Fingerprint(7)));
}

#[test]
fn items_of_a_batch_that_is_not_read_are_not_done() {
    let (mut plan, now) = (plan(true, 1, 1), Instant::now());
    plan.add(&openai(), item(1));
    let (number, jobs) = next_batch(&mut plan, false, now).unwrap();
    plan.submitted(number, jobs);
    let late = BatchEnd { error: Some(Error::cancelled()), ..BatchEnd::default() };
    let actions = plan.ended(number, late, now);
    assert!(matches!(&actions[..], [Action::Undone(..)]));
    assert!(plan.over(true).is_empty(), "a later run reads it");
}

#[test]
fn the_later_of_two_interrupted_batches_has_the_item() {
    let mut plan = plan(false, 1, 2);
    let claim = || [("a".to_owned(), Fingerprint(7))];
    let first = plan.resume("first".to_owned(), openai(), claim());
    let second = plan.resume("second".to_owned(), openai(), claim());
    plan.not_created(first, &["a".to_owned()]);
    assert!(plan.result(first, "a".to_owned(), BatchOutcome::Expired, false).is_none());
    assert!(plan.result(first, "a".to_owned(), answer(), false).is_none());
    plan.ended(first, usual(), Instant::now());
    assert_eq!(plan.over(true).pop().map(|over| over.unread.len()), Some(0));
    assert_eq!(plan.claim("a"), Some((second, Fingerprint(7))));
}
