//! What the tests of batches share.

use std::time::Duration;
use tollgate::embed::EmbeddingFormat;
use tollgate::provider::{Auth, BatchFormat, BatchProfile, Format, Profile};
use tollgate::testing::{Loopback, Reply};
use tollgate::{
    Batch, BatchOutcome, Batches, CancelToken, ChatRequest, Client, ClientBuilder, Sleeper,
};

/// A provider for each interface, and those that share OpenAI's.
pub(crate) const PROVIDERS: [(&str, &str); 8] = [
    ("openai", "gpt-4o-mini"),
    ("azure", "gpt-4o-mini"),
    ("groq", "llama-3.3-70b-versatile"),
    ("together", "meta-llama/Llama-3.3-70B-Instruct-Turbo"),
    ("mistral", "mistral-small-latest"),
    ("anthropic", "claude-haiku-4-5"),
    ("gemini", "gemini-2.5-flash"),
    (GEMINI_BY_FILE, "gemini-2.5-flash"),
];

/// Gemini, with a file for every batch, however small.
pub(crate) const GEMINI_BY_FILE: &str = "gemini-by-file";

/// Returns at once: no order depends on waits.
pub(crate) struct NoSleep;

impl Sleeper for NoSleep {
    fn sleep(&self, _: Duration, _: Option<&CancelToken>) {}
}

pub(crate) fn builder(server: &Loopback, provider: &str, model: &str) -> ClientBuilder {
    let builder = Client::builder().api_key("sk-loopback-test-key").model(model).sleeper(NoSleep);
    if provider == GEMINI_BY_FILE {
        let batches = BatchProfile::new(BatchFormat::Gemini, 1_000, 100_000_000);
        let profile = Profile::new(provider, Format::Gemini, server.base_url("gemini"))
            .auth(Auth::header("x-goog-api-key"))
            .embeddings(EmbeddingFormat::Gemini)
            .batches(batches.embeddings().inline(0, 0));
        return builder.profile(profile).provider(provider);
    }
    builder.provider(provider).base_url(server.base_url(provider))
}

pub(crate) fn client(server: &Loopback, provider: &str, model: &str) -> Client {
    builder(server, provider, model).build().expect("a valid configuration")
}

/// A server whose answer to each of [`requests`] names its id, and uses 100 and 10 tokens.
pub(crate) fn server() -> Loopback {
    let server = super::loopback();
    server.respond(|request| {
        let id = (0..100).map(|number| format!("id-{number}."));
        let id = id.into_iter().find(|id| request.body_contains(id))?;
        let is_single = !request.path().contains("/batch") && !request.path().contains("/files");
        let is_single = is_single && !request.path().ends_with(":batchGenerateContent");
        is_single.then(|| Reply::text(format!("answer to {id}")).usage(100, 10))
    });
    server
}

pub(crate) fn requests(count: usize) -> Vec<(String, ChatRequest)> {
    let request = |number: usize| {
        let id = format!("id-{number}");
        (id.clone(), ChatRequest::from(format!("{id}.")).max_output_tokens(50))
    };
    (0..count).map(request).collect()
}

/// The outcome of each request: the text of its answer, the kind of its error, or how it ended.
pub(crate) fn outcomes(batches: &Batches, batch: &Batch) -> Vec<(String, String)> {
    let word = |outcome: BatchOutcome| match outcome {
        BatchOutcome::Answered(response) => response.text(),
        BatchOutcome::Failed(error) => format!("{:?}", error.kind()),
        other => format!("{other:?}"),
    };
    let results = batches.results(batch).expect("the results");
    let results = results.map(|result| result.expect("a result"));
    results.map(|result| (result.id, word(result.outcome))).collect()
}

/// The outcomes if each request has the one that `outcome` gives for its number.
pub(crate) fn expected(
    count: usize,
    outcome: impl Fn(usize) -> Option<&'static str>,
) -> Vec<(String, String)> {
    let each = |number: usize| {
        let answer = || format!("answer to id-{number}.");
        (format!("id-{number}"), outcome(number).map_or_else(answer, str::to_owned))
    };
    (0..count).map(each).collect()
}
