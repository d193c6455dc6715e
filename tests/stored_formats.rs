//! Every file that the library keeps can be read by later versions of it.
//!
//! `tests/stored/` has files of each version of each format, as that version wrote them. They never
//! change. A new version of a format gets new files beside them:
//! `TOLLGATE_STORED=<folder> cargo test --features sqlite --test stored_formats write_files` writes
//! all files of the current versions into an empty folder.

mod support;

use serde_json::{Value, json};
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;
use support::folder::Folder;
use support::{KEY, loopback, quick_retries};
use tollgate::bulk::{Batched, Journal};
use tollgate::replay::Mode;
use tollgate::testing::{Loopback, Reply};
use tollgate::{
    AnswerSource, Batch, BatchOutcome, Cache, ChatRequest, ChatResponse, Client, ClientBuilder,
    EmbedRequest, ErrorKind, FinishReason, Money, Replay,
};

/// Where the provider was when the files were written. It is part of the keys of requests.
const PORT: u16 = 47_110;

fn stored(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/stored").join(name)
}

/// A copy, because a file that is opened for writing may change.
fn copied(name: &str, folder: &Folder) -> PathBuf {
    let copy = folder.file(name);
    fs::copy(stored(name), &copy).unwrap();
    copy
}

/// A client of a provider that is gone.
fn builder() -> ClientBuilder {
    Client::builder()
        .provider("openai")
        .model("gpt-4o-mini")
        .api_key(KEY)
        .base_url(format!("http://127.0.0.1:{PORT}/v1"))
        .retry(quick_retries(0))
}

fn texts() -> EmbedRequest {
    EmbedRequest::new(["one", "two"]).model("text-embedding-3-small")
}

/// The items of the journals. The second is equal to the first, and the third fails.
fn items() -> [(&'static str, ChatRequest); 3] {
    [
        ("first", ChatRequest::from("What is the capital of France?")),
        ("equal", ChatRequest::from("What is the capital of France?")),
        ("third", ChatRequest::from("a bad request")),
    ]
}

fn batch_items() -> [(&'static str, ChatRequest); 2] {
    ["one", "two"].map(|id| (id, ChatRequest::from(format!("batched {id}")).max_output_tokens(9)))
}

fn batched() -> Batched {
    let (quick, slow) = (Duration::from_millis(1), Duration::from_millis(5));
    Batched::new().poll_interval(quick).max_poll_interval(slow)
}

fn respond(server: &Loopback) {
    server.respond(|request| {
        let is_batch = ["/batches", "/files"].iter().any(|part| request.path().contains(part));
        Some(match request.body_contains("a bad request") {
            _ if is_batch => return None,
            true => Reply::error(400, "invalid_value", "the model cannot do that"),
            false => Reply::text("Paris, é漢🎉").usage(12, 3),
        })
    });
}

/// Writes all files, if `TOLLGATE_STORED` names a folder for them.
#[test]
fn write_files() {
    let Some(folder) = std::env::var_os("TOLLGATE_STORED").map(PathBuf::from) else { return };
    let server = Loopback::start_on(PORT).unwrap();
    respond(&server);
    let (recordings, batch) = (folder.join("recordings-1"), folder.join("batch-recordings-1"));
    let client = builder().replay(Replay::dir(&recordings).mode(Mode::Record)).build().unwrap();
    client.chat("What is the capital of France?").unwrap();
    client.stream("What is the capital of France?").unwrap().finish().unwrap();
    client.embed(texts()).unwrap();
    client.chat("a bad request").unwrap_err();

    let proxy = loopback();
    proxy.recordings(Replay::dir(&batch).sequence(true).mode(Mode::Record)).unwrap();
    proxy.forward_to("openai", server.base_url("openai")).unwrap();
    let client = builder().base_url(proxy.base_url("openai")).build().unwrap();
    results(&client);

    let cache = folder.join("cache-1");
    builder().cache(Cache::folder(cache)).build().unwrap().chat("hi").unwrap();
    #[cfg(feature = "sqlite")]
    {
        let cache = Cache::sqlite(folder.join("cache-1.db"));
        builder().cache(cache).build().unwrap().chat("hi").unwrap();
        let client = builder().costs(costs(&folder.join("ledger-1.db"))).build().unwrap();
        client.chat("hi").unwrap();
    }

    let client = builder().build().unwrap();
    let bulk = |name: &str| client.bulk().journal(folder.join(name));
    assert_eq!(bulk("journal-1.jsonl").deduplicate(true).chat(items()).unwrap().count(), 3);
    let embedded = bulk("embedding-journal-1.jsonl").embed([("texts", texts())]).unwrap();
    assert_eq!(embedded.count(), 1);
    let name = "batch-journal-1.jsonl";
    assert_eq!(bulk(name).batched_with(batched()).chat(batch_items()).unwrap().count(), 2);
    // As a run leaves it that was killed before the results came.
    let text = fs::read_to_string(folder.join(name)).unwrap();
    let steps = text.lines().filter(|line| !line.contains("\"id\":\"one\",\"request\""));
    let steps = steps.filter(|line| !line.contains("\"id\":\"two\",\"request\""));
    let steps: Vec<_> = steps.collect();
    fs::write(folder.join(name), steps[..steps.len() - 1].join("\n") + "\n").unwrap();
    let batch = client.batches("openai").submit(batch_items()).unwrap();
    fs::write(folder.join("batch-1.json"), serde_json::to_string_pretty(&batch).unwrap()).unwrap();
}

/// The results of a batch.
fn results(client: &Client) -> Vec<(String, String)> {
    let batches = client.batches("openai").poll_interval(Duration::from_millis(1));
    let batch = batches.submit(batch_items()).unwrap();
    batches.wait(&batch).unwrap();
    let text = |outcome| match outcome {
        BatchOutcome::Answered(response) => response.text(),
        other => panic!("{other:?}"),
    };
    let results = batches.results(&batch).unwrap().map(Result::unwrap);
    results.map(|result| (result.id, text(result.outcome))).collect()
}

/// A budget in a ledger.
#[cfg(feature = "sqlite")]
fn costs(ledger: &Path) -> tollgate::CostConfig {
    let ledger = tollgate::SqliteLedger::open(ledger).unwrap();
    tollgate::CostConfig::default()
        .budget(tollgate::Budget::total(Money::dollars(1)))
        .ledger(ledger)
}

/// Compares with the answer that the server gave when the files were written.
fn assert_answer(answer: &ChatResponse) {
    assert_eq!(answer.text(), "Paris, é漢🎉");
    assert_eq!(answer.finish_reason, FinishReason::Stop);
    assert_eq!((answer.usage.prompt_tokens, answer.usage.completion_tokens), (12, 3));
    assert_eq!(answer.cost.unwrap().total, Money::picos(3_600_000));
    assert_eq!((answer.provider.as_str(), answer.model.as_str()), ("openai", "gpt-4o-mini"));
    assert!(answer.request_id.as_ref().unwrap().starts_with("req_0000"));
}

#[test]
fn recordings_of_every_version_can_be_read() {
    let replay = Replay::dir(stored("recordings-1")).mode(Mode::Replay);
    let client = builder().replay(&replay).build().unwrap();
    let answer = client.chat("What is the capital of France?").unwrap();
    assert_answer(&answer);
    assert_eq!(answer.source(), AnswerSource::Replayed);
    assert_answer(&client.stream("What is the capital of France?").unwrap().finish().unwrap());
    let embeddings = client.embed(texts()).unwrap();
    assert_eq!((embeddings.len(), embeddings.usage.total_tokens), (2, 12));
    let error = client.chat("a bad request").unwrap_err();
    assert_eq!((error.kind(), error.status()), (ErrorKind::InvalidRequest, Some(400)));
    assert_eq!(error.code(), Some("invalid_value"));
    assert_eq!(replay.unused().unwrap(), Vec::<PathBuf>::new());
}

#[test]
fn recordings_of_a_batch_of_every_version_can_be_read() {
    let server = loopback();
    let replay = Replay::dir(stored("batch-recordings-1")).sequence(true);
    server.recordings(replay.mode(Mode::Replay)).unwrap();
    let client = builder().base_url(server.base_url("openai")).build().unwrap();
    let answers = ["one", "two"].map(|id| (id.to_owned(), "Paris, é漢🎉".to_owned()));
    assert_eq!(results(&client), answers);
}

#[test]
fn a_recording_of_a_newer_version_is_refused() {
    let folder = Folder::new("stored-newer-recording");
    for entry in fs::read_dir(stored("recordings-1")).unwrap() {
        let path = entry.unwrap().path();
        let text = fs::read_to_string(&path).unwrap();
        let newer = text.replace("\"tollgate_recording\": 1", "\"tollgate_recording\": 2");
        fs::write(folder.file(path.file_name().unwrap().to_str().unwrap()), newer).unwrap();
    }
    let client = builder().replay(folder.replay(Mode::Replay)).build().unwrap();
    let error = client.chat("What is the capital of France?").unwrap_err();
    for part in ["has version 2", "reads up to 1", "update tollgate, or record it again"] {
        assert!(error.message().contains(part), "{error}");
    }
}

#[test]
fn cached_answers_of_every_version_can_be_read() {
    let folder = Folder::new("stored-cache");
    for entry in fs::read_dir(stored("cache-1")).unwrap() {
        let path = entry.unwrap().path();
        fs::copy(&path, folder.file(path.file_name().unwrap().to_str().unwrap())).unwrap();
    }
    let client = builder().cache(Cache::folder(&folder.0)).build().unwrap();
    let answer = client.chat("hi").unwrap();
    assert_answer(&answer);
    assert_eq!(answer.source(), AnswerSource::Cached);
}

#[test]
fn journals_of_every_version_can_be_read() {
    let (folder, server) = (Folder::new("stored-journal"), loopback());
    let client = builder().base_url(server.base_url("openai")).build().unwrap();
    let bulk = |name: &str| {
        let journal = Journal::new(copied(name, &folder)).replay(true);
        client.bulk().ordered().journal(journal)
    };
    let results: Vec<_> = bulk("journal-1.jsonl").chat(items()).unwrap().collect();
    assert_answer(results[0].1.as_ref().unwrap());
    assert_answer(results[1].1.as_ref().unwrap());
    let error = results[2].1.as_ref().unwrap_err();
    assert_eq!((error.kind(), error.status()), (ErrorKind::InvalidRequest, Some(400)));
    assert_eq!((error.message(), error.attempts().len()), ("the model cannot do that", 1));

    let mut run = bulk("embedding-journal-1.jsonl").embed([("texts", texts())]).unwrap();
    let embeddings = run.next().unwrap().1.unwrap();
    assert_eq!((embeddings.len(), embeddings.usage.total_tokens), (2, 12));
    drop(run);
    assert_eq!(server.request_count(), 0);
}

#[test]
fn a_run_resumes_the_batch_that_a_journal_of_any_version_has() {
    let (folder, server) = (Folder::new("stored-batch-journal"), loopback());
    let json = |body: &Value| Reply::raw(200, "application/json", body.to_string());
    let batch = json!({
        "id": "batch_7", "object": "batch", "endpoint": "/v1/chat/completions",
        "status": "completed", "output_file_id": "file-1", "error_file_id": null,
        "request_counts": {"total": 2, "completed": 2, "failed": 0},
    });
    let answer = |id: &str| {
        let message = json!({"role": "assistant", "content": format!("answer to {id}")});
        let choices = json!([{"index": 0, "message": message, "finish_reason": "stop"}]);
        let usage = json!({"prompt_tokens": 12, "completion_tokens": 3, "total_tokens": 15});
        let body = json!({"model": "gpt-4o-mini", "choices": choices, "usage": usage});
        let response = json!({"status_code": 200, "body": body});
        json!({"custom_id": id, "response": response, "error": null}).to_string()
    };
    let lines = format!("{}\n{}\n", answer("two"), answer("one"));
    server.on(|request| request.path().ends_with("/batches/batch_7"), json(&batch));
    let content = Reply::raw(200, "application/jsonl", lines);
    server.on(|request| request.path().ends_with("/files/file-1/content"), content);
    let client = builder().base_url(server.base_url("openai")).build().unwrap();
    let journal = copied("batch-journal-1.jsonl", &folder);
    let bulk = client.bulk().ordered().journal(journal).batched_with(batched());
    let run = bulk.chat(batch_items()).unwrap();
    let texts: Vec<_> = run.map(|(id, answer)| (id, answer.unwrap().text())).collect();
    assert_eq!(texts, ["one", "two"].map(|id| (id.to_owned(), format!("answer to {id}"))));
    let is_submission = |request: &tollgate::testing::Request| request.method() == "POST";
    assert!(!server.requests().iter().any(is_submission));
}

#[test]
fn a_journal_of_a_newer_version_is_refused() {
    let folder = Folder::new("stored-newer-journal");
    let client = builder().build().unwrap();
    let lines = [
        // The header of the next version may have other members, and so may its lines.
        "{\"tollgate_journal\":2,\"kind\":\"chat\"}\n[1]\n",
        "{\"tollgate_journal\":2,\"task\":\"chat\",\"job\":null,\"first\":null}\n",
    ];
    for text in lines {
        let journal = folder.file("newer.jsonl");
        fs::write(&journal, text).unwrap();
        let error = client.bulk().journal(&journal).chat(items()).map(drop).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Configuration);
        for part in ["has version 2", "reads up to 1", "update tollgate, or use another journal"] {
            assert!(error.message().contains(part), "{error}");
        }
        assert_eq!(fs::read_to_string(&journal).unwrap(), text);
    }
}

#[test]
fn handles_of_batches_that_were_stored_can_be_read() {
    let text = fs::read_to_string(stored("batch-1.json")).unwrap();
    let batch: Batch = serde_json::from_str(&text).unwrap();
    assert_eq!((batch.id().as_str(), batch.provider().as_str()), ("batch_12", "openai"));
    assert_eq!(batch.request_ids().collect::<Vec<_>>(), ["one", "two"]);
}

#[cfg(feature = "sqlite")]
mod sqlite {
    use super::*;
    use rusqlite::Connection;

    fn make_newer(file: &Path) {
        let connection = Connection::open(file).unwrap();
        connection.pragma_update(None, "user_version", 2).unwrap();
    }

    #[test]
    fn cache_files_of_every_version_can_be_read_and_a_newer_one_is_refused() {
        let folder = Folder::new("stored-cache-file");
        let file = copied("cache-1.db", &folder);
        let client = || builder().cache(Cache::sqlite(&file)).build();
        let answer = client().unwrap().chat("hi").unwrap();
        assert_answer(&answer);
        assert_eq!(answer.source(), AnswerSource::Cached);
        make_newer(&file);
        let error = client().unwrap_err();
        let expected = "was written by a newer version of this library; update this program, or give \
                        the cache its own file";
        assert!(error.message().contains(expected), "{error}");
    }

    #[test]
    fn ledgers_of_every_version_can_be_read_and_a_newer_one_is_refused() {
        let folder = Folder::new("stored-ledger");
        let file = copied("ledger-1.db", &folder);
        let client = builder().costs(costs(&file)).build().unwrap();
        let report = client.costs();
        let [budget] = &report.budgets[..] else { panic!("{report:?}") };
        assert_eq!(budget.spent, Money::picos(3_600_000));
        drop(client);
        make_newer(&file);
        let error = tollgate::SqliteLedger::open(&file).unwrap_err().to_string();
        let expected = "was written by a newer version of this library; update this program";
        assert!(error.contains(expected), "{error}");
    }
}
