//! Serves a folder of recordings to programs in any language, and records what is missing.
//!
//! ```text
//! cargo run --example replay-server -- llm 8080
//! TOLLGATE_REPLAY=record cargo run --example replay-server -- llm 8080 openai https://api.openai.com/v1
//! ```
//!
//! The first one only answers from the folder `llm`. The second one sends a request that has no
//! recording on to the provider, with the key of the program that asks, and records the answer. At
//! the end of its input (Ctrl-D), it lists the recordings that no program asked for.

use std::env;
use std::error::Error;
use std::process::ExitCode;

use tollgate::Replay;
use tollgate::testing::Loopback;

const USAGE: &str = "usage: replay-server FOLDER [PORT [PROVIDER BASE_URL]]";

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    match serve(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn serve(arguments: &[String]) -> Result<(), Box<dyn Error>> {
    let (folder, port, upstream) = match arguments {
        [folder] => (folder, 0, None),
        [folder, port] => (folder, port.parse()?, None),
        [folder, port, provider, url] => (folder, port.parse()?, Some((provider, url))),
        _ => return Err(USAGE.into()),
    };
    let server = Loopback::start_on(port)?;
    let replay = Replay::dir(folder);
    server.recordings(&replay)?;
    match upstream {
        Some((provider, url)) => {
            server.forward_to(provider.as_str(), url)?;
            println!("base URL for {provider}: {}", server.base_url(provider.as_str()));
        }
        None => {
            println!("export OPENAI_BASE_URL={}", server.base_url("openai"));
            println!("export ANTHROPIC_BASE_URL={}", server.base_url("anthropic"));
        }
    }
    std::io::copy(&mut std::io::stdin(), &mut std::io::sink())?;
    server.stop();
    replay.check()?;
    Ok(())
}
