//! `sockeye ss`: the sockets of all hosts of this user, whichever process they are in.

mod control;
mod report;

use std::io::{self, ErrorKind, Read, Write, stdout};
use std::time::Duration;

use clap::Args;
use comfy_table::{CellAlignment, ContentArrangement, Table, presets};

use crate::failure::Failure;
use crate::folder::Folder;
pub(crate) use control::Control;
use report::{HostReport, ProcessReport, SocketReport, TcpReport};

/// How long a process may take to answer.
const PATIENCE: Duration = Duration::from_secs(2);

/// The longest answer that is read, in bytes.
const LONGEST: u64 = 64 << 20;

/// `sockeye ss`.
#[derive(Args)]
pub(crate) struct SsOptions {
    /// Write one JSON object a line for each process
    #[arg(long)]
    pub(crate) json: bool,
}

/// Asks every process that has hosts, and shows what it tells.
pub(crate) fn run(options: &SsOptions) -> Result<(), Failure> {
    let reports = ask_all(&Folder::open()?);
    let text = if options.json {
        let lines = reports.iter().filter_map(|report| serde_json::to_string(report).ok());
        lines.map(|line| line + "\n").collect()
    } else if reports.is_empty() {
        "no process of this user has hosts at the moment\n".to_owned()
    } else {
        let hosts = reports.iter().flat_map(|process| process.hosts.iter().map(move |host| (process, host)));
        hosts.map(|(process, host)| told(process, host)).collect::<Vec<_>>().join("\n")
    };
    match stdout().write_all(text.as_bytes()) {
        // Nobody wants to read it to the end.
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        other => other.map_err(|error| Failure::talking("cannot write", &error)),
    }
}

/// The answers of all who give one. What dead processes have left is removed.
fn ask_all(folder: &Folder) -> Vec<ProcessReport> {
    let mut pids: Vec<u32> =
        folder.names(control::SUFFIX).iter().filter_map(|name| name.parse().ok()).collect();
    pids.sort_unstable();
    let mut reports = Vec::new();
    for pid in pids {
        let name = format!("{pid}{}", control::SUFFIX);
        match ask(folder, &name) {
            Ok(report) => reports.push(report),
            Err(error) if error.kind() == ErrorKind::ConnectionRefused => {
                // Claimed, it is nobody else's; given back at once, it is gone.
                drop(folder.claim(&name));
            }
            // It has ended meanwhile, or does not answer.
            Err(_) => {}
        }
    }
    reports
}

fn ask(folder: &Folder, name: &str) -> io::Result<ProcessReport> {
    let stream = folder.connect(name)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    let mut answer = Vec::new();
    stream.take(LONGEST).read_to_end(&mut answer)?;
    Ok(serde_json::from_slice(&answer)?)
}

/// One host, as a heading and a table.
fn told(process: &ProcessReport, host: &HostReport) -> String {
    let counts = [(host.half_open, "half-open"), (host.time_wait, "in TIME-WAIT")];
    let counts =
        counts.iter().filter(|(count, _)| *count > 0).map(|(count, what)| format!(", {count} {what}"));
    let counts: String = counts.collect();
    let heading = format!(
        "{} {} (pid {}: sockeye {}){counts}\n",
        host.name,
        host.addresses.join(" "),
        process.pid,
        process.command
    );
    if host.sockets.is_empty() {
        return heading;
    }
    let mut table = Table::new();
    table.load_preset(presets::NOTHING).set_content_arrangement(ContentArrangement::Disabled);
    let names =
        ["Proto", "State", "Recv-Q", "Send-Q", "Local", "Peer", "cwnd", "rtt/var", "retrans", "timer"];
    table.set_header(names);
    for (column, name) in table.column_iter_mut().zip(names) {
        if matches!(name, "Recv-Q" | "Send-Q" | "cwnd" | "retrans" | "timer") {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    for socket in &host.sockets {
        table.add_row(row(socket));
    }
    let lines = table.lines().map(|line| line.trim_end().to_owned() + "\n");
    heading + &lines.collect::<String>()
}

fn row(socket: &SocketReport) -> [String; 10] {
    let tcp = |told: fn(&TcpReport) -> String| socket.tcp.as_ref().map(told).unwrap_or_default();
    let orphan = if socket.orphan { " (orphan)" } else { "" };
    [
        socket.protocol.clone(),
        format!("{}{orphan}", socket.state.as_deref().unwrap_or("-")),
        socket.recv_q.to_string(),
        socket.send_q.to_string(),
        socket.local.clone().unwrap_or_else(|| "*".to_owned()),
        socket.peer.clone().unwrap_or_else(|| "*".to_owned()),
        tcp(|tcp| tcp.cwnd.to_string()),
        tcp(|tcp| match tcp.rtt {
            Some(rtt) => format!("{}/{}", milliseconds(rtt), milliseconds(tcp.rtt_variance)),
            None => String::new(),
        }),
        tcp(|tcp| tcp.retransmissions.to_string()),
        socket.timer.map(|left| format!("{}ms", milliseconds(left))).unwrap_or_default(),
    ]
}

/// Seconds as milliseconds, with as many digits as say something.
fn milliseconds(seconds: f64) -> String {
    let value = seconds * 1e3;
    if value < 10.0 { format!("{value:.2}") } else { format!("{value:.0}") }
}
