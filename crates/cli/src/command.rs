//! The command line: every command, from which the help, the completions and the man pages are made.

use std::ffi::OsString;
use std::time::Duration;

use clap::error::ErrorKind;
use clap::{Args, Parser, Subcommand};
use clap_complete::Shell;
use sockeye_core::lan::{QuantityError, parse_duration};
use sockeye_core::transport::tcp::CongestionName;

use crate::address::{HostPort, Publish};
use crate::failure::Failure;
use crate::lan::{LanName, LanOptions};
use crate::options::{Common, parse_congestion};
use crate::service::ServiceAt;
use crate::sim::Sim;
use crate::ss::SsOptions;
use crate::test::TestOptions;
use crate::way_out::WayOutOptions;
use crate::web::WebOptions;

/// A TCP/IP stack of its own, in your shell: serve, connect, ping, and see every byte on its way.
#[derive(Parser)]
#[command(name = "sockeye", version, max_term_width = 110)]
pub(crate) struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// The commands.
#[derive(Subcommand)]
pub(crate) enum Command {
    /// Serve echo, upper, discard, chargen, daytime, reply=TEXT or http, over TCP and UDP
    Serve(Serve),
    /// Run a program, not a line of it changed, on a host of this stack
    Run(Run),
    /// Open the network debug assistant, a page on this machine that sends, receives, and shows why
    Web(WebOptions),
    /// Connect standard input and output to a port
    Connect(Connect),
    /// Ask a host whether it is there, and measure how long it takes to answer
    Ping(Ping),
    /// Make a LAN with a name, which hosts of other processes join
    Lan(LanOptions),
    /// Show the sockets of all hosts of this user, whichever process they are in
    Ss(SsOptions),
    /// Run packetdrill scripts on a stack of their own, in virtual time
    Test(TestOptions),
    /// Say what works on this machine, and what to do about what does not
    Doctor,
    /// Experiments in virtual time: they need no privileges, and take less time than they tell of
    Sim {
        /// Which experiment
        #[command(subcommand)]
        what: Sim,
    },
    /// Print the completions for a shell
    Completions {
        /// The shell
        shell: Shell,
    },
    /// Print the man page, of one command if one is named
    Man {
        /// A command's name
        command: Option<String>,
    },
}

/// `sockeye serve`.
#[derive(Args)]
pub(crate) struct Serve {
    /// What to serve, and on which port: echo:7788, reply=hello:80, …
    #[arg(required = true, value_name = "SERVICE:PORT")]
    pub(crate) services: Vec<ServiceAt>,
    /// The congestion control of its connections: cubic, reno, bbr [default: cubic]
    #[arg(long, value_name = "NAME", value_parser = parse_congestion)]
    pub(crate) congestion: Option<CongestionName>,
    #[command(flatten)]
    pub(crate) common: Common,
    /// Let a port of the real machine lead to a service's, if not 127.0.0.1 with the same number; repeatable
    #[arg(long, value_name = "[ADDR:]PORT:PORT", help_heading = "Where")]
    pub(crate) publish: Vec<Publish>,
}

/// `sockeye run`.
#[derive(Args)]
pub(crate) struct Run {
    /// The congestion control of its connections: cubic, reno, bbr [default: cubic]
    #[arg(long, value_name = "NAME", value_parser = parse_congestion)]
    pub(crate) congestion: Option<CongestionName>,
    #[command(flatten)]
    pub(crate) common: Common,
    /// Join the LAN of this name, as --on lan:NAME does
    #[arg(long, value_name = "NAME", conflicts_with = "on", help_heading = "Where")]
    pub(crate) lan: Option<LanName>,
    /// Let a port of the real machine lead to a port of the program; repeatable
    #[arg(long, value_name = "[ADDR:]PORT:PORT", help_heading = "Where")]
    pub(crate) publish: Vec<Publish>,
    /// Let nothing out of the private LAN
    #[arg(long, help_heading = "The way out")]
    pub(crate) no_gateway: bool,
    #[command(flatten)]
    pub(crate) way_out: WayOutOptions,
    /// The program and its arguments, after --
    #[arg(required = true, trailing_var_arg = true, value_name = "PROGRAM")]
    pub(crate) program: Vec<OsString>,
}

/// `sockeye connect`.
#[derive(Args)]
pub(crate) struct Connect {
    /// Whom to connect to; on a LAN the hosts are called server, gateway and client
    #[arg(value_name = "HOST:PORT")]
    pub(crate) to: HostPort,
    /// Datagrams (UDP) instead of a connection: what is read at once is sent as one
    #[arg(long, short)]
    pub(crate) udp: bool,
    /// How long to wait for the connection to be established [default: as long as TCP tries]
    #[arg(long, value_name = "TIME", value_parser = parse_time, conflicts_with = "udp")]
    pub(crate) timeout: Option<Duration>,
    /// With --udp: how long to wait for another answer once standard input has ended [default: 1s]
    #[arg(long, value_name = "TIME", value_parser = parse_time, requires = "udp")]
    pub(crate) wait: Option<Duration>,
    /// The congestion control of its connections: cubic, reno, bbr [default: cubic]
    #[arg(long, value_name = "NAME", value_parser = parse_congestion, conflicts_with = "udp")]
    pub(crate) congestion: Option<CongestionName>,
    #[command(flatten)]
    pub(crate) common: Common,
}

/// `sockeye ping`.
#[derive(Args)]
pub(crate) struct Ping {
    /// Whom to ask; on a LAN the hosts are called server, gateway and client
    pub(crate) host: String,
    /// Stop after this many requests
    #[arg(long, short, value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) count: Option<u64>,
    /// Time from one request to the next
    #[arg(long, short, value_name = "TIME", value_parser = parse_time, default_value = "1s")]
    pub(crate) interval: Duration,
    /// Bytes of data in a request
    #[arg(long, short, default_value_t = 56, value_parser = clap::value_parser!(u16).range(..=65_000))]
    pub(crate) size: u16,
    /// How long to wait for an answer
    #[arg(long, short = 'W', value_name = "TIME", value_parser = parse_time, default_value = "2s")]
    pub(crate) timeout: Duration,
    #[command(flatten)]
    pub(crate) common: Common,
}

/// A time with its unit; a bare number is seconds, as the options of ping and nc have it.
pub(crate) fn parse_time(text: &str) -> Result<Duration, QuantityError> {
    match text.parse::<f64>() {
        Ok(_) => parse_duration(&format!("{text}s")),
        Err(_) => parse_duration(text),
    }
}

/// Answers a command line that is no command: the help if that was asked for, otherwise one line.
pub(crate) fn refuse(error: &clap::Error) -> Result<(), Failure> {
    match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => {
            error.print().ok();
            Ok(())
        }
        ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => {
            Err(Failure::usage("say what to do: serve, connect, ping or doctor (sockeye --help explains)"))
        }
        _ => Err(Failure::usage(one_line(&error.render().to_string()))),
    }
}

/// The first paragraphs of clap's message, up to its usage, in one line.
fn one_line(message: &str) -> String {
    let message = message.strip_prefix("error: ").unwrap_or(message);
    let told = message.split("\n\nUsage:").next().unwrap_or(message);
    let told = told.split("\n\nFor more information").next().unwrap_or(told);
    told.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_definitions_are_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn a_bare_number_is_seconds() {
        assert_eq!(parse_time("0.2"), Ok(Duration::from_millis(200)));
        assert_eq!(parse_time("50ms"), Ok(Duration::from_millis(50)));
        for bad in ["", "s", "-1", "nan", "inf", "5 years"] {
            assert!(parse_time(bad).is_err(), "{bad}");
        }
    }
}
