//! Calls the models of `litellm.yaml` that LiteLLM answers itself.

use tollgate::{ChatRequest, ChatResponse, EmbedRequest, Error, ErrorKind};

use crate::answers::{CITIES, Calls, PARIS, by_stream, described, failure, outcome};
use crate::arguments::Arguments;
use crate::cases::weather;
use crate::report::{Outcome, Report};

pub(crate) fn run(arguments: &Arguments, report: &mut Report) -> Result<(), String> {
    let calls = Calls::new(arguments)?;
    let of = |request: ChatRequest, model: &str| request.model(model);
    let right = |right: bool, answer: &ChatResponse| match right {
        true => Outcome::Accepted(described(answer)),
        false => Outcome::Rejected(format!("another answer: {}", described(answer))),
    };
    for streamed in [false, true] {
        let name = |case: &str| format!("{case}{}", if streamed { ", streamed" } else { "" });
        let ask = |request: ChatRequest| -> Result<ChatResponse, Error> {
            if streamed { by_stream(&calls.client, &request) } else { calls.client.chat(request) }
        };
        report.run(&name("plain"), || {
            outcome(ask(of(calls.capital(), "mocked")), |it| right(it.text() == PARIS, it))
        });
        report.run(&name("tools"), || {
            let request = calls.request("How is the weather?").tool(weather());
            outcome(ask(of(request, "mocked-tools")), |answer| {
                let arguments = answer.tool_calls().map(|call| call.arguments.as_str());
                right(arguments.eq(CITIES), answer)
            })
        });
        for (case, model, kind) in [
            ("a rate limit", "limited", ErrorKind::RateLimited),
            ("a too long prompt", "too-long", ErrorKind::ContextWindowExceeded),
            ("a failure", "failing", ErrorKind::Server),
        ] {
            let request = of(calls.capital(), model);
            report.run(&name(case), || failure(ask(request), &[kind]));
        }
    }
    report.run("a stream that breaks off", || {
        failure(by_stream(&calls.client, &of(calls.capital(), "breaking")), &[])
    });
    if arguments.provider == "litellm" {
        report.run("embeddings", || {
            let request = EmbedRequest::from("Snow fell.").model("mocked-embedding");
            outcome(calls.client.embed(request), |rows| {
                Outcome::Accepted(format!("{:?}", rows.get(0)))
            })
        });
    }
    report.run("token count", || {
        let request = of(calls.capital(), "mocked");
        outcome(calls.client.count_tokens(request), |count| Outcome::Accepted(format!("{count:?}")))
    });
    Ok(())
}
