//! A service with several customers, none of whom can spend more than a cent a day.
//!
//! ```text
//! cargo run --example budget
//! cargo run --example budget -- --csv > costs.csv
//! ```
//!
//! Worker threads answer the customers' questions. Before a question is sent, the most
//! that its answer can cost is set aside in the customer's budget, so that no number of
//! threads spends more than the limit. A customer whose budget does not bear it is told so,
//! and the others are served as ever. At the end stands the report, as a table or as CSV.
//! Which provider is asked is told by the environment, see `environment/mod.rs`; the answers
//! of the loopback provider are long and dull.

mod environment;

use std::env;
use std::error::Error;
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, SystemTime};

use tollgate::testing::{Loopback, Reply};
use tollgate::{Availability, Budget, BudgetRefusal, ChatRequest, Client, CostConfig, Money};

/// Who asks, and how often.
const CUSTOMERS: [(&str, usize); 3] = [("acme", 9), ("globex", 4), ("initech", 2)];

const WORKERS: usize = 3;

fn main() -> Result<(), Box<dyn Error>> {
    let costs = CostConfig::default()
        // Each customer by itself; beyond it, calls are refused.
        .budget(Budget::daily(Money::cents(1)).per_tag("customer").name("free plan"))
        // All of them together; this one refuses nothing and only tells.
        .budget(Budget::monthly(Money::cents(2)).soft().alert_at([50, 80, 100]))
        .on_alert(|alert| eprintln!("! {alert}"));
    let mut server = None;
    let client = environment::client(&mut server, loopback)?.costs(costs).build()?;

    // Anyone may ask anything at any time; here all ask at once.
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
    // The same tokens on another model.
    println!("{}", client.cost_tracker().what_if("openai", "gpt-4o")?);
    Ok(())
}

/// Answers one question of a customer, if the customer can pay for it.
fn answer(client: &Client, customer: &str, question: &str) {
    // Without a limit of its own, a request would have all set aside that the budget bears,
    // and the customer's other ones be refused until it is answered.
    let request = ChatRequest::from(question).max_output_tokens(3_500).tag("customer", customer);
    match client.chat(request) {
        Ok(response) => {
            let tokens = response.usage.completion_tokens;
            match response.cost {
                Some(cost) => eprintln!("{customer}: {tokens} tokens for {cost:.6}"),
                None => eprintln!("{customer}: {tokens} tokens, nobody knows for how much"),
            }
        }
        Err(error) => match error.budget() {
            Some(refusal) => eprintln!("{customer}: {}", sorry(refusal)),
            None => eprintln!("{customer}: {error}"),
        },
    }
}

/// What the customer is told who has run out of budget. To ourselves, `refusal` itself says
/// all there is to say.
fn sorry(refusal: &BudgetRefusal) -> String {
    let left = refusal.limit - refusal.spent - refusal.reserved;
    let when = match refusal.available {
        Availability::From(from) => {
            let wait = from.duration_since(SystemTime::now()).unwrap_or_default();
            format!("ask again in {} h", wait.as_secs().div_ceil(3_600))
        }
        Availability::OnceReleased { .. } => "ask again in a moment".to_owned(),
        _ => "ask for a shorter one".to_owned(),
    };
    format!(
        "sorry, {left:.4} of your {} is left, and the answer may cost {:.4}; {when}",
        refusal.limit, refusal.needed
    )
}

/// The questions in the order in which they are taken, the last first.
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
