//! What is lost and how it is made good, and how fast one may send: `retransmission`, `fast-retransmit`, `slow-start`.

use sockeye_core::error::Error;
use sockeye_core::lan::{Conditions, Direction, Duplex, QueueLimit, Rate};
use sockeye_core::socket::SocketOption;
use sockeye_core::time::Duration;
use sockeye_core::trace::TraceEvent;
use sockeye_core::transport::tcp::{CongestionName, RetransmitCause};

use super::parameter::Parameter;
use super::program::Change;
use super::stage::Stage;
use super::step::{Cue, Step, is_data};
use super::{CLIENT, DELAY, LOSS, Lesson, SERVER, SERVICE, SOON, client, pair, server};

pub(super) const LESSONS: &[Lesson] = &[
    Lesson {
        name: "retransmission",
        title: "A cut cable, and the back-off of retransmissions",
        parameters: &[Parameter::number("cut_s", "for how long the cable is cut", 10, (1, 1200), "s"), DELAY],
        steps: RETRANSMISSION,
        set: retransmission,
    },
    Lesson {
        name: "fast-retransmit",
        title: "One segment lost among many: SACK, RACK and fast retransmission",
        parameters: &[
            Parameter::choice("which", "which of ten segments are lost", &["third", "last-two"]),
            DELAY,
            LOSS,
        ],
        steps: FAST_RETRANSMIT,
        set: fast_retransmit,
    },
    Lesson {
        name: "slow-start",
        title: "Slow start, and what comes after it",
        parameters: &[
            Parameter::choice("congestion", "the congestion control", &["cubic", "reno", "bbr"]),
            Parameter::number("kilobytes", "how much is sent", 768, (16, 2048), "KiB"),
            Parameter::number("rate_kbit", "how fast the cable is", 8000, (100, 1_000_000), "kbit/s"),
            Parameter::number("queue_frames", "how many frames may wait for it", 40, (1, 1000), ""),
            DELAY,
            LOSS,
        ],
        steps: SLOW_START,
        set: slow_start,
    },
];

const RETRANSMISSION: &[Step] = &[
    Step {
        key: "retransmission.cut",
        text: "The cable is cut, and the client knows nothing of it.",
        cue: Cue::Said,
    },
    Step {
        key: "retransmission.sent",
        text: "The client sends. The segment is lost; a copy stays in the send buffer until it is acknowledged.",
        cue: Cue::Segment(CLIENT, is_data),
    },
    Step {
        key: "retransmission.probe",
        text: "No answer after two round trips and the longest time for which an acknowledgement may be held back: a tail loss probe (RFC \
               8985) sends it once more, in front of the timer.",
        cue: Cue::Again(CLIENT, RetransmitCause::LossProbe),
    },
    Step {
        key: "retransmission.timeout",
        text: "The retransmission timer (RTO: the smoothed round-trip time and four times its variance, at least 200 ms) expires: sent \
               again. The congestion window falls to one segment.",
        cue: Cue::Again(CLIENT, RetransmitCause::Timeout),
    },
    Step {
        key: "retransmission.doubled",
        text: "Again nothing: the RTO doubles, and doubles every time (exponential back-off), up to two minutes.",
        cue: Cue::Again(CLIENT, RetransmitCause::Timeout),
    },
    Step {
        key: "retransmission.third",
        text: "The next wait is twice as long again. Linux, and this stack, give up after 15 of them, a quarter of an hour.",
        cue: Cue::Again(CLIENT, RetransmitCause::Timeout),
    },
    Step {
        key: "retransmission.mended",
        text: "The cable is whole again. Nobody tells the client: it waits for its timer.",
        cue: Cue::Said,
    },
    Step {
        key: "retransmission.through",
        text: "The next retransmission comes through, and is acknowledged. The round trip is not measured by a segment that was sent twice \
               (Karn), unless timestamps tell which of them is answered.",
        cue: Cue::Again(CLIENT, RetransmitCause::Timeout),
    },
    Step {
        key: "retransmission.over",
        text: "recv has the answer. The programs noticed nothing but the wait.",
        cue: Cue::Said,
    },
    Step {
        key: "retransmission.given-up",
        text: "All retransmissions were in vain: recv fails with ETIMEDOUT.",
        cue: Cue::Said,
    },
];

fn retransmission(stage: &mut Stage) -> Result<(), Error> {
    let cut = Duration::from_secs(stage.values.number("cut_s").into());
    pair(stage)?;
    let program = server(stage, 5).accept("listener", "peer").receive("peer", 1024).send("peer", "world");
    program.receive("peer", 1024).send("peer", "again").receive("peer", 1024).close("peer").close("listener");
    let program =
        client(stage).send("socket", "hello").receive("socket", 1024).wait(Duration::from_millis(500));
    program.say("retransmission.cut");
    for direction in Direction::BOTH {
        program.cable(CLIENT, direction, Change::Cut(cut));
    }
    program.send("socket", "are you there?").receive("socket", 1024);
    program.say("retransmission.over").lament("retransmission.given-up").close("socket");
    // By then the client has been cut off, by how long its handshake and its first word take.
    let delay = Duration::from_millis(stage.values.number("delay_ms").into());
    let begun = SOON + delay * 8 + Duration::from_millis(500);
    stage.hand().wait(begun + cut).say("retransmission.mended");
    Ok(())
}

const FAST_RETRANSMIT: &[Step] = &[
    Step {
        key: "fast-retransmit.sends",
        text: "The client sends ten full segments, a millisecond apart.",
        cue: Cue::Said,
    },
    Step { key: "fast-retransmit.lost", text: "The third one is lost on the cable.", cue: Cue::Said },
    Step {
        key: "fast-retransmit.tail",
        text: "The last two are lost on the cable: nothing comes after them that could show the gap.",
        cue: Cue::Said,
    },
    Step {
        key: "fast-retransmit.sack",
        text: "The fourth segment comes before the third: the server acknowledges at once, with the same number as before (a duplicate \
               acknowledgement), and says in the SACK option which bytes behind the gap it has.",
        cue: Cue::Segment(SERVER, |segment| !segment.options.sack.is_empty()),
    },
    Step {
        key: "fast-retransmit.recovery",
        text: "The client concludes that it is lost, not late: three segments behind it have arrived, or (RACK) one that was sent a while \
               after it. The congestion window is reduced.",
        cue: Cue::Event(CLIENT, |event| matches!(event, TraceEvent::Recovery { .. })),
    },
    Step {
        key: "fast-retransmit.again",
        text: "The third segment, and only that one, is sent again, long before the retransmission timer.",
        cue: Cue::Event(CLIENT, is_shown_loss),
    },
    Step {
        key: "fast-retransmit.probe",
        text: "Two round trips without an answer: a tail loss probe (TLP, RFC 8985) sends the very last segment again, long before the \
               retransmission timer.",
        cue: Cue::Again(CLIENT, RetransmitCause::LossProbe),
    },
    Step {
        key: "fast-retransmit.shown",
        text: "Its acknowledgement brings a SACK block with a gap before it: the other lost segment is sent again.",
        cue: Cue::Event(CLIENT, is_shown_loss),
    },
    Step {
        key: "fast-retransmit.over",
        text: "The gap is filled: recv returns what waited behind it.",
        cue: Cue::Said,
    },
];

fn fast_retransmit(stage: &mut Stage) -> Result<(), Error> {
    const SEGMENTS: usize = 10;
    const SIZE: usize = 1448;
    let third = stage.values.word("which") == "third";
    let (first_lost, lost) = if third { (2, 1) } else { (SEGMENTS - 2, 2) };
    pair(stage)?;
    let out: &[&str] = if third {
        &["fast-retransmit.probe", "fast-retransmit.shown"]
    } else {
        &["fast-retransmit.sack", "fast-retransmit.recovery", "fast-retransmit.again"]
    };
    out.iter().for_each(|key| stage.leave_out(key));
    let program = server(stage, 5).accept("listener", "peer").receive_exactly("peer", SEGMENTS * SIZE);
    program
        .say("fast-retransmit.over")
        .send("peer", "got it")
        .receive("peer", 1024)
        .close("peer")
        .close("listener");
    let program = client(stage).wait(Duration::from_millis(100)).say("fast-retransmit.sends");
    for number in 0..SEGMENTS {
        if number == first_lost {
            program.say(if third { "fast-retransmit.lost" } else { "fast-retransmit.tail" });
            program.cable(CLIENT, Direction::Up, Change::DropNext(lost));
        }
        program.send("socket", vec![b'0' + number as u8; SIZE]).wait(Duration::from_millis(1));
    }
    program.receive("socket", 1024).close("socket");
    Ok(())
}

/// What the peer's acknowledgements show to be lost is sent again.
fn is_shown_loss(event: &TraceEvent) -> bool {
    let TraceEvent::Retransmission { cause, .. } = event else { return false };
    matches!(cause, RetransmitCause::FastRetransmit | RetransmitCause::Reordering)
}

const SLOW_START: &[Step] = &[
    Step {
        key: "slow-start.first",
        text: "Ten segments leave at once (the initial window, RFC 6928): nobody knows what the path bears.",
        cue: Cue::Segment(CLIENT, is_data),
    },
    Step {
        key: "slow-start.doubles",
        text: "Every acknowledgement lets as much again go, and as much more: the window doubles with each round trip. It is slow only at \
               the start.",
        cue: Cue::Said,
    },
    Step {
        key: "slow-start.exit",
        text: "The queue before the slow cable grows, and so does the round trip; or it overflows, and a segment is lost. The window is \
               reduced; ssthresh remembers where, and from there it grows with care.",
        cue: Cue::Event(CLIENT, |event| matches!(event, TraceEvent::Recovery { .. })),
    },
    Step {
        key: "slow-start.again",
        text: "What the full queue has refused is sent again. (Look at the plots: sequence, window, and RTT.)",
        cue: Cue::Event(CLIENT, |event| matches!(event, TraceEvent::Retransmission { .. })),
    },
    Step { key: "slow-start.over", text: "All is there.", cue: Cue::Said },
];

fn slow_start(stage: &mut Stage) -> Result<(), Error> {
    let bytes = stage.values.number("kilobytes") as usize * 1024;
    let congestion: CongestionName = stage.values.word("congestion").parse()?;
    let usual = stage.conditions();
    let slow = Conditions {
        rate: Rate::new(u64::from(stage.values.number("rate_kbit")) * 1000),
        queue: QueueLimit::Frames(stage.values.number("queue_frames") as usize),
        ..usual
    };
    pair(stage)?;
    stage.lay(CLIENT, 0, Duplex { up: slow, down: usual });
    let delay = usual.delay;
    let program = server(stage, 5).accept("listener", "peer").receive_to_end("peer", 65_536);
    program.say("slow-start.over").close("peer").close("listener");
    stage
        .program(CLIENT)
        .wait(SOON)
        .socket("socket")
        .set("socket", SocketOption::Congestion(congestion))
        .connect("socket", SERVICE)
        .send("socket", vec![b'x'; bytes])
        .close("socket");
    // One round trip for the handshake, one for the first window, and then one sees it.
    stage.hand().wait(SOON + delay * 9).say("slow-start.doubles");
    Ok(())
}
