//! Answers the prompts of a file, many at once. Run it again to resume.
//!
//! ```text
//! cargo run --example bulk -- IN.jsonl OUT.jsonl
//! cargo run --example bulk -- IN.jsonl OUT.jsonl --workers 64 --rpm 500 --budget 2.50
//! cargo run --example bulk -- IN.jsonl OUT.jsonl --batch --fall-back
//! ```
//!
//! `IN.jsonl` has a line `{"id": "a", "prompt": "…"}` for each item. `OUT.jsonl` gets a line
//! `{"id": "a", "text": "…"}` or `{"id": "a", "error": "…"}`. Beside it, `OUT.jsonl.journal` keeps
//! what is done, and `OUT.jsonl.failed` the failed items with their requests.
//!
//! - `--workers N`: calls at once (default 16)
//! - `--rpm N`: requests per minute
//! - `--budget DOLLARS`: stops before it spends more, in this run
//! - `--batch`: submits the items in the provider's batches, at about half the price; the answers
//!   may take a day, and `--rpm` does not apply
//! - `--fall-back`: calls for the items that a batch did not answer in time
//! - `--repeat-failures`: sends the items again that have failed
//! - `--skip-malformed`: leaves out lines that cannot be read, instead of stopping
//!
//! Ctrl-C lets the calls in flight finish, and leaves batches at the provider. A second one ends the
//! program at once. The environment decides which provider it asks, see `environment/mod.rs`.

mod ctrl_c;
mod environment;

use std::cell::RefCell;
use std::error::Error;
use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::str::FromStr;
use std::{env, thread};

use ctrl_c::INTERRUPTED;
use indicatif::{ProgressBar, ProgressStyle};
use serde::Deserialize;
use serde_json::json;
use std::time::Duration;
use tollgate::bulk::{Batched, Journal, JsonLines, Progress, Status};
use tollgate::testing::{Loopback, Reply};
use tollgate::{Budget, ChatRequest, Client, CostConfig, Limits, PoolConfig};

const USAGE: &str = "usage: bulk IN.jsonl OUT.jsonl [--workers N] [--rpm N] [--budget DOLLARS] \
                     [--batch] [--fall-back] [--repeat-failures] [--skip-malformed]";

fn main() -> ExitCode {
    let run = Options::of_command_line().and_then(|options| run(&options));
    match run {
        Ok(code) => code,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

/// A line of the input.
#[derive(Deserialize)]
struct Line {
    id: String,
    prompt: String,
}

fn run(options: &Options) -> Result<ExitCode, Box<dyn Error>> {
    let mut server = None;
    let client = client(&mut server, options)?;
    let interrupted = ctrl_c::token()?;

    // A line that cannot be read ends the input, or is left out.
    let malformed = RefCell::new(None);
    let items = JsonLines::<Line>::open(&options.input)?
        .map_while(|line| match line {
            Ok(line) => Some(Some((line.id, ChatRequest::from(line.prompt)))),
            Err(problem) if options.skip_malformed => {
                eprintln!("left out: {problem}");
                Some(None)
            }
            Err(problem) => {
                malformed.replace(Some(problem));
                None
            }
        })
        .flatten();
    // With a replay, the output has every line again, so it is simply written anew.
    let journal =
        Journal::new(options.beside("journal")).repeat_failures(options.repeat).replay(true);
    let mut bulk = client.bulk();
    if options.batch {
        bulk = bulk.batched_with(Batched::new().fall_back_to_calls(options.fall_back));
    }
    let mut run = bulk
        .workers(options.workers)
        .total(count_lines(&options.input)?)
        .cancel_token(&interrupted)
        .journal(journal)
        .failures(options.beside("failed"))
        .chat(items)?;
    let bar = Bar::start(run.progress());
    let unwritable = |cause: std::io::Error| {
        let path = options.output.display();
        format!("{path} cannot be written: {cause}; mend that, and run this again to resume")
    };
    let mut output = BufWriter::new(File::create(&options.output).map_err(unwritable)?);
    let mut undone = None;
    for (id, result) in &mut run {
        let line = match result.and_then(|answer| answer.complete_text()) {
            Ok(text) => json!({"id": id, "text": text}),
            // They have no final result yet.
            Err(error) if error.is_cancelled() || error.budget().is_some() => {
                undone = Some(error);
                continue;
            }
            Err(error) => json!({"id": id, "error": error.to_string()}),
        };
        writeln!(output, "{line}").map_err(unwritable)?;
    }
    output.flush().map_err(unwritable)?;
    let finished = run.finish();
    bar.end();
    let status = finished?;
    summarize(&client, &status);
    if let Some(problem) = malformed.take() {
        return Err(format!("{problem}\n--skip-malformed leaves such lines out").into());
    }
    if let Some(error) = undone {
        if interrupted.is_cancelled() {
            println!("\nStopped by Ctrl-C.");
        } else {
            println!("\nNot everything is done: {error}");
        }
        if error.budget().is_some() && status.spent.is_zero() {
            println!("This budget allows no call; set a larger one with --budget.");
        }
        println!("To resume: {}", resume_command());
        return Ok(if interrupted.is_cancelled() { INTERRUPTED.into() } else { ExitCode::FAILURE });
    }
    Ok(if status.failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn client(server: &mut Option<Loopback>, options: &Options) -> Result<Client, Box<dyn Error>> {
    let connections = options.workers.max(1);
    let mut builder = environment::client(server, loopback)?.pool(PoolConfig {
        max_size: connections,
        max_per_origin: connections,
        ..PoolConfig::default()
    });
    if let Some(rpm) = options.rpm {
        builder = builder.limits(Limits::new().requests_per_minute(rpm));
    }
    if let Some(dollars) = &options.budget {
        builder = builder.costs(CostConfig::default().budget(Budget::total(dollars.parse()?)));
    }
    Ok(builder.build()?)
}

fn loopback() -> std::io::Result<Loopback> {
    let server = Loopback::start()?;
    server.record_requests(false);
    server.default_reply(Reply::text("An answer.").usage(20, 5).delay(Duration::from_millis(50)));
    Ok(server)
}

fn summarize(client: &Client, status: &Status) {
    println!("{:<14}{:>10}", "answered", status.answered);
    println!("{:<14}{:>10}", "failed", status.failed);
    // Items that were not read count too.
    let left = status.remaining.unwrap_or(status.unfinished);
    println!("{:<14}{left:>10}", "not done");
    println!("{:<14}{:>10}", "done before", status.skipped);
    println!("{:<14}{:>10}", "time", format!("{:.1?}", status.elapsed));
    let spent = match status.unpriced {
        1.. if status.spent.is_zero() => "unknown".to_owned(),
        _ => status.spent.to_string(),
    };
    println!("{:<14}{spent:>10}", "spent");
    if status.unpriced > 0 {
        println!("{:<14}{:>10}", "without price", status.unpriced);
    }
    println!("\n{}", client.costs());
}

/// The value of an option that takes a number.
fn number<N: FromStr>(option: &str, value: &str) -> Result<N, String> {
    value.parse().map_err(|_| format!("{option} needs a whole number, not {value:?}\n{USAGE}"))
}

/// The command that was run, quoted for a shell.
fn resume_command() -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./=,:".contains(c);
    let quoted = env::args().map(|word| match word.chars().all(plain) {
        true => word,
        false => format!("'{}'", word.replace('\'', r"'\''")),
    });
    quoted.collect::<Vec<_>>().join(" ")
}

fn count_lines(path: &PathBuf) -> Result<u64, Box<dyn Error>> {
    use std::io::{BufRead, BufReader};
    let mut lines = 0;
    let file = BufReader::new(File::open(path)?);
    for line in file.split(b'\n') {
        lines += u64::from(!line?.iter().all(u8::is_ascii_whitespace));
    }
    Ok(lines)
}

/// A bar that follows a run, on a thread of its own.
struct Bar {
    bar: ProgressBar,
    thread: thread::JoinHandle<()>,
}

impl Bar {
    fn start(progress: Progress) -> Self {
        let bar = ProgressBar::new(progress.status().total.unwrap_or(0));
        let style = ProgressStyle::with_template("{bar:30} {percent:>3} %  {msg}");
        bar.set_style(style.expect("a valid template"));
        let shown = bar.clone();
        let thread = thread::spawn(move || {
            loop {
                let status = progress.status();
                shown.set_position(status.done());
                shown.set_message(status.to_string());
                if status.ended {
                    return;
                }
                thread::sleep(Duration::from_millis(200));
            }
        });
        Self { bar, thread }
    }

    fn end(self) {
        // It ends with the run.
        let _ = self.thread.join();
        self.bar.finish();
        println!();
    }
}

struct Options {
    input: PathBuf,
    output: PathBuf,
    workers: usize,
    rpm: Option<u64>,
    budget: Option<String>,
    batch: bool,
    fall_back: bool,
    repeat: bool,
    skip_malformed: bool,
}

impl Options {
    fn of_command_line() -> Result<Self, Box<dyn Error>> {
        let mut options = Self {
            input: PathBuf::new(),
            output: PathBuf::new(),
            workers: 16,
            rpm: None,
            budget: None,
            batch: false,
            fall_back: false,
            repeat: false,
            skip_malformed: false,
        };
        let mut files = Vec::new();
        let mut words = env::args().skip(1);
        while let Some(word) = words.next() {
            let mut value = || words.next().ok_or_else(|| format!("{word} needs a value\n{USAGE}"));
            match word.as_str() {
                "--workers" => options.workers = number(&word, &value()?)?,
                "--rpm" => options.rpm = Some(number(&word, &value()?)?),
                "--budget" => options.budget = Some(value()?),
                "--batch" => options.batch = true,
                "--fall-back" => options.fall_back = true,
                "--repeat-failures" => options.repeat = true,
                "--skip-malformed" => options.skip_malformed = true,
                flag if flag.starts_with("--") => {
                    return Err(format!("unknown option {flag}\n{USAGE}").into());
                }
                file => files.push(PathBuf::from(file)),
            }
        }
        let Ok([input, output]) = <[PathBuf; 2]>::try_from(files) else {
            return Err(USAGE.into());
        };
        (options.input, options.output) = (input, output);
        let paths = [&options.input, &options.output].map(fs::canonicalize);
        if matches!(&paths, [Ok(input), Ok(output)] if input == output) {
            return Err("the output would overwrite the input; name another file".into());
        }
        Ok(options)
    }

    /// A file named after the output.
    fn beside(&self, ending: &str) -> PathBuf {
        let mut path = self.output.clone().into_os_string();
        path.push(".");
        path.push(ending);
        path.into()
    }
}
