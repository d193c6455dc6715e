//! Answers recorded from a provider's batch decode inside a batch as they are.
//!
//! `TOLLGATE_RECORDINGS` names the folder of recordings; without it this test is skipped, and says
//! so. Only xAI's batches are recorded. Their interface is its own, so the recorded answers go through
//! a job of OpenAI's interface.

mod support;

use serde_json::Value;
use support::batches::{client, requests};
use support::recordings::recorded;
use tollgate::BatchOutcome;
use tollgate::testing::Reply;

#[test]
fn recorded_answers_of_a_batch_keep_their_text_reasoning_and_usage() {
    let Some(recordings) = recorded(|entry| {
        let url = entry["url"].as_str().unwrap_or_default();
        url.contains("/batches/") && url.contains("/results")
    }) else {
        return;
    };
    assert!(!recordings.is_empty());
    for recording in recordings {
        let recorded: Value = serde_json::from_slice(&recording.body).unwrap();
        let results = recorded["results"].as_array().unwrap();
        let answers: Vec<Value> = results
            .iter()
            .map(|result| result["batch_result"]["response"]["chat_get_completion"].clone())
            .collect();
        assert!(answers.iter().all(Value::is_object), "{}", recording.file);

        let server = support::loopback();
        let bodies = answers.clone();
        server.respond(move |request| {
            let place = (0..bodies.len()).find(|at| request.body_contains(&format!("id-{at}.")))?;
            let is_single = request.path() == "/v1/chat/completions";
            let body = bodies[place].to_string();
            is_single.then(|| Reply::raw(200, "application/json", body))
        });
        let client = client(&server, "openai", "grok-4.3");
        let batches = client.batches("openai");
        let batch = batches.submit(requests(answers.len())).unwrap();
        batches.wait(&batch).unwrap();
        let outcomes = batches.results(&batch).unwrap().map(|result| result.unwrap().outcome);
        for (outcome, answer) in outcomes.zip(&answers) {
            let BatchOutcome::Answered(response) = outcome else { panic!("{}", recording.file) };
            let (message, usage) = (&answer["choices"][0]["message"], &answer["usage"]);
            assert_eq!(response.text(), message["content"].as_str().unwrap());
            assert_eq!(Some(&*response.message.reasoning()), message["reasoning_content"].as_str());
            assert_eq!(response.id.as_deref(), answer["id"].as_str());
            let details = [
                (response.usage.prompt_tokens, &usage["prompt_tokens"]),
                (response.usage.cached_tokens, &usage["prompt_tokens_details"]["cached_tokens"]),
                (
                    response.usage.reasoning_tokens,
                    &usage["completion_tokens_details"]["reasoning_tokens"],
                ),
            ];
            for (decoded, recorded) in details {
                assert_eq!(decoded, recorded.as_u64().unwrap(), "{}", recording.file);
            }
        }
    }
}
