//! Batches of everything but chats in the provider's own format: Responses, text completions and
//! embeddings.

mod support;

use support::batches::{client, expected, outcomes, requests, server};
use tollgate::provider::{Format, Profile};
use tollgate::{ChatRequest, EmbedRequest, ErrorKind};

#[test]
fn responses_and_embeddings_go_to_their_own_endpoints() {
    let server = server();
    let client = client(&server, "openai", "gpt-4o-mini");
    let batches = client.batches("openai");
    let format = tollgate::provider::Format::OpenAiResponses;
    let request = ChatRequest::from("id-0.").wire_format(format);
    let batch = batches.submit([("id-0", request)]).unwrap();
    batches.wait(&batch).unwrap();
    assert_eq!(outcomes(&batches, &batch), expected(1, |_| None));

    let embed = |texts: [&'static str; 2]| {
        EmbedRequest::from(texts).model("text-embedding-3-small").dimensions(8)
    };
    let two = [("a", embed(["one", "two"])), ("b", embed(["three", "four"]))];
    let batch = batches.submit(two).unwrap();
    batches.wait(&batch).unwrap();
    let single = client.embed(embed(["three", "four"])).unwrap();
    let results: Vec<_> = batches.results(&batch).unwrap().map(Result::unwrap).collect();
    assert_eq!((&*results[0].id, &*results[1].id), ("a", "b"));
    let embeddings = results[1].outcome.clone().into_embeddings().unwrap();
    assert_eq!((&embeddings[0], &embeddings[1]), (&single[0], &single[1]));
    assert!(embeddings.cost.unwrap().total < single.cost.unwrap().total);
    assert!(results[0].outcome.clone().into_chat().is_err());

    let groq = support::batches::client(&server, "groq", "llama-3.3-70b-versatile");
    let refused = groq.batches("groq").submit([("a", embed(["one", "two"]))]).unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::InvalidRequest, "{refused}");
}

#[test]
fn every_provider_with_embeddings_in_batches_embeds_as_in_single_calls() {
    let mut seen = Vec::new();
    for profile in Profile::all() {
        if !profile.batches.is_some_and(|batches| batches.embeddings) {
            continue;
        }
        let (provider, server) = (profile.id.as_str(), server());
        let client = client(&server, provider, "some-embedding-model");
        let batches = client.batches(provider);
        let embed = |text: &'static str| EmbedRequest::from([text]);
        let batch = batches.submit(["one", "two"].map(|text| (text, embed(text)))).unwrap();
        batches.wait(&batch).unwrap();
        for result in batches.results(&batch).unwrap().map(Result::unwrap) {
            let text = if result.id == "one" { "one" } else { "two" };
            let embeddings = result.outcome.into_embeddings().unwrap();
            let single = client.embed(embed(text)).unwrap();
            assert_eq!(&embeddings[0], &single[0], "{provider}");
            assert_eq!(embeddings.usage, single.usage, "{provider}");
        }
        seen.push(provider.to_owned());
    }
    seen.sort();
    assert_eq!(seen, ["alibaba", "azure", "deepinfra", "gemini", "mistral", "openai"]);
}

#[test]
fn openai_and_azure_take_responses_and_text_completions() {
    for provider in ["openai", "azure"] {
        for (model, format, endpoint) in [
            ("gpt-4o-mini", Format::OpenAiResponses, "/v1/responses"),
            ("gpt-4o-mini", Format::OpenAiChat, "/v1/chat/completions"),
            ("gpt-3.5-turbo-instruct", Format::OpenAiChat, "/v1/completions"),
        ] {
            let server = server();
            let client = client(&server, provider, model);
            let batches = client.batches(provider);
            let own = |(id, request): (String, ChatRequest)| (id, request.wire_format(format));
            let batch = batches.submit(requests(3).into_iter().map(own)).unwrap();
            batches.wait(&batch).unwrap();
            assert_eq!(outcomes(&batches, &batch), expected(3, |_| None), "{provider} {endpoint}");
            let created = server.requests();
            let created =
                created.iter().find(|request| request.path().ends_with("/batches")).unwrap();
            assert_eq!(created.json()["endpoint"], endpoint, "{provider}");
        }
    }
    let others = Profile::all().filter(|profile| profile.batches.is_some_and(|own| !own.responses));
    for provider in others.filter(|profile| profile.format == Some(Format::OpenAiChat)) {
        let server = server();
        let client = client(&server, provider.id.as_str(), "some-model");
        let request = ChatRequest::from("hi").wire_format(Format::OpenAiResponses);
        let error = client.batches(provider.id.as_str()).submit([("a", request)]).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidRequest, "{error}");
        assert_eq!(server.request_count(), 0);
    }
}
