//! How a script is to be run: the options in its head and those of the command line, which win.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use core::str::FromStr;

use sockeye_core::time::Duration;

use super::failure::Failure;
use crate::ast::{Script, ScriptOption};

/// Which IP the packets are, and which family the sockets have.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum IpVersion {
    /// IPv4 packets, `AF_INET` sockets.
    #[default]
    V4,
    /// IPv6 packets, `AF_INET6` sockets.
    V6,
    /// IPv4 packets, `AF_INET6` sockets with mapped addresses (RFC 4291 section 2.5.5.2).
    Mapped,
}

impl IpVersion {
    /// The name packetdrill gives it.
    pub const fn name(self) -> &'static str {
        match self {
            IpVersion::V4 => "ipv4",
            IpVersion::V6 => "ipv6",
            IpVersion::Mapped => "ipv4-mapped-ipv6",
        }
    }

    /// Whether the packets are IPv6.
    pub const fn is_v6_on_the_wire(self) -> bool {
        matches!(self, IpVersion::V6)
    }
}

impl FromStr for IpVersion {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "ipv4" => Ok(IpVersion::V4),
            "ipv6" => Ok(IpVersion::V6),
            "ipv4-mapped-ipv6" => Ok(IpVersion::Mapped),
            _ => Err(format!("{text:?} is none of ipv4, ipv6 and ipv4-mapped-ipv6")),
        }
    }
}

/// What the command line says about the run; it wins over the options in the script.
#[derive(Clone, Debug, Default)]
pub struct Wishes {
    /// `--ip-version`.
    pub ip_version: Option<IpVersion>,
    /// Further options in the script's own words, as (name, value).
    pub options: Vec<(String, Option<String>)>,
}

/// How a script is run.
#[derive(Clone, Debug)]
pub struct Options {
    /// Which IP.
    pub ip_version: IpVersion,
    /// The port that `bind(…, ..., ...)` takes.
    pub bind_port: u16,
    /// The port that `connect(…, ..., ...)` goes to.
    pub connect_port: u16,
    /// The stack's address.
    pub local: IpAddr,
    /// The address that the script's own packets come from.
    pub remote: IpAddr,
    /// The interface's MTU in bytes.
    pub mtu: usize,
    /// What a device would say the script's packets were put together from, in bytes of payload.
    pub mss: Option<u16>,
    /// How far a time may be off.
    pub tolerance: Duration,
    /// How far it may be off in parts of a thousand of the time that was waited for, where that is more.
    pub tolerance_permille: u32,
    /// A tick of the timestamps that are compared; `None`: their values are not.
    pub timestamp_tick: Option<Duration>,
    /// Whether an echoed timestamp that was never sent is reckoned from the first one.
    pub echo_scaled: bool,
    /// Whether a packet of the script is exactly one packet on the wire, not several one after the other.
    pub strict_segments: bool,
    /// Whether a packet that is left over when the script ends, or goes on to another socket, is a failure. packetdrill does
    /// not look there.
    pub strict_end: bool,
    /// The largest packet that the interface takes to cut it into segments by itself, in bytes. As packetdrill's does, it
    /// takes what IP can say, unless a command switches that off.
    pub segmentation: Option<usize>,
    /// Whether the local address is given to no interface.
    pub any_ip: bool,
    /// `--sysctl=NAME=VALUE`, in order, with their lines.
    pub sysctls: Vec<(u32, String)>,
}

impl Options {
    /// The options of `script`, with those of `wishes` over them.
    ///
    /// # Errors
    /// An option that is not known, or not supported, or whose value makes no sense.
    pub fn new(script: &Script, wishes: &Wishes) -> Result<Options, Failure> {
        let mut options = Options {
            ip_version: IpVersion::V4,
            bind_port: 8080,
            connect_port: 8080,
            local: IpAddr::V4(Ipv4Addr::UNSPECIFIED),
            remote: IpAddr::V4(Ipv4Addr::UNSPECIFIED),
            mtu: 0,
            mss: None,
            tolerance: Duration::from_micros(4000),
            tolerance_permille: 125,
            timestamp_tick: None,
            echo_scaled: false,
            strict_segments: false,
            strict_end: false,
            segmentation: Some(65_535),
            any_ip: false,
            sysctls: Vec::new(),
        };
        let wished = wishes.options.iter().map(|(name, value)| ScriptOption {
            line: 0,
            name: name.clone(),
            value: value.clone(),
        });
        for option in script.options.iter().cloned().chain(wished) {
            options.take(&option).map_err(|text| Failure::script(option.line, text))?;
        }
        if let Some(version) = wishes.ip_version {
            options.ip_version = version;
        }
        // Those that packetdrill's own suites are run with: fast open's cookies in their scripts are made of them.
        let (local, remote): (IpAddr, IpAddr) = if options.ip_version.is_v6_on_the_wire() {
            (
                Ipv6Addr::new(0xfd3d, 0x0a0b, 0x17d6, 0, 0, 0, 0, 1).into(),
                Ipv6Addr::new(0xfd3d, 0xfa7b, 0xd17d, 0, 0, 0, 0, 1).into(),
            )
        } else {
            (Ipv4Addr::new(192, 168, 0, 1).into(), Ipv4Addr::new(192, 0, 2, 1).into())
        };
        if options.mtu == 0 {
            // Headers of IPv6 are 20 bytes longer: so that segments are as large in both, as packetdrill's suites have it.
            options.mtu = if options.ip_version.is_v6_on_the_wire() { 1520 } else { 1500 };
        }
        for (address, default) in [(&mut options.local, local), (&mut options.remote, remote)] {
            let fits = address.is_ipv4() == default.is_ipv4();
            // Over an IP that the command line asks for, the script's own addresses count only where they fit.
            if address.is_unspecified() || !fits && wishes.ip_version.is_some() {
                *address = default;
            } else if !fits {
                let text =
                    format!("address {address} does not fit --ip_version={}", options.ip_version.name());
                return Err(Failure::script(0, text));
            }
        }
        Ok(options)
    }

    fn take(&mut self, option: &ScriptOption) -> Result<(), String> {
        let value = option.value.as_deref();
        let needed = || value.ok_or_else(|| format!("--{} needs a value", option.name));
        let flag = || match value {
            None => Ok(true),
            Some(_) => Err(format!("--{} takes no value", option.name)),
        };
        match option.name.as_str() {
            "ip_version" => self.ip_version = needed()?.parse()?,
            "bind_port" => self.bind_port = number(option)?,
            "connect_port" => self.connect_port = number(option)?,
            "local_ip" => self.local = address(needed()?)?,
            "remote_ip" => self.remote = address(needed()?)?,
            "mss" => self.mss = Some(number(option)?),
            "mtu" => self.mtu = number(option)?,
            "tolerance_usecs" => self.tolerance = Duration::from_micros(number(option)?),
            "tolerance_percent" => {
                let percent: f64 = number(option)?;
                if !(0.0..=100.0).contains(&percent) {
                    return Err(format!("--tolerance_percent={percent} is not from 0 to 100"));
                }
                self.tolerance_permille = (percent * 10.0) as u32;
            }
            "tcp_ts_tick_usecs" => {
                let tick = Duration::from_micros(number(option)?);
                self.timestamp_tick = Some(tick).filter(|tick| !tick.is_zero());
            }
            "tcp_ts_ecr_scaled" => self.echo_scaled = flag()?,
            "strict_segments" => self.strict_segments = flag()?,
            "strict_end" => self.strict_end = flag()?,
            "is_anyip" => self.any_ip = flag()?,
            "sysctl" => self.sysctls.push((option.line, needed()?.to_owned())),
            // The parser has replaced them already.
            "define" => {}
            // Where the other end of the interface would be: this one has none that could matter.
            "gateway_ip" => {
                address(needed()?)?;
            }
            "netmask_ip" => {
                address(needed()?)?;
            }
            other => return Err(format!("unsupported: option --{other}")),
        }
        Ok(())
    }

    /// Where `bind(…, ..., ...)` binds, in the family of the sockets.
    pub fn bind_address(&self) -> SocketAddr {
        SocketAddr::new(self.shown(self.local), self.bind_port)
    }

    /// Where `connect(…, ..., ...)` goes, in the family of the sockets.
    pub fn connect_address(&self) -> SocketAddr {
        SocketAddr::new(self.shown(self.remote), self.connect_port)
    }

    /// An address as the program's sockets write it.
    fn shown(&self, address: IpAddr) -> IpAddr {
        match (self.ip_version, address) {
            (IpVersion::Mapped, IpAddr::V4(v4)) => v4.to_ipv6_mapped().into(),
            _ => address,
        }
    }

    /// How far something may be off that the script waited for during `waited`.
    pub fn tolerance_after(&self, waited: Duration) -> Duration {
        self.tolerance.max(waited.saturating_mul(self.tolerance_permille) / 1000)
    }
}

fn number<T: FromStr>(option: &ScriptOption) -> Result<T, String> {
    let value = option.value.as_deref().ok_or_else(|| format!("--{} needs a value", option.name))?;
    value.parse().map_err(|_| format!("--{}={value}: not such a number", option.name))
}

/// An address, with or without a prefix length, which says nothing here.
fn address(text: &str) -> Result<IpAddr, String> {
    let plain = text.split('/').next().unwrap_or(text);
    plain.parse().map_err(|_| format!("{text:?} is no IP address"))
}
