//! Lists the models that can do what a program needs, the cheapest first.
//!
//! ```text
//! cargo run --example models -- --tools --images --max-price 1 --context 200000
//! ```
//!
//! Prices are in dollars per million input tokens. Add `--keys` to list only the models of providers
//! whose key is in the environment, and `--provider groq` for those of one provider.

use std::cmp::Reverse;
use std::error::Error;
use std::fmt::Write as _;
use std::io::Write as _;
use std::time::SystemTime;

use tollgate::catalogue::{Catalogue, Model, ModelApi, ModelStatus};
use tollgate::provider::Profile;
use tollgate::{Money, Prices, Usage};

const USAGE: &str = "usage: models [--tools] [--images] [--documents] [--schema] [--reasoning]
              [--context TOKENS] [--output TOKENS] [--max-price DOLLARS] [--provider NAME] [--keys]";

/// What the command line asks for.
#[derive(Default)]
struct Wanted {
    tools: bool,
    images: bool,
    documents: bool,
    schema: bool,
    reasoning: bool,
    context: u64,
    output: u64,
    max_price: Option<Money>,
    provider: Option<String>,
    keys: bool,
}

/// A line of the table.
struct Row {
    name: String,
    model: Model,
    input: Money,
    output: Money,
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
    let mut rows = Vec::new();
    for provider in catalogue.providers() {
        let profile = Profile::builtin(provider).ok_or("a provider without a profile")?;
        if wanted.takes_provider(&profile) {
            let priced_as = profile.prices.as_deref().unwrap_or(provider).to_owned();
            let models = catalogue.models(provider).filter(|model| wanted.takes(model));
            rows.extend(models.filter_map(|model| Row::new(model, &priced_as, &prices)));
        }
    }
    rows.retain(|row| wanted.max_price.is_none_or(|most| row.input <= most));
    rows.sort_by_key(|row| {
        (row.input, row.output, Reverse(row.model.capabilities.context_window), row.name.clone())
    });
    let mut table =
        format!("{:<56} {:>9} {:>9} {:>9}  RELEASED\n", "MODEL", "INPUT", "OUTPUT", "WINDOW");
    for row in &rows {
        let window = row.model.capabilities.context_window.unwrap_or(0);
        let released = row.model.released.map(|date| date.to_string()).unwrap_or_default();
        let (name, input, output) = (&row.name, row.input.to_string(), row.output.to_string());
        writeln!(table, "{name:<56} {input:>9} {output:>9} {window:>9}  {released}")?;
    }
    writeln!(table, "{} models, as of {}", rows.len(), catalogue.date())?;
    // A reader such as `head` may end early.
    let _ = std::io::stdout().write_all(table.as_bytes());
    Ok(())
}

impl Row {
    /// `None` if the model has no known price.
    fn new(model: Model, priced_as: &str, prices: &Prices) -> Option<Self> {
        let price = prices.find(priced_as, &model.id)?;
        let million = 1_000_000;
        // A million tokens in calls of a thousand, because large prompts can cost more.
        let cost = |usage| price.cost(&usage, None, SystemTime::now()).total * 1_000;
        let input = cost(Usage::reported(million / 1_000, 0));
        let output = cost(Usage::reported(0, million / 1_000));
        Some(Self {
            name: format!("{}/{}", model.provider.as_str(), model.id),
            model,
            input,
            output,
        })
    }
}

impl Wanted {
    /// Reads the command line; `None` if it asks for help.
    fn read(mut arguments: impl Iterator<Item = String>) -> Result<Option<Self>, Box<dyn Error>> {
        let mut wanted = Self::default();
        while let Some(argument) = arguments.next() {
            let mut value = || arguments.next().ok_or(format!("{argument} needs a value\n{USAGE}"));
            let wrong = |value: &str| format!("{argument} cannot be {value:?}\n{USAGE}");
            let tokens = |value: String| value.parse::<u64>().map_err(|_| wrong(&value));
            match argument.as_str() {
                "--tools" => wanted.tools = true,
                "--images" => wanted.images = true,
                "--documents" => wanted.documents = true,
                "--schema" => wanted.schema = true,
                "--reasoning" => wanted.reasoning = true,
                "--keys" => wanted.keys = true,
                "--context" => wanted.context = tokens(value()?)?,
                "--output" => wanted.output = tokens(value()?)?,
                "--max-price" => {
                    let value = value()?;
                    wanted.max_price = Some(value.parse().map_err(|_| wrong(&value))?);
                }
                "--provider" => wanted.provider = Some(value()?),
                "--help" => return Ok(None),
                other => return Err(format!("unknown option {other}\n{USAGE}").into()),
            }
        }
        Ok(Some(wanted))
    }

    fn takes_provider(&self, profile: &Profile) -> bool {
        let has_key =
            || profile.key_variables.iter().any(|name| std::env::var_os(&**name).is_some());
        let named = self.provider.as_deref();
        named.is_none_or(|name| Profile::builtin(name).is_some_and(|named| named.id == profile.id))
            && (!self.keys || has_key())
    }

    /// Whether a model can do what is needed, as far as is known.
    fn takes(&self, model: &Model) -> bool {
        let can = model.capabilities;
        let needs = [
            (self.tools, can.tools),
            (self.images, can.images),
            (self.documents, can.documents),
            (self.schema, can.schema),
            (self.reasoning, can.reasoning),
        ];
        needs.iter().all(|(needed, can)| !needed || *can == Some(true))
            && can.context_window.unwrap_or(0) >= self.context
            && can.max_output.unwrap_or(0) >= self.output
            && matches!(model.api, Some(ModelApi::Chat | ModelApi::Responses))
            && model.status(SystemTime::now()) != Some(ModelStatus::Retired)
    }
}
