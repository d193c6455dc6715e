//! `Tally`: sums of calls, usage and cost in a report.

use serde::{Deserialize, Serialize};
use std::iter::Sum;
use std::ops::AddAssign;

use super::record::KeptRecord;
use super::{Cost, CostSource};
use crate::usage::{Usage, UsageSource};

/// What a number of calls used and cost, added up. Sums saturate.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct Tally {
    /// How many calls.
    pub calls: u64,
    /// How many of them have no known price. They are in the usage but not in the cost.
    pub unpriced: u64,
    /// How many are charged at the most they may have cost, because the provider did not report
    /// all of their usage.
    pub bound: u64,
    /// How many have an estimated cost, for the same reason.
    pub estimated: u64,
    /// What they used. [`reported_cost`](Usage::reported_cost) is the sum of the bills that came.
    /// The source is the one they all share, or [`Estimated`](UsageSource::Estimated) if they
    /// differ.
    pub usage: Usage,
    /// What they cost. The source is the least certain one among them, in the order
    /// [`Priced`](CostSource::Priced), [`Reported`](CostSource::Reported),
    /// [`Estimated`](CostSource::Estimated), [`Bound`](CostSource::Bound).
    pub cost: Cost,
}

impl Tally {
    /// The tally of one call.
    pub(super) fn of(record: &KeptRecord) -> Self {
        Self::of_answer(record.usage, record.cost)
    }

    /// The tally of one call with this usage and, if the price is known, this cost.
    pub(crate) fn of_answer(usage: Usage, cost: Option<Cost>) -> Self {
        let is_priced = cost.is_some();
        let cost = cost.unwrap_or_default();
        Self {
            calls: 1,
            unpriced: u64::from(!is_priced),
            bound: u64::from(cost.source == CostSource::Bound),
            estimated: u64::from(cost.source == CostSource::Estimated),
            usage,
            cost,
        }
    }
}

impl AddAssign for Tally {
    fn add_assign(&mut self, other: Self) {
        *self += &other;
    }
}

impl AddAssign<&Self> for Tally {
    fn add_assign(&mut self, other: &Self) {
        let Self { calls, unpriced, bound, estimated, usage, cost } = other;
        if *calls == 0 {
            return;
        }
        let source = if self.calls == 0 { usage.source } else { self.usage.source };
        add_usage(&mut self.usage, usage);
        if source == usage.source {
            self.usage.source = source;
        } else {
            self.usage.source = UsageSource::Estimated;
        }
        add_cost(&mut self.cost, cost);
        self.calls = self.calls.saturating_add(*calls);
        self.unpriced = self.unpriced.saturating_add(*unpriced);
        self.bound = self.bound.saturating_add(*bound);
        self.estimated = self.estimated.saturating_add(*estimated);
    }
}

impl Sum for Tally {
    fn sum<I: Iterator<Item = Self>>(tallies: I) -> Self {
        tallies.fold(Self::default(), |mut sum, tally| {
            sum += tally;
            sum
        })
    }
}

impl<'a> Sum<&'a Tally> for Tally {
    fn sum<I: Iterator<Item = &'a Tally>>(tallies: I) -> Self {
        tallies.fold(Self::default(), |mut sum, tally| {
            sum += tally;
            sum
        })
    }
}

/// Adds the counts. The caller sets the source.
fn add_usage(sum: &mut Usage, other: &Usage) {
    // Named one by one, so that a field added later is not forgotten here.
    let Usage {
        prompt_tokens,
        completion_tokens,
        total_tokens,
        cached_tokens,
        cache_write_tokens,
        cache_write_1h_tokens,
        reasoning_tokens,
        prompt_audio_tokens,
        completion_audio_tokens,
        prompt_image_tokens,
        completion_image_tokens,
        web_searches,
        reported_cost,
        source: _,
    } = *other;
    let add = |sum: &mut u64, count: u64| *sum = sum.saturating_add(count);
    add(&mut sum.prompt_tokens, prompt_tokens);
    add(&mut sum.completion_tokens, completion_tokens);
    add(&mut sum.total_tokens, total_tokens);
    // Every call is added to several tallies, and most calls have none of these.
    let rare = cached_tokens
        | cache_write_tokens
        | cache_write_1h_tokens
        | reasoning_tokens
        | prompt_audio_tokens
        | completion_audio_tokens
        | prompt_image_tokens
        | completion_image_tokens
        | web_searches;
    if rare != 0 {
        add(&mut sum.cached_tokens, cached_tokens);
        add(&mut sum.cache_write_tokens, cache_write_tokens);
        add(&mut sum.cache_write_1h_tokens, cache_write_1h_tokens);
        add(&mut sum.reasoning_tokens, reasoning_tokens);
        add(&mut sum.prompt_audio_tokens, prompt_audio_tokens);
        add(&mut sum.completion_audio_tokens, completion_audio_tokens);
        add(&mut sum.prompt_image_tokens, prompt_image_tokens);
        add(&mut sum.completion_image_tokens, completion_image_tokens);
        add(&mut sum.web_searches, web_searches);
    }
    if let Some(bill) = reported_cost {
        sum.reported_cost = Some(sum.reported_cost.unwrap_or_default() + bill);
    }
}

fn add_cost(sum: &mut Cost, other: &Cost) {
    let Cost {
        total,
        input,
        cached_input,
        cache_write,
        input_media,
        output,
        reasoning,
        output_media,
        web_searches,
        request,
        source,
    } = *other;
    sum.total += total;
    sum.input += input;
    sum.output += output;
    let rare =
        [cached_input, cache_write, input_media, reasoning, output_media, web_searches, request];
    if rare.iter().any(|amount| !amount.is_zero()) {
        sum.cached_input += cached_input;
        sum.cache_write += cache_write;
        sum.input_media += input_media;
        sum.reasoning += reasoning;
        sum.output_media += output_media;
        sum.web_searches += web_searches;
        sum.request += request;
    }
    sum.source = match (sum.source, source) {
        (CostSource::Bound, _) | (_, CostSource::Bound) => CostSource::Bound,
        (CostSource::Estimated, _) | (_, CostSource::Estimated) => CostSource::Estimated,
        (CostSource::Reported, _) | (_, CostSource::Reported) => CostSource::Reported,
        (CostSource::Priced, CostSource::Priced) => CostSource::Priced,
    };
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cost::Money;

    fn tally(usage: UsageSource, cost: CostSource) -> Tally {
        let mut tally = Tally { calls: 1, ..Tally::default() };
        tally.usage.source = usage;
        tally.usage.prompt_tokens = 3;
        tally.cost.source = cost;
        tally.cost.total = Money::cents(2);
        tally
    }

    #[test]
    fn a_sum_has_the_least_certain_source_of_its_parts() {
        use CostSource::{Bound, Priced, Reported};
        use UsageSource::{Estimated, Missing};
        let said = UsageSource::Reported;
        for (parts, usage, cost) in [
            (vec![(said, Priced), (said, Priced)], said, Priced),
            (vec![(said, Reported), (said, Priced)], said, Reported),
            (
                vec![(Estimated, CostSource::Estimated), (said, Reported)],
                Estimated,
                CostSource::Estimated,
            ),
            (vec![(said, Priced), (Missing, Bound), (said, Reported)], Estimated, Bound),
            (vec![(Missing, Priced), (Missing, Priced)], Missing, Priced),
            (vec![(Missing, Priced), (said, Priced)], Estimated, Priced),
        ] {
            let sum: Tally = parts.iter().map(|(usage, cost)| tally(*usage, *cost)).sum();
            assert_eq!((sum.usage.source, sum.cost.source), (usage, cost), "{parts:?}");
            assert_eq!(sum.calls, parts.len() as u64);
            assert_eq!(sum.usage.prompt_tokens, 3 * sum.calls);
            assert_eq!(sum.cost.total, Money::cents(2) * sum.calls);
        }
    }

    #[test]
    fn an_empty_tally_changes_nothing() {
        let one = tally(UsageSource::Reported, CostSource::Reported);
        assert_eq!([Tally::default(), one, Tally::default()].iter().sum::<Tally>(), one);
    }

    #[test]
    fn sums_stop_at_the_end() {
        let mut most = tally(UsageSource::Reported, CostSource::Priced);
        (most.calls, most.usage.prompt_tokens, most.cost.total) = (u64::MAX, u64::MAX, Money::MAX);
        let sum: Tally = [most, most].iter().sum();
        assert_eq!(sum, most);
    }
}
