//! `sockeye sim grid --trace`: why the numbers of a cell are what they are.

use std::io::{self, Write, stdout};
use std::time::Duration;

use sockeye_core::sim::grid::{Cell, Incident, IncidentKind, Sample, trace};

use super::grid::plan;
use super::options::GridOptions;
use crate::failure::{Code, Failure};

/// Tells of each cell, one after the other.
pub(super) fn run(cells: &[Cell], options: &GridOptions, interval: Duration) -> Result<(), Failure> {
    for cell in cells {
        let (samples, incidents) = trace(cell, &plan(cell, options), options.seed, interval)
            .map_err(|_| Failure::new(Code::Network, format!("cannot play the cell {cell}")))?;
        tell(cell, &samples, &incidents)
            .map_err(|error| Failure::new(Code::Network, format!("cannot write: {error}")))?;
    }
    Ok(())
}

fn tell(cell: &Cell, samples: &[Sample], incidents: &[Incident]) -> io::Result<()> {
    let mut out = io::BufWriter::new(stdout().lock());
    writeln!(out, "# {cell}")?;
    let mut incidents = incidents.iter().peekable();
    for sample in samples {
        while let Some(incident) = incidents.next_if(|incident| incident.at < sample.at) {
            tell_incident(&mut out, incident)?;
        }
        let info = &sample.info;
        let segments = |bytes: usize| bytes as f64 / f64::from(info.snd_mss.max(1));
        let ssthresh = match info.ssthresh {
            usize::MAX => "-".to_owned(),
            bytes => format!("{:.1}", segments(bytes)),
        };
        writeln!(
            out,
            "{} {} {:?} cwnd {:.1} ssthresh {ssthresh} flight {:.1} sacked {:.1} lost {:.1} srtt {:.1?} rto {:.0?} wnd {}",
            sample.at,
            sample.port,
            info.recovering,
            segments(info.cwnd),
            segments(info.in_flight),
            segments(info.sacked),
            segments(info.lost),
            info.rtt.unwrap_or_default(),
            info.rto,
            info.snd_wnd,
        )?;
    }
    incidents.try_for_each(|incident| tell_incident(&mut out, incident))?;
    out.flush()
}

fn tell_incident(out: &mut impl Write, incident: &Incident) -> io::Result<()> {
    let what = match incident.kind {
        IncidentKind::Lost => "lost",
        IncidentKind::QueueFull => "queue full",
        IncidentKind::Needed => "sent again",
        IncidentKind::Spurious => "sent again for nothing",
        IncidentKind::Timeout => "TIME-OUT",
    };
    writeln!(out, "{} {}   {} {what}", incident.at, incident.port, incident.place)
}
