//! How connections end: `close`, `simultaneous-close`, `reset`, `time-wait`, `keepalive`.

use sockeye_core::error::Error;
use sockeye_core::lan::Direction;
use sockeye_core::socket::SocketOption;
use sockeye_core::time::{Duration, Instant};
use sockeye_core::transport::tcp::State;

use super::parameter::Parameter;
use super::program::Change;
use super::stage::Stage;
use super::step::{Cue, Step, is_fin, is_plain_ack, is_rst};
use super::{CLIENT, DELAY, LOSS, Lesson, SERVER, SERVICE, SOON, client, pair, server};

pub(super) const LESSONS: &[Lesson] = &[
    Lesson {
        name: "close",
        title: "The four-way close",
        parameters: &[
            Parameter::choice("server", "what the server does when it reads the end", &["goes-on", "closes"]),
            DELAY,
            LOSS,
        ],
        steps: CLOSE,
        set: close,
    },
    Lesson {
        name: "simultaneous-close",
        title: "Both close at once",
        parameters: &[DELAY, LOSS],
        steps: SIMULTANEOUS_CLOSE,
        set: simultaneous_close,
    },
    Lesson {
        name: "reset",
        title: "Ended by RST",
        parameters: &[
            Parameter::choice("how", "why close does not end it in peace", &["unread-data", "linger-0"]),
            DELAY,
        ],
        steps: RESET,
        set: reset,
    },
    Lesson {
        name: "time-wait",
        title: "TIME-WAIT, and the server that cannot start again",
        parameters: &[
            Parameter::choice("first", "who closes first", &["server", "client"]),
            Parameter::switch("reuseaddr", "whether the server sets SO_REUSEADDR", false),
            DELAY,
        ],
        steps: TIME_WAIT,
        set: time_wait,
    },
    Lesson {
        name: "keepalive",
        title: "Keepalive: two hours of silence, and a peer that is gone",
        parameters: &[
            Parameter::number(
                "idle_s",
                "silence before the first probe (TCP_KEEPIDLE)",
                7200,
                (1, 32_767),
                "s",
            ),
            Parameter::number("interval_s", "time between probes (TCP_KEEPINTVL)", 75, (1, 3600), "s"),
            Parameter::number(
                "count",
                "unanswered probes before it is given up (TCP_KEEPCNT)",
                9,
                (1, 20),
                "",
            ),
            Parameter::switch("vanishes", "whether the peer's cable is pulled", true),
            DELAY,
        ],
        steps: KEEPALIVE,
        set: keepalive,
    },
];

const CLOSE: &[Step] = &[
    Step {
        key: "close.close",
        text: "The client has its answer, and says that it will send no more: with close, or with shutdown(SHUT_WR) if it still wants \
               to read.",
        cue: Cue::Said,
    },
    Step {
        key: "close.fin",
        text: "FIN: nothing comes after this from the client. Like a SYN it takes up one sequence number, and is sent again if it is lost. \
               The client is in FIN-WAIT-1.",
        cue: Cue::Segment(CLIENT, is_fin),
    },
    Step {
        key: "close.close-wait",
        text: "The server's recv returns 0: the end of the stream. Its connection stays in CLOSE-WAIT until the program closes it too; a \
               server with many of those has a program that forgets to.",
        cue: Cue::State(SERVER, State::CloseWait),
    },
    Step {
        key: "close.ack",
        text: "ACK of the FIN: that direction is closed. The other is still open (half-closed).",
        cue: Cue::Segment(SERVER, is_plain_ack),
    },
    Step {
        key: "close.half",
        text: "The client is in FIN-WAIT-2, and waits for the server's FIN. Data may still come, and does.",
        cue: Cue::State(CLIENT, State::FinWait2),
    },
    Step { key: "close.more", text: "The server still has something to send, and may.", cue: Cue::Said },
    Step { key: "close.server-closes", text: "The server closes too.", cue: Cue::Said },
    Step {
        key: "close.second-fin",
        text: "FIN in the other direction: the server is in LAST-ACK. Linux lets the acknowledgement before it wait a moment: where the \
               program closes at once, this FIN carries it, and the four segments are three. This stack acknowledges a FIN at once.",
        cue: Cue::Segment(SERVER, is_fin),
    },
    Step {
        key: "close.time-wait",
        text: "The client closed first, so it holds TIME-WAIT, for two maximum segment lifetimes (60 s here, as on Linux): the last ACK \
               may be lost and asked for again, and old segments must not end up in a new connection.",
        cue: Cue::State(CLIENT, State::TimeWait),
    },
    Step {
        key: "close.last-ack",
        text: "The last ACK. Nothing acknowledges an acknowledgement: that is what TIME-WAIT is for.",
        cue: Cue::Segment(CLIENT, is_plain_ack),
    },
    Step {
        key: "close.closed",
        text: "The server has it, and has forgotten the connection.",
        cue: Cue::State(SERVER, State::Closed),
    },
    Step {
        key: "close.over",
        text: "60 seconds later the client forgets it too.",
        cue: Cue::State(CLIENT, State::Closed),
    },
];

fn close(stage: &mut Stage) -> Result<(), Error> {
    let goes_on = stage.values.word("server") == "goes-on";
    pair(stage)?;
    let program = server(stage, 5).accept("listener", "peer");
    program.receive("peer", 1024).send("peer", "world").receive("peer", 1024);
    if goes_on {
        let pause = Duration::from_millis(100);
        program.wait(pause).say("close.more").send("peer", "and one thing more").wait(pause);
        program.say("close.server-closes");
    }
    program.close("peer").close("listener");
    let program = client(stage).send("socket", "hello").receive("socket", 1024);
    program.wait(Duration::from_millis(100)).say("close.close");
    if goes_on {
        program.shutdown("socket").receive_to_end("socket", 1024);
    }
    program.close("socket");
    Ok(())
}

const SIMULTANEOUS_CLOSE: &[Step] = &[
    Step {
        key: "simultaneous-close.both",
        text: "Both programs call close at the same moment.",
        cue: Cue::Said,
    },
    Step {
        key: "simultaneous-close.fin",
        text: "Both ends send FIN and are in FIN-WAIT-1. The FINs cross.",
        cue: Cue::Segment(CLIENT, is_fin),
    },
    Step {
        key: "simultaneous-close.closing",
        text: "A FIN comes before the acknowledgement of one's own: the state is CLOSING, which few people ever see.",
        cue: Cue::State(CLIENT, State::Closing),
    },
    Step {
        key: "simultaneous-close.time-wait",
        text: "The acknowledgement comes, and it is TIME-WAIT: at both ends, since both closed first.",
        cue: Cue::State(CLIENT, State::TimeWait),
    },
    Step {
        key: "simultaneous-close.over",
        text: "After two maximum segment lifetimes both have forgotten it.",
        cue: Cue::State(CLIENT, State::Closed),
    },
];

fn simultaneous_close(stage: &mut Stage) -> Result<(), Error> {
    pair(stage)?;
    let together = Instant::from_secs(1);
    server(stage, 5).accept("listener", "peer").wait_until(together).close("peer").close("listener");
    client(stage).wait_until(together).say("simultaneous-close.both").close("socket");
    Ok(())
}

const RESET: &[Step] = &[
    Step {
        key: "reset.unread",
        text: "The client has sent something that the server has not read, and the server calls close. What it was sent is lost to it, \
               and the client has to be told.",
        cue: Cue::Said,
    },
    Step {
        key: "reset.linger",
        text: "The server has set SO_LINGER with a time of zero, and calls close: no goodbye, no TIME-WAIT.",
        cue: Cue::Said,
    },
    Step {
        key: "reset.rst",
        text: "RST: the connection is no more. Nothing acknowledges it, and nothing is sent again.",
        cue: Cue::Segment(SERVER, is_rst),
    },
    Step {
        key: "reset.closed",
        text: "The client's connection is CLOSED at once. What it had received and not read is thrown away too.",
        cue: Cue::State(CLIENT, State::Closed),
    },
    Step {
        key: "reset.reset",
        text: "recv fails with ECONNRESET (\"connection reset by peer\"). Next: does the other program close before it has read all?",
        cue: Cue::Said,
    },
];

fn reset(stage: &mut Stage) -> Result<(), Error> {
    let is_linger = stage.values.word("how") == "linger-0";
    pair(stage)?;
    let program = server(stage, 5).accept("listener", "peer");
    if is_linger {
        program.receive("peer", 1024).set("peer", SocketOption::Linger(Some(Duration::ZERO)));
    }
    program.wait(Duration::from_millis(200)).say(if is_linger { "reset.linger" } else { "reset.unread" });
    program.close("peer").close("listener");
    client(stage).send("socket", "hello").receive("socket", 1024).lament("reset.reset").close("socket");
    Ok(())
}

const TIME_WAIT: &[Step] = &[
    Step {
        key: "time-wait.server-first",
        text: "The server closes the connection first, and then itself.",
        cue: Cue::Said,
    },
    Step {
        key: "time-wait.client-first",
        text: "The client closes first, and the server after it.",
        cue: Cue::Said,
    },
    Step {
        key: "time-wait.held-by-server",
        text: "Who closes first holds TIME-WAIT: the server's address and port are in use for another 60 seconds.",
        cue: Cue::State(SERVER, State::TimeWait),
    },
    Step {
        key: "time-wait.held-by-client",
        text: "Who closes first holds TIME-WAIT: here the client, on a port that nobody else wants.",
        cue: Cue::State(CLIENT, State::TimeWait),
    },
    Step { key: "time-wait.again", text: "The server is started again, a second later.", cue: Cue::Said },
    Step {
        key: "time-wait.in-use",
        text: "bind fails with EADDRINUSE (\"address already in use\"), although no program uses it: the connection in TIME-WAIT does. \
               Next: set SO_REUSEADDR before bind.",
        cue: Cue::Said,
    },
    Step { key: "time-wait.listens", text: "bind and listen succeed at once.", cue: Cue::Said },
    Step {
        key: "time-wait.over",
        text: "Two maximum segment lifetimes are over: the connection is forgotten.",
        cue: Cue::Event(SERVER, |event| {
            matches!(event, sockeye_core::trace::TraceEvent::State { from: State::TimeWait, .. })
        }),
    },
    Step { key: "time-wait.later", text: "Now the server starts without SO_REUSEADDR, too.", cue: Cue::Said },
];

fn time_wait(stage: &mut Stage) -> Result<(), Error> {
    let server_first = stage.values.word("first") == "server";
    let reuse = stage.values.is_on("reuseaddr");
    pair(stage)?;
    let started = |stage: &mut Stage, after: Duration| {
        let program = stage.program(SERVER).wait(after);
        if after > Duration::ZERO {
            program.say(if after < Duration::from_secs(60) { "time-wait.again" } else { "time-wait.later" });
        }
        program.socket("listener");
        if reuse {
            program.set("listener", SocketOption::ReuseAddress(true));
        }
        program.bind("listener", SERVICE).listen("listener", 5);
    };
    // The first run of the server.
    started(stage, Duration::ZERO);
    let program = stage.last_program();
    program.accept("listener", "peer").receive("peer", 1024).send("peer", "world");
    if server_first {
        program.say("time-wait.server-first");
    } else {
        program.receive("peer", 1024);
    }
    program.close("peer").close("listener");
    // The second one.
    started(stage, Duration::from_secs(2));
    stage
        .last_program()
        .say("time-wait.listens")
        .lament("time-wait.in-use")
        .wait(Duration::from_secs(3))
        .close("listener");
    // And one that comes when all is over.
    if server_first && !reuse {
        started(stage, Duration::from_secs(70));
        stage.last_program().close("listener");
    }
    let program = client(stage).send("socket", "hello").receive("socket", 1024);
    if server_first {
        program.receive("socket", 1024);
    } else {
        program.say("time-wait.client-first");
    }
    program.close("socket");
    Ok(())
}

const KEEPALIVE: &[Step] = &[
    Step {
        key: "keepalive.idle",
        text: "A request and its answer. Then the client waits in recv, with SO_KEEPALIVE on, and nobody says anything: an idle \
               connection sends nothing at all.",
        cue: Cue::Said,
    },
    Step {
        key: "keepalive.vanishes",
        text: "The server's cable is pulled. No FIN, no RST: the client cannot know. Without keepalive its recv would wait for ever.",
        cue: Cue::Said,
    },
    Step {
        key: "keepalive.probe",
        text: "The silence has lasted as long as TCP_KEEPIDLE says (two hours): a probe, an empty segment with a sequence number one too \
               low, that any living peer has to acknowledge.",
        cue: Cue::Segment(CLIENT, is_plain_ack),
    },
    Step {
        key: "keepalive.answer",
        text: "The peer lives, and answers. The clock starts anew.",
        cue: Cue::Segment(SERVER, is_plain_ack),
    },
    Step {
        key: "keepalive.again",
        text: "No answer. Every 75 seconds (TCP_KEEPINTVL) another probe, nine of them (TCP_KEEPCNT).",
        cue: Cue::Segment(CLIENT, is_plain_ack),
    },
    Step {
        key: "keepalive.dead",
        text: "The last probe was not answered either: the connection is dead. A RST leaves, should anybody be there after all.",
        cue: Cue::State(CLIENT, State::Closed),
    },
    Step {
        key: "keepalive.timed-out",
        text: "recv fails with ETIMEDOUT, 2 h 11 min after the last word. Programs that cannot wait as long set the three options, or \
               send heartbeats of their own.",
        cue: Cue::Said,
    },
];

fn keepalive(stage: &mut Stage) -> Result<(), Error> {
    let seconds = |name: &str| Duration::from_secs(stage.values.number(name).into());
    let (idle, interval) = (seconds("idle_s"), seconds("interval_s"));
    let count = stage.values.number("count");
    let vanishes = stage.values.is_on("vanishes");
    pair(stage)?;
    let program = server(stage, 5).accept("listener", "peer").receive("peer", 1024).send("peer", "world");
    program.receive("peer", 1024).close("peer").close("listener");
    stage
        .program(CLIENT)
        .wait(SOON)
        .socket("socket")
        .set("socket", SocketOption::KeepAlive(true))
        .set("socket", SocketOption::KeepIdle(idle))
        .set("socket", SocketOption::KeepInterval(interval))
        .set("socket", SocketOption::KeepCount(count))
        .connect("socket", SERVICE)
        .send("socket", "hello")
        .receive("socket", 1024)
        .wait(Duration::from_millis(500))
        .say("keepalive.idle");
    if vanishes {
        stage.last_program().receive("socket", 1024).lament("keepalive.timed-out").close("socket");
        let hand = stage.hand().wait(Duration::from_millis(700)).say("keepalive.vanishes");
        for direction in Direction::BOTH {
            hand.cable(SERVER, direction, Change::Cut(super::LONGEST));
        }
    } else {
        // Twice probed, and then the client has had enough.
        let after = idle * 2 + Duration::from_secs(1);
        stage.last_program().wait(after).close("socket");
        for key in ["keepalive.again", "keepalive.dead"] {
            stage.leave_out(key);
        }
    }
    Ok(())
}
