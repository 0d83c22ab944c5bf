//! The command `sockeye`.
#![forbid(unsafe_code)]

mod address;
mod command;
mod connect;
mod doctor;
mod failure;
mod folder;
mod interrupt;
mod ladder;
mod lan;
mod options;
mod page;
mod ping;
mod place;
mod run;
mod serve;
mod service;
mod sim;
mod site;
mod ss;
mod test;
mod watch;
mod way_out;
mod web;

use std::io::{Write, stderr};
use std::process::ExitCode;

use clap::Parser;

use command::{Cli, Command};
use failure::Failure;

fn main() -> ExitCode {
    let outcome = match Cli::try_parse() {
        Ok(cli) => run(cli),
        Err(error) => command::refuse(&error).map(|()| ExitCode::SUCCESS).map_err(|failure| {
            // The codes of `sockeye run` are the program's, but for a few.
            match std::env::args_os().nth(1) {
                Some(command) if command == "run" => run::not_run(failure),
                _ => failure,
            }
        }),
    };
    outcome.unwrap_or_else(|failure| {
        if !failure.line.is_empty() {
            writeln!(stderr(), "sockeye: {}", failure.line).ok();
        }
        ExitCode::from(failure.code as u8)
    })
}

fn run(cli: Cli) -> Result<ExitCode, Failure> {
    let outcome = match cli.command {
        Command::Run(options) => return in_runtime(run::run(options)),
        Command::Serve(options) => in_runtime(serve::run(options)),
        Command::Connect(options) => in_runtime(connect::run(options)),
        Command::Ping(options) => in_runtime(ping::run(options)),
        Command::Web(options) => return in_runtime(web::run(options)).map(|()| ExitCode::SUCCESS),
        Command::Lan(options) => in_runtime(lan::run(options)),
        Command::Ss(options) => ss::run(&options),
        Command::Test(options) => test::run(&options),
        Command::Doctor => {
            doctor::run();
            Ok(())
        }
        Command::Sim { what } => sim::run(what),
        Command::Completions { shell } => page::completions(shell),
        Command::Man { command } => page::man(command.as_deref()),
    };
    outcome.map(|()| ExitCode::SUCCESS)
}

/// Runs a command that waits for several things at once.
fn in_runtime<T>(command: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::talking("cannot start", &error))?;
    let outcome = runtime.block_on(command);
    // Not waited for: a thread that reads the terminal returns only when somebody types.
    runtime.shutdown_background();
    outcome
}
