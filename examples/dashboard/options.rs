use std::env;
use std::time::Duration;

const USAGE: &str = "\
Usage: dashboard [--port N] [--seconds N] [--calls-per-second N] [--real]

  --port N              listen on this port of 127.0.0.1; 0 picks a free one (default 8720)
  --seconds N           stop after N seconds (default: run until Ctrl-C)
  --calls-per-second N  average load (default 10, or 0.1 with --real)
  --real                ask the provider from the environment, which costs money";

/// The command line options.
#[derive(Debug)]
pub(crate) struct Options {
    pub(crate) port: u16,
    pub(crate) seconds: Option<Duration>,
    pub(crate) calls_per_second: Option<f64>,
    pub(crate) real: bool,
}

impl Options {
    pub(crate) fn from_args() -> Result<Self, &'static str> {
        let mut options = Self { port: 8720, seconds: None, calls_per_second: None, real: false };
        let mut words = env::args().skip(1);
        while let Some(word) = words.next() {
            match word.as_str() {
                "--port" => options.port = parsed(words.next())?,
                "--seconds" => options.seconds = Some(Duration::from_secs(parsed(words.next())?)),
                "--calls-per-second" => {
                    let rate: f64 = parsed(words.next())?;
                    if !(0.001..=10_000.0).contains(&rate) {
                        return Err(USAGE);
                    }
                    options.calls_per_second = Some(rate);
                }
                "--real" => options.real = true,
                _ => return Err(USAGE),
            }
        }
        Ok(options)
    }
}

fn parsed<T: std::str::FromStr>(word: Option<String>) -> Result<T, &'static str> {
    word.and_then(|word| word.parse().ok()).ok_or(USAGE)
}
