//! Sends tollgate's requests to a server that somebody else wrote, and prints what it says. The
//! README shows how to run it.

mod answers;
mod arguments;
mod cases;
mod requests;

use std::process::ExitCode;

use arguments::{Arguments, Command};

fn main() -> ExitCode {
    let arguments = match Arguments::parse(std::env::args().skip(1)) {
        Ok(arguments) => arguments,
        Err(message) => {
            eprintln!("{message}\n\n{}", arguments::USAGE);
            return ExitCode::from(2);
        }
    };
    let failures = match arguments.command {
        Command::Requests => requests::run(&arguments),
        Command::Answers => answers::run(&arguments),
    };
    match failures {
        Ok(0) => ExitCode::SUCCESS,
        Ok(_) => ExitCode::FAILURE,
        Err(message) => {
            eprintln!("{message}");
            ExitCode::from(2)
        }
    }
}
