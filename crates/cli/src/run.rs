//! `sockeye run`.

use std::os::unix::process::ExitStatusExt;
use std::process::{self, ExitCode, ExitStatus};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use sockeye_run::{Program, RunError};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::oneshot;

use crate::command::Run;
use crate::failure::{Code, Failure, plain};
use crate::interrupt::interrupted;
use crate::options::{EncodesText, On};
use crate::serve::cannot_publish;
use crate::site::{Role, Site, Wish, announce};
use crate::watch::JsonTo;

/// So long the connections of a program that has ended may take to deliver what it has written.
const LAST_WORDS: Duration = Duration::from_secs(60);

/// So long the processes that a program leaves behind go on without a word about them.
const PATIENCE: Duration = Duration::from_secs(1);

/// Runs the program to its end, and gives its exit code.
pub(crate) async fn run(options: Run) -> Result<ExitCode, Failure> {
    run_to_the_end(options).await.map_err(not_run)
}

/// The same failure with a code of `sockeye run`: the others would be taken for the program's own.
pub(crate) fn not_run(failure: Failure) -> Failure {
    match failure.code {
        Code::NotExecutable | Code::NotFound => failure,
        _ => Failure::new(Code::NotRun, failure.line),
    }
}

async fn run_to_the_end(mut options: Run) -> Result<ExitCode, Failure> {
    if let Some(name) = options.lan.take() {
        options.common.place.on = On::Named(name);
    }
    options.common.check(EncodesText::No)?;
    if options.common.place.on == On::Os {
        let line = "--on os would be the program as it is without sockeye: leave it away, or run it without";
        return Err(Failure::usage(line));
    }
    if options.common.place.on != On::Lan && !options.publish.is_empty() {
        let line = "--publish is for the private LAN: a host on an interface is reached there";
        return Err(Failure::usage(line));
    }
    let is_private = options.common.place.on == On::Lan;
    if let Some(given) = options.way_out.given().filter(|_| !is_private) {
        let line =
            format!("{given} is for the private LAN: what leaves another is decided where that is made");
        return Err(Failure::usage(line));
    }
    if options.no_gateway && !is_private {
        return Err(Failure::usage("--no-gateway is for the private LAN"));
    }
    let way_out = (is_private && !options.no_gateway).then_some(&options.way_out);
    let site = Site::build(&Wish {
        common: &options.common,
        role: Role::Program,
        listening: options.publish.iter().map(|publish| publish.port).collect(),
        json_to: JsonTo::Stderr,
        congestion: options.congestion,
        way_out,
    })?;
    for publish in &options.publish {
        site.publish(publish.at, publish.port).map_err(|error| cannot_publish(publish.at, &error))?;
        announce(&format!("port {} of the program is published on {}", publish.port, publish.at));
    }
    let outcome = supervise(&site, &options).await;
    site.looked_at().await;
    // What the program has written is sent, as a kernel would, however slow the cable is: unless somebody ends that.
    let interrupted = interrupted();
    let closing = tokio::task::spawn_blocking(move || site.close_within(LAST_WORDS));
    let closed = tokio::select! {
        closed = closing => closed.unwrap_or(Ok(())),
        _ = interrupted => Ok(()),
    };
    let code = outcome?;
    closed.map(|()| code)
}

async fn supervise(site: &Site, options: &Run) -> Result<ExitCode, Failure> {
    let Some((name, arguments)) = options.program.split_first() else {
        return Err(Failure::usage("say which program, after --"));
    };
    // Ctrl-C is for the program, which hears it too; what it does then is its own business.
    let interrupt = signal(SignalKind::interrupt());
    let terminate = signal(SignalKind::terminate());
    let (Ok(mut interrupt), Ok(mut terminate)) = (interrupt, terminate) else {
        return Err(Failure::new(Code::NotRun, "the system has no room for signal handlers"));
    };
    let mut command = process::Command::new(name);
    command.args(arguments);
    let mut program = Program::start(&site.host, command).map_err(|error| cannot_run(name, &error))?;
    let pid = i32::try_from(program.id()).ok().and_then(Pid::from_raw);
    let (tell, mut told) = oneshot::channel();
    let mut waiting = tokio::task::spawn_blocking(move || {
        if let Ok(status) = program.wait_for_first() {
            // Nobody may want to know any more.
            let _ = tell.send(status);
        }
        program.wait()
    });
    let mut first = None;
    let mut patience = Box::pin(tokio::time::sleep(Duration::MAX / 4));
    loop {
        tokio::select! {
            ended = &mut waiting => return match ended {
                Ok(Ok(status)) => Ok(exit_code(status)),
                Ok(Err(error)) => Err(lost(&plain(&error))),
                Err(_) => Err(lost("its supervisor has failed")),
            },
            Ok(status) = &mut told, if first.is_none() => {
                first = Some(status);
                patience.as_mut().reset(tokio::time::Instant::now() + PATIENCE);
            }
            () = &mut patience, if first.is_some() => {
                announce(
                    "the program has ended; processes that it has started, or connections that it has left, go on (Ctrl-C ends \
                     that)",
                );
                patience.as_mut().reset(tokio::time::Instant::now() + Duration::MAX / 4);
            }
            _ = interrupt.recv() => {
                if let Some(status) = first {
                    return Ok(exit_code(status));
                }
            }
            _ = terminate.recv() => match (first, pid) {
                (Some(status), _) => return Ok(exit_code(status)),
                // Gone already: then there is nobody to tell.
                (None, Some(pid)) => drop(kill_process(pid, Signal::TERM)),
                (None, None) => {}
            }
        }
    }
}

fn lost(why: &str) -> Failure {
    Failure::new(Code::NotRun, format!("the program is lost: {why}"))
}

fn cannot_run(name: &std::ffi::OsStr, error: &RunError) -> Failure {
    let code = match error {
        RunError::NotFound(_) => Code::NotFound,
        RunError::NotExecutable(_) => Code::NotExecutable,
        _ => Code::NotRun,
    };
    let told = match error {
        RunError::NotFound(_) => "there is no such program".to_owned(),
        RunError::NotExecutable(error) => format!("it cannot be executed: {}", plain(error)),
        other => other.to_string(),
    };
    Failure::new(code, format!("cannot run {}: {told}", name.display()))
}

/// The code of a program that has ended, as a shell gives it.
fn exit_code(status: ExitStatus) -> ExitCode {
    let code = status.code().or_else(|| status.signal().map(|signal| 128 + signal)).unwrap_or(1);
    ExitCode::from(u8::try_from(code).unwrap_or(u8::MAX))
}
