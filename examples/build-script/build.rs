//! Writes one sentence about the newest changes into the program.
//!
//! The answer is in `llm/`, which is checked in: the build needs no key and no network, and it is the
//! same everywhere. After a change of `CHANGES.md`, record it again:
//!
//! ```sh
//! TOLLGATE_REPLAY=record OPENAI_API_KEY=sk-… cargo build
//! ```

use std::path::Path;
use std::process::ExitCode;
use std::{env, fs};

use tollgate::{ChatRequest, Client, Replay};

fn main() -> ExitCode {
    // Run again only when one of these changes, not on every build.
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed=CHANGES.md");
    println!("cargo::rerun-if-changed=llm");
    println!("cargo::rerun-if-env-changed=TOLLGATE_REPLAY");
    match generate() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Cargo shows this line as an error of the package.
            println!("cargo::error={error}");
            ExitCode::FAILURE
        }
    }
}

fn generate() -> Result<(), Box<dyn std::error::Error>> {
    // In a build script, `Replay` only replays, unless TOLLGATE_REPLAY says otherwise.
    let client = Client::builder()
        .provider("openai")
        .model("gpt-4o-mini")
        .base_url("https://api.openai.com/v1") // whatever the environment says
        .replay(Replay::dir("llm"))
        .build()?;
    let request = ChatRequest::from(fs::read_to_string("CHANGES.md")?)
        .system("Summarize the newest release in one sentence, in plain text.")
        .max_output_tokens(100)
        .temperature(0.0)
        .seed(1);
    let summary = client.chat(request)?.complete_text()?;
    fs::write(Path::new(&env::var("OUT_DIR")?).join("summary.txt"), summary.trim())?;
    Ok(())
}
