//! Metrics for terminals.

use std::fmt;

use super::sample::CallSample;
use super::snapshot::MetricsSnapshot;
use super::stats::Stats;
use crate::cost::{BudgetStatus, Money};
use crate::display::{self, counted};
use crate::histogram::Histogram;
use crate::routing::TargetStatus;
use crate::time::rfc3339;

/// How many models are shown, and how many calls and budgets.
const MODELS: usize = 20;
const FEW: usize = 5;

/// How many columns a name takes.
const NAME: usize = 22;

/// How wide a terminal is assumed to be.
const COLUMNS: usize = 80;

/// Tables of at most 80 columns, in plain text.
impl fmt::Display for MetricsSnapshot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let all = f.alternate();
        let (models, few) = if all { (usize::MAX, usize::MAX) } else { (MODELS, FEW) };
        summary(f, self)?;
        head(f, "")?;
        row(f, "last minute", &self.windows.one_minute.stats)?;
        row(f, "last 5 minutes", &self.windows.five_minutes.stats)?;
        row(f, "last 15 minutes", &self.windows.fifteen_minutes.stats)?;
        row(f, "since the start", &self.total)?;
        if !self.by_model.is_empty() {
            head(f, "Model, since the start")?;
            for model in self.by_model.iter().take(models) {
                row(f, &target(&model.provider, &model.model), &model.total)?;
            }
            left_out(f, self.by_model.len().saturating_sub(models))?;
        }
        targets(f, &self.targets, models)?;
        errors(f, &self.total)?;
        samples(f, "Recent failures (UTC)", &self.failed, few, all)?;
        samples(f, "Slowest in 15 minutes (UTC)", &self.slowest, few, all)?;
        budgets(f, &self.costs.budgets, few)
    }
}

/// The totals in words.
fn summary(f: &mut fmt::Formatter<'_>, snapshot: &MetricsSnapshot) -> fmt::Result {
    let (total, tokens) = (&snapshot.total, display::tokens);
    let cost = display::cost(total.cost, total.unpriced);
    write!(f, "{} for {cost}", counted(total.calls, "call"))?;
    write!(f, " in {}", display::duration(snapshot.uptime))?;
    writeln!(f, ", {} in flight", display::count(snapshot.in_flight))?;
    let mut sign = "";
    for (calls, how) in [
        (total.failed, "failed"),
        (total.cancelled, "cancelled"),
        (total.refused, "refused by a budget"),
    ] {
        if calls > 0 {
            write!(f, "{sign}{} {how}", display::count(calls))?;
            sign = ", ";
        }
    }
    f.write_str(if sign.is_empty() { "" } else { "\n" })?;
    write!(f, "{} input tokens", tokens(total.tokens.input))?;
    if total.tokens.cached > 0 {
        write!(f, " ({} cached)", tokens(total.tokens.cached))?;
    }
    write!(f, ", {} output tokens", tokens(total.tokens.output))?;
    if total.tokens.reasoning > 0 {
        write!(f, " ({} reasoning)", tokens(total.tokens.reasoning))?;
    }
    f.write_str("\n")?;
    if total.unpriced > 0 {
        let calls = counted(total.unpriced, "call");
        writeln!(f, "! NOT IN THE COST: {calls} to models without a known price")?;
    }
    if snapshot.costs.unrecorded > 0 {
        let calls = counted(snapshot.costs.unrecorded, "call");
        writeln!(f, "! NOT RECORDED IN THE LEDGER: {calls}")?;
    }
    cached(f, snapshot)?;
    write!(f, "{}", counted(total.retried(), "retry"))?;
    let mut sign = " after ";
    for (kind, retries) in most_first(&total.retries).into_iter().take(2) {
        write!(f, "{sign}{kind} ({})", tokens(retries))?;
        sign = ", ";
    }
    writeln!(f, "; {} left", left(snapshot.retries_left))?;
    let pool = &snapshot.pool.total;
    write!(f, "Pool: {} active, {} idle, {} waiting", pool.active, pool.idle, pool.waiting)?;
    if pool.waits.count() > 0 {
        write!(f, " (p99 {})", display::duration(pool.waits.quantile(0.99)))?;
    }
    write!(f, "; {} opened, {} reused", tokens(pool.opened), tokens(pool.reused))?;
    if pool.failed.total() > 0 {
        write!(f, ", {} failed", tokens(pool.failed.total()))?;
    }
    f.write_str("\n")
}

/// What the cache did, if any call asked it.
fn cached(f: &mut fmt::Formatter<'_>, snapshot: &MetricsSnapshot) -> fmt::Result {
    let cache = &snapshot.total.cache;
    if cache.is_used() {
        let hits = counted(cache.hits, "hit");
        write!(f, "Cache: {hits}, {}", counted(cache.misses, "miss"))?;
        write!(f, "; {} and ", display::money(cache.money_saved))?;
        writeln!(f, "{} saved", display::duration(cache.time_saved))?;
    }
    match snapshot.cache_failures {
        0 => Ok(()),
        failures => writeln!(f, "! THE CACHE FAILED: {}", counted(failures, "time")),
    }
}

/// The retries left, or words for an unlimited number.
fn left(retries: u32) -> String {
    if retries == u32::MAX { "unlimited".to_owned() } else { display::count(retries.into()) }
}

fn head(f: &mut fmt::Formatter<'_>, title: &str) -> fmt::Result {
    let title = display::name_in(title, NAME);
    let [calls, errors, first, rate, cost] = ["Calls", "Errors", "First", "Tok/s", "Cost"];
    let [p50, p90, p99] = ["p50", "p90", "p99"];
    writeln!(
        f,
        "\n{title} {calls:>7} {errors:>6} {p50:>6} {p90:>6} {p99:>6} {first:>6} {rate:>5} {cost:>8}"
    )
}

fn row(f: &mut fmt::Formatter<'_>, name: &str, stats: &Stats) -> fmt::Result {
    let calls = match stats.calls {
        ..1_000_000 => display::count(stats.calls),
        calls => display::tokens(calls),
    };
    let [p50, p90, p99] = [0.5, 0.9, 0.99].map(|share| quantile(&stats.latency, share));
    let first = quantile(&stats.time_to_first_token, 0.5);
    let rate = match stats.output_rate.count() {
        0 => "-".to_owned(),
        _ => rate(stats.output_rate.quantile(0.5)),
    };
    let cost = if stats.costs.count() == 0 { "-".to_owned() } else { cost(stats.cost) };
    writeln!(
        f,
        "{} {calls:>7} {:>6} {p50:>6} {p90:>6} {p99:>6} {first:>6} {rate:>5} {cost:>8}",
        display::name_in(name, NAME),
        error_rate(stats),
    )
}

fn quantile(histogram: &Histogram, share: f64) -> String {
    match histogram.count() {
        0 => "-".to_owned(),
        _ => display::duration(histogram.quantile(share)),
    }
}

fn error_rate(stats: &Stats) -> String {
    if stats.answered == 0 && stats.failed == 0 {
        return "-".to_owned();
    }
    match stats.error_rate() * 100.0 {
        percent if stats.failed > 0 && percent < 0.05 => "<0.1 %".to_owned(),
        percent if percent >= 99.95 => format!("{percent:.0} %"),
        percent => format!("{percent:.1} %"),
    }
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
fn rate(rate: f64) -> String {
    if rate < 99.95 { format!("{rate:.1}") } else { display::tokens(rate.round() as u64) }
}

fn cost(amount: Money) -> String {
    let digits = match amount {
        amount if amount >= Money::dollars(10_000) => 0,
        amount if amount >= Money::dollars(1) || amount.is_zero() => 2,
        _ => 4,
    };
    display::money_to(amount, digits)
}

/// The targets of routes.
fn targets(f: &mut fmt::Formatter<'_>, targets: &[TargetStatus], most: usize) -> fmt::Result {
    if targets.is_empty() {
        return Ok(());
    }
    let title = display::name_in("Target of a route", NAME);
    let [state, tried, failed, moved, money] = ["Breaker", "Tried", "Failed", "Moved on", "Cost"];
    let [p50, p99] = ["p50", "p99"];
    writeln!(
        f,
        "\n{title} {state:<9} {tried:>7} {failed:>7} {moved:>8} {p50:>6} {p99:>6} {money:>8}"
    )?;
    for target in targets.iter().take(most) {
        let state = if target.enabled { target.breaker.as_str() } else { "disabled" };
        let tried = target.answered.saturating_add(target.failed).saturating_add(target.excused());
        let [tried, failed, moved] = [tried, target.failed, target.failovers].map(display::tokens);
        let [p50, p99] = [0.5, 0.99].map(|share| quantile(&target.latencies, share));
        let money = if target.cost.is_zero() { "-".to_owned() } else { cost(target.cost) };
        writeln!(
            f,
            "{} {state:<9} {tried:>7} {failed:>7} {moved:>8} {p50:>6} {p99:>6} {money:>8}",
            display::name_in(&target.name, NAME),
        )?;
    }
    left_out(f, targets.len().saturating_sub(most))
}

/// The calls that were not answered, by error.
fn errors(f: &mut fmt::Formatter<'_>, stats: &Stats) -> fmt::Result {
    if stats.errors.is_empty() {
        return Ok(());
    }
    writeln!(f, "\n{} {:>7}", display::name_in("Not answered", NAME), "Calls")?;
    let calls = stats.errors.iter().map(|(kind, errors)| (kind, &errors.calls));
    for (kind, calls) in most_first(calls) {
        write!(f, "{} {:>7}", display::name_in(kind.as_str(), NAME), display::count(calls))?;
        let phases = &stats.errors[&kind].phases;
        let mut sign = " ";
        for (phase, calls) in most_first(phases).into_iter().take(2) {
            write!(f, "{sign} {} {}", display::count(calls), phase.as_str())?;
            sign = ",";
        }
        f.write_str("\n")?;
    }
    Ok(())
}

/// Counts, largest first.
fn most_first<'a, K: Copy + 'a>(
    counts: impl IntoIterator<Item = (&'a K, &'a u64)>,
) -> Vec<(K, u64)> {
    let mut sorted = Vec::new();
    for (key, count) in counts {
        let place = sorted.partition_point(|(_, other)| other >= count);
        sorted.insert(place, (*key, *count));
    }
    sorted
}

fn samples(
    f: &mut fmt::Formatter<'_>,
    title: &str,
    samples: &[CallSample],
    most: usize,
    all: bool,
) -> fmt::Result {
    if samples.is_empty() {
        return Ok(());
    }
    writeln!(f, "\n{title}")?;
    for sample in samples.iter().take(most) {
        let latency = display::duration(sample.latency);
        let name = display::name_in(&target(&sample.provider, &sample.model), NAME);
        let how = display::start(&how(sample), COLUMNS - NAME - 19);
        writeln!(f, "{}  {latency:>6}  {name} {how}", rfc3339::time(sample.at))?;
        if let Some(failure) = &sample.failure {
            if !failure.message.is_empty() {
                writeln!(f, "{:10}{}", "", display::start(&failure.message, COLUMNS - 10))?;
            }
        }
        if all {
            sample.attempts.iter().try_for_each(|attempt| writeln!(f, "{:10}{attempt}", ""))?;
        }
    }
    left_out(f, samples.len().saturating_sub(most))
}

/// How a call ended, without the provider's message.
fn how(sample: &CallSample) -> String {
    let mut how = match &sample.failure {
        None => "answered".to_owned(),
        Some(failure) => failure.kind.to_string(),
    };
    // With a status of 2xx, something other than the status failed.
    let status = sample.failure.as_ref().and_then(|failure| failure.status);
    if let Some(status @ (..200 | 300..)) = status {
        how += &format!(" ({status})");
    }
    if sample.attempts.len() > 1 {
        how += &format!(", {} attempts", sample.attempts.len());
    }
    how
}

/// The budgets with the largest share spent.
fn budgets(f: &mut fmt::Formatter<'_>, budgets: &[BudgetStatus], most: usize) -> fmt::Result {
    if budgets.is_empty() {
        return Ok(());
    }
    f.write_str("\nBudgets\n")?;
    for status in fullest(budgets).into_iter().take(most) {
        write!(f, "{status}")?;
    }
    left_out(f, budgets.len().saturating_sub(most))
}

/// Budgets by the share spent, largest first.
pub(super) fn fullest(budgets: &[BudgetStatus]) -> Vec<&BudgetStatus> {
    let mut fullest: Vec<&BudgetStatus> = budgets.iter().collect();
    // No share is NaN.
    fullest.sort_by(|left, right| right.utilisation().total_cmp(&left.utilisation()));
    fullest
}

fn target(provider: &str, model: &str) -> String {
    if provider == model { model.to_owned() } else { format!("{provider} {model}") }
}

/// Says how many rows are not shown.
fn left_out(f: &mut fmt::Formatter<'_>, rows: usize) -> fmt::Result {
    match rows {
        0 => Ok(()),
        _ => writeln!(f, "({rows} more)"),
    }
}

#[cfg(test)]
mod tests;
