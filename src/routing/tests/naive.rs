//! A breaker that keeps every call and counts anew each time. Slow, but plainly what the guide's
//! page on routing says.

use std::time::Duration;

use super::{BreakerConfig, Outcome};

pub(super) struct Breaker {
    config: BreakerConfig,
    /// When each call since the last change ended, and whether it failed.
    calls: Vec<(Duration, bool)>,
    /// When the rest ends; `None` if it does not rest.
    until: Option<Duration>,
    /// Whether a call is finding out how the target is after a rest.
    is_probed: bool,
    next_rest: Duration,
    /// How often it began or ended to rest.
    changes: u64,
}

/// An attempt that it let through.
#[derive(Debug, Default)]
pub(super) struct Permit {
    changes: u64,
    is_probe: bool,
}

impl Breaker {
    pub(super) fn new(config: BreakerConfig) -> Self {
        Self {
            config,
            calls: Vec::new(),
            until: None,
            is_probed: false,
            next_rest: config.rest,
            changes: 0,
        }
    }

    /// Whether an attempt may begin.
    pub(super) fn is_ready(&self, now: Duration) -> bool {
        self.until.is_none_or(|until| until <= now && !self.is_probed)
    }

    /// Notes that an attempt begins. Fails if it should not.
    pub(super) fn begins(&mut self, now: Duration) -> Result<Permit, String> {
        if !self.is_ready(now) {
            let (until, probed) = (self.until, self.is_probed);
            return Err(format!("it rests until {until:?}, and is probed: {probed}"));
        }
        let is_probe = self.until.is_some();
        self.is_probed = is_probe;
        Ok(Permit { changes: self.changes, is_probe })
    }

    /// Notes how it ended.
    pub(super) fn ends(&mut self, permit: Permit, outcome: Outcome, now: Duration) {
        let is_current = permit.changes == self.changes;
        let is_probe = permit.is_probe && is_current;
        match outcome {
            Outcome::Neutral => self.is_probed &= !is_probe,
            Outcome::Served if is_probe => self.returns(),
            Outcome::Failed if is_probe => self.rests(self.next_rest, true, now),
            Outcome::Served | Outcome::Failed => {
                if is_current {
                    self.calls.push((now, outcome == Outcome::Failed));
                    if self.until.is_none() && outcome == Outcome::Failed && self.is_too_much(now) {
                        self.rests(self.next_rest, true, now);
                    }
                }
            }
            Outcome::Limited(wait) => self.rests_at_least(wait, is_probe, now),
            Outcome::Unusable => self.rests_at_least(self.config.max_rest, is_probe, now),
        }
    }

    /// Whether half of the calls of the last 30 seconds failed, or the last five did.
    fn is_too_much(&self, now: Duration) -> bool {
        // The window moves in ten steps.
        let step = (self.config.window / 10).as_nanos();
        let is_recent = |at: Duration| at.as_nanos() / step + 10 > now.as_nanos() / step;
        let recent: Vec<bool> =
            self.calls.iter().filter(|(at, _)| is_recent(*at)).map(|(_, failed)| *failed).collect();
        let failed = recent.iter().filter(|failed| **failed).count();
        let share = failed as f64 / recent.len().max(1) as f64;
        let in_a_row = self.calls.iter().rev().take_while(|(_, failed)| *failed).count();
        recent.len() >= self.config.min_calls as usize && share >= self.config.failure_share
            || in_a_row >= self.config.consecutive_failures as usize
    }

    fn rests(&mut self, rest: Duration, doubles: bool, now: Duration) {
        self.until = Some(now + rest);
        if doubles {
            self.next_rest = (rest * 2).min(self.config.max_rest);
        }
        self.is_probed = false;
        self.changes += 1;
    }

    fn rests_at_least(&mut self, rest: Duration, is_probe: bool, now: Duration) {
        if self.until.is_none_or(|until| until < now + rest) {
            self.rests(rest, false, now);
        } else {
            self.is_probed &= !is_probe;
        }
    }

    fn returns(&mut self) {
        self.until = None;
        self.is_probed = false;
        self.calls.clear();
        self.next_rest = self.config.rest;
        self.changes += 1;
    }
}
