use std::io;
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use tollgate::route::{Balanced, BreakerConfig, Route};
use tollgate::testing::{Loopback, Reply, Request};
use tollgate::{CancelToken, ChatRequest, Client};

/// How many threads call: more than the pool has connections, so that some wait for one.
const WORKERS: usize = 48;

/// The customers, with the share of calls of each, in tenths.
const CUSTOMERS: [(&str, usize); 3] = [("acme", 6), ("globex", 3), ("initech", 1)];

/// The models that the loopback provider plays, with the share of calls of each, in tenths, and
/// its typical latency.
const MODELS: [(&str, usize, Duration); 3] = [
    ("gpt-4o-mini", 5, Duration::from_millis(350)),
    ("gpt-4o", 3, Duration::from_millis(900)),
    ("o3-mini", 2, Duration::from_millis(2_200)),
];

/// The route that three in ten simulated calls take: over all the models.
const ROUTE: &str = "any";

/// That route.
pub(crate) fn route() -> Route {
    let targets = MODELS.map(|(model, ..)| format!("openai/{model}"));
    // With so few calls and so many faults, a target rests now and then.
    let breaker = BreakerConfig::default().consecutive_failures(2);
    Route::new(ROUTE).targets(targets).strategy(Balanced).breaker(breaker)
}

/// The calls to make.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Load {
    /// Calls per second, on average.
    pub(crate) rate: f64,
    /// Whether they go to the loopback provider: then they are long, and use several models.
    simulated: bool,
}

impl Load {
    pub(crate) const SIMULATED: Self = Self { rate: 10.0, simulated: true };
    pub(crate) const REAL: Self = Self { rate: 0.1, simulated: false };

    fn request(self) -> ChatRequest {
        let customer = pick(CUSTOMERS);
        let request = if self.simulated {
            let question =
                "Once upon a time there was a tollgate. ".repeat(fastrand::usize(10..200));
            let model = match fastrand::usize(0..10) {
                0..3 => ROUTE,
                _ => pick(MODELS.map(|(model, weight, _)| (model, weight))),
            };
            ChatRequest::from(question).model(model).max_output_tokens(800)
        } else {
            ChatRequest::from("Name a colour, in one word.").max_output_tokens(64)
        };
        request.tag("customer", customer)
    }
}

/// Makes calls until `stop` is cancelled, which also cancels the calls in progress.
pub(crate) fn run(client: &Client, load: Load, stop: &CancelToken) {
    let begun = Instant::now();
    let next = Mutex::new(begun);
    thread::scope(|scope| {
        for _ in 0..WORKERS {
            scope.spawn(|| {
                loop {
                    let due = take_turn(&next, load, begun);
                    if stop.wait_timeout(due.saturating_duration_since(Instant::now())) {
                        break;
                    }
                    call(client, load.request().cancel_token(stop));
                }
            });
        }
    });
}

/// When the next call is due. Calls come at random intervals, at a rate that rises and falls.
fn take_turn(next: &Mutex<Instant>, load: Load, begun: Instant) -> Instant {
    let mut next = next.lock().unwrap_or_else(PoisonError::into_inner);
    // Calls that were missed because all threads were busy are not made up for.
    let due = (*next).max(Instant::now());
    let tide = 1.0 + 0.4 * (begun.elapsed().as_secs_f64() / 12.0).sin();
    *next = due + Duration::from_secs_f64(2.0 * fastrand::f64() / (load.rate * tide));
    due
}

/// Ignores the outcome: the metrics record it.
fn call(client: &Client, request: ChatRequest) {
    if fastrand::bool() {
        let _ = client.chat(request);
        return;
    }
    let Ok(mut stream) = client.stream(request) else { return };
    if stream.text().all(|delta| delta.is_ok()) {
        let _ = stream.finish();
    }
}

/// A provider with several models, good days and bad moments.
pub(crate) fn loopback() -> io::Result<Loopback> {
    let server = Loopback::start()?;
    // It may run for long, and recorded requests take memory.
    server.record_requests(false);
    let begun = Instant::now();
    server.respond(move |request| {
        // Twenty seconds of every two minutes are bad.
        let is_bad = (30..50).contains(&(begun.elapsed().as_secs() % 120));
        Some(reply(request, if is_bad { 6 } else { 1 }))
    });
    Ok(server)
}

/// An answer, or a fault; faults are `misfortune` times as frequent as usual.
fn reply(request: &Request, misfortune: usize) -> Reply {
    match fastrand::usize(0..1_000) / misfortune {
        0..20 => Reply::status(429).header("retry-after", "1"),
        20..32 => Reply::status(500).delay(Duration::from_millis(120)),
        32..38 => answer(request).cut_after(600),
        38..40 => Reply::hang(),
        40..43 => Reply::error(400, "content_filter", "The prompt was flagged."),
        _ => answer(request),
    }
}

fn answer(request: &Request) -> Reply {
    let model = MODELS.iter().find(|(model, _, _)| request.model() == Some(model));
    let usual = model.map_or(Duration::ZERO, |(_, _, usual)| *usual);
    // Half of them take less than 0.7 times the typical latency, one in a hundred over 3.4 times.
    let late = usual.mul_f64(0.5 + 3.0 * fastrand::f64().powi(4));
    let words = "toll ".repeat(fastrand::usize(30..400));
    Reply::text(words).delay(late).chunk_delay(Duration::from_millis(3))
}

/// Picks one by weight.
fn pick<T, const N: usize>(choices: [(T, usize); N]) -> T {
    let mut left = fastrand::usize(0..choices.iter().map(|(_, weight)| weight).sum());
    for (choice, weight) in choices {
        if left < weight {
            return choice;
        }
        left -= weight;
    }
    unreachable!("the weights add up to more than what is left")
}
