//! Writes a snapshot in Prometheus' text format and in OpenMetrics.

mod page;

use page::{Labels, Page};

use super::cache::CacheStats;
use super::names::{self, Metric};
use super::snapshot::{MetricsSnapshot, ModelStats};
use super::table;
use super::target::bounded;
use crate::cost::BudgetStatus;
use crate::pool::OriginStats;
use crate::routing::{BreakerState, TargetStatus};

/// How many budget accounts are shown, how many origins of the pool, and how many targets of routes.
const MOST: usize = 100;

impl MetricsSnapshot {
    /// The numbers since the start, in Prometheus' text format, version 0.0.4. Serve it as
    /// `text/plain; version=0.0.4`
    /// (<https://prometheus.io/docs/instrumenting/exposition_formats/>).
    ///
    /// Names and labels follow OpenTelemetry's GenAI conventions where these define any, and
    /// otherwise begin with `tollgate`. Bucket bounds are fixed; a value up to 3.2 % above a bound
    /// may be counted as within it. Labels have a bounded number of values: at most 201 models, the
    /// first 100 targets of routes, and the 100 budget accounts with the largest share spent.
    /// Control characters in them are escaped (`\u{1b}`).
    pub fn prometheus(&self) -> String {
        self.exposition(false)
    }

    /// The same numbers in OpenMetrics' text format, version 1.0.0. Serve it as
    /// `application/openmetrics-text; version=1.0.0; charset=utf-8`
    /// (<https://prometheus.io/docs/specs/om/open_metrics_spec/>).
    pub fn openmetrics(&self) -> String {
        self.exposition(true)
    }

    fn exposition(&self, open: bool) -> String {
        let mut page = Page { text: String::new(), open };
        let models: Vec<(Labels, &ModelStats)> =
            self.by_model.iter().map(|model| (of_model(model), model)).collect();
        operations(&mut page, &models);
        ours(&mut page, &models);
        let targets: Vec<(Labels, &TargetStatus)> =
            self.targets.iter().take(MOST).map(|target| (of_target(target), target)).collect();
        routed(&mut page, &targets);
        if self.cache_failures > 0 || self.total.cache.is_used() {
            page.one(&names::CACHE_FAILURES, &self.cache_failures);
        }
        page.one(&names::RETRIES_LEFT, &self.retries_left);
        page.one(&names::UPTIME, &self.uptime.as_secs_f64());
        let origins: Vec<(Labels, &OriginStats)> = (self.pool.origins.iter())
            .take(MOST)
            .map(|(name, origin)| (Labels::default().with(names::ORIGIN, name), origin))
            .collect();
        pool(&mut page, &origins);
        page.one(&names::REFUSED, &self.costs.refused);
        page.one(&names::UNRECORDED, &self.costs.unrecorded);
        budgets(&mut page, &self.costs.budgets);
        if open {
            page.text.push_str("# EOF\n");
        }
        page.text
    }
}

/// The metrics that the conventions define.
fn operations(page: &mut Page, models: &[(Labels, &ModelStats)]) {
    let mut family = page.family(&names::DURATION);
    for (labels, model) in models {
        // `latency` has the answered calls. The others have the error as a label.
        if model.total.latency.count() > 0 {
            family.histogram(labels, &model.total.latency, None);
        }
        for (kind, errors) in &model.total.errors {
            let labels = labels.with(names::ERROR_TYPE, kind.as_str());
            family.histogram(&labels, &errors.latency, None);
        }
    }
    let mut family = page.family(&names::TIME_TO_FIRST_CHUNK);
    for (labels, model) in models {
        family.histogram(labels, &model.total.time_to_first_token, None);
    }
    let mut family = page.family(&names::TIME_PER_OUTPUT_CHUNK);
    for (labels, model) in models {
        family.histogram(labels, &model.total.time_between_tokens, None);
    }
    let mut family = page.family(&names::TOKEN_USAGE);
    for (labels, model) in models {
        let labels = |name| labels.with(names::TOKEN_TYPE, name);
        family.histogram(&labels("input"), &model.total.input_tokens, None);
        family.histogram(&labels("output"), &model.total.output_tokens, None);
    }
}

/// Our own metrics by model.
fn ours(page: &mut Page, models: &[(Labels, &ModelStats)]) {
    let mut family = page.family(&names::OUTPUT_RATE);
    for (labels, model) in models {
        family.histogram(labels, &model.total.output_rate, None);
    }
    let mut family = page.family(&names::COST);
    for (labels, model) in models {
        family.histogram(labels, &model.total.costs, Some(model.total.cost.as_dollars()));
    }
    page.counts(&names::CALLS, models, |model, count| {
        let total = &model.total;
        for (outcome, calls) in [
            ("answered", total.answered),
            ("failed", total.failed),
            ("cancelled", total.cancelled),
            ("refused", total.refused),
        ] {
            count(&[(names::OUTCOME, outcome)], calls);
        }
    });
    page.counts(&names::IN_FLIGHT, models, |model, count| count(&[], model.in_flight));
    page.counts(&names::ERRORS, models, |model, count| {
        for (kind, errors) in &model.total.errors {
            let kind = (names::ERROR_TYPE, kind.as_str());
            let mut unknown = errors.calls;
            for (phase, calls) in &errors.phases {
                count(&[kind, (names::PHASE, phase.as_str())], *calls);
                unknown = unknown.saturating_sub(*calls);
            }
            if unknown > 0 {
                count(&[kind, (names::PHASE, "unknown")], unknown);
            }
        }
    });
    page.counts(&names::RESPONSES, models, |model, count| {
        for (answered_by, calls) in &model.answered_by {
            count(&[(names::RESPONSE_MODEL, answered_by)], *calls);
        }
    });
    page.counts(&names::ATTEMPTS, models, |model, count| count(&[], model.total.attempts));
    page.counts(&names::RESENT, models, |model, count| count(&[], model.total.resent));
    page.counts(&names::RETRIES, models, |model, count| {
        for (kind, retries) in &model.total.retries {
            count(&[(names::ERROR_TYPE, kind.as_str())], *retries);
        }
    });
    page.counts(&names::RETRY_WAITS, models, |model, count| {
        for (wait, waits) in &model.total.waits {
            count(&[(names::WAIT, wait.as_str())], *waits);
        }
    });
    page.counts(&names::GIVEN_UP, models, |model, count| {
        for (reason, calls) in &model.total.given_up {
            count(&[(names::REASON, reason.as_str())], *calls);
        }
    });
    page.counts(&names::TOKENS_USED, models, |model, count| {
        for (class, tokens) in model.total.tokens.classes() {
            count(&[(names::TOKEN_CLASS, class)], tokens);
        }
    });
    page.counts(&names::UNPRICED, models, |model, count| count(&[], model.total.unpriced));
    cached(page, models);
}

/// How a metric of the cache is read.
type Read<T> = fn(&CacheStats) -> T;

/// What the cache did, for models that were asked for through it.
fn cached(page: &mut Page, models: &[(Labels, &ModelStats)]) {
    let used = || {
        let caches = models.iter().map(|(labels, model)| (labels, &model.total.cache));
        caches.filter(|(_, cache)| cache.is_used())
    };
    let value: [(&Metric, Read<f64>); 2] = [
        (&names::CACHE_MONEY_SAVED, |cache| cache.money_saved.as_dollars()),
        (&names::CACHE_TIME_SAVED, |cache| cache.time_saved.as_secs_f64()),
    ];
    let count: [(&Metric, Read<u64>); 2] =
        [(&names::CACHE_HITS, |cache| cache.hits), (&names::CACHE_MISSES, |cache| cache.misses)];
    for (metric, read) in count {
        let mut family = page.family(metric);
        used().for_each(|(labels, cache)| family.value(labels, &read(cache)));
    }
    for (metric, read) in value {
        let mut family = page.family(metric);
        used().for_each(|(labels, cache)| family.value(labels, &read(cache)));
    }
}

/// The targets of routes.
fn routed(page: &mut Page, targets: &[(Labels, &TargetStatus)]) {
    page.counts(&names::TARGET_ATTEMPTS, targets, |target, count| {
        for (outcome, attempts) in [
            ("answered", target.answered),
            ("failed", target.failed),
            ("excused", target.excused()),
        ] {
            count(&[(names::OUTCOME, outcome)], attempts);
        }
    });
    page.counts(&names::TARGET_FAILURES, targets, |target, count| {
        for (kind, attempts) in &target.failures {
            count(&[(names::ERROR_TYPE, kind.as_str())], *attempts);
        }
    });
    page.counts(&names::TARGET_FAILOVERS, targets, |target, count| count(&[], target.failovers));
    page.counts(&names::TARGET_HEDGES, targets, |target, count| count(&[], target.hedged));
    page.counts(&names::TARGET_NOT_ACCEPTED, targets, |target, count| {
        count(&[], target.not_accepted);
    });
    page.counts(&names::TARGET_RESTS, targets, |target, count| {
        for (reason, rests) in &target.rested {
            count(&[(names::REASON, reason.as_str())], *rests);
        }
    });
    page.counts(&names::TARGET_BREAKER, targets, |target, count| {
        for state in BreakerState::ALL {
            count(&[(names::STATE, state.as_str())], u64::from(target.breaker == state));
        }
    });
    page.counts(&names::TARGET_IN_FLIGHT, targets, |target, count| {
        count(&[], target.in_flight.into());
    });
    let mut family = page.family(&names::TARGET_DURATION);
    for (labels, target) in targets {
        family.histogram(labels, &target.latencies, None);
    }
    let mut family = page.family(&names::TARGET_FIRST_CHUNK);
    for (labels, target) in targets {
        family.histogram(labels, &target.first_tokens, None);
    }
    let mut family = page.family(&names::TARGET_COST);
    for (labels, target) in targets {
        family.value(labels, &target.cost.as_dollars());
    }
}

fn pool(page: &mut Page, origins: &[(Labels, &OriginStats)]) {
    page.counts(&names::POOL_CONNECTIONS, origins, |origin, count| {
        for (state, connections) in
            [("active", origin.active), ("opening", origin.opening), ("idle", origin.idle)]
        {
            count(&[(names::STATE, state)], connections as u64);
        }
    });
    page.counts(&names::POOL_WAITING, origins, |origin, count| count(&[], origin.waiting as u64));
    page.counts(&names::POOL_OPENED, origins, |origin, count| count(&[], origin.opened));
    page.counts(&names::POOL_REUSED, origins, |origin, count| count(&[], origin.reused));
    page.counts(&names::POOL_CLOSED, origins, |origin, count| {
        let closed = &origin.closed;
        for (reason, connections) in [
            ("idle", closed.idle),
            ("lifetime", closed.lifetime),
            ("broken", closed.broken),
            ("ended", closed.ended),
            ("unrequested", closed.unrequested),
            ("cancelled", closed.cancelled),
            ("evicted", closed.evicted),
            ("shutdown", closed.shutdown),
        ] {
            count(&[(names::REASON, reason)], connections);
        }
    });
    page.counts(&names::POOL_FAILED, origins, |origin, count| {
        let failed = &origin.failed;
        for (kind, connections) in [
            ("resolve", failed.resolve),
            ("connect", failed.connect),
            ("tls", failed.tls),
            ("timeout", failed.timeout),
            ("cancelled", failed.cancelled),
        ] {
            count(&[(names::ERROR_TYPE, kind)], connections);
        }
    });
    let mut family = page.family(&names::POOL_WAIT);
    for (labels, origin) in origins {
        family.histogram(labels, &origin.waits, None);
    }
}

/// The budgets with the largest share spent.
fn budgets(page: &mut Page, budgets: &[BudgetStatus]) {
    let mut fullest: Vec<&BudgetStatus> = Vec::new();
    for status in table::fullest(budgets) {
        let is_shown = fullest.iter().any(|other| {
            (&other.budget, &other.account, &other.window)
                == (&status.budget, &status.account, &status.window)
        });
        if fullest.len() < MOST && !is_shown {
            fullest.push(status);
        }
    }
    let value = |metric: &Metric, value: fn(&BudgetStatus) -> f64, page: &mut Page| {
        let mut family = page.family(metric);
        for status in &fullest {
            let labels = Labels::default()
                .with(names::BUDGET, &status.budget)
                .with(names::ACCOUNT, &status.account)
                .with(names::WINDOW, &status.window);
            family.sample("", &labels, &value(status));
        }
    };
    value(&names::BUDGET_LIMIT, |status| status.limit.as_dollars(), page);
    value(&names::BUDGET_SPENT, |status| status.spent.as_dollars(), page);
    value(&names::BUDGET_RESERVED, |status| status.reserved.as_dollars(), page);
    value(&names::BUDGET_UTILISATION, BudgetStatus::utilisation, page);
}

fn of_model(model: &ModelStats) -> Labels {
    let labels = Labels::default()
        .with(names::OPERATION, &model.operation)
        .with(names::PROVIDER, &model.provider)
        .with(names::REQUEST_MODEL, &model.model);
    if model.server_address.is_empty() {
        return labels;
    }
    labels
        .with(names::SERVER_ADDRESS, &model.server_address)
        .with(names::SERVER_PORT, &model.server_port.to_string())
}

fn of_target(target: &TargetStatus) -> Labels {
    Labels::default()
        .with(names::ROUTE, bounded(&target.route))
        .with(names::TARGET, bounded(&target.name))
        .with(names::PROVIDER, bounded(&target.provider))
        .with(names::REQUEST_MODEL, bounded(&target.model))
}

#[cfg(test)]
mod tests;
