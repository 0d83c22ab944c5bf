//! The options that `serve`, `connect` and `ping` have in common, and which of them go together.

use std::net::IpAddr;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use clap::Args;
use encoding_rs::{Encoding, UTF_8};
use sockeye::{Cidr, Conditions, MacAddr};
use sockeye_core::lan::{BurstLength, Probability, QueueLimit, Rate, parse_duration};
use sockeye_core::transport::tcp::CongestionName;
use sockeye_core::wire::ip::CidrError;

use crate::failure::Failure;
use crate::ladder::Shown;
use crate::lan::{LanName, parse_host_name};

/// Every option of a command that uses a network.
#[derive(Args)]
pub(crate) struct Common {
    #[command(flatten)]
    pub(crate) place: PlaceOptions,
    #[command(flatten)]
    pub(crate) cable: CableOptions,
    #[command(flatten)]
    pub(crate) seeing: SeeingOptions,
}

/// Whose sockets, and with which addresses.
#[derive(Args)]
#[command(next_help_heading = "Where")]
pub(crate) struct PlaceOptions {
    /// lan: a private LAN in this process. lan:NAME: a host on the LAN of that name, made by sockeye lan.
    /// tap:NAME, tun:NAME: a host on an interface of the real machine. os: the real machine's own sockets
    #[arg(long, value_name = "PLACE", default_value = "lan")]
    pub(crate) on: On,
    /// An address of the host, with its subnet; repeatable, IPv4 and IPv6 [default on a private LAN: 10.0.0.2/24 for
    /// serve and run, 10.0.0.3/24 for connect and ping; on a named one: dhcp, which asks the gateway]
    #[arg(long, value_name = "CIDR")]
    pub(crate) ip: Vec<Ip>,
    /// The host's name on the LAN of lan:NAME [default: the command's part: server, client, program]
    #[arg(long, value_name = "HOST", value_parser = parse_host_name)]
    pub(crate) name: Option<String>,
    /// The way out of the subnet; on a LAN, the address of the gateway host
    #[arg(long, value_name = "IP")]
    pub(crate) gateway: Option<IpAddr>,
    /// The host's hardware address
    #[arg(long, value_name = "MAC")]
    pub(crate) mac: Option<MacAddr>,
    /// The largest IP packet, in bytes
    #[arg(long, value_name = "BYTES", value_parser = clap::value_parser!(u16).range(68..))]
    pub(crate) mtu: Option<u16>,
    /// Leave neither checksums nor the cutting of large segments to the TAP or TUN interface
    #[arg(long)]
    pub(crate) no_offload: bool,
}

/// Where an address comes from: see [`PlaceOptions::ip`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ip {
    /// It is asked for.
    Dhcp,
    /// It is this.
    Fixed(Cidr),
}

impl FromStr for Ip {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "dhcp" => Ok(Ip::Dhcp),
            _ => text.parse().map(Ip::Fixed).map_err(|error: CidrError| error.to_string()),
        }
    }
}

impl PlaceOptions {
    /// The addresses the host has of its own.
    pub(crate) fn addresses(&self) -> Vec<Cidr> {
        let fixed = |ip: &Ip| match ip {
            Ip::Dhcp => None,
            Ip::Fixed(address) => Some(*address),
        };
        self.ip.iter().filter_map(fixed).collect()
    }
}

/// Whose sockets: see [`PlaceOptions::on`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum On {
    /// A private LAN.
    Lan,
    /// A LAN that other processes are on.
    Named(LanName),
    /// A TAP interface.
    Tap(String),
    /// A TUN interface.
    Tun(String),
    /// The real machine.
    Os,
}

impl FromStr for On {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.split_once(':') {
            None if text == "lan" => Ok(On::Lan),
            None if text == "os" => Ok(On::Os),
            Some(("lan", name)) => name.parse().map(On::Named),
            Some(("tap", name)) if !name.is_empty() => Ok(On::Tap(name.to_owned())),
            Some(("tun", name)) if !name.is_empty() => Ok(On::Tun(name.to_owned())),
            _ => Err(format!("there is no place `{text}` (places: lan, lan:NAME, tap:NAME, tun:NAME, os)")),
        }
    }
}

/// What the host's cable does to frames, in both directions.
#[derive(Args)]
#[command(next_help_heading = "Conditions of the cable, both ways (lan, tap)")]
pub(crate) struct CableOptions {
    /// Lose frames: 5%, 0.05
    #[arg(long, value_name = "SHARE")]
    loss: Option<Probability>,
    /// Lose them in bursts of this mean length, in frames
    #[arg(long, value_name = "FRAMES", requires = "loss")]
    loss_burst: Option<BurstLength>,
    /// Let every frame travel this long: 50ms, 1.5s, 200us
    #[arg(long, value_name = "TIME", value_parser = parse_duration)]
    delay: Option<Duration>,
    /// Let the delay vary by this much, either way; order is kept
    #[arg(long, value_name = "TIME", value_parser = parse_duration)]
    jitter: Option<Duration>,
    /// Hold frames back so that others overtake them
    #[arg(long, value_name = "SHARE")]
    reorder: Option<Probability>,
    /// Let frames arrive twice
    #[arg(long, value_name = "SHARE")]
    duplicate: Option<Probability>,
    /// Flip one bit of a frame
    #[arg(long, value_name = "SHARE")]
    corrupt: Option<Probability>,
    /// Bits that go onto the cable in a second: 10mbit, 64kbit
    #[arg(long, value_name = "RATE")]
    rate: Option<Rate>,
    /// What may wait where there is a rate, in frames or bytes: 100, 64kb
    #[arg(long, value_name = "LIMIT", requires = "rate")]
    queue: Option<QueueLimit>,
    /// Mark ECN-capable packets as having met congestion while more than this waits: 20, 30kb
    #[arg(long, value_name = "LIMIT", requires = "rate")]
    mark: Option<QueueLimit>,
    /// The number that all chance follows from: the same seed, the same losses [default: drawn, and printed]
    #[arg(long, value_name = "NUMBER")]
    pub(crate) seed: Option<u64>,
}

impl CableOptions {
    /// The conditions asked for.
    pub(crate) fn conditions(&self) -> Conditions {
        let perfect = Conditions::default();
        Conditions {
            loss: self.loss.unwrap_or(perfect.loss),
            loss_burst: self.loss_burst,
            delay: self.delay.unwrap_or_default(),
            jitter: self.jitter.unwrap_or_default(),
            reorder: self.reorder.unwrap_or(perfect.reorder),
            duplicate: self.duplicate.unwrap_or(perfect.duplicate),
            corrupt: self.corrupt.unwrap_or(perfect.corrupt),
            rate: self.rate,
            queue: self.queue.unwrap_or(perfect.queue),
            mark: self.mark,
            mtu: None,
        }
    }

    /// The first option that asks for a condition.
    fn given(&self) -> Option<&'static str> {
        [
            (self.loss.is_some(), "--loss"),
            (self.delay.is_some(), "--delay"),
            (self.jitter.is_some(), "--jitter"),
            (self.reorder.is_some(), "--reorder"),
            (self.duplicate.is_some(), "--duplicate"),
            (self.corrupt.is_some(), "--corrupt"),
            (self.rate.is_some(), "--rate"),
        ]
        .into_iter()
        .find_map(|(given, name)| given.then_some(name))
    }
}

/// What is shown, and where.
#[derive(Args)]
#[command(next_help_heading = "Seeing")]
pub(crate) struct SeeingOptions {
    /// Draw every frame on the host's cable, with the states of both ends, on standard error
    #[arg(long)]
    pub(crate) ladder: bool,
    /// Write the frames on the host's cable into a file for Wireshark
    #[arg(long, value_name = "FILE")]
    pub(crate) pcap: Option<PathBuf>,
    /// Write every frame and change of state as one JSON object a line, on standard output (connect: standard error)
    #[arg(long)]
    pub(crate) json: bool,
    /// The encoding of text that is shown, and of reply=TEXT: utf-8, gbk, gb18030, … [default: utf-8]
    #[arg(long, value_name = "LABEL", value_parser = parse_encoding)]
    pub(crate) encoding: Option<&'static Encoding>,
    /// Show payload as hexadecimal bytes
    #[arg(long, conflicts_with = "encoding")]
    pub(crate) hex: bool,
    /// Serve a page on 127.0.0.1 that shows this network live: ladder, states, plots, cables that can be spoiled meanwhile
    /// [port: 7780, or one that is free]
    #[arg(long, value_name = "PORT", num_args = 0..=1, require_equals = true)]
    pub(crate) web: Option<Option<u16>>,
}

impl SeeingOptions {
    /// How payload is shown.
    pub(crate) fn shown(&self) -> Shown {
        if self.hex { Shown::Hex } else { Shown::Text(self.encoding.unwrap_or(UTF_8)) }
    }

    /// Whether every frame is to be shown.
    pub(crate) fn wants_rows(&self) -> bool {
        self.ladder || self.json
    }
}

fn parse_encoding(label: &str) -> Result<&'static Encoding, String> {
    Encoding::for_label(label.as_bytes()).ok_or_else(|| {
        format!("no encoding is called `{label}` (some: utf-8, gbk, gb18030, big5, shift_jis, latin1)")
    })
}

/// A congestion control by its name.
pub(crate) fn parse_congestion(text: &str) -> Result<CongestionName, String> {
    CongestionName::from_str(text).map_err(|_| format!("there is no congestion control `{text}`"))
}

/// Whether a command makes use of `--encoding` besides showing payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum EncodesText {
    /// It sends text of the command line.
    Yes,
    /// It does not.
    No,
}

impl Common {
    /// Refuses a congestion control for connections that are not ours.
    pub(crate) fn check_congestion(&self, congestion: Option<CongestionName>) -> Result<(), Failure> {
        if congestion.is_some() && self.place.on == On::Os {
            return Err(Failure::usage(
                "--congestion has no meaning with --on os: that TCP is the real machine's",
            ));
        }
        Ok(())
    }

    /// Refuses what would otherwise be ignored.
    pub(crate) fn check(&self, encodes: EncodesText) -> Result<(), Failure> {
        let place = &self.place;
        let seeing = &self.seeing;
        let interface = [
            (!place.ip.is_empty(), "--ip"),
            (place.gateway.is_some(), "--gateway"),
            (place.mac.is_some(), "--mac"),
            (place.mtu.is_some(), "--mtu"),
            (self.cable.seed.is_some(), "--seed"),
            (seeing.ladder, "--ladder"),
            (seeing.json, "--json"),
            (seeing.pcap.is_some(), "--pcap"),
            (seeing.web.is_some(), "--web"),
        ];
        let first = |options: &[(bool, &'static str)]| {
            options.iter().find_map(|(given, name)| given.then_some(*name))
        };
        let refuse = |option: &str, why: &str| Err(Failure::usage(format!("{option} {why}")));
        match &place.on {
            On::Os => {
                if let Some(option) = first(&interface).or(self.cable.given()) {
                    let why = "has no meaning with --on os: that network belongs to the real machine, and is not ours \
                               to change or to see";
                    return refuse(option, why);
                }
            }
            On::Tap(_) | On::Tun(_) => {
                if place.ip.is_empty() {
                    return Err(Failure::usage(
                        "say which address the host has there, as in --ip 10.77.0.2/24",
                    ));
                }
                if matches!(place.on, On::Tun(_)) {
                    if place.mac.is_some() {
                        return refuse(
                            "--mac",
                            "has no meaning on a TUN interface, which carries no Ethernet",
                        );
                    }
                    if seeing.web.is_some() {
                        return refuse(
                            "--web",
                            "shows cables, and a TUN interface has no Ethernet for one: take a TAP",
                        );
                    }
                    if let Some(option) = self.cable.given() {
                        return refuse(
                            option,
                            "needs a cable, and a TUN interface has no Ethernet for one: take a TAP",
                        );
                    }
                }
            }
            On::Named(_) => {
                if place.mtu.is_some() {
                    return refuse(
                        "--mtu",
                        "has no meaning on a named LAN: the MTU is the LAN's, 1500 bytes",
                    );
                }
            }
            On::Lan => {}
        }
        if place.ip.contains(&Ip::Dhcp) {
            if !matches!(place.on, On::Named(_)) {
                return refuse("--ip dhcp", "is for a host on a named LAN, as in --on lan:NAME");
            }
            if place.ip.len() > 1 {
                return refuse("--ip dhcp", "gives the host its address: say that, or its addresses");
            }
        }
        if place.name.is_some() && !matches!(place.on, On::Named(_)) {
            return refuse("--name", "is for a host on a named LAN, as in --on lan:NAME");
        }
        if place.no_offload && !matches!(place.on, On::Tap(_) | On::Tun(_)) {
            return refuse(
                "--no-offload",
                "is for TAP and TUN interfaces: nothing is left to a device elsewhere",
            );
        }
        if seeing.hex && !seeing.wants_rows() {
            return refuse("--hex", "shows nothing without --ladder or --json");
        }
        if seeing.encoding.is_some() && !seeing.wants_rows() && encodes == EncodesText::No {
            return refuse("--encoding", "shows nothing without --ladder or --json");
        }
        Ok(())
    }
}
