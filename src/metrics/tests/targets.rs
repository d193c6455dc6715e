//! Example targets of a route.

use super::*;
use crate::routing::{
    Answered, BreakerConfig, Failover, RouteState, RoutedTarget, Rules, TargetState, TargetStatus,
};

/// One target that answers, one that rests, and one that is disabled.
pub(super) fn targets() -> Vec<TargetStatus> {
    let now = Instant::now();
    let target = |name: &str| {
        let state = TargetState::new("openai", "gpt-4o", BreakerConfig::default(), now);
        RoutedTarget::new(name.to_owned(), Arc::new(state))
    };
    let (mut healthy, mut resting, mut disabled) =
        (target("first key"), target("second \"key\""), target("third key"));
    disabled.enabled = false;
    let answer = |millis_taken: u64| Answered {
        whole: Some(millis(millis_taken)),
        ..Answered::of(&Usage::reported(1_000, 50), Some(Money::cents(1)), millis(millis_taken))
    };
    for (at, target) in [&mut healthy, &mut resting].into_iter().enumerate() {
        for call in 0..100 {
            let mut ticket = target.admit(now).unwrap();
            ticket.served_with(&answer(500 + 10 * call + 700 * at as u64), now);
        }
    }
    let mut stream = healthy.admit(now).unwrap();
    let first = Answered { first_token: Some(millis(240)), ..Answered::default() };
    stream.served_with(&first, now);
    std::mem::forget(stream);
    let mut wrong = healthy.admit(now).unwrap();
    wrong.failed(&Error::new(ErrorKind::InvalidRequest, ""), millis(9), false, now);
    drop(wrong);
    let mut limited = resting.admit(now).unwrap();
    let busy = Error::new(ErrorKind::RateLimited, "").with_retry_hints(Some(millis(40_000)), None);
    limited.failed(&busy, millis(9), false, now);
    drop(limited);
    resting.failed_over();
    let all = vec![healthy, resting, disabled];
    let route = RouteState::new("chat".into(), Arc::new(Failover), Rules::DEFAULT, all);
    route.status(now).collect()
}
