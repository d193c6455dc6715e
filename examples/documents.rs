//! Summarizes a folder of text files by two providers, with a budget for each customer.
//!
//! ```text
//! cargo run --example documents -- FOLDER
//! ```
//!
//! Each folder in `FOLDER` is a customer, and its `.txt` files are the customer's documents. Both
//! providers summarize each of them, and a customer whose budget is spent holds up no other. Without
//! `FOLDER`, it makes up a few documents.
//!
//! With `OPENAI_API_KEY` and `ANTHROPIC_API_KEY` it asks these two. Otherwise the loopback provider
//! plays both.

use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::{env, fs};

use tollgate::bulk::OnBudget;
use tollgate::testing::{Loopback, Reply};
use tollgate::{
    Budget, ChatRequest, Client, CostConfig, ErrorKind, Message, Money, ProviderConfig,
};

/// The providers, each with a model.
const MODELS: [&str; 2] = ["openai/gpt-4o-mini", "anthropic/claude-haiku-4-5"];

/// What each customer may spend.
const BUDGET: Money = Money::cents(2);

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

/// A document of a customer.
struct Document {
    customer: String,
    name: String,
    text: String,
}

fn run() -> Result<(), Box<dyn Error>> {
    let documents = match env::args().nth(1) {
        Some(folder) => read(Path::new(&folder))?,
        None => made_up(),
    };
    if documents.is_empty() {
        return Err("no .txt files; put them into a folder for each customer".into());
    }
    let mut server = None;
    let client = client(&mut server)?;
    let requests = documents.iter().flat_map(|document| {
        MODELS.map(|model| {
            (format!("{}/{} by {model}", document.customer, document.name), {
                ChatRequest::new([
                    Message::system("Summarize the document in one sentence."),
                    Message::user(document.text.as_str()),
                ])
                .model(model)
                .max_output_tokens(200)
                .tag("customer", &document.customer)
            })
        })
    });
    let run = client.bulk().ordered().on_budget(OnBudget::Continue).chat(requests)?;
    let progress = run.progress();
    for (id, result) in run {
        match result.and_then(|answer| answer.complete_text()) {
            Ok(summary) => println!("{id}\n    {}", summary.trim()),
            Err(error) if error.kind() == ErrorKind::BudgetExceeded => {
                println!("{id}\n    not summarized: the customer's budget is spent");
            }
            Err(error) => println!("{id}\n    failed: {error}"),
        }
    }
    println!("\n{progress}\n\n{}", client.costs());
    Ok(())
}

/// A client of both providers, with a budget for each customer.
fn client(server: &mut Option<Loopback>) -> Result<Client, Box<dyn Error>> {
    let costs = CostConfig::default().budget(Budget::total(BUDGET).per_tag("customer"));
    let mut providers = ["openai", "anthropic"].map(ProviderConfig::new);
    let is_set = |name: &str| env::var(name).is_ok_and(|key| !key.trim().is_empty());
    if !is_set("OPENAI_API_KEY") || !is_set("ANTHROPIC_API_KEY") {
        eprintln!("No keys of both providers in the environment: asking the loopback provider.\n");
        let server = server.insert(Loopback::start()?);
        server.default_reply(Reply::text("It is about chalk.").usage(60, 100));
        providers = ["openai", "anthropic"].map(|provider| {
            let url = server.base_url(provider);
            ProviderConfig::new(provider).api_key("not-a-real-key").base_url(url)
        });
    }
    let builder = Client::builder().costs(costs);
    Ok(providers.into_iter().fold(builder, |builder, it| builder.add_provider(it)).build()?)
}

/// The text files in the folders of a folder.
fn read(folder: &Path) -> Result<Vec<Document>, Box<dyn Error>> {
    let mut documents = Vec::new();
    for customer in entries(folder)?.into_iter().filter(|path| path.is_dir()) {
        for file in entries(&customer)? {
            if file.extension().is_some_and(|extension| extension == "txt") {
                let text = fs::read_to_string(&file)
                    .map_err(|error| format!("{}: {error}", file.display()))?;
                documents.push(Document { customer: name(&customer), name: name(&file), text });
            }
        }
    }
    Ok(documents)
}

fn entries(folder: &Path) -> Result<Vec<PathBuf>, Box<dyn Error>> {
    let problem = |error| format!("{}: {error}", folder.display());
    let entries = fs::read_dir(folder).map_err(problem)?;
    let mut paths = entries.map(|entry| Ok(entry?.path())).collect::<Result<Vec<_>, _>>();
    if let Ok(paths) = &mut paths {
        paths.sort();
    }
    Ok(paths.map_err(problem)?)
}

fn name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

fn made_up() -> Vec<Document> {
    let documents = [("acme", 3), ("globex", 40)];
    let of = |(customer, count): (&str, usize)| {
        let customer = customer.to_owned();
        (1..=count).map(move |number| Document {
            customer: customer.clone(),
            name: format!("invoice-{number:02}.txt"),
            text: format!("Invoice {number} of {customer}: 12 boxes of chalk, due in 30 days."),
        })
    };
    documents.into_iter().flat_map(of).collect()
}
