//! A client's question: which addresses has a name?

use super::zone::OWN_UDP;
use crate::builder::drawn;
use crate::datagram::UdpSocket;
use crate::host::Host;
use domain::base::iana::{Rcode, Rtype};
use domain::base::name::Name;
use domain::base::{Message, MessageBuilder};
use domain::rdata::{A, Aaaa};
use sockeye_core::time::Duration;
use std::io::{self, ErrorKind};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Instant;

/// How long an answer is waited for before the question is put again, and how often.
const PATIENCE: Duration = Duration::from_secs(2);
const TIMES: usize = 3;

/// The addresses of `name`, from the DNS server at `server`, asked over the stack of `host`: those of IPv4 first. An address
/// stands for itself.
///
/// ```no_run
/// # fn main() -> std::io::Result<()> {
/// # let host: sockeye::Host = todo!();
/// let addresses = sockeye::dns::lookup(&host, [10, 0, 0, 1].into(), "web.lan")?;
/// # Ok(())
/// # }
/// ```
///
/// # Errors
/// `NotFound` where there is no such name, or it has no address; `TimedOut` where nobody answers; `InvalidInput` for what
/// cannot be a name; `Other` where the server says that it cannot find out.
pub fn lookup(host: &Host, server: IpAddr, name: &str) -> io::Result<Vec<IpAddr>> {
    if let Ok(address) = name.parse() {
        return Ok(vec![address]);
    }
    let question = Name::vec_from_str(name)
        .map_err(|_| io::Error::new(ErrorKind::InvalidInput, format!("`{name}` cannot be a name")))?;
    let any: IpAddr = match server {
        IpAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        IpAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    };
    let socket = UdpSocket::bind(host, SocketAddr::new(any, 0))?;
    socket.connect((server, 53))?;
    let mut addresses = ask(&socket, &question, Rtype::A)?;
    // Those who have an IPv4 address are not asked for another, unless this host could use it.
    if addresses.is_empty() || host.addresses().iter().any(|own| own.address().is_ipv6()) {
        addresses.extend(ask(&socket, &question, Rtype::AAAA)?);
    }
    if addresses.is_empty() {
        return Err(io::Error::new(ErrorKind::NotFound, format!("`{name}` has no address")));
    }
    Ok(addresses)
}

fn ask(socket: &UdpSocket, name: &Name<Vec<u8>>, kind: Rtype) -> io::Result<Vec<IpAddr>> {
    let mut builder = MessageBuilder::new_vec();
    builder.header_mut().set_id(drawn() as u16);
    builder.header_mut().set_rd(true);
    let mut builder = builder.question();
    builder.push((name, kind)).map_err(io::Error::other)?;
    let mut builder = builder.additional();
    let with_edns = builder.opt(|opt| {
        opt.set_udp_payload_size(OWN_UDP);
        Ok(())
    });
    with_edns.map_err(io::Error::other)?;
    let question = builder.into_message();
    let mut buffer = vec![0; OWN_UDP.into()];
    for _ in 0..TIMES {
        socket.send(question.as_slice())?;
        let until = Instant::now() + PATIENCE;
        loop {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break;
            }
            socket.set_read_timeout(Some(left))?;
            let length = match socket.recv(&mut buffer) {
                Ok(length) => length,
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) => return Err(error),
            };
            let Ok(answer) = Message::from_octets(buffer.get(..length).unwrap_or_default()) else { continue };
            if answer.is_answer(&question) {
                return read(&answer, name);
            }
        }
    }
    Err(io::Error::new(ErrorKind::TimedOut, format!("nobody answers for the name {name}")))
}

/// The addresses in an answer, those behind other names (CNAME) too.
fn read(answer: &Message<&[u8]>, name: &Name<Vec<u8>>) -> io::Result<Vec<IpAddr>> {
    match answer.header().rcode() {
        Rcode::NOERROR => {}
        Rcode::NXDOMAIN => {
            return Err(io::Error::new(ErrorKind::NotFound, format!("there is no host called {name}")));
        }
        other => return Err(io::Error::other(format!("the name {name} cannot be looked up: {other}"))),
    }
    let section = || answer.answer().map_err(io::Error::other);
    let v4 = section()?.limit_to_in::<A>().flatten().map(|record| IpAddr::V4(record.data().addr()));
    let v6 = section()?.limit_to_in::<Aaaa>().flatten().map(|record| IpAddr::V6(record.data().addr()));
    Ok(v4.chain(v6).collect())
}
