//! Gemini's batches: files for many requests, uploads in pieces, and embeddings.

mod support;

use support::batches::{GEMINI_BY_FILE, builder, client, expected, outcomes, requests, server};
use tollgate::provider::{BatchFormat, BatchProfile, Profile};
use tollgate::testing::{BatchScript, Loopback, Reply};
use tollgate::{ChatRequest, EmbedRequest, ErrorKind};

const MODEL: &str = "gemini-2.5-flash";

/// How many steps of uploads the server has seen.
fn uploads(server: &Loopback) -> usize {
    server.requests().iter().filter(|request| request.path().contains("/upload/")).count()
}

/// The commands of the steps, and where each piece began.
fn steps(server: &Loopback) -> Vec<(String, usize)> {
    let requests = server.requests();
    let uploads = requests.iter().filter(|request| request.path() == "/upload/v1beta/files");
    let header = |request: &tollgate::testing::Request, name| {
        request.header(name).unwrap_or_default().to_owned()
    };
    uploads
        .map(|request| {
            let offset = header(request, "x-goog-upload-offset").parse().unwrap_or_default();
            (header(request, "x-goog-upload-command"), offset)
        })
        .collect()
}

#[test]
fn few_requests_go_into_the_job_and_many_into_a_file() {
    let server = support::loopback();
    let client = client(&server, "gemini", MODEL);
    let batches = client.batches("gemini");
    batches.submit(requests(100)).unwrap();
    assert_eq!(uploads(&server), 0);
    batches.submit(requests(101)).unwrap();
    assert_eq!(uploads(&server), 2, "the start, and one piece");
}

#[test]
fn long_requests_go_into_a_file_even_if_they_are_few() {
    for (bytes, steps) in [(100_000, 0), (3_000, 2)] {
        let server = server();
        let inline =
            BatchProfile::new(BatchFormat::Gemini, 50_000, 2_000_000_000).inline(1_000, bytes);
        let profile = Profile::builtin("gemini").unwrap().batches(inline);
        let builder = builder(&server, "gemini", MODEL).profile(profile);
        let batches = builder.build().unwrap().batches("gemini");
        let batch = batches.submit(requests(30)).unwrap();
        assert_eq!((uploads(&server), batch.job_ids().count()), (steps, 1));
        batches.wait(&batch).unwrap();
        assert_eq!(outcomes(&batches, &batch), expected(30, |_| None));
    }
}

#[test]
fn a_large_file_is_uploaded_in_pieces() {
    let server = support::loopback();
    let client = client(&server, GEMINI_BY_FILE, MODEL);
    let batches = client.batches(GEMINI_BY_FILE);
    let filler = "x".repeat(2_000_000);
    let mut large = requests(5);
    for (number, (_, request)) in large.iter_mut().enumerate() {
        *request = ChatRequest::from(format!("id-{number}. {filler}"));
    }
    let batch = batches.submit(large).unwrap();
    let piece = 8 * 1024 * 1024;
    let expected_steps = [("start", 0), ("upload", 0), ("upload, finalize", piece)];
    let expected_steps = expected_steps.map(|(command, at)| (command.to_owned(), at));
    assert_eq!(steps(&server), expected_steps);
    batches.wait(&batch).unwrap();
    let results = batches.results(&batch).unwrap().map(Result::unwrap);
    assert_eq!(results.filter(|result| result.outcome.is_answered()).count(), 5);
}

#[test]
fn every_step_of_an_upload_and_the_job_have_their_own_idempotency_key() {
    let server = server();
    server.batches(BatchScript::new().interrupt_uploads(1));
    let client = builder(&server, GEMINI_BY_FILE, MODEL).idempotency_keys(true).build().unwrap();
    client.batches(GEMINI_BY_FILE).submit(requests(5)).unwrap();
    let requests = server.requests();
    let mut keys: Vec<_> =
        requests.iter().filter_map(|request| request.header("idempotency-key")).collect();
    keys.sort_unstable();
    keys.dedup();
    assert_eq!(keys.len(), 5, "start, piece, query, piece and job: {keys:?}");
}

#[test]
fn an_interrupted_upload_goes_on_where_it_broke_off() {
    let server = server();
    server.batches(BatchScript::new().interrupt_uploads(3));
    let client = client(&server, GEMINI_BY_FILE, MODEL);
    let batches = client.batches(GEMINI_BY_FILE);
    let batch = batches.submit(requests(30)).unwrap();
    let steps = steps(&server);
    let commands: Vec<_> = steps.iter().map(|(command, _)| &**command).collect();
    let (piece, query) = ("upload, finalize", "query");
    assert_eq!(commands, ["start", piece, query, piece, query, piece, query, piece]);
    let offsets = [1, 3, 5, 7].map(|step| steps[step].1);
    assert!(offsets.windows(2).all(|pair| pair[0] < pair[1]), "{offsets:?}");
    assert_eq!(batches.list().unwrap().len(), 1);
    batches.wait(&batch).unwrap();
    assert_eq!(outcomes(&batches, &batch), expected(30, |_| None));
}

#[test]
fn an_upload_that_the_provider_forgot_begins_again() {
    let server = server();
    server.batches(BatchScript::new().forget_uploads(2));
    let client = client(&server, GEMINI_BY_FILE, MODEL);
    let batches = client.batches(GEMINI_BY_FILE);
    let batch = batches.submit(requests(5)).unwrap();
    let starts = steps(&server).iter().filter(|(command, _)| command == "start").count();
    assert_eq!((starts, batches.list().unwrap().len()), (3, 1));
    batches.wait(&batch).unwrap();
    assert_eq!(outcomes(&batches, &batch), expected(5, |_| None));
}

#[test]
fn an_upload_that_always_breaks_creates_no_job() {
    let server = server();
    server.batches(BatchScript::new().interrupt_uploads(u32::MAX));
    let client = client(&server, GEMINI_BY_FILE, MODEL);
    let batches = client.batches(GEMINI_BY_FILE);
    let error = batches.submit(requests(5)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Connection, "{error}");
    assert!(batches.list().unwrap().is_empty());
}

#[test]
fn a_server_without_the_files_api_is_named_as_the_cause() {
    let server = server();
    server.on(|request| request.path().contains("/upload/"), Reply::status(404));
    let client = client(&server, GEMINI_BY_FILE, MODEL);
    let error = client.batches(GEMINI_BY_FILE).submit(requests(5)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound, "{error}");
    assert!(error.to_string().contains("set BatchProfile::inline"), "{error}");
}

#[test]
fn results_in_a_file_are_read_whatever_way_the_requests_went() {
    let server = server();
    server.batches(BatchScript::new().results_in_a_file().fail("id-2", 400, ""));
    let client = client(&server, "gemini", MODEL);
    let batches = client.batches("gemini");
    let batch = batches.submit(requests(4)).unwrap();
    assert_eq!(uploads(&server), 0);
    batches.wait(&batch).unwrap();
    let failed = |number| (number == 2).then_some("InvalidRequest");
    assert_eq!(outcomes(&batches, &batch), expected(4, failed));
}

#[test]
fn texts_are_embedded_with_an_id_each() {
    let server = server();
    let client = client(&server, "gemini", "gemini-embedding-001");
    let batches = client.batches("gemini");
    let texts = ["one", "two", "three"];
    let embed = |text: &str| EmbedRequest::from([text]).dimensions(8);
    let batch = batches.submit(texts.map(|text| (text, embed(text)))).unwrap();
    assert_eq!(uploads(&server), 2, "vectors come in a file, however few");
    batches.wait(&batch).unwrap();
    // The handle from the id alone knows that they are embeddings.
    for batch in [&batch, &batches.find(batch.id()).unwrap()] {
        let results = batches.results(batch).unwrap().map(Result::unwrap);
        let mut results: Vec<_> = results.collect();
        results.sort_by_key(|result| texts.iter().position(|text| *text == result.id));
        for (result, text) in results.into_iter().zip(texts) {
            assert_eq!(result.id, text);
            let single = client.embed(embed(text)).unwrap();
            let embeddings = result.outcome.into_embeddings().unwrap();
            assert_eq!((embeddings.len(), &embeddings[0]), (1, &single[0]));
            assert!(embeddings.cost.unwrap().total < single.cost.unwrap().total);
        }
    }
    let two = [("a", EmbedRequest::from(["one", "two"]))];
    let error = batches.submit(two).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidRequest);
    assert!(error.to_string().contains("2 requests, each with an id of its own"), "{error}");
}
