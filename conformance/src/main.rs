//! Sends tollgate's requests to servers that somebody else wrote, and prints what they say. The
//! README shows how to run it.

mod answers;
mod arguments;
mod batches;
mod cases;
mod mocked;
mod report;
mod requests;
mod servers;
mod suite;

use std::process::ExitCode;

use arguments::Command;
use report::Report;

fn main() -> ExitCode {
    let command = match Command::parse(std::env::args().skip(1)) {
        Ok(command) => command,
        Err(message) => {
            eprintln!("{message}\n\n{}", arguments::USAGE);
            return ExitCode::from(2);
        }
    };
    let single = |only: &Option<String>| Report::new(only.clone(), &[]);
    let rejected = match command {
        Command::Servers(names) => suite::run(&names),
        Command::Requests(arguments) => {
            let mut report = single(&arguments.only);
            requests::run(&arguments, &mut report).map(|()| {
                println!("{}", report.summary());
                report.rejected
            })
        }
        Command::Answers(arguments) => {
            let mut report = single(&arguments.only);
            answers::run(&arguments, &mut report).map(|()| {
                println!("{}", report.summary());
                report.rejected
            })
        }
    };
    match rejected {
        Ok(0) => ExitCode::SUCCESS,
        Ok(_) => ExitCode::FAILURE,
        Err(message) => {
            eprintln!("{message}");
            ExitCode::from(2)
        }
    }
}
