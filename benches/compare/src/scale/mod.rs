//! Many at once: calls to a server that takes its time, and streams that are left open.

pub mod calls;
mod report;
pub mod streams;

pub use report::scale;

use crate::failure::Failure;

/// What `scale` runs in a process of its own.
pub fn run(bench: &str, arm: &str, url: &str, count: &str) -> Result<(), Failure> {
    let count = count.parse()?;
    let found = match bench {
        "calls" => serde_json::to_string(&calls::run(arm, url, count)?)?,
        _ => serde_json::to_string(&streams::run(arm, url, count)?)?,
    };
    println!("{found}");
    Ok(())
}
