use std::env;
use std::time::Duration;

const USAGE: &str = "\
Usage: dashboard [--port N] [--seconds N] [--calls-per-second N] [--real]

  --port N              listens on this port of 127.0.0.1, 0 for any (default 8720)
  --seconds N           ends after so long (default: with Ctrl-C)
  --calls-per-second N  how much load, on average (default 10, or 0.1 with --real)
  --real                asks the provider that the environment names, for money";

/// What the command line says.
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
