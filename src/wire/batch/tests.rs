//! Jobs and results as providers write them.

use super::*;
use crate::error::ErrorKind;

fn job(format: BatchFormat, body: &str) -> Job {
    interface(format).job(body.as_bytes()).unwrap()
}

#[test]
fn either_file_may_be_missing_null_or_an_empty_string() {
    let body = |output: &str, error: &str| {
        format!(r#"{{"id": "b", "status": "completed"{output}{error}}}"#)
    };
    for (output, error, expected) in [
        (
            r#","output_file_id":"o""#,
            r#","error_file_id":"e""#,
            &["/files/o/content", "/files/e/content"][..],
        ),
        (r#","output_file_id":"o""#, r#","error_file_id":"""#, &["/files/o/content"]),
        (r#","output_file_id":"o""#, r#","error_file_id":null"#, &["/files/o/content"]),
        (r#","output_file_id":"o""#, "", &["/files/o/content"]),
        (r#","output_file_id":null"#, r#","error_file_id":"e/1""#, &["/files/e%2F1/content"]),
        ("", "", &[]),
    ] {
        let job = job(BatchFormat::OpenAi, &body(output, error));
        assert_eq!(
            (job.state, &job.files[..]),
            (
                BatchState::Completed,
                &expected.iter().map(|path| (*path).to_owned()).collect::<Vec<_>>()[..]
            )
        );
    }
}

#[test]
fn every_providers_states_have_one_set_of_names() {
    use BatchState::*;
    for (format, member, states) in [
        (
            BatchFormat::OpenAi,
            "status",
            &[
                ("validating", Queued),
                ("in_progress", InProgress),
                ("finalizing", Finalizing),
                ("completed", Completed),
                ("failed", Failed),
                ("expired", Expired),
                ("cancelling", Cancelling),
                ("cancelled", Cancelled),
                ("something new", InProgress),
            ][..],
        ),
        (
            BatchFormat::Together,
            "status",
            &[("IN_PROGRESS", InProgress), ("COMPLETED", Completed), ("EXPIRED", Expired)],
        ),
        (
            // Novita
            BatchFormat::OpenAi,
            "status",
            &[("VALIDATING", Queued), ("PROGRESS", InProgress), ("CANCELLED", Cancelled)],
        ),
        (
            BatchFormat::Mistral,
            "status",
            &[
                ("QUEUED", Queued),
                ("RUNNING", InProgress),
                ("SUCCESS", Completed),
                ("FAILED", Failed),
                ("TIMEOUT_EXCEEDED", Expired),
                ("CANCELLATION_REQUESTED", Cancelling),
                ("CANCELLED", Cancelled),
            ],
        ),
    ] {
        for (word, state) in states {
            let body = format!(r#"{{"id": "b", "{member}": "{word}"}}"#);
            assert_eq!(job(format, &body).state, *state, "{format} {word}");
        }
    }
    for (word, state) in [
        ("BATCH_STATE_PENDING", Queued),
        ("JOB_STATE_RUNNING", InProgress),
        ("BATCH_STATE_SUCCEEDED", Completed),
        ("BATCH_STATE_EXPIRED", Expired),
        ("BATCH_STATE_CANCELLED", Cancelled),
    ] {
        let body = format!(r#"{{"name": "batches/1", "metadata": {{"state": "{word}"}}}}"#);
        assert_eq!(job(BatchFormat::Gemini, &body).state, state, "{word}");
    }
    for (status, counts, initiated, state) in [
        ("in_progress", r#""processing":3"#, "null", InProgress),
        ("canceling", r#""processing":3"#, r#""2026-11-27T10:00:00.123456Z""#, Cancelling),
        ("ended", r#""succeeded":3"#, "null", Completed),
        ("ended", r#""succeeded":2,"expired":1"#, "null", Expired),
        ("ended", r#""succeeded":2,"canceled":1"#, r#""2026-11-27T10:00:00Z""#, Cancelled),
        // Everything was answered before the cancellation.
        ("ended", r#""succeeded":3"#, r#""2026-11-27T10:00:00Z""#, Completed),
    ] {
        let body = format!(
            r#"{{"id":"m","processing_status":"{status}","request_counts":{{{counts}}},
                "created_at":"2026-11-27T10:00:00.123456Z","cancel_initiated_at":{initiated}}}"#
        );
        let job = job(BatchFormat::Anthropic, &body);
        assert_eq!((job.state, job.counts.total), (state, 3), "{status} {counts}");
        assert_eq!(job.created, Some(1_795_773_600));
        let path = "/v1/messages/batches/m/results".to_owned();
        assert_eq!(job.files.contains(&path), state.is_final(), "never the host of results_url");
    }
}

#[test]
fn the_time_of_creation_is_a_number_or_text() {
    for (format, written) in [
        (BatchFormat::OpenAi, "1795773600"),
        (BatchFormat::OpenAi, r#""2026-11-27T10:00:00.2491382+00:00""#), // Azure
        (BatchFormat::Together, r#""2026-11-27T10:00:00Z""#),
    ] {
        let job = job(format, &format!(r#"{{"id": "b", "created_at": {written}}}"#));
        assert_eq!(job.created, Some(1_795_773_600), "{format} {written}");
    }
}

#[test]
fn a_result_is_a_response_a_failure_or_neither() {
    let outcome = |format, line: &str| interface(format).result(line).unwrap().outcome;
    let status = |outcome: Outcome| match outcome {
        Outcome::Response { status, .. } => status,
        other => panic!("{other:?}"),
    };
    for format in [BatchFormat::OpenAi, BatchFormat::Mistral] {
        let response = |status: u16| {
            format!(
                r#"{{"custom_id":"a","response":{{"status_code":{status},"body":{{}}}},"error":null}}"#
            )
        };
        assert_eq!(status(outcome(format, &response(200))), 200);
        assert_eq!(status(outcome(format, &response(429))), 429);
        let expired =
            r#"{"custom_id":"a","response":null,"error":{"code":"batch_expired","message":"m"}}"#;
        assert_eq!(outcome(format, expired), Outcome::Expired);
        let failed = r#"{"custom_id":"a","response":null,"error":{"code":"token_limit_exceeded","message":"m"}}"#;
        let Outcome::Failed(failure) = outcome(format, failed) else { panic!() };
        assert_eq!(failure.code.as_deref(), Some("token_limit_exceeded"));
        let Outcome::Failed(failure) = outcome(format, r#"{"custom_id":"a"}"#) else { panic!() };
        assert_eq!(failure.kind, ErrorKind::Protocol);
    }
    let errored = r#"{"custom_id":"a","result":{"type":"errored","error":{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}}}"#;
    let Outcome::Failed(failure) = outcome(BatchFormat::Anthropic, errored) else { panic!() };
    assert_eq!((failure.kind, &*failure.message), (ErrorKind::Overloaded, "Overloaded"));
    let lost_key = r#"{"response":{"candidates":[]}}"#;
    assert_eq!(interface(BatchFormat::Gemini).result(lost_key).unwrap().id, None);
    for format in [BatchFormat::OpenAi, BatchFormat::Anthropic, BatchFormat::Gemini] {
        for cut in ["", "{", r#"{"custom_id":"a","resp"#, "[1]", "5"] {
            assert!(interface(format).result(cut).is_err(), "{format} {cut:?}");
        }
    }
}

#[test]
fn ids_are_checked_by_the_providers_rule() {
    let long = "x".repeat(10_000);
    for (format, id, fits) in [
        (BatchFormat::OpenAi, "any text, é", true),
        (BatchFormat::OpenAi, "", false),
        (BatchFormat::OpenAi, &*long, false),
        (BatchFormat::Together, &long[..64], true),
        (BatchFormat::Together, &long[..65], false),
        (BatchFormat::Anthropic, "a-B_9", true),
        (BatchFormat::Anthropic, "a b", false),
        (BatchFormat::Anthropic, "é", false),
    ] {
        let checked = interface(format).ids().check(id);
        assert_eq!(checked.is_ok(), fits, "{format} {id:.20}");
        if let Err(error) = checked {
            assert!(error.to_string().len() < 300, "{error}");
        }
    }
}

#[test]
fn a_line_is_one_line_with_the_id_escaped() {
    let formats =
        [BatchFormat::OpenAi, BatchFormat::Mistral, BatchFormat::Anthropic, BatchFormat::Gemini];
    for format in formats {
        let line = interface(format).line("a\"\n", "/v1/chat/completions", br#"{"model":"m"}"#);
        assert!(!line.contains(&b'\n'), "{format}");
        let line: Value = serde_json::from_slice(&line).unwrap();
        let id = line.get("custom_id").unwrap_or(&line["key"]);
        let body = ["body", "params", "request"].iter().find_map(|name| line.get(name)).unwrap();
        assert_eq!((id.as_str(), &body["model"]), (Some("a\"\n"), &Value::from("m")), "{format}");
    }
}

#[test]
fn requests_become_part_of_a_job_without_a_second_copy() {
    let lines = b"{\"n\":1}\n{\"n\":2}\n{\"n\":3}\n";
    let job = NewJob { endpoint: "", model: "models/m", file: "", name: "mine" };
    for (format, path, requests) in [
        (BatchFormat::Anthropic, "/v1/messages/batches", "/requests"),
        (
            BatchFormat::Gemini,
            "/models/m:batchGenerateContent",
            "/batch/inputConfig/requests/requests",
        ),
    ] {
        let creation = interface(format).create(&job);
        let body = creation.body(&mut &lines[..], lines.len()).unwrap();
        assert_eq!((&*creation.path, body.capacity()), (path, body.len()), "{format}");
        let body: Value = serde_json::from_slice(&body).unwrap();
        let numbers = serde_json::json!([{"n": 1}, {"n": 2}, {"n": 3}]);
        assert_eq!(body.pointer(requests), Some(&numbers), "{format}");
        assert!(creation.body(&mut &lines[..], lines.len() + 1).is_err(), "{format}");
    }
}

#[test]
fn a_list_has_pages() {
    let openai = interface(BatchFormat::OpenAi);
    let page = openai.jobs(br#"{"data":[{"id":"b1"},{"id":"b2"}],"has_more":true}"#).unwrap();
    assert_eq!((page.jobs.len(), page.next.as_deref()), (2, Some("b2")));
    assert_eq!(openai.list_path(Some("b2"), 1), "/batches?limit=100&after=b2");
    let last = openai.jobs(br#"{"data":[],"has_more":false}"#).unwrap();
    assert_eq!((last.jobs.len(), last.next), (0, None));
    // Together sends the list alone.
    assert_eq!(openai.jobs(br#"[{"id":"b1"}]"#).unwrap().jobs.len(), 1);
    assert!(openai.jobs(b"{}").is_err());
    assert_eq!(interface(BatchFormat::Mistral).jobs(b"{}").unwrap().jobs.len(), 0);
    let gemini = interface(BatchFormat::Gemini)
        .jobs(br#"{"operations":[{"name":"batches/1"}],"nextPageToken":"t"}"#);
    assert_eq!(gemini.unwrap().next.as_deref(), Some("t"));
}

#[test]
fn a_line_of_geminis_file_becomes_a_request_inside_the_job() {
    let gemini = interface(BatchFormat::Gemini);
    let body = br#"{"contents":[{"parts":[{"text":"a\",\"request\":b"}]}]}"#;
    for key in ["a", "é", "\"", "\",\"request\":", ",\"request\":{", "\\\",\"request\":", "}{"] {
        let line = gemini.line(key, "generateContent", body);
        let inside = gemini.inlined(line.clone());
        assert_eq!(inside.len(), line.len() + gemini.inline_growth(), "{key}");
        let [line, inside] =
            [line, inside].map(|line| serde_json::from_slice::<Value>(&line).unwrap());
        let request: Value = serde_json::from_slice(body).unwrap();
        assert_eq!(line, serde_json::json!({"key": key, "request": request}));
        assert_eq!(inside, serde_json::json!({"metadata": {"key": key}, "request": request}));
    }
}

#[test]
fn gemini_embeds_one_text_for_each_key() {
    let gemini = interface(BatchFormat::Gemini);
    let path = gemini.endpoint_path(BatchEndpoint::Embeddings).unwrap();
    let body =
        br#"{"requests":[{"model":"models/e","content":{"parts":[{"text":"t"}]}}],"extra":1}"#;
    let line: Value = serde_json::from_slice(&gemini.line("k", path, body)).unwrap();
    let request =
        serde_json::json!({"model": "models/e", "content": {"parts": [{"text": "t"}]}, "extra": 1});
    assert_eq!(line, serde_json::json!({"key": "k", "request": request}));
    let job = NewJob { endpoint: path, model: "e", file: "files/f", name: "mine" };
    let creation = gemini.create(&job);
    assert_eq!(creation.path, "/models/e:asyncBatchEmbedContent");
    let body: Value = serde_json::from_slice(&creation.body(&mut &b""[..], 0).unwrap()).unwrap();
    let input = serde_json::json!({"fileName": "files/f"});
    assert_eq!(body, serde_json::json!({"batch": {"displayName": "mine", "inputConfig": input}}));
    // Vectors come in a file, however few.
    assert_eq!(gemini.upload(BatchEndpoint::Embeddings, false), Some(Upload::Resumable));
    let result = r#"{"key":"k","response":{"embedding":{"values":[1]},"usageMetadata":{"promptTokenCount":2}}}"#;
    let Outcome::Response { body, .. } = gemini.result(result).unwrap().outcome else { panic!() };
    let whole = serde_json::json!({"embeddings": [{"values": [1]}], "usageMetadata": {"promptTokenCount": 2}});
    assert_eq!(serde_json::from_slice::<Value>(&body).unwrap(), whole);
}

#[test]
fn geminis_results_are_in_the_job_or_in_a_file() {
    let of = |output: &str, r#in: &str| {
        let place = match r#in {
            "response" => {
                format!(r#""metadata":{{"state":"BATCH_STATE_SUCCEEDED"}},"response":{output}"#)
            }
            _ => format!(
                r#""metadata":{{"state":"BATCH_STATE_SUCCEEDED","output":{output}}},"response":{{}}"#
            ),
        };
        job(BatchFormat::Gemini, &format!(r#"{{"name":"batches/1","done":true,{place}}}"#))
    };
    for place in ["response", "metadata"] {
        let by_file = of(r#"{"responsesFile":"files/batch-1"}"#, place);
        assert_eq!(by_file.files, ["/files/batch-1:download?alt=media"], "{place}");
        let inside = of(r#"{"inlinedResponses":{"inlinedResponses":[{"a":1},{"b":2}]}}"#, place);
        assert_eq!((inside.lines.len(), inside.files.len()), (2, 0), "{place}");
        assert_eq!(inside.endpoint, Some(BatchEndpoint::Chat));
        let vectors = of(
            r#"{"inlinedResponses":{"inlinedResponses":[{"response":{"embedding":{}}}]}}"#,
            place,
        );
        assert_eq!(vectors.endpoint, Some(BatchEndpoint::Embeddings), "{place}");
    }
    let named = job(
        BatchFormat::Gemini,
        r#"{"name":"batches/1","metadata":{"@type":"type.googleapis.com/google.ai.generativelanguage.v1main.EmbedContentBatch"}}"#,
    );
    assert_eq!(named.endpoint, Some(BatchEndpoint::Embeddings));
    let status = r#"{"key":"a","status":{"code":3,"message":"Bad."}}"#;
    let Outcome::Failed(failure) = interface(BatchFormat::Gemini).result(status).unwrap().outcome
    else {
        panic!()
    };
    assert_eq!(&*failure.message, "Bad.");
}
