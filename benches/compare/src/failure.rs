//! What ends a measurement before it is done.

use std::error::Error;
use std::process::ExitCode;

pub type Failure = Box<dyn Error + Send + Sync>;

/// Says what failed, if anything did.
pub fn exit(result: Result<(), Failure>) -> ExitCode {
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("{failure}");
            ExitCode::FAILURE
        }
    }
}
