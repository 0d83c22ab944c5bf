//! How connections begin, or do not: `handshake`, `refused`, `simultaneous-open`.

use sockeye_core::error::Error;
use sockeye_core::lan::{Conditions, Probability};
use sockeye_core::time::Instant;
use sockeye_core::transport::tcp::{RetransmitCause, State};

use super::parameter::Parameter;
use super::stage::Stage;
use super::step::{Cue, Packet, Step, is_plain_ack, is_rst, is_syn, is_syn_ack};
use super::{
    CLIENT, CLIENT_ADDRESS, DELAY, LOSS, Lesson, SERVER, SERVER_ADDRESS, SERVICE, SOON, at, cidr, pair,
    server,
};

pub(super) const LESSONS: &[Lesson] = &[
    Lesson {
        name: "handshake",
        title: "The three-way handshake",
        parameters: &[DELAY, LOSS],
        steps: HANDSHAKE,
        set: handshake,
    },
    Lesson {
        name: "refused",
        title: "Nobody there: refused, unreachable, timed out",
        parameters: &[
            Parameter::choice("why", "what is wrong", &["closed-port", "no-host", "silence"]),
            DELAY,
        ],
        steps: REFUSED,
        set: refused,
    },
    Lesson {
        name: "simultaneous-open",
        title: "Both connect at once",
        parameters: &[DELAY, LOSS],
        steps: SIMULTANEOUS_OPEN,
        set: simultaneous_open,
    },
];

const HANDSHAKE: &[Step] = &[
    Step {
        key: "handshake.listen",
        text: "The server has called socket, bind and listen. It is in LISTEN, and accept waits: there is no connection yet, \
               and nothing is on the cable.",
        cue: Cue::Said,
    },
    Step {
        key: "handshake.connect",
        text: "The client calls connect. The call returns when the handshake is over, one round trip from now.",
        cue: Cue::Said,
    },
    Step {
        key: "handshake.syn",
        text: "SYN: the client chooses a first sequence number (ISN), unpredictable to strangers, and offers its options: MSS, \
               window scale, SACK, timestamps. It is in SYN-SENT. The SYN takes up one sequence number.",
        cue: Cue::Segment(CLIENT, is_syn),
    },
    Step {
        key: "handshake.half-open",
        text: "The server keeps a small record of the SYN: a half-open connection in SYN-RECEIVED, in the half-open queue \
              . The program in accept knows nothing of it.",
        cue: Cue::State(SERVER, State::SynReceived),
    },
    Step {
        key: "handshake.syn-ack",
        text: "SYN-ACK: one segment acknowledges the client's SYN (ack = ISN + 1) and brings the server's own ISN and options.",
        cue: Cue::Segment(SERVER, is_syn_ack),
    },
    Step {
        key: "handshake.client-established",
        text: "The client has its answer: it is ESTABLISHED, and may send from now on.",
        cue: Cue::State(CLIENT, State::Established),
    },
    Step {
        key: "handshake.ack",
        text: "ACK: the third segment tells the server that the client has heard it. Without it an old SYN that was late could \
               open a connection nobody wants.",
        cue: Cue::Segment(CLIENT, is_plain_ack),
    },
    Step {
        key: "handshake.connected",
        text: "connect returns on the client, one round trip after it was called.",
        cue: Cue::Said,
    },
    Step {
        key: "handshake.server-established",
        text: "The server is ESTABLISHED too. The connection moves to the accept queue, whose length listen's backlog \
               bounds.",
        cue: Cue::State(SERVER, State::Established),
    },
    Step {
        key: "handshake.accepted",
        text: "accept takes it from there and returns a new socket for this one connection; the first one goes on listening.",
        cue: Cue::Said,
    },
];

fn handshake(stage: &mut Stage) -> Result<(), Error> {
    pair(stage)?;
    server(stage, 5).say("handshake.listen").accept("listener", "peer").say("handshake.accepted");
    stage
        .program(CLIENT)
        .wait(SOON)
        .socket("socket")
        .say("handshake.connect")
        .connect("socket", SERVICE)
        .say("handshake.connected");
    Ok(())
}

const REFUSED: &[Step] = &[
    Step {
        key: "refused.connect",
        text: "The client calls connect, and its SYN leaves.",
        cue: Cue::Segment(CLIENT, is_syn),
    },
    Step {
        key: "refused.rst",
        text: "The host is there, but no program listens on that port: its stack answers at once with RST.",
        cue: Cue::Segment(SERVER, is_rst),
    },
    Step {
        key: "refused.refused",
        text: "connect fails with ECONNREFUSED, one round trip after it was called. Next: is the server running, and on that port?",
        cue: Cue::Said,
    },
    Step {
        key: "refused.who-has",
        text: "Before a SYN can leave, the client has to know the MAC address: it asks everybody on the cable, by ARP, once a second, \
               three times.",
        cue: Cue::Packet(CLIENT, |packet| matches!(packet, Packet::Arp(_))),
    },
    Step {
        key: "refused.unreachable",
        text: "Nobody has that address. connect fails with EHOSTUNREACH, although no SYN has ever left.",
        cue: Cue::Said,
    },
    Step {
        key: "refused.silence",
        text: "Nothing comes back: a firewall drops SYNs in silence. After a second the SYN is sent again, then after 2, 4, 8, … seconds.",
        cue: Cue::Again(CLIENT, RetransmitCause::Timeout),
    },
    Step {
        key: "refused.timed-out",
        text: "Six times sent again, and the last wait is over: connect fails with ETIMEDOUT, 127 seconds after it was called. A refusal \
               takes a round trip; silence takes two minutes.",
        cue: Cue::Said,
    },
];

fn refused(stage: &mut Stage) -> Result<(), Error> {
    let (to, end) = match stage.values.word("why") {
        "no-host" => (at([10, 0, 0, 9], 7788), "refused.unreachable"),
        "silence" => (SERVICE, "refused.timed-out"),
        _ => (SERVICE, "refused.refused"),
    };
    let is_silent = stage.values.word("why") == "silence";
    pair(stage)?;
    if is_silent {
        let all = Conditions { loss: Probability::ALWAYS, ..stage.conditions() };
        stage.lay(SERVER, 0, all);
    }
    stage.program(CLIENT).socket("socket").connect("socket", to).lament(end).close("socket");
    Ok(())
}

const SIMULTANEOUS_OPEN: &[Step] = &[
    Step {
        key: "simultaneous-open.both",
        text: "Neither end listens. Both have bound a port, and both call connect at the same moment, each to the other's port: TCP has \
               no clients and servers, only programs do.",
        cue: Cue::Said,
    },
    Step {
        key: "simultaneous-open.first",
        text: "One SYN goes this way …",
        cue: Cue::Segment(CLIENT, is_syn),
    },
    Step {
        key: "simultaneous-open.second",
        text: "… and one goes that way. They cross on the cable; both ends are in SYN-SENT.",
        cue: Cue::Segment(SERVER, is_syn),
    },
    Step {
        key: "simultaneous-open.received",
        text: "A SYN where a SYN-ACK was awaited: the end goes to SYN-RECEIVED (RFC 9293, figure 7) and acknowledges it with a SYN-ACK.",
        cue: Cue::State(CLIENT, State::SynReceived),
    },
    Step {
        key: "simultaneous-open.established",
        text: "The other end's SYN-ACK makes it ESTABLISHED. Four segments instead of three, and one connection, not two.",
        cue: Cue::State(CLIENT, State::Established),
    },
    Step {
        key: "simultaneous-open.connected",
        text: "Both connects return. Programs that pass through two NATs (hole punching) live by this.",
        cue: Cue::Said,
    },
];

fn simultaneous_open(stage: &mut Stage) -> Result<(), Error> {
    let (here, there) = (at(CLIENT_ADDRESS, 5000), at(SERVER_ADDRESS, 5001));
    stage.add_host("left", cidr(CLIENT_ADDRESS, 24)?)?;
    stage.add_host("right", cidr(SERVER_ADDRESS, 24)?)?;
    stage.introduce()?;
    let together = Instant::from_millis(5);
    stage
        .program(CLIENT)
        .socket("socket")
        .bind("socket", here)
        .wait_until(together)
        .say("simultaneous-open.both")
        .connect("socket", there)
        .say("simultaneous-open.connected");
    stage.program(SERVER).socket("socket").bind("socket", there).wait_until(together).connect("socket", here);
    Ok(())
}
