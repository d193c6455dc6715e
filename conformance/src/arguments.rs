//! The command line.

use std::time::Duration;

use tollgate::chat::Format;
use tollgate::provider::AwsCredentials;
use tollgate::{ApiKey, Client, ClientBuilder, RetryConfig};

pub(crate) const USAGE: &str = "\
usage: conformance SERVER…                            starts these servers, and checks each
       conformance requests PROVIDER BASE_URL [OPTION…]  a server that checks requests
       conformance answers  PROVIDER BASE_URL [OPTION…]  a server that answers

  SERVER           prism, aimock, litellm or llamacpp. The README names the environment variables
                   that say where they are.

  --format FORMAT  the wire format, such as openai_responses; default: the provider's
  --model MODEL    the model's name; default: some-model
  --key KEY        the key; default: sk-test
  --only TEXT      only the cases whose name contains this
  --faults         answers: also the faults of aimock
  --errors         answers: also a wrong key and an unknown model
  --signed         answers: signs requests to Bedrock, instead of sending a key
  --show           requests: prints each request's body";

/// A run against one server.
#[derive(Clone)]
pub(crate) struct Arguments {
    pub(crate) provider: String,
    pub(crate) base_url: String,
    pub(crate) format: Option<Format>,
    pub(crate) model: String,
    /// Default: `model`.
    pub(crate) embedding_model: Option<String>,
    pub(crate) key: String,
    pub(crate) only: Option<String>,
    pub(crate) faults: bool,
    pub(crate) errors: bool,
    pub(crate) moderation: bool,
    /// The server answers with the words of `fixtures.json`.
    pub(crate) scripted: bool,
    pub(crate) signed: bool,
    pub(crate) show: bool,
}

pub(crate) enum Command {
    Requests(Arguments),
    Answers(Arguments),
    Servers(Vec<String>),
}

impl Command {
    pub(crate) fn parse(words: impl Iterator<Item = String>) -> Result<Self, String> {
        let mut named = Vec::new();
        let mut arguments = Arguments::new("", "");
        let mut words = words;
        while let Some(word) = words.next() {
            let mut value = || words.next().ok_or(format!("{word} needs a value"));
            match word.as_str() {
                "--format" => {
                    let name = value()?;
                    let read = serde_json::from_value(name.clone().into());
                    arguments.format =
                        Some(read.map_err(|_| format!("no wire format is called {name:?}"))?);
                }
                "--model" => arguments.model = value()?,
                "--key" => arguments.key = value()?,
                "--only" => arguments.only = Some(value()?),
                "--faults" => arguments.faults = true,
                "--errors" => arguments.errors = true,
                "--signed" => arguments.signed = true,
                "--show" => arguments.show = true,
                option if option.starts_with('-') => {
                    return Err(format!("unknown option {option}"));
                }
                _ => named.push(word),
            }
        }
        let words: Vec<&str> = named.iter().map(String::as_str).collect();
        let (command, provider, base_url): (fn(Arguments) -> Self, _, _) = match words[..] {
            ["requests", provider, base_url] => (Self::Requests, provider, base_url),
            ["answers", provider, base_url] => (Self::Answers, provider, base_url),
            ["requests" | "answers", ..] => {
                return Err(format!("{} needs a provider and a base URL", words[0]));
            }
            [] => return Err("name a server or a command".to_owned()),
            _ => return Ok(Self::Servers(named)),
        };
        Ok(command(Arguments {
            provider: provider.to_owned(),
            base_url: base_url.to_owned(),
            ..arguments
        }))
    }
}

impl Arguments {
    pub(crate) fn new(provider: &str, base_url: impl Into<String>) -> Self {
        Self {
            provider: provider.to_owned(),
            base_url: base_url.into(),
            format: None,
            model: "some-model".to_owned(),
            embedding_model: None,
            key: "sk-test".to_owned(),
            only: None,
            faults: false,
            errors: false,
            moderation: false,
            scripted: false,
            signed: false,
            show: false,
        }
    }

    /// A client of the server at this URL, without retries.
    pub(crate) fn client(&self, base_url: &str) -> Result<Client, String> {
        self.builder(base_url).build().map_err(|error| error.to_string())
    }

    pub(crate) fn builder(&self, base_url: &str) -> ClientBuilder {
        let builder = Client::builder()
            .provider(self.provider.as_str())
            .model(self.model.as_str())
            .base_url(base_url)
            .allow_plain_http(true)
            .timeout(Duration::from_secs(120))
            .retry(RetryConfig { max_retries: 0, ..RetryConfig::default() });
        let key = self.key.clone();
        match self.provider.as_str() {
            "vertex" => builder
                .project("a-project")
                .location("us-central1")
                .credentials(move || Ok(ApiKey::from(key.as_str()))),
            "bedrock" if self.signed => builder
                .location("eu-west-1")
                .credentials(AwsCredentials::new("AKIDEXAMPLE", key).region("eu-west-1")),
            "bedrock" => builder.location("eu-west-1").api_key(key),
            _ => builder.api_key(key),
        }
    }
}
