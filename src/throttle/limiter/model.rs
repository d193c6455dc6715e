//! Model checks of the lines under every interleaving of their locks (loom): nobody waits for ever,
//! and no room is lost.
//!
//! ```text
//! RUSTFLAGS="--cfg loom" LOOM_MAX_PREEMPTIONS=3 cargo test --release --lib limiter::model
//! ```
//!
//! A model has no clock. A deadline and a cancellation take the same path, so these tests cancel.

use loom::thread;

use super::*;
use crate::cancel::CancelToken;
use crate::deadline::Deadline;
use crate::throttle::rule::{InFlight, Scope};

/// A limiter with limits of one call in flight each.
fn limiter(limits: usize) -> Arc<Limiter> {
    let rule = || Rule {
        name: "one".to_owned(),
        scope: Scope::default(),
        allowance: Allowance::Set { requests: None, tokens: None, in_flight: InFlight::AtMost(1) },
    };
    Limiter::in_memory((0..limits).map(|_| rule()).collect())
}

fn demand(rules: &[usize]) -> Arc<Demand> {
    let key = |rule: &usize| AccountKey { rule: *rule, account: String::new() };
    Arc::new(Demand { accounts: rules.iter().map(key).collect(), amount: Amount::default() })
}

fn reserve(limiter: &Arc<Limiter>, demands: &[Arc<Demand>], token: Option<&CancelToken>) -> bool {
    let bounds = Bounds { deadline: Deadline::never(), cancel: token.cloned() };
    limiter.reserve(demands, &bounds).is_ok()
}

fn assert_unused(limiter: &Arc<Limiter>) {
    assert!(limiter.status().iter().all(|limit| limit.in_flight == 0 && limit.waiting == 0));
    assert!(limiter.waiting.lock().signals.is_empty());
}

#[test]
fn a_release_against_a_caller_that_begins_to_wait() {
    loom::model(|| {
        let limiter = limiter(1);
        let held = limiter.try_reserve(&demand(&[0])).ok();
        let waiter = {
            let limiter = Arc::clone(&limiter);
            thread::spawn(move || assert!(reserve(&limiter, &[demand(&[0])], None)))
        };
        drop(held);
        waiter.join().unwrap();
        assert_unused(&limiter);
    });
}

#[test]
fn two_waiting_callers_are_both_served() {
    loom::model(|| {
        let limiter = limiter(1);
        let held = limiter.try_reserve(&demand(&[0])).ok();
        let waiters: Vec<_> = (0..2)
            .map(|_| {
                let limiter = Arc::clone(&limiter);
                thread::spawn(move || assert!(reserve(&limiter, &[demand(&[0])], None)))
            })
            .collect();
        drop(held);
        for waiter in waiters {
            waiter.join().unwrap();
        }
        assert_unused(&limiter);
    });
}

#[test]
fn a_caller_that_gives_up_does_not_strand_the_next() {
    loom::model(|| {
        let limiter = limiter(1);
        let held = limiter.try_reserve(&demand(&[0])).ok();
        let token = CancelToken::new();
        let quitter = {
            let (limiter, token) = (Arc::clone(&limiter), token.clone());
            thread::spawn(move || reserve(&limiter, &[demand(&[0])], Some(&token)))
        };
        let waiter = {
            let limiter = Arc::clone(&limiter);
            thread::spawn(move || assert!(reserve(&limiter, &[demand(&[0])], None)))
        };
        token.cancel();
        drop(held);
        quitter.join().unwrap();
        waiter.join().unwrap();
        assert_unused(&limiter);
    });
}

#[test]
fn a_caller_of_two_limits_against_the_release_of_both() {
    loom::model(|| {
        let limiter = limiter(2);
        let held = [[0], [1]].map(|rules| limiter.try_reserve(&demand(&rules)).ok());
        let waiter = {
            let limiter = Arc::clone(&limiter);
            thread::spawn(move || assert!(reserve(&limiter, &[demand(&[0, 1])], None)))
        };
        drop(held);
        waiter.join().unwrap();
        assert_unused(&limiter);
    });
}

#[test]
fn a_caller_with_a_choice_against_the_release_of_one() {
    loom::model(|| {
        let limiter = limiter(2);
        let kept = limiter.try_reserve(&demand(&[0])).ok();
        let held = limiter.try_reserve(&demand(&[1])).ok();
        let waiter = {
            let limiter = Arc::clone(&limiter);
            let demands = [demand(&[0]), demand(&[1])];
            thread::spawn(move || assert!(reserve(&limiter, &demands, None)))
        };
        drop(held);
        waiter.join().unwrap();
        drop(kept);
        assert_unused(&limiter);
    });
}
