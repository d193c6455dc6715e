//! The command line.

use std::time::Duration;

use tollgate::chat::Format;
use tollgate::{Client, ClientBuilder, RetryConfig};

pub(crate) const USAGE: &str = "\
usage: conformance requests PROVIDER BASE_URL [OPTION…]
       conformance answers  PROVIDER BASE_URL [OPTION…]

  requests   a server that checks requests, such as Prism
  answers    a server that answers, such as llama.cpp's

  --format FORMAT  the wire format, such as openai_responses; default: the provider's
  --model MODEL    the model's name; default: some-model
  --key KEY        the key; default: sk-test
  --only TEXT      only the cases whose name contains this
  --faults         answers: also aimock's faults and an error for the prompt \"Please fail.\"
  --show           requests: prints each request's body";

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Command {
    Requests,
    Answers,
}

pub(crate) struct Arguments {
    pub(crate) command: Command,
    pub(crate) provider: String,
    pub(crate) base_url: String,
    pub(crate) format: Option<Format>,
    pub(crate) only: Option<String>,
    pub(crate) faults: bool,
    pub(crate) show: bool,
    model: String,
    key: String,
}

impl Arguments {
    pub(crate) fn parse(words: impl Iterator<Item = String>) -> Result<Self, String> {
        let mut named = Vec::new();
        let (mut format, mut only, mut faults, mut show) = (None, None, false, false);
        let (mut model, mut key) = ("some-model".to_owned(), "sk-test".to_owned());
        let mut words = words;
        while let Some(word) = words.next() {
            let mut value = || words.next().ok_or(format!("{word} needs a value"));
            match word.as_str() {
                "--format" => {
                    let name = value()?;
                    let read = serde_json::from_value(name.clone().into());
                    format = Some(read.map_err(|_| format!("no wire format is called {name:?}"))?);
                }
                "--model" => model = value()?,
                "--key" => key = value()?,
                "--only" => only = Some(value()?),
                "--faults" => faults = true,
                "--show" => show = true,
                option if option.starts_with('-') => {
                    return Err(format!("unknown option {option}"));
                }
                _ => named.push(word),
            }
        }
        let Ok([command, provider, base_url]) = <[String; 3]>::try_from(named) else {
            return Err("three words are needed".to_owned());
        };
        let command = match command.as_str() {
            "requests" => Command::Requests,
            "answers" => Command::Answers,
            other => return Err(format!("unknown command {other:?}")),
        };
        Ok(Self { command, provider, base_url, format, only, faults, show, model, key })
    }

    pub(crate) fn wants(&self, case: &str) -> bool {
        self.only.as_ref().is_none_or(|only| case.contains(only.as_str()))
    }

    /// A client of the server at this URL, without retries.
    pub(crate) fn client(&self, base_url: &str) -> Result<Client, String> {
        self.builder(base_url).build().map_err(|error| error.to_string())
    }

    pub(crate) fn builder(&self, base_url: &str) -> ClientBuilder {
        Client::builder()
            .provider(self.provider.as_str())
            .model(self.model.as_str())
            .api_key(self.key.as_str())
            .base_url(base_url)
            .allow_plain_http(true)
            .timeout(Duration::from_secs(120))
            .retry(RetryConfig { max_retries: 0, ..RetryConfig::default() })
    }
}
