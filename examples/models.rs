//! Lists the models that can do what a program needs, the cheapest first.
//!
//! ```text
//! cargo run --example models -- --tools --images --max-price 1 --context 200000
//! ```
//!
//! Prices are in dollars per million tokens; the limit is on input tokens. A `*` marks the models
//! that the keys in the environment reach. Add `--keys` to list only those, `--provider groq` for one
//! provider, and `--why` to see why the other models are not listed.

use std::error::Error;
use std::fmt::Write as _;
use std::io::Write as _;
use std::time::SystemTime;

use tollgate::catalogue::{Catalogue, Conditions, Model, Needs, Selected};
use tollgate::provider::Profile;
use tollgate::{MaxPrice, Money, Prices, Usage};

const USAGE: &str = "usage: models [--tools] [--images] [--documents] [--schema] [--reasoning]
              [--context TOKENS] [--output TOKENS] [--max-price DOLLARS] [--provider NAME]
              [--keys] [--why]";

/// What the command line asks for.
#[derive(Default)]
struct Wanted {
    needs: Needs,
    /// Only models of providers whose key is in the environment.
    keys: bool,
    /// Whether to say why models are left out.
    why: bool,
}

fn main() -> Result<(), Box<dyn Error>> {
    let wanted = match Wanted::read(std::env::args().skip(1)) {
        Ok(Some(wanted)) => wanted,
        Ok(None) => {
            println!("{USAGE}");
            return Ok(());
        }
        Err(error) => {
            eprintln!("{error}");
            std::process::exit(2);
        }
    };
    let (catalogue, prices) = (Catalogue::builtin(), Prices::builtin());
    let mut conditions = Conditions::default().prices(prices.clone());
    if wanted.keys {
        conditions = conditions.providers(catalogue.providers().filter(|id| has_key(id)));
    }
    let selection = catalogue.select(&wanted.needs, &conditions);
    let mut table =
        format!("  {:<56} {:>9} {:>9} {:>9}  RELEASED\n", "MODEL", "INPUT", "OUTPUT", "WINDOW");
    for Selected { model, .. } in &selection.ranked {
        let mark = if has_key(model.provider.as_str()) { '*' } else { ' ' };
        let window = model.capabilities.context_window.unwrap_or(0);
        let released = model.released.map(|date| date.to_string()).unwrap_or_default();
        let [input, output] = rates(model, &prices);
        let name = model.name();
        writeln!(table, "{mark} {name:<56} {input:>9} {output:>9} {window:>9}  {released}")?;
    }
    writeln!(table, "{} models, as of {}", selection.ranked.len(), catalogue.date())?;
    if wanted.why {
        for left_out in &selection.left_out {
            writeln!(table, "not {}: {}", left_out.name, left_out.why)?;
        }
    }
    // A reader such as `head` may end early.
    let _ = std::io::stdout().write_all(table.as_bytes());
    Ok(())
}

/// The price of a million input tokens and of a million output tokens, in calls of a thousand
/// because large prompts can cost more.
fn rates(model: &Model, prices: &Prices) -> [String; 2] {
    let profile = Profile::builtin(model.provider.as_str());
    let priced_as = profile.and_then(|profile| profile.prices);
    let priced_as = priced_as.as_deref().unwrap_or(model.provider.as_str());
    let Some(price) = prices.find(priced_as, &model.id) else {
        return ["?", "?"].map(String::from);
    };
    [Usage::reported(1_000, 0), Usage::reported(0, 1_000)]
        .map(|usage| (price.cost(&usage, None, SystemTime::now()).total * 1_000).to_string())
}

/// Whether the key of a provider is in the environment.
fn has_key(provider: &str) -> bool {
    let profile = Profile::builtin(provider);
    let variables = profile.into_iter().flat_map(|profile| profile.key_variables);
    variables.into_iter().any(|name| std::env::var_os(&*name).is_some())
}

impl Wanted {
    /// Reads the command line; `None` if it asks for help.
    fn read(mut arguments: impl Iterator<Item = String>) -> Result<Option<Self>, Box<dyn Error>> {
        let mut wanted = Self::default();
        while let Some(argument) = arguments.next() {
            let mut value = || arguments.next().ok_or(format!("{argument} needs a value\n{USAGE}"));
            let wrong = |value: &str| format!("{argument} cannot be {value:?}\n{USAGE}");
            let tokens = |value: String| value.parse::<u64>().map_err(|_| wrong(&value));
            let needs = std::mem::take(&mut wanted.needs);
            wanted.needs = match argument.as_str() {
                "--tools" => needs.tools(true),
                "--images" => needs.images(true),
                "--documents" => needs.documents(true),
                "--schema" => needs.schema(true),
                "--reasoning" => needs.reasoning(true),
                "--context" => needs.context(tokens(value()?)?),
                "--output" => needs.max_output(tokens(value()?)?),
                "--max-price" => {
                    let value = value()?;
                    let dollars: Money = value.parse().map_err(|_| wrong(&value))?;
                    needs.max_price(MaxPrice::of_input(dollars))
                }
                "--provider" => needs.providers([value()?]),
                "--keys" => {
                    wanted.keys = true;
                    needs
                }
                "--why" => {
                    wanted.why = true;
                    needs
                }
                "--help" => return Ok(None),
                other => return Err(format!("unknown option {other}\n{USAGE}").into()),
            };
        }
        Ok(Some(wanted))
    }
}
