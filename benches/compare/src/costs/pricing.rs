//! One usage is priced: the model is found by its name and the sum made.

use serde::Serialize;
use std::hint::black_box;
use std::time::{Instant, SystemTime};
use tollgate::Usage;
use tollgate::cost::Prices;

use genai_prices::{Calculator, PriceRequest, UsageKey};

use crate::rounds::{Effort, median, ratio, spread};

/// Those that both know and agree on are priced in turn.
const MODELS: [(&str, &str); 5] = [
    ("openai", "gpt-4o-mini"),
    ("openai", "gpt-5"),
    ("anthropic", "claude-sonnet-4-5"),
    ("google", "gemini-2.5-flash"),
    ("mistral", "mistral-small-latest"),
];

#[derive(Debug, Serialize)]
pub struct Pricing {
    pub models: usize,
    pub tollgate_ns: f64,
    pub genai_prices_ns: f64,
    /// How far the middle half of the rounds lies apart, of their median.
    pub spread: [f64; 2],
    pub to_genai_prices: f64,
    /// A name that was not asked for before.
    pub first_lookup_ns: f64,
}

/// The same answer's usage for both, made before: what a provider reported is read
/// once, and by means of their own.
struct Answer {
    ours: Usage,
    theirs: genai_prices::Usage,
    at: SystemTime,
}

pub fn measure(effort: Effort) -> Pricing {
    let times = 10_000;
    let mut ours = Usage::reported(1_100, 320);
    ours.cached_tokens = 400;
    let answer = Answer {
        ours,
        theirs: genai_prices::Usage::from([
            (UsageKey::INPUT_TOKENS, 1_100.0),
            (UsageKey::OUTPUT_TOKENS, 320.0),
            (UsageKey::CACHE_READ_TOKENS, 400.0),
        ]),
        at: SystemTime::now(),
    };
    let prices = Prices::builtin();
    let models: Vec<_> = MODELS
        .into_iter()
        .filter(|(provider, model)| {
            let ours = tollgate(&prices, provider, model, &answer);
            let theirs = genai_prices(provider, model, &answer);
            ours.zip(theirs).is_some_and(|(ours, theirs)| (ours - theirs).abs() < 1e-9)
        })
        .collect();
    assert!(!models.is_empty(), "no model has the same price in both");

    type Price<'a> = &'a dyn Fn(&str, &str) -> Option<f64>;
    let arms: [Price<'_>; 3] = [
        &|provider, model| tollgate(&prices, provider, model, &answer),
        &|provider, model| genai_prices(provider, model, &answer),
        &|provider, model| tollgate(&Prices::builtin(), provider, model, &answer),
    ];
    let found = effort.rotate(&arms, |price| {
        let begun = Instant::now();
        for (provider, model) in models.iter().cycle().take(times) {
            black_box(price(black_box(provider), black_box(model)));
        }
        begun.elapsed().as_secs_f64() * 1e9 / times as f64
    });
    let to_genai_prices = ratio(&found[0], &found[1], |nanos| *nanos);
    let spread = [spread(&found[0]), spread(&found[1])];
    let models = models.len();
    let [tollgate_ns, genai_prices_ns, first_lookup_ns] = found.map(median);
    Pricing { models, tollgate_ns, genai_prices_ns, spread, to_genai_prices, first_lookup_ns }
}

fn tollgate(prices: &Prices, provider: &str, model: &str, answer: &Answer) -> Option<f64> {
    let price = prices.find(provider, model)?;
    Some(price.cost(&answer.ours, None, answer.at).total.as_dollars())
}

fn genai_prices(provider: &str, model: &str, answer: &Answer) -> Option<f64> {
    let request = PriceRequest::new(model, &answer.theirs)
        .with_provider_id(provider)
        .with_timestamp(answer.at);
    Calculator::bundled().calculate(&request).ok().map(|calculation| calculation.total_price)
}
