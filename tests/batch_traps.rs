//! Batches whose provider loses, repeats or breaks off answers.

mod support;

use support::batches::{GEMINI_BY_FILE, PROVIDERS, client, expected, outcomes, requests, server};
use tollgate::testing::{BatchScript, Loopback, Reply};
use tollgate::{BatchOutcome, Batches, ErrorKind};

/// How many jobs the server has.
fn jobs(batches: &Batches) -> usize {
    batches.list().unwrap().len()
}

#[test]
fn a_lost_answer_to_the_creation_does_not_submit_twice() {
    for (provider, model) in PROVIDERS {
        let server = server();
        let client = client(&server, provider, model);
        let batches = client.batches(provider);
        // An older job of the same size must not be mistaken for the new one.
        let older = batches.submit(requests(3)).unwrap();
        server.batches(BatchScript::new().lose_answers(1));
        let batch = batches.submit(requests(3)).unwrap();
        assert_eq!(jobs(&batches), 2, "{provider}");
        assert_ne!(batch.id(), older.id(), "{provider}");
        batches.wait(&batch).unwrap();
        assert_eq!(outcomes(&batches, &batch), expected(3, |_| None), "{provider}");
    }
}

#[test]
fn a_lost_creation_is_sent_again() {
    for (provider, model) in PROVIDERS {
        let server = server();
        let client = client(&server, provider, model);
        let batches = client.batches(provider);
        batches.submit(requests(3)).unwrap();
        server.batches(BatchScript::new().lose_requests(2));
        let batch = batches.submit(requests(3)).unwrap();
        assert_eq!(jobs(&batches), 2, "{provider}");
        batches.wait(&batch).unwrap();
        assert_eq!(outcomes(&batches, &batch), expected(3, |_| None), "{provider}");
        server.batches(BatchScript::new().lose_requests(3));
        let error = batches.submit(requests(3)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Connection, "{provider}: {error}");
        assert_eq!(jobs(&batches), 2, "{provider}");
    }
}

#[test]
fn a_job_waits_for_its_file_to_be_checked() {
    for (provider, model) in [("azure", "gpt-4o-mini"), (GEMINI_BY_FILE, "gemini-2.5-flash")] {
        let server = server();
        server.batches(BatchScript::new().pending_files(3));
        let client = client(&server, provider, model);
        let batches = client.batches(provider);
        let batch = batches.submit(requests(2)).unwrap();
        batches.wait(&batch).unwrap();
        assert_eq!(outcomes(&batches, &batch), expected(2, |_| None), "{provider}");
    }
}

#[test]
fn an_interrupted_upload_is_repeated_and_creates_one_job() {
    let server = server();
    let cut = std::sync::atomic::AtomicBool::new(true);
    server.respond(move |request| {
        let is_upload = request.path() == "/v1/files";
        (is_upload && cut.swap(false, std::sync::atomic::Ordering::Relaxed)).then(Reply::disconnect)
    });
    let client = client(&server, "openai", "gpt-4o-mini");
    let batches = client.batches("openai");
    batches.submit(requests(2)).unwrap();
    assert_eq!(jobs(&batches), 1);
}

#[test]
fn a_job_that_is_refused_leaves_the_handle_of_those_before_it() {
    let server = server();
    let seen = std::sync::atomic::AtomicU32::new(0);
    server.respond(move |request| {
        let is_creation = request.method() == "POST" && request.path() == "/v1/batches";
        let third = is_creation && seen.fetch_add(1, std::sync::atomic::Ordering::Relaxed) == 2;
        third.then(|| Reply::error(400, "", "Such a job is refused."))
    });
    let client = client(&server, "openai", "gpt-4o-mini");
    let batches = client.batches("openai").max_requests(2);
    let error = batches.submit(requests(7)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidRequest, "{error}");
    let submitted = error.submitted().expect("two jobs were created");
    assert_eq!(submitted.request_ids().collect::<Vec<_>>(), ["id-0", "id-1", "id-2", "id-3"]);
    batches.wait(submitted).unwrap();
    assert_eq!(outcomes(&batches, submitted), expected(4, |_| None));
    assert!(batches.submit([("", "hi")]).unwrap_err().submitted().is_none());
}

fn finished(server: &Loopback, provider: &str, script: BatchScript) -> (Batches, tollgate::Batch) {
    let model = PROVIDERS.iter().find(|(name, _)| *name == provider).expect("it is known").1;
    server.batches(script);
    let batches = client(server, provider, model).batches(provider);
    let batch = batches.submit(requests(30)).unwrap();
    batches.wait(&batch).unwrap();
    (batches, batch)
}

#[test]
fn a_file_of_results_that_breaks_off_is_read_again() {
    for provider in ["openai", "together", "mistral", "anthropic", GEMINI_BY_FILE] {
        let failing = |number| (number == 5).then_some("InvalidRequest");
        let script = BatchScript::new().fail("id-5", 400, "");
        for script in [script.clone().cut_results(2, 3_000), script.halve_results(1)] {
            let server = server();
            let (batches, batch) = finished(&server, provider, script);
            let results = batches.results(&batch).unwrap();
            assert_eq!((results.duplicates(), results.unknown_ids()), (0, 0), "{provider}");
            assert_eq!(outcomes(&batches, &batch), expected(30, failing), "{provider}");
        }
    }
    let server = server();
    let (batches, batch) = finished(&server, "openai", BatchScript::new().cut_results(99, 500));
    let error = batches.results(&batch).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Truncated, "never half: {error}");
    assert!(error.to_string().contains("broke off 4 times; read them again later"), "{error}");
}

#[test]
fn missing_repeated_and_foreign_results_are_noticed() {
    for provider in ["openai", "mistral", "anthropic", "gemini", GEMINI_BY_FILE] {
        let server = server();
        let script = BatchScript::new()
            .omit("id-7")
            .double("id-8")
            .double("id-9")
            .fail("id-9", 400, "")
            .foreign_result();
        let (batches, batch) = finished(&server, provider, script);
        let results = batches.results(&batch).unwrap();
        assert_eq!((results.duplicates(), results.unknown_ids()), (2, 1), "{provider}");
        let kinds = |number| match number {
            7 => Some("Protocol"),
            9 => Some("InvalidRequest"),
            _ => None,
        };
        assert_eq!(outcomes(&batches, &batch), expected(30, kinds), "{provider}");
    }
}

#[test]
fn an_expired_request_without_any_result_is_expired() {
    let server = server();
    let script = BatchScript::new().answer_only(20).omit("id-25").omit("id-3");
    let (batches, batch) = finished(&server, "openai", script);
    let expired = |number| (number >= 20 || number == 3).then_some("Expired");
    assert_eq!(outcomes(&batches, &batch), expected(30, expired));
    let third = batches.results(&batch).unwrap().nth(3).unwrap().unwrap();
    let error = third.outcome.into_chat().unwrap_err();
    assert!(error.is_timeout(), "{error}");
    assert!(
        error.to_string().starts_with("timed out waiting for the batch, which expired"),
        "{error}"
    );
}

#[test]
fn the_key_goes_to_no_other_host_and_no_error_shows_it() {
    let server = server();
    let script = BatchScript::new().fail("id-0", 401, "the key sk-loopback-test-key is wrong");
    // `results_url` names another host, and the download succeeds nevertheless.
    let (batches, batch) = finished(&server, "anthropic", script);
    for result in batches.results(&batch).unwrap() {
        if let BatchOutcome::Failed(error) = result.unwrap().outcome {
            assert!(!format!("{error} {error:?}").contains("sk-loopback-test-key"), "{error:?}");
        }
    }
    let shown = format!("{batches:?} {batch:?}");
    assert!(!shown.contains("sk-loopback-test-key"), "{shown}");
}

#[test]
fn an_answer_that_cannot_be_read_fails_alone() {
    let server = support::loopback();
    server.respond(|request| {
        let is_single = request.path() == "/v1/chat/completions";
        let broken = Reply::raw(200, "application/json", r#"{"choices": 5}"#);
        (is_single && request.body_contains("id-2.")).then_some(broken)
    });
    let (batches, batch) = finished(&server, "openai", BatchScript::new());
    let results = batches.results(&batch).unwrap().map(Result::unwrap);
    let failed: Vec<_> = results.filter(|result| !result.outcome.is_answered()).collect();
    assert_eq!(failed.iter().map(|result| &*result.id).collect::<Vec<_>>(), ["id-2"]);
    let error = failed[0].outcome.clone().into_chat().unwrap_err();
    assert_eq!((error.kind(), error.provider()), (ErrorKind::Protocol, Some("openai")));
}
