//! What the table costs at the start, in processes of their own: until the first price,
//! and to read all of it, which nobody needs to.

use serde::Serialize;
use std::env;
use std::hint::black_box;
use std::process::Command;
use std::time::{Instant, SystemTime};
use tollgate::Usage;
use tollgate::cost::Prices;

use genai_prices::{Calculator, PriceRequest, UsageKey};

use crate::rounds::{Effort, median, ratio, spread};

const ARMS: [&str; 3] = ["tollgate", "genai-prices", "tollgate-all"];

#[derive(Debug, Serialize)]
pub struct Starting {
    /// Models with a price in the table.
    pub models: usize,
    pub genai_prices_models: usize,
    /// Until the first price.
    pub tollgate_us: f64,
    pub genai_prices_us: f64,
    /// Until every price is read.
    pub tollgate_all_us: f64,
    /// How far the middle half of the rounds lies apart, of their median.
    pub spread: [f64; 3],
    pub to_genai_prices: f64,
    pub all_to_genai_prices: f64,
}

pub fn measure(effort: Effort) -> Starting {
    let found = effort.rotate(&ARMS, |arm| in_a_process_of_its_own(arm));
    let [first, theirs, all] = &found;
    let micros = |micros: &f64| *micros;
    let ratios = (ratio(first, theirs, micros), ratio(all, theirs, micros));
    let spread = [first, theirs, all].map(|values| spread(values));
    let [tollgate_us, genai_prices_us, tollgate_all_us] = found.map(median);
    Starting {
        models: read_all(),
        genai_prices_models: Calculator::bundled()
            .providers()
            .map(|provider| provider.models().count())
            .sum(),
        tollgate_us,
        genai_prices_us,
        tollgate_all_us,
        spread,
        to_genai_prices: ratios.0,
        all_to_genai_prices: ratios.1,
    }
}

fn in_a_process_of_its_own(arm: &str) -> f64 {
    let this = env::current_exe().expect("a running program has a file");
    let output = Command::new(this).args(["start", arm]).output().expect("it runs once more");
    String::from_utf8_lossy(&output.stdout).trim().parse().expect("a number")
}

/// Prints how many microseconds it takes.
pub fn start(arm: &str) {
    let begun = Instant::now();
    match arm {
        "tollgate" => {
            let price =
                Prices::builtin().find("openai", "gpt-4o-mini").expect("it is in the table");
            black_box(price.cost(&Usage::reported(1_100, 320), None, SystemTime::now()));
        }
        "tollgate-all" => {
            black_box(read_all());
        }
        _ => {
            let usage = genai_prices::Usage::from([
                (UsageKey::INPUT_TOKENS, 1_100.0),
                (UsageKey::OUTPUT_TOKENS, 320.0),
            ]);
            let request = PriceRequest::new("gpt-4o-mini", &usage).with_provider_id("openai");
            black_box(Calculator::bundled().calculate(&request).expect("it is in the data"));
        }
    }
    println!("{}", begun.elapsed().as_secs_f64() * 1e6);
}

/// A model without a price is not listed, so each is read.
fn read_all() -> usize {
    let prices = Prices::builtin();
    Prices::providers().map(|provider| prices.models(provider).count()).sum()
}
