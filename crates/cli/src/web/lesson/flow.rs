//! What a stream is and how its flow is held back: `sticky`, `nagle`, `zero-window`.

use sockeye_core::error::Error;
use sockeye_core::socket::SocketOption;
use sockeye_core::time::Duration;
use sockeye_core::trace::TraceEvent;
use sockeye_core::transport::tcp::QuickAck;

use super::parameter::Parameter;
use super::stage::Stage;
use super::step::{Cue, Step, is_data, is_plain_ack};
use super::{CLIENT, DELAY, LOSS, Lesson, SERVER, SERVICE, client, pair, server};

pub(super) const LESSONS: &[Lesson] = &[
    Lesson {
        name: "sticky",
        title: "Two sends, one recv: a stream has no messages",
        parameters: &[DELAY, LOSS],
        steps: STICKY,
        set: sticky,
    },
    Lesson {
        name: "nagle",
        title: "Nagle's algorithm against delayed acknowledgements",
        parameters: &[
            Parameter::number("rounds", "requests, each sent with two calls of send", 3, (1, 20), ""),
            Parameter::switch("nodelay", "whether the client sets TCP_NODELAY", false),
            DELAY,
        ],
        steps: NAGLE,
        set: nagle,
    },
    Lesson {
        name: "zero-window",
        title: "Zero window: the program does not read",
        parameters: &[
            Parameter::number("pause_s", "how long the server does not read", 20, (1, 600), "s"),
            Parameter::number("kilobytes", "how much the client sends", 64, (8, 1024), "KiB"),
            DELAY,
            LOSS,
        ],
        steps: ZERO_WINDOW,
        set: zero_window,
    },
];

const STICKY: &[Step] = &[
    Step {
        key: "sticky.sends",
        text: "The client calls send twice: \"hello\", then \"world\". The server is busy and does not read yet.",
        cue: Cue::Said,
    },
    Step {
        key: "sticky.first",
        text: "A segment with the first five bytes …",
        cue: Cue::Segment(CLIENT, is_data),
    },
    Step {
        key: "sticky.second", text: "… and one with the other five.", cue: Cue::Segment(CLIENT, is_data)
    },
    Step {
        key: "sticky.one",
        text: "The server calls recv(1024) once, and has all ten bytes: \"helloworld\". Nothing is wrong: TCP carries a stream of bytes, \
               and neither calls of send nor segments leave marks in it.",
        cue: Cue::Said,
    },
    Step {
        key: "sticky.framed",
        text: "The cure is a protocol that says where a message ends. Here each begins with its length, in two bytes; again two messages \
               go out close together.",
        cue: Cue::Said,
    },
    Step {
        key: "sticky.read",
        text: "The server reads two bytes, and knows how many to wait for; then as many. It does so again, and has both messages, whatever \
               segments they came in.",
        cue: Cue::Said,
    },
    Step {
        key: "sticky.apart",
        text: "Two messages, told apart. Lines do as well, or a fixed length.",
        cue: Cue::Said,
    },
];

fn sticky(stage: &mut Stage) -> Result<(), Error> {
    pair(stage)?;
    let busy = Duration::from_secs(1);
    let program =
        server(stage, 5).accept("listener", "peer").wait(busy).receive("peer", 1024).say("sticky.one");
    program.send("peer", "ok").wait(busy).say("sticky.read");
    for _ in 0..2 {
        program.receive_exactly("peer", 2).receive_exactly("peer", 5);
    }
    program.say("sticky.apart").receive("peer", 1024).close("peer").close("listener");
    let pause = Duration::from_millis(100);
    let program =
        client(stage).say("sticky.sends").send("socket", "hello").wait(pause).send("socket", "world");
    program.receive("socket", 1024).say("sticky.framed");
    program.send("socket", *b"\x00\x05hello").send("socket", *b"\x00\x05world");
    program.wait(busy * 2).close("socket");
    Ok(())
}

const NAGLE: &[Step] = &[
    Step {
        key: "nagle.header",
        text: "The client sends a request with two calls of send: a header, then a body. Nothing is unacknowledged, so the header leaves at \
               once.",
        cue: Cue::Segment(CLIENT, is_data),
    },
    Step {
        key: "nagle.held",
        text: "The body does not leave: it fills no segment, and the header is not acknowledged yet (Nagle, RFC 896). And the server does \
               not acknowledge: it waits for an answer to send along, for 40 ms or more (delayed ACK). Each waits for the other.",
        cue: Cue::Said,
    },
    Step {
        key: "nagle.ack",
        text: "The server's patience ends, and the acknowledgement leaves by itself …",
        cue: Cue::Segment(SERVER, is_plain_ack),
    },
    Step {
        key: "nagle.body",
        text: "… and lets the body go. Now the server has a whole request, and can answer.",
        cue: Cue::Segment(CLIENT, is_data),
    },
    Step {
        key: "nagle.at-once",
        text: "With TCP_NODELAY the body leaves at once, in a small segment of its own.",
        cue: Cue::Segment(CLIENT, is_data),
    },
    Step {
        key: "nagle.over",
        text: "Every such request costs an acknowledgement's delay. Next: write header and body with one send (or sendmsg), or set \
               TCP_NODELAY.",
        cue: Cue::Said,
    },
    Step { key: "nagle.fast", text: "Every request takes one round trip.", cue: Cue::Said },
];

fn nagle(stage: &mut Stage) -> Result<(), Error> {
    const HEADER: usize = 20;
    const BODY: usize = 30;
    let (rounds, nodelay) = (stage.values.number("rounds"), stage.values.is_on("nodelay"));
    pair(stage)?;
    let out: &[&str] = if nodelay { &["nagle.ack", "nagle.body"] } else { &["nagle.at-once"] };
    out.iter().for_each(|key| stage.leave_out(key));
    let program = server(stage, 5).accept("listener", "peer");
    // A new connection acknowledges at once for a while; one that has talked does not.
    program.set("peer", SocketOption::QuickAck(QuickAck::Off));
    for _ in 0..rounds {
        program.receive_exactly("peer", HEADER + BODY).send("peer", "the answer");
    }
    program.receive("peer", 1024).close("peer").close("listener");
    let program = client(stage);
    if nodelay {
        program.set("socket", SocketOption::NoDelay(true));
    }
    for round in 0..rounds {
        program
            .wait(Duration::from_millis(100))
            .send("socket", vec![b'h'; HEADER])
            .send("socket", vec![b'b'; BODY]);
        if round == 0 && !nodelay {
            program.wait(Duration::from_millis(1)).say("nagle.held");
        }
        program.receive("socket", 1024);
    }
    program.say(if nodelay { "nagle.fast" } else { "nagle.over" }).close("socket");
    Ok(())
}

const ZERO_WINDOW: &[Step] = &[
    Step {
        key: "zero-window.fills",
        text: "The client sends, and the server does not read. What comes waits in the server's receive buffer; every acknowledgement \
               announces a smaller window.",
        cue: Cue::Segment(CLIENT, is_data),
    },
    Step {
        key: "zero-window.full",
        text: "The buffer is full, but for a few bytes that are not worth a segment (silly window syndrome). The client must stop, however \
               much it has to send: its own send buffer fills, and then its send waits.",
        cue: Cue::Segment(SERVER, |segment| is_plain_ack(segment) && segment.window < 536),
    },
    Step {
        key: "zero-window.probe",
        text: "A window probe: should the segment that opens the window be lost, both would wait for ever. So the client asks.",
        cue: Cue::Event(CLIENT, is_window_probe),
    },
    Step {
        key: "zero-window.zero",
        text: "win 0: there is no room at all. But the peer answers, so the connection lives, as long as it takes.",
        cue: Cue::Segment(SERVER, |segment| is_plain_ack(segment) && segment.window == 0),
    },
    Step {
        key: "zero-window.again",
        text: "The client asks again, less and less often: the persist timer doubles.",
        cue: Cue::Event(CLIENT, is_window_probe),
    },
    Step { key: "zero-window.reads", text: "The server begins to read.", cue: Cue::Said },
    Step {
        key: "zero-window.opens",
        text: "A window update, without being asked, as soon as there is room worth the while.",
        cue: Cue::Segment(SERVER, |segment| segment.window > 0),
    },
    Step { key: "zero-window.flows", text: "And the data flows again.", cue: Cue::Segment(CLIENT, is_data) },
    Step { key: "zero-window.over", text: "All is there.", cue: Cue::Said },
];

fn is_window_probe(event: &TraceEvent) -> bool {
    matches!(event, TraceEvent::Timer { timer: "window-probe", .. })
}

fn zero_window(stage: &mut Stage) -> Result<(), Error> {
    let pause = Duration::from_secs(stage.values.number("pause_s").into());
    let bytes = stage.values.number("kilobytes") as usize * 1024;
    pair(stage)?;
    stage
        .program(SERVER)
        .socket("listener")
        .set("listener", SocketOption::ReceiveBuffer(4096))
        .bind("listener", SERVICE)
        .listen("listener", 5)
        .accept("listener", "peer")
        .wait(pause)
        .say("zero-window.reads")
        .receive_to_end("peer", 1024)
        .say("zero-window.over")
        .close("peer")
        .close("listener");
    client(stage).send("socket", vec![b'x'; bytes]).close("socket");
    Ok(())
}
