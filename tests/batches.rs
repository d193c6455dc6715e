//! Batches end to end, over each provider's interface.

use std::time::Duration;
use tollgate::testing::{BatchScript, Loopback, Reply};
use tollgate::{
    Batch, BatchOutcome, BatchState, Batches, CancelToken, ChatRequest, Client, ErrorKind, Sleeper,
};

/// Returns at once, because no order depends on waits.
struct NoSleep;

impl Sleeper for NoSleep {
    fn sleep(&self, _: Duration, _: Option<&CancelToken>) {}
}

const PROVIDERS: [(&str, &str); 6] = [
    ("openai", "gpt-4o-mini"),
    ("azure", "gpt-4o-mini"),
    ("groq", "llama-3.3-70b-versatile"),
    ("mistral", "mistral-small-latest"),
    ("anthropic", "claude-haiku-4-5"),
    ("gemini", "gemini-2.5-flash"),
];

fn client(server: &Loopback, provider: &str, model: &str) -> Client {
    Client::builder()
        .provider(provider)
        .model(model)
        .api_key("sk-test")
        .base_url(server.base_url(provider))
        .sleeper(NoSleep)
        .build()
        .unwrap()
}

/// Each request's prompt is its id, and its answer repeats it.
fn echo(server: &Loopback) {
    server.respond(|request| {
        let is_single = !request.path().contains("batch") && !request.path().contains("/files");
        (request.method() == "POST" && is_single).then(|| {
            let ids = (0..100).map(|number| format!("id-{number}."));
            let id = ids.into_iter().find(|id| request.body_contains(id)).unwrap_or_default();
            Reply::text(format!("answer to {id}")).usage(100, 10)
        })
    });
}

fn requests(count: usize) -> Vec<(String, ChatRequest)> {
    let request = |number: usize| {
        let id = format!("id-{number}");
        (id.clone(), ChatRequest::from(format!("{id}.")))
    };
    (0..count).map(request).collect()
}

fn outcomes(batches: &Batches, batch: &Batch) -> Vec<(String, String)> {
    let word = |outcome: BatchOutcome| match outcome {
        BatchOutcome::Answered(response) => response.text().to_owned(),
        BatchOutcome::Failed(error) => format!("{:?}", error.kind()),
        other => format!("{other:?}"),
    };
    let results = batches.results(batch).unwrap();
    results.map(|result| result.unwrap()).map(|result| (result.id, word(result.outcome))).collect()
}

#[test]
fn every_interface_answers_in_the_order_of_submission() {
    for (provider, model) in PROVIDERS {
        let server = Loopback::start().unwrap();
        echo(&server);
        server.batches(BatchScript::new().looks(2));
        let client = client(&server, provider, model);
        let batches = client.batches(provider);
        let batch = batches.submit(requests(20)).unwrap();
        assert_eq!(batch.request_ids().len(), 20, "{provider}");
        assert!(!batches.status(&batch).unwrap().state.is_final(), "{provider}");
        let early = batches.results(&batch).unwrap_err();
        assert_eq!(early.kind(), ErrorKind::InvalidRequest, "{provider}: {early}");
        let status = batches.wait(&batch).unwrap();
        assert_eq!(status.state, BatchState::Completed, "{provider}");
        assert_eq!((status.counts.total, status.counts.answered), (20, 20), "{provider}");
        let expected: Vec<_> = (0..20)
            .map(|number| (format!("id-{number}"), format!("answer to id-{number}.")))
            .collect();
        assert_eq!(outcomes(&batches, &batch), expected, "{provider}");
    }
}
