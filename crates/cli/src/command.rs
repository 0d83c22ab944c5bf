//! The command line: every command and option, from which the help, the completions and the man page are made.

use std::str::FromStr;
use std::time::Duration;

use clap::error::ErrorKind;
use clap::{Args, Parser, Subcommand};
use clap_complete::Shell;

use crate::address::{HostPort, Publish};
use crate::failure::Failure;
use crate::service::ServiceAt;

/// A TCP/IP stack of its own, in your shell: serve, connect, ping, and see every byte on its way.
#[derive(Parser)]
#[command(name = "sockeye", version, propagate_version = true, max_term_width = 110)]
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
    /// Connect standard input and output to a port
    Connect(Connect),
    /// Ask a host whether it is there, and measure how long it takes to answer
    Ping(Ping),
    /// Say what works on this machine, and what to do about what does not
    Doctor,
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
    /// What to serve, and on which port
    #[arg(required = true, value_name = "SERVICE:PORT")]
    pub(crate) services: Vec<ServiceAt>,
    #[command(flatten)]
    pub(crate) place: PlaceOptions,
    /// Take a service's port on another port, or another address than loopback, of the real machine
    #[arg(long, value_name = "[ADDR:]PORT:PORT")]
    pub(crate) publish: Vec<Publish>,
}

/// `sockeye connect`.
#[derive(Args)]
pub(crate) struct Connect {
    /// Whom to connect to
    #[arg(value_name = "HOST:PORT")]
    pub(crate) to: HostPort,
    /// Datagrams (UDP) instead of a connection: what is read at once is sent as one
    #[arg(long, short)]
    pub(crate) udp: bool,
    /// How long to wait for the connection to be established [default: as long as TCP tries]
    #[arg(long, value_name = "TIME", value_parser = parse_time, conflicts_with = "udp")]
    pub(crate) timeout: Option<Duration>,
    /// With --udp: how long to wait for another answer once standard input has ended
    #[arg(long, value_name = "TIME", value_parser = parse_time, default_value = "1s", requires = "udp")]
    pub(crate) wait: Duration,
    #[command(flatten)]
    pub(crate) place: PlaceOptions,
}

/// `sockeye ping`.
#[derive(Args)]
pub(crate) struct Ping {
    /// Whom to ask
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
    /// How long to wait for the last answer
    #[arg(long, short = 'W', value_name = "TIME", value_parser = parse_time, default_value = "2s")]
    pub(crate) timeout: Duration,
    #[command(flatten)]
    pub(crate) place: PlaceOptions,
}

/// Whose sockets a command uses.
#[derive(Args)]
pub(crate) struct PlaceOptions {
    /// Where: `os`, the real machine's own sockets
    #[arg(long, default_value = "os", value_name = "PLACE")]
    pub(crate) on: On,
}

/// Whose sockets: see [`PlaceOptions::on`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum On {
    /// The real machine's.
    Os,
}

impl FromStr for On {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "os" => Ok(On::Os),
            _ => Err(format!("there is no place called `{text}` (places: os)")),
        }
    }
}

/// A time such as `50ms`, `1.5s` or `200us`; a bare number is seconds, as ping's options have it.
fn parse_time(text: &str) -> Result<Duration, String> {
    let unit_at = text.find(|letter: char| letter.is_ascii_alphabetic()).unwrap_or(text.len());
    let (number, unit) = text.split_at(unit_at);
    let scale = match unit {
        "" | "s" => 1.0,
        "ms" => 1e-3,
        "us" => 1e-6,
        _ => return Err(format!("`{text}` is no time: write it as 50ms, 1.5s or 200us")),
    };
    let number: f64 =
        number.parse().map_err(|_| format!("`{text}` is no time: write it as 50ms, 1.5s or 200us"))?;
    Duration::try_from_secs_f64(number * scale)
        .map_err(|_| format!("`{text}` is too long, or less than nothing"))
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
    fn times() {
        assert_eq!(parse_time("50ms"), Ok(Duration::from_millis(50)));
        assert_eq!(parse_time("1.5s"), Ok(Duration::from_millis(1500)));
        assert_eq!(parse_time("0.2"), Ok(Duration::from_millis(200)));
        for bad in ["", "s", "-1s", "5 years", "1e400s"] {
            assert!(parse_time(bad).is_err(), "{bad}");
        }
    }
}
