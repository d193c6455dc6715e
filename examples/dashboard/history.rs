use serde::Serialize;
use serde_json::{Value, json};
use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tollgate::cost::BudgetStatus;
use tollgate::metrics::{CallSample, ModelStats, Window};
use tollgate::route::TargetStatus;
use tollgate::{Histogram, MetricsSnapshot};

/// How many points are kept: five minutes, and a few more to compute the first rate from.
const KEPT: usize = 310;

/// How many budgets the page gets.
const BUDGETS: usize = 12;

/// The numbers of the last five minutes, so that a page has something to draw as soon as it opens.
#[derive(Debug)]
pub(crate) struct History {
    /// Identifies this run of the program.
    begun: f64,
    points: Mutex<VecDeque<Point>>,
}

/// The numbers at one moment. Calls and tokens are counted since the start.
#[derive(Debug, Clone, Serialize)]
struct Point {
    number: u64,
    /// Seconds since 1970, like every time that the page gets.
    at: f64,
    answered: u64,
    failed: u64,
    refused: u64,
    retried: u64,
    input: u64,
    output: u64,
    /// Over the last minute, in seconds.
    p50: Option<f64>,
    p90: Option<f64>,
    p99: Option<f64>,
    active: usize,
    idle: usize,
    waiting: usize,
}

impl History {
    pub(crate) fn new() -> Self {
        Self { begun: seconds(SystemTime::now()), points: Mutex::default() }
    }

    /// Adds the numbers of a snapshot.
    pub(crate) fn note(&self, snapshot: &MetricsSnapshot) {
        let (total, pool) = (&snapshot.total, &snapshot.pool.total);
        let latency = &snapshot.windows.one_minute.stats.latency;
        let mut points = self.points.lock().unwrap_or_else(PoisonError::into_inner);
        let number = points.back().map_or(1, |last| last.number + 1);
        points.push_back(Point {
            number,
            at: seconds(snapshot.at),
            answered: total.answered,
            failed: total.failed,
            refused: total.refused,
            retried: total.retried(),
            input: total.tokens.input,
            output: total.tokens.output,
            p50: quantile(latency, 0.5),
            p90: quantile(latency, 0.9),
            p99: quantile(latency, 0.99),
            active: pool.active,
            idle: pool.idle,
            waiting: pool.waiting,
        });
        if points.len() > KEPT {
            points.pop_front();
        }
    }

    /// The data of the page, with the points after number `after`.
    pub(crate) fn json(&self, snapshot: &MetricsSnapshot, after: u64) -> Value {
        let points: Vec<Point> = {
            let points = self.points.lock().unwrap_or_else(PoisonError::into_inner);
            points.iter().filter(|point| point.number > after).cloned().collect()
        };
        let (minute, costs) = (&snapshot.windows.one_minute, &snapshot.costs);
        let mut budgets: Vec<&BudgetStatus> = costs.budgets.iter().collect();
        budgets.sort_by(|left, right| right.utilisation().total_cmp(&left.utilisation()));
        budgets.truncate(BUDGETS);
        let errors = &snapshot.windows.five_minutes.stats.errors;
        let errors = errors.iter().map(|(kind, errors)| json!([kind.to_string(), errors.calls]));
        json!({
            "begun": self.begun,
            "now": seconds(snapshot.at),
            "uptime": snapshot.uptime.as_secs_f64(),
            "in_flight": snapshot.in_flight,
            "calls": snapshot.total.calls,
            // As charged to budgets, so including attempts that were billed without an answer.
            "cost": costs.total.cost.total.as_dollars(),
            "unpriced": snapshot.total.unpriced,
            "retries_left": snapshot.retries_left,
            "minute": window(minute),
            "points": points,
            "pool": {
                "opened": snapshot.pool.total.opened,
                "reused": snapshot.pool.total.reused,
                "wait": quantile(&snapshot.pool.total.waits, 0.99),
            },
            "models": snapshot.by_model.iter().map(model).collect::<Vec<_>>(),
            "targets": snapshot.targets.iter().map(target).collect::<Vec<_>>(),
            "budgets": budgets.into_iter().map(budget).collect::<Vec<_>>(),
            "errors": errors.collect::<Vec<_>>(),
            "failed": snapshot.failed.iter().map(sample).collect::<Vec<_>>(),
            "slowest": snapshot.slowest.iter().map(sample).collect::<Vec<_>>(),
        })
    }
}

fn window(window: &Window) -> Value {
    let (stats, span) = (&window.stats, window.span.as_secs_f64());
    json!({
        "calls": stats.calls,
        "rate": window.rate(),
        "failed": stats.failed,
        "refused": stats.refused,
        "retried": stats.retried(),
        "error_rate": stats.error_rate(),
        "p50": quantile(&stats.latency, 0.5),
        "p90": quantile(&stats.latency, 0.9),
        "p99": quantile(&stats.latency, 0.99),
        "first_p50": quantile(&stats.time_to_first_token, 0.5),
        "first_p99": quantile(&stats.time_to_first_token, 0.99),
        "speed": (stats.output_rate.count() > 0).then(|| stats.output_rate.quantile(0.5)),
        "cost": stats.cost.as_dollars(),
        "cost_rate": if span > 0.0 { stats.cost.as_dollars() / span } else { 0.0 },
    })
}

fn model(model: &ModelStats) -> Value {
    json!({
        "provider": model.provider,
        "model": model.model,
        "in_flight": model.in_flight,
        "recent": window(&model.windows.five_minutes),
    })
}

fn target(target: &TargetStatus) -> Value {
    json!({
        "route": target.route,
        "name": target.name,
        "enabled": target.enabled,
        "breaker": target.breaker.as_str(),
        "rests": target.rests.map(|reason| reason.to_string()),
        "returns_in": target.returns_in.as_ref().map(Duration::as_secs_f64),
        "recovery": target.recovery,
        "in_flight": target.in_flight,
        "rate": target.attempts_per_minute,
        "answered": target.answered,
        "failed": target.failed,
        "failovers": target.failovers,
        "failure_share": target.failure_share,
        "p50": quantile(&target.latencies, 0.5),
        "p99": quantile(&target.latencies, 0.99),
        "first_p50": quantile(&target.first_tokens, 0.5),
        "cost_per_call": target.cost_per_call.map(|money| money.as_dollars()),
        "cost": target.cost.as_dollars(),
    })
}

fn budget(status: &BudgetStatus) -> Value {
    json!({
        "budget": status.budget,
        "account": status.account,
        "window": status.window,
        "ends": status.ends.map(seconds),
        "soft": status.soft,
        "limit": status.limit.as_dollars(),
        "spent": status.spent.as_dollars(),
        "reserved": status.reserved.as_dollars(),
        "left": status.left.as_dollars(),
        "projected": status.projected.map(|money| money.as_dollars()),
    })
}

fn sample(sample: &CallSample) -> Value {
    let failure = sample.failure.as_ref().map(|failure| {
        json!({
            "kind": failure.kind.to_string(),
            "status": failure.status,
            "message": failure.message,
        })
    });
    json!({
        "at": seconds(sample.at),
        "provider": sample.provider,
        "model": sample.model,
        "latency": sample.latency.as_secs_f64(),
        "first": sample.time_to_first_token.as_ref().map(Duration::as_secs_f64),
        "failure": failure,
        "attempts": sample.attempts.iter().map(ToString::to_string).collect::<Vec<_>>(),
        "request_id": sample.request_id,
        "tags": sample.tags,
    })
}

/// In seconds; `None` if nothing was measured.
fn quantile(times: &Histogram, share: f64) -> Option<f64> {
    (times.count() > 0).then(|| times.quantile(share).as_secs_f64())
}

fn seconds(at: SystemTime) -> f64 {
    at.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64()
}
