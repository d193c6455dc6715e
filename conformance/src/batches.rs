//! Sends the requests that make a batch to a server that checks requests.
//!
//! The loopback provider takes the batch. The recorded bytes of each step then go to the server under
//! test.

use tollgate::testing::{BatchScript, Loopback};
use tollgate::{ChatRequest, EmbedRequest};

use crate::arguments::Arguments;
use crate::report::{Outcome, Report};
use crate::requests::{Origin, agent, words};

/// # Errors
///
/// The server checks nothing, so that the run is worth nothing.
pub(crate) fn run(arguments: &Arguments, report: &mut Report) -> Result<(), String> {
    let (origin, path) = match arguments.base_url.strip_suffix("/v1") {
        Some(origin) => (origin, "/v1"),
        None => (&*arguments.base_url, ""),
    };
    let server = Origin { url: origin.to_owned(), agent: agent() };
    let loopback = Loopback::start().map_err(|error| error.to_string())?;
    loopback.serve_below(path);
    // Still at work, so that it can be cancelled.
    loopback.batches(BatchScript::new().looks(9));
    let client = arguments.client(&format!("http://{}{path}", loopback.address()))?;
    let batches = client.batches(arguments.provider.as_str());
    let shown = |error: tollgate::Error| error.to_string();
    let chats = ["a", "b"].map(|id| (id, ChatRequest::from("Hello.").max_output_tokens(5)));
    let batch = batches.submit(chats).map_err(shown)?;
    let embed = EmbedRequest::from(["Hello."]).model("some-model");
    batches.submit([("c", embed)]).map_err(shown)?;
    batches.list().map_err(shown)?;
    batches.cancel(&batch).map_err(shown)?;
    let mut proven = Vec::new();
    for request in loopback.requests() {
        if request.method() != "POST" {
            continue;
        }
        let name = format!("{} ({} bytes)", request.path(), request.body().len());
        let is_cancellation = request.path().ends_with("/cancel");
        if !is_cancellation && !proven.contains(&request.path().to_owned()) {
            proven.push(request.path().to_owned());
            // Half a form, or no members.
            let wrong: &[u8] = if request.json().is_object() { b"{}" } else { b"--x--" };
            let (status, answer) = server.post(&request, wrong)?;
            if status < 300 {
                return Err(format!("{name}: the server accepts anything"));
            }
            println!("checks    {name}: {}", words(&answer));
        }
        let (status, answer) = server.post(&request, request.body())?;
        report.add(
            &name,
            match status < 300 {
                true => Outcome::Accepted(String::new()),
                false => Outcome::Rejected(format!("{status} {}", words(&answer))),
            },
        );
    }
    Ok(())
}
