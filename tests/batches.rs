//! Batches end to end, over each provider's interface.

mod support;

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering::Relaxed};
use std::sync::{Arc, Barrier};
use std::thread;
use std::time::Duration;
use support::batches::{
    GEMINI_BY_FILE, PROVIDERS, builder, client, expected, outcomes, requests, server,
};
use support::loopback;
use tollgate::provider::Profile;
use tollgate::replay::Mode;
use tollgate::testing::{BatchScript, Reply};
use tollgate::{Batch, BatchOutcome, BatchState, CancelToken, ChatRequest, ErrorKind, Replay};

#[test]
fn every_interface_answers_in_the_order_of_submission() {
    for (provider, model) in PROVIDERS {
        let server = server();
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
        assert_eq!(outcomes(&batches, &batch), expected(20, |_| None), "{provider}");
    }
}

#[test]
fn every_profile_with_batches_submits_and_collects() {
    let mut seen = Vec::new();
    for profile in Profile::all().filter(|profile| profile.batches.is_some()) {
        let (provider, server) = (profile.id.as_str(), server());
        server.batches(BatchScript::new().fail("id-1", 400, "").empty_error_file());
        let client = client(&server, provider, "some-model");
        let batches = client.batches(provider);
        let batch = batches.submit(requests(3)).unwrap();
        batches.wait(&batch).unwrap();
        let failed = |number| (number == 1).then_some("InvalidRequest");
        assert_eq!(outcomes(&batches, &batch), expected(3, failed), "{provider}");
        seen.push(provider.to_owned());
    }
    seen.sort();
    let all = [
        "alibaba",
        "anthropic",
        "azure",
        "deepinfra",
        "gemini",
        "groq",
        "mistral",
        "moonshot",
        "nebius",
        "novita",
        "openai",
        "together",
    ];
    assert_eq!(seen, all);
}

#[test]
fn a_stored_handle_works_in_another_process_and_so_does_the_id() {
    for (provider, model) in PROVIDERS {
        let server = server();
        let stored = {
            let client = client(&server, provider, model);
            let batch = client.batches(provider).submit(requests(5)).unwrap();
            serde_json::to_string(&batch).unwrap()
        };
        assert!(!stored.contains("sk-loopback-test-key") && !stored.contains("id-0."), "{stored}");
        let client = client(&server, provider, model);
        let batches = client.batches(provider);
        let batch: Batch = serde_json::from_str(&stored).unwrap();
        batches.wait(&batch).unwrap();
        assert_eq!(outcomes(&batches, &batch), expected(5, |_| None), "{provider}");

        let found = batches.find(batch.id()).unwrap();
        let mut any_order = outcomes(&batches, &found);
        any_order.sort();
        assert_eq!(any_order, expected(5, |_| None), "{provider}");
        let listed = batches.list().unwrap();
        assert_eq!(listed.len(), 1, "{provider}");
        assert_eq!(listed[0].batch.id(), batch.id());
        assert_eq!(listed[0].status.state, BatchState::Completed);
        assert!(listed[0].created_at.is_some());
        let unknown = batches.find("no-such-batch").unwrap_err();
        assert_eq!(unknown.kind(), ErrorKind::NotFound, "{provider}: {unknown}");
        assert!(unknown.to_string().contains("the batch \"no-such-batch\""), "{unknown}");
        assert!(unknown.to_string().contains("pass what Batch::id returned"), "{unknown}");
    }
}

#[test]
fn a_damaged_or_foreign_handle_is_refused() {
    let server = server();
    let client = client(&server, "openai", "gpt-4o-mini");
    let batch = client.batches("openai").submit(requests(1)).unwrap();
    let mut stored = serde_json::to_value(&batch).unwrap();
    stored["items"][0]["part"] = 7.into();
    let damaged: Batch = serde_json::from_value(stored).unwrap();
    let error = client.batches("openai").results(&damaged).unwrap_err();
    assert!(error.to_string().contains("damaged"), "{error}");
    let azure = support::batches::client(&server, "azure", "gpt-4o-mini");
    let error = azure.batches("azure").status(&batch).unwrap_err();
    assert!(error.to_string().contains("Client::batches(\"openai\")"), "{error}");
}

#[test]
fn failed_expired_and_cancelled_requests_keep_their_place_and_their_class() {
    for (provider, model) in PROVIDERS {
        let server = server();
        let script = BatchScript::new().fail("id-1", 400, "").fail("id-3", 500, "");
        server.batches(script.clone().empty_error_file());
        let client = client(&server, provider, model);
        let batches = client.batches(provider);
        let batch = batches.submit(requests(5)).unwrap();
        batches.wait(&batch).unwrap();
        let failed = |number| match number {
            1 => Some("InvalidRequest"),
            3 => Some("Server"),
            _ => None,
        };
        assert_eq!(outcomes(&batches, &batch), expected(5, failed), "{provider}");

        server.batches(script.clone().answer_only(4));
        let batch = batches.submit(requests(6)).unwrap();
        assert_eq!(batches.wait(&batch).unwrap().state, BatchState::Expired, "{provider}");
        let expired = |number| if number < 4 { failed(number) } else { Some("Expired") };
        assert_eq!(outcomes(&batches, &batch), expected(6, expired), "{provider}");

        server.batches(script.looks(5).answer_only(2));
        let batch = batches.submit(requests(4)).unwrap();
        batches.cancel(&batch).unwrap();
        assert_eq!(batches.wait(&batch).unwrap().state, BatchState::Cancelled, "{provider}");
        let cancelled = |number| if number < 2 { failed(number) } else { Some("Cancelled") };
        assert_eq!(outcomes(&batches, &batch), expected(4, cancelled), "{provider}");
        // Once ended, cancelling changes nothing.
        assert_eq!(batches.cancel(&batch).unwrap().state, BatchState::Cancelled, "{provider}");
    }
}

#[test]
fn a_refused_batch_fails_all_its_requests_with_the_providers_reason() {
    for provider in ["openai", "mistral", "gemini", GEMINI_BY_FILE] {
        let model = PROVIDERS.iter().find(|(name, _)| *name == provider).unwrap().1;
        let server = server();
        server.batches(BatchScript::new().refuse("token_limit_exceeded", "Enqueued too much."));
        let client = client(&server, provider, model);
        let batches = client.batches(provider);
        let batch = batches.submit(requests(2)).unwrap();
        let status = batches.wait(&batch).unwrap();
        assert_eq!(status.state, BatchState::Failed, "{provider}");
        let kind = match provider {
            "openai" => ErrorKind::RateLimited,
            _ => ErrorKind::InvalidRequest,
        };
        assert_eq!(status.error.map(|error| error.kind()), Some(kind), "{provider}");
        for result in batches.results(&batch).unwrap() {
            let BatchOutcome::Failed(error) = result.unwrap().outcome else { panic!() };
            assert_eq!((error.kind(), error.message()), (kind, "Enqueued too much."), "{provider}");
        }
    }
}

#[test]
fn a_batch_is_split_by_count_bytes_and_model_and_joined_again() {
    let server = server();
    let client = client(&server, "openai", "gpt-4o-mini");
    let batches = client.batches("openai").max_requests(3);
    let mut mixed = requests(8);
    mixed[4].1 = mixed[4].1.clone().model("gpt-4o");
    let batch = batches.submit(mixed).unwrap();
    assert_eq!(batch.job_ids().count(), 4, "seven in threes, and one of another model");
    let status = batches.wait(&batch).unwrap();
    assert_eq!((status.state, status.counts.total), (BatchState::Completed, 8));
    assert_eq!(outcomes(&batches, &batch), expected(8, |_| None));
    let found = batches.find(batch.id()).unwrap();
    assert_eq!(outcomes(&batches, &found).len(), 8);

    let batches = client.batches("openai").max_bytes(400);
    let batch = batches.submit(requests(6)).unwrap();
    assert!(batch.job_ids().count() >= 3, "{batch:?}");
    let long = [("long", ChatRequest::from("x".repeat(400)))];
    let refused = batches.submit(long).unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::InvalidRequest);
    assert!(refused.to_string().contains("a batch may have 400; shorten it, raise"), "{refused}");
    for (batches, name) in [
        (client.batches("openai").max_requests(0), "max_requests is zero"),
        (client.batches("openai").max_bytes(0), "max_bytes is zero"),
    ] {
        let error = batches.submit(requests(1)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidRequest);
        assert!(error.to_string().contains(name), "{error}");
    }
}

#[test]
fn a_request_is_written_as_a_single_call_writes_it() {
    for (provider, model) in PROVIDERS {
        let server = server();
        let client = client(&server, provider, model);
        let (_, request) = requests(1).remove(0);
        client.chat(request.clone()).unwrap();
        let single = server.requests().pop().unwrap();
        client.batches(provider).submit([("id-0", request)]).unwrap();
        let written = String::from_utf8_lossy(single.body()).into_owned();
        let is_inside = |request: &tollgate::testing::Request| {
            String::from_utf8_lossy(request.body()).contains(&*written)
        };
        assert!(server.requests()[1..].iter().any(is_inside), "{provider}: {written}");
    }
}

#[test]
fn what_cannot_be_sent_is_refused_before_anything_is_sent() {
    let server = server();
    let client = client(&server, "openai", "gpt-4o-mini");
    let batches = client.batches("openai");
    let long = "x".repeat(10_000);
    let other = || ChatRequest::from("hi").model("anthropic/claude-haiku-4-5");
    let hi = || ChatRequest::from("hi");
    let none: [(&str, ChatRequest); 0] = [];
    for (refused, word) in [
        (batches.submit(none), "no requests"),
        (batches.submit([("", hi())]), "is empty"),
        (batches.submit([(long, hi())]), "has 10000 bytes"),
        (batches.submit([("a", hi()), ("b", hi()), ("a", hi())]), "twice"),
        (batches.submit([("a", hi()), ("b", other())]), "the request \"b\""),
        (client.batches("deepseek").submit([("a", hi())]), "no batches are known for deepseek"),
        (client.batches("bedrock").submit([("a", hi())]), "S3 buckets"),
        (client.batches("vertex").submit([("a", hi())]), "Client::batches(\"gemini\")"),
    ] {
        let error = refused.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidRequest, "{error}");
        assert!(error.to_string().contains(word), "{error}");
    }
    assert_eq!(server.request_count(), 0);
}

#[test]
fn a_long_list_is_read_page_by_page() {
    for provider in ["openai", "mistral", "anthropic", "gemini"] {
        let model = PROVIDERS.iter().find(|(name, _)| *name == provider).unwrap().1;
        let server = server();
        let client = client(&server, provider, model);
        let batches = client.batches(provider);
        let batch = batches.clone().max_requests(1).submit(requests(101)).unwrap();
        let listed = batches.list().unwrap();
        let newest_first: Vec<_> = listed.iter().map(|summary| summary.batch.id()).collect();
        let mut submitted: Vec<_> = batch.job_ids().map(str::to_owned).collect();
        submitted.reverse();
        assert_eq!(newest_first, submitted, "{provider}");
    }
}

#[test]
fn a_wait_ends_at_its_deadline_and_when_it_is_cancelled() {
    let server = server();
    server.batches(BatchScript::new().looks(u32::MAX));
    let client = client(&server, "openai", "gpt-4o-mini");
    let batches = client.batches("openai");
    let batch = batches.submit(requests(1)).unwrap();
    let before = server.request_count();
    let late = batches.clone().deadline(Duration::from_secs(60)).wait(&batch).unwrap_err();
    assert!(
        late.is_timeout()
            && late.to_string().contains(
                "timed out waiting for the batch, which has not ended within the deadline of 60s"
            ),
        "{late}"
    );
    // After 0, 10, 25, 47.5 and 60 seconds.
    assert_eq!(server.request_count() - before, 5);
    let token = CancelToken::new();
    token.cancel();
    let cancelled = batches.cancel_token(&token).wait(&batch).unwrap_err();
    assert!(cancelled.is_cancelled(), "{cancelled}");
}

#[test]
fn a_wait_survives_failures_that_may_pass() {
    let server = server();
    let client = builder(&server, "openai", "gpt-4o-mini").build().unwrap();
    let batches = client.batches("openai");
    let batch = batches.submit(requests(1)).unwrap();
    let down = std::sync::atomic::AtomicU32::new(10);
    server.respond(move |request| {
        use std::sync::atomic::Ordering::Relaxed;
        let is_look = request.method() == "GET" && request.path().contains("/batches/");
        let left = down.fetch_update(Relaxed, Relaxed, |left| left.checked_sub(1));
        (is_look && left.is_ok()).then(|| Reply::status(503))
    });
    assert_eq!(batches.wait(&batch).unwrap().state, BatchState::Completed);
}

#[test]
fn a_client_that_records_sends_batches_and_keeps_no_recording_of_them() {
    let folder = std::env::temp_dir().join(format!("tollgate-batches-{}", std::process::id()));
    let _ = std::fs::remove_dir_all(&folder);
    for (provider, model) in PROVIDERS {
        let server = server();
        server.batches(BatchScript::new().looks(2));
        let client = |mode| {
            let replay = Replay::dir(&folder).mode(mode);
            builder(&server, provider, model).replay(replay).build().unwrap()
        };
        let recording = client(Mode::Record);
        let batches = recording.batches(provider);
        let batch = batches.submit(requests(3)).unwrap();
        assert_eq!(batches.wait(&batch).unwrap().state, BatchState::Completed, "{provider}");
        assert_eq!(outcomes(&batches, &batch), expected(3, |_| None), "{provider}");
        assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 0, "{provider}");

        let sent = server.request_count();
        let offline = client(Mode::Replay);
        let batches = offline.batches(provider);
        for error in [
            batches.submit(requests(3)).unwrap_err(),
            batches.status(&batch).unwrap_err(),
            batches.list().unwrap_err(),
        ] {
            assert_eq!(error.kind(), ErrorKind::NotRecorded, "{provider}: {error}");
            assert!(error.to_string().contains("TOLLGATE_REPLAY=off"), "{provider}: {error}");
        }
        assert_eq!(server.request_count(), sent, "{provider}");
    }
    std::fs::remove_dir_all(&folder).unwrap();
}

#[test]
fn two_looks_at_once_answer_the_requests_of_a_batch_once() {
    let (server, meeting, answers) = (loopback(), Arc::new(Barrier::new(2)), Arc::default());
    let (met, answered): (_, Arc<AtomicU32>) = (Arc::clone(&meeting), Arc::clone(&answers));
    server.respond(move |request| {
        if !request.path().ends_with("/chat/completions") {
            return None;
        }
        if answered.fetch_add(1, Relaxed) == 0 {
            met.wait();
            met.wait();
        }
        Some(Reply::text("once"))
    });
    let client = client(&server, "openai", "gpt-4o-mini");
    let batches = client.batches("openai");
    let batch = batches.submit(requests(1)).unwrap();
    let states = thread::scope(|scope| {
        let first = scope.spawn(|| batches.status(&batch).unwrap().state);
        meeting.wait();
        let second = batches.status(&batch).unwrap().state;
        meeting.wait();
        [first.join().unwrap(), second]
    });
    assert_eq!(states, [BatchState::Completed, BatchState::InProgress]);
    assert_eq!(answers.load(Relaxed), 1);
}

#[test]
fn a_look_after_a_panic_in_a_rule_answers_the_requests() {
    let (server, has_panicked) = (loopback(), AtomicBool::new(false));
    server.respond(move |request| {
        let is_single = request.path().ends_with("/chat/completions");
        assert!(!is_single || has_panicked.swap(true, Relaxed), "the first time");
        None
    });
    let client = client(&server, "openai", "gpt-4o-mini");
    let batches = client.batches("openai");
    let batch = batches.submit(requests(1)).unwrap();
    assert_eq!(batches.wait(&batch).unwrap().state, BatchState::Completed);
}
