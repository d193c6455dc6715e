//! A service with several customers. None of them can spend more than a cent a day.
//!
//! ```text
//! cargo run --example budget
//! cargo run --example budget -- --csv > costs.csv
//! ```
//!
//! Worker threads answer the customers' questions. Before a question is sent, the client
//! reserves the most that its answer can cost in the customer's budget, so no number of threads
//! spends more than the limit. A customer whose budget is used up gets a polite refusal; the
//! others are still served. At the end the program prints the cost report, as a table or as CSV.
//! The environment decides which provider it asks, see `environment/mod.rs`; the loopback
//! provider's answers are long and dull.

mod environment;

use std::env;
use std::error::Error;
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, SystemTime};

use tollgate::testing::{Loopback, Reply};
use tollgate::{Availability, Budget, BudgetRefusal, ChatRequest, Client, CostConfig, Money};

/// The customers, and how many questions each one has.
const CUSTOMERS: [(&str, usize); 3] = [("acme", 9), ("globex", 4), ("initech", 2)];

const WORKERS: usize = 3;

fn main() -> Result<(), Box<dyn Error>> {
    let costs = CostConfig::default()
        // A limit for each customer. Calls beyond it are refused.
        .budget(Budget::daily(Money::cents(1)).per_tag("customer").name("free plan"))
        // A limit for all of them together. It is soft: it alerts, and refuses nothing.
        .budget(Budget::monthly(Money::cents(2)).soft().alert_at([50, 80, 100]))
        .on_alert(|alert| eprintln!("! {alert}"));
    let mut server = None;
    let client = environment::client(&mut server, loopback)?.costs(costs).build()?;

    // Here all customers ask at once.
    let questions = Mutex::new(questions());
    thread::scope(|scope| {
        for _ in 0..WORKERS {
            scope.spawn(|| {
                loop {
                    let next = questions.lock().unwrap_or_else(PoisonError::into_inner).pop();
                    let Some((customer, question)) = next else { break };
                    answer(&client, customer, &question);
                }
            });
        }
    });

    let report = client.costs();
    if env::args().any(|argument| argument == "--csv") {
        print!("{}", report.csv());
        return Ok(());
    }
    println!("\n{report}");
    // What the same tokens would have cost on another model.
    println!("{}", client.cost_tracker().what_if("openai", "gpt-4o")?);
    Ok(())
}

/// Answers one question of a customer, if the customer's budget allows it.
fn answer(client: &Client, customer: &str, question: &str) {
    // Without an output limit of its own, a request would reserve all that is left of the budget,
    // and the customer's other calls would be refused until it is answered.
    let request = ChatRequest::from(question).max_output_tokens(3_500).tag("customer", customer);
    match client.chat(request) {
        Ok(response) => {
            let tokens = response.usage.completion_tokens;
            match response.cost {
                Some(cost) => eprintln!("{customer}: {tokens} tokens for {cost:.6}"),
                None => eprintln!("{customer}: {tokens} tokens at an unknown price"),
            }
        }
        Err(error) => match error.budget() {
            Some(refusal) => eprintln!("{customer}: {}", sorry(refusal)),
            None => eprintln!("{customer}: {error}"),
        },
    }
}

/// What a customer without budget gets to read. For our own log, print `refusal` itself: it has
/// all the details.
fn sorry(refusal: &BudgetRefusal) -> String {
    let left = refusal.limit - refusal.spent - refusal.reserved;
    let when = match refusal.available {
        Availability::From(from) => {
            let wait = from.duration_since(SystemTime::now()).unwrap_or_default();
            format!("ask again in {} h", wait.as_secs().div_ceil(3_600))
        }
        Availability::OnceReleased { .. } => "ask again in a moment".to_owned(),
        _ => "ask for a shorter answer".to_owned(),
    };
    format!(
        "sorry, you have {left:.4} of your {} left, and the answer may cost {:.4}; {when}",
        refusal.limit, refusal.needed
    )
}

/// The questions. Workers take them from the end.
fn questions() -> Vec<(&'static str, String)> {
    let mut questions = Vec::new();
    for turn in 0..CUSTOMERS.iter().map(|(_, count)| *count).max().unwrap_or(0) {
        for (customer, count) in CUSTOMERS {
            if turn < count {
                questions.push((customer, format!("Write chapter {} of a novel.", turn + 1)));
            }
        }
    }
    questions.reverse();
    questions
}

fn loopback() -> std::io::Result<Loopback> {
    let server = Loopback::start()?;
    let chapter = "All work and no play makes Jack a dull boy. ".repeat(240);
    server.default_reply(Reply::text(chapter).delay(Duration::from_millis(200)));
    Ok(server)
}
