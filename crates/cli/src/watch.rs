//! Observers of a network, and the thread that tells what they saw: as a ladder, as JSON, as a capture file.

use std::io::{self, ErrorKind, IoSlice, IsTerminal, Write, stderr, stdout};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread::JoinHandle;
use std::time::{Duration, UNIX_EPOCH};

use sockeye::sockeye_device::{CaptureFile, CapturedFrame, Direction as Way, Medium};
use sockeye::{Conditions, Host, Instant, Lan, LanObservation, Trace, TraceEvent};
use sockeye_core::lan::{Direction, Fate, Loss};
use sockeye_core::trace::Direction as Crossing;
use tokio::sync::Notify;

use crate::failure::{Failure, plain};
use crate::ladder::row::{Ends, Row};
use crate::ladder::rung::{Drawing, Glyphs};
use crate::ladder::{AgainSight, FrameSight, Outcome, Party, RecoverySight, Side, Sight, StateSight, Story};
use crate::options::SeeingOptions;
use crate::web::View;

/// So many sights wait to be told; then the network waits for the terminal, and nothing is left out.
const WAITING: usize = 4096;
/// How often a teller without news looks whether something has become ready to be told.
const GLANCE: Duration = Duration::from_millis(10);
/// Columns of a drawing that does not go to a terminal.
const COLUMNS: usize = 112;

/// Where JSON goes: standard output, unless that is for something else.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum JsonTo {
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
}

/// Observers, and the thread they report to.
pub(crate) struct Watch {
    teller: Option<Teller>,
    capture: Option<CaptureFile>,
    view: Option<View>,
}

struct Teller {
    tell: SyncSender<Told>,
    thread: JoinHandle<()>,
    unread: Arc<Notify>,
}

enum Told {
    Seen(Sight),
    Missed(u64),
    End,
}

impl Watch {
    /// Opens what is to be written into and starts to tell; does nothing where nothing is to be shown.
    pub(crate) fn start(
        seeing: &SeeingOptions,
        party: Party,
        ends: Ends,
        (owner, json_to): (&'static str, JsonTo),
    ) -> Result<Watch, Failure> {
        if seeing.ladder && seeing.json && json_to == JsonTo::Stderr {
            return Err(Failure::usage(
                "--ladder and --json would both go to standard error here: give one of them",
            ));
        }
        let capture = seeing.pcap.as_ref().map(|path| {
            CaptureFile::create(path).map_err(|error| {
                Failure::usage(format!("cannot write the capture {}: {}", path.display(), plain(&error)))
            })
        });
        let capture = capture.transpose()?;
        let teller = seeing.wants_rows().then(|| Teller::start(seeing, party, ends, json_to)).transpose()?;
        let view = seeing.web.map(|port| View::open(port, owner)).transpose()?;
        Ok(Watch { teller, capture, view })
    }

    /// Whether there is a page that shows the cables.
    pub(crate) fn has_view(&self) -> bool {
        self.view.is_some()
    }

    /// The file frames are captured into.
    pub(crate) fn capture(&self) -> Option<&CaptureFile> {
        self.capture.as_ref()
    }

    /// Watches the cable of the host called `name`, drawn on `side`, if there is anything to be shown or written.
    pub(crate) fn watch_cable(&self, lan: &Lan, name: &str, side: Side) -> Result<(), Failure> {
        if let Some(view) = &self.view {
            view.watch_lan(lan, None, None)?;
        }
        if self.teller.is_none() && self.capture.is_none() {
            return Ok(());
        }
        let tell = self.teller.as_ref().map(|teller| teller.tell.clone());
        let capture = self
            .capture
            .clone()
            .map(|file| file.interface(name, Medium::Ethernet).map(|interface| (file, interface)));
        let capture =
            capture.transpose().map_err(|error| Failure::talking("cannot write the capture", &error))?;
        let name = name.to_owned();
        lan.observe(move |seen| {
            if *seen.host != *name {
                return;
            }
            if let Some((file, interface)) = &capture {
                let parts = [IoSlice::new(&seen.frame)];
                let timestamp = sockeye::wall_clock(seen.at).duration_since(UNIX_EPOCH).unwrap_or_default();
                let way = if seen.direction == Direction::Up { Way::Outbound } else { Way::Inbound };
                let comment = comment(&seen.fate);
                file.record(&CapturedFrame {
                    interface: *interface,
                    timestamp,
                    direction: Some(way),
                    parts: &parts,
                    checksum: None,
                    comment: comment.as_deref(),
                });
            }
            if let Some(tell) = &tell {
                // An error: the teller has ended, and nothing is to be told any more.
                tell.send(Told::Seen(Sight::Frame(frame_on_cable(seen, side)))).ok();
            }
        })
        .map_err(|error| Failure::talking("cannot watch the LAN", &error))
    }

    /// Watches those events of a host, drawn on `side`, that `wanted` picks, if there is anything to be shown. Its cable is as
    /// `conditions` say.
    pub(crate) fn watch_host(
        &self,
        host: &Host,
        (side, conditions): (Side, Conditions),
        wanted: fn(&TraceEvent) -> bool,
    ) -> Result<(), Failure> {
        if let Some(view) = &self.view {
            view.watch_host(host, conditions)?;
        }
        let Some(teller) = &self.teller else { return Ok(()) };
        let tell = teller.tell.clone();
        host.trace(move |trace| {
            if (wanted(&trace.event) || matches!(trace.event, TraceEvent::Overrun { .. }))
                && let Some(told) = told(trace, side)
            {
                tell.send(told).ok();
            }
        })
        .map_err(|error| Failure::talking("cannot watch the host", &error))
    }

    /// Waits until nobody has the page open.
    pub(crate) async fn looked_at(&self) {
        if let Some(view) = &self.view {
            view.looked_at().await;
        }
    }

    /// Waits until nobody reads what is shown any more.
    pub(crate) async fn unread(&self) {
        match &self.teller {
            Some(teller) => teller.unread.notified().await,
            None => std::future::pending().await,
        }
    }

    /// Tells the rest and completes the capture. The network must have ended.
    pub(crate) fn finish(self) -> Result<(), Failure> {
        if let Some(Teller { tell, thread, .. }) = self.teller {
            tell.send(Told::End).ok();
            thread.join().ok();
        }
        if let Some(view) = &self.view {
            view.finish();
        }
        match self.capture.map(|file| file.flush()) {
            Some(Err(error)) => Err(Failure::talking("the capture is incomplete", &error)),
            _ => Ok(()),
        }
    }
}

/// What a frame's fate says beside it in Wireshark.
fn comment(fate: &Fate) -> Option<String> {
    match fate {
        Fate::Lost(loss) => Some(format!("lost on the cable: {}", reason(*loss))),
        Fate::Arrives(passage) => {
            let marks = [
                (passage.corrupted_bit.is_some(), "arrives with one bit flipped"),
                (passage.copy_at.is_some(), "arrives twice"),
                (passage.is_marked, "marked: congestion experienced"),
                (passage.is_held_back, "held back"),
            ];
            let marks: Vec<&str> =
                marks.into_iter().filter_map(|(applies, mark)| applies.then_some(mark)).collect();
            (!marks.is_empty()).then(|| marks.join(", "))
        }
    }
}

/// Why a frame is lost, in a word or two.
fn reason(loss: Loss) -> String {
    match loss {
        Loss::TooBig => "too big".to_owned(),
        other => other.to_string(),
    }
}

fn frame_on_cable(seen: &LanObservation, side: Side) -> FrameSight {
    let from = if seen.direction == Direction::Up { side } else { side.other() };
    let outcome = match &seen.fate {
        Fate::Arrives(passage) => Outcome::Arrives {
            at: passage.at,
            is_doubled: passage.copy_at.is_some(),
            is_damaged: passage.corrupted_bit.is_some(),
            is_held_back: passage.is_held_back,
        },
        Fate::Lost(loss) => Outcome::Lost(reason(*loss)),
    };
    FrameSight { at: seen.at, from, bytes: seen.frame.clone(), segment_size: None, outcome }
}

/// What a host's event means to a story.
fn told(trace: &Trace, side: Side) -> Option<Told> {
    match &trace.event {
        TraceEvent::Frame { direction, frame, segment_size, .. } => {
            let from = if *direction == Crossing::Sent { side } else { side.other() };
            let outcome =
                Outcome::Arrives { at: trace.at, is_doubled: false, is_damaged: false, is_held_back: false };
            let bytes = frame.to_vec();
            let frame = FrameSight { at: trace.at, from, bytes, segment_size: *segment_size, outcome };
            Some(Told::Seen(Sight::Frame(frame)))
        }
        TraceEvent::State { local, remote, from, to, cause, .. } => {
            Some(Told::Seen(Sight::State(StateSight {
                at: trace.at,
                side,
                local: *local,
                remote: *remote,
                before: from.to_string(),
                state: to.to_string(),
                by_segment: *cause == "segment",
                cause,
            })))
        }
        TraceEvent::Retransmission { local, remote, seq, length, cause, .. } => {
            Some(Told::Seen(Sight::Again(AgainSight {
                at: trace.at,
                side,
                local: *local,
                remote: *remote,
                seq: *seq,
                length: *length,
                cause: *cause,
            })))
        }
        TraceEvent::Recovery { local, remote, change, .. } => {
            Some(Told::Seen(Sight::Recovery(RecoverySight {
                at: trace.at,
                side,
                local: *local,
                remote: *remote,
                change: *change,
            })))
        }
        TraceEvent::Overrun { lost } => Some(Told::Missed(*lost)),
        _ => None,
    }
}

impl Teller {
    fn start(seeing: &SeeingOptions, party: Party, ends: Ends, json_to: JsonTo) -> Result<Teller, Failure> {
        let glyphs = Glyphs::of_locale(|name| std::env::var(name).ok());
        let columns = stderr().is_terminal().then(terminal_columns).flatten().unwrap_or(COLUMNS);
        let drawing = seeing.ladder.then(|| Drawing::new(glyphs, columns));
        let json = seeing.json.then_some(json_to);
        let unread = Arc::new(Notify::new());
        let (tell, told) = sync_channel(WAITING);
        let mut page = Page { drawing, json, unread: Arc::clone(&unread) };
        let thread = std::thread::Builder::new()
            .name("teller".to_owned())
            .spawn(move || page.tell_all(&told, Story::new(party), ends))
            .map_err(|error| Failure::talking("cannot start a thread", &error))?;
        Ok(Teller { tell, thread, unread })
    }
}

fn terminal_columns() -> Option<usize> {
    terminal_size::terminal_size_of(stderr()).map(|(terminal_size::Width(columns), _)| columns.into())
}

/// What is written on.
struct Page {
    drawing: Option<Drawing>,
    json: Option<JsonTo>,
    /// Rung when nobody reads the JSON any more.
    unread: Arc<Notify>,
}

impl Page {
    fn tell_all(&mut self, told: &Receiver<Told>, mut story: Story, ends: Ends) {
        // Told with the first row, so that it does not come before the lines about what was made.
        let mut start = Some(Row::Start(ends));
        loop {
            let next = if story.is_waiting() {
                told.recv_timeout(GLANCE)
            } else {
                told.recv().map_err(|_| RecvTimeoutError::Disconnected)
            };
            let until = match next {
                Ok(Told::Seen(sight)) => {
                    story.on_sight(sight);
                    sockeye::now()
                }
                Ok(Told::Missed(count)) => {
                    self.write(&[Row::Missing { count }]);
                    continue;
                }
                Err(RecvTimeoutError::Timeout) => sockeye::now(),
                Ok(Told::End) | Err(RecvTimeoutError::Disconnected) => Instant::MAX,
            };
            while let Some(rows) = story.poll_rows(until) {
                if let Some(start) = start.take() {
                    self.write(&[start]);
                }
                self.write(&rows);
            }
            if until == Instant::MAX {
                return;
            }
        }
    }

    fn write(&mut self, rows: &[Row]) {
        for row in rows {
            if let Some(drawing) = &self.drawing {
                // Somebody who closed standard error does not want to hear about it.
                writeln!(anstream::stderr(), "{}", drawing.draw(row)).ok();
            }
            if let Some(to) = self.json
                && let Err(error) = write_json(to, row)
            {
                self.json = None;
                if error.kind() == ErrorKind::BrokenPipe {
                    self.unread.notify_one();
                }
            }
        }
    }
}

fn write_json(to: JsonTo, row: &Row) -> io::Result<()> {
    let mut line = serde_json::to_vec(row)?;
    line.push(b'\n');
    match to {
        JsonTo::Stdout => stdout().lock().write_all(&line),
        JsonTo::Stderr => stderr().lock().write_all(&line),
    }
}
