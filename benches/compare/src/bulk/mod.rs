//! Bulk runs, next to what people use in Python, and next to the ideal.

mod report;
mod run;

pub use report::bulk;
pub use run::run;

use serde::{Deserialize, Serialize};
use std::env;
use std::path::Path;
use std::process::Command;

use crate::comparison::{child, text_of};
use crate::failure::Failure;

/// The environment variable with the path of a Python that has `openai` and `litellm`. Default:
/// `python3`.
const PYTHON: &str = "PYTHON";

/// What the calls of one process took.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Sample {
    /// In seconds, from the first call to the last answer.
    pub wall: f64,
    /// Of a processor in user and kernel mode, in seconds, in that time.
    pub cpu: f64,
    /// The same before the first call: imports, and the setup of a client.
    pub start_cpu: f64,
    /// The most resident memory of the process, in MiB.
    pub peak_mib: f64,
}

/// The ways to make all calls, and the script of those in Python.
const ARMS: [(&str, Option<&str>); 4] = [
    ("tollgate", None),
    ("tollgate-journal", None),
    ("asyncio", Some("asyncio_openai.py")),
    ("litellm", Some("litellm_batch.py")),
];

/// Makes the calls of an arm in a process of its own.
fn measure(arm: &str, url: &str, calls: usize, width: usize) -> Result<Sample, Failure> {
    let (calls, width) = (calls.to_string(), width.to_string());
    let script = ARMS.iter().find(|(name, _)| *name == arm).and_then(|(_, script)| *script);
    let printed = match script {
        None => child(&["bulk-run", arm, url, &calls, &width])?,
        Some(script) => {
            let program = env::var(PYTHON).unwrap_or_else(|_| "python3".to_owned());
            let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("python");
            let mut python = Command::new(&program);
            python.arg(folder.join(script)).args([url, &calls, &width]);
            // Otherwise LiteLLM fetches its prices from GitHub when it is imported.
            python.env("LITELLM_LOCAL_MODEL_COST_MAP", "True").env("PYTHONDONTWRITEBYTECODE", "1");
            text_of(&mut python).map_err(|failure| {
                format!("{failure}; set PYTHON to one with the packages openai and litellm")
            })?
        }
    };
    // What a package prints comes before.
    let last = printed.lines().last().unwrap_or_default();
    let sample = serde_json::from_str(last);
    sample.map_err(|failure| format!("the arm {arm} printed {last:?}: {failure}").into())
}
