//! The name service, asked over our sockets; what is not the LAN's it asks a resolver that is made here.

use domain::base::iana::{Rcode, Rtype};
use domain::base::name::Name;
use domain::base::{Message, MessageBuilder};
use domain::rdata::A;
use sockeye::dns::{NameService, Names, Resolvers, lookup};
use sockeye::{Host, Lan, TcpStream, UdpSocket};
use std::io::{ErrorKind, Read, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

const LONG: Duration = Duration::from_secs(30);

struct Net {
    _lan: Lan,
    gateway: Host,
    client: Host,
    names: Names,
    service: NameService,
}

fn net(resolvers: Resolvers) -> Net {
    let lan = Lan::builder().seed(5).build().unwrap();
    let gateway = lan.host("gateway").address("10.0.0.1/24".parse().unwrap()).build().unwrap();
    let client = lan.host("client").address("10.0.0.3/24".parse().unwrap()).build().unwrap();
    let names = Names::new("lan");
    let service = NameService::start(&gateway, &names, resolvers).unwrap();
    Net { _lan: lan, gateway, client, names, service }
}

fn question(name: &str, kind: Rtype, size: Option<u16>) -> Vec<u8> {
    let mut builder = MessageBuilder::new_vec();
    builder.header_mut().set_id(77);
    builder.header_mut().set_rd(true);
    let mut builder = builder.question();
    builder.push((Name::vec_from_str(name).unwrap(), kind)).unwrap();
    let mut builder = builder.additional();
    if let Some(size) = size {
        builder
            .opt(|opt| {
                opt.set_udp_payload_size(size);
                Ok(())
            })
            .unwrap();
    }
    builder.finish()
}

fn by_udp(client: &Host, question: &[u8]) -> Message<Vec<u8>> {
    let socket = UdpSocket::bind(client, "0.0.0.0:0").unwrap();
    socket.set_read_timeout(Some(LONG)).unwrap();
    socket.connect("10.0.0.1:53").unwrap();
    socket.send(question).unwrap();
    let mut buffer = vec![0; 65_535];
    let length = socket.recv(&mut buffer).unwrap();
    let answer = Message::from_octets(buffer[..length].to_vec()).unwrap();
    assert!(answer.header().id() == 77 && answer.header().qr());
    answer
}

fn by_tcp(stream: &mut TcpStream, question: &[u8]) -> Message<Vec<u8>> {
    stream.write_all(&(question.len() as u16).to_be_bytes()).unwrap();
    stream.write_all(question).unwrap();
    let mut prefix = [0; 2];
    stream.read_exact(&mut prefix).unwrap();
    let mut answer = vec![0; u16::from_be_bytes(prefix).into()];
    stream.read_exact(&mut answer).unwrap();
    Message::from_octets(answer).unwrap()
}

fn addresses(answer: &Message<Vec<u8>>) -> usize {
    answer.answer().unwrap().limit_to_in::<A>().flatten().count()
}

/// What a resolver does with questions.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Manner {
    /// It answers, `big.example` with more than fits a datagram.
    Fine,
    /// It says nothing.
    Silent,
    /// It cannot.
    Failing,
}

/// A resolver on loopback, UDP and TCP.
struct Resolver {
    at: SocketAddr,
    asked: Arc<AtomicUsize>,
    is_over: Arc<AtomicBool>,
}

impl Resolver {
    fn start(manner: Manner) -> Resolver {
        let (tcp, udp) = loop {
            let tcp = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
            if let Ok(udp) = std::net::UdpSocket::bind(tcp.local_addr().unwrap()) {
                break (tcp, udp);
            }
        };
        let resolver =
            Resolver { at: tcp.local_addr().unwrap(), asked: Arc::default(), is_over: Arc::default() };
        let (asked, is_over) = (Arc::clone(&resolver.asked), Arc::clone(&resolver.is_over));
        std::thread::spawn(move || {
            udp.set_read_timeout(Some(Duration::from_millis(50))).unwrap();
            let mut buffer = [0; 4096];
            while !is_over.load(Ordering::Relaxed) {
                let Ok((length, from)) = udp.recv_from(&mut buffer) else { continue };
                asked.fetch_add(1, Ordering::Relaxed);
                // Somebody else's answer first: it must not be taken.
                let forged = answer(&buffer[..length], manner, 512, 1);
                let real = answer(&buffer[..length], manner, 512, 0);
                for answer in [forged, real].into_iter().flatten() {
                    udp.send_to(&answer, from).unwrap();
                }
            }
        });
        std::thread::spawn(move || {
            for stream in tcp.incoming() {
                let mut stream = stream.unwrap();
                let mut prefix = [0; 2];
                while stream.read_exact(&mut prefix).is_ok() {
                    let mut question = vec![0; u16::from_be_bytes(prefix).into()];
                    stream.read_exact(&mut question).unwrap();
                    let Some(answer) = answer(&question, manner, 65_535, 0) else { continue };
                    stream.write_all(&(answer.len() as u16).to_be_bytes()).unwrap();
                    stream.write_all(&answer).unwrap();
                }
            }
        });
        resolver
    }

    fn asked(&self) -> usize {
        self.asked.load(Ordering::Relaxed)
    }
}

impl Drop for Resolver {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::Relaxed);
    }
}

fn answer(question: &[u8], manner: Manner, limit: usize, off_by: u16) -> Option<Vec<u8>> {
    let asked = Message::from_octets(question).unwrap();
    let name = asked.sole_question().unwrap().into_qname();
    let text = name.to_string().to_ascii_lowercase();
    assert!(!text.ends_with("lan") && text.contains('.'), "{text} has left the LAN");
    let rcode = match manner {
        Manner::Silent => return None,
        Manner::Failing => Rcode::SERVFAIL,
        Manner::Fine if text.starts_with("no.") => Rcode::NXDOMAIN,
        Manner::Fine => Rcode::NOERROR,
    };
    let limit = asked.opt().map_or(limit, |opt| limit.max(opt.udp_payload_size().into()));
    let mut answer = MessageBuilder::new_vec().start_answer(&asked, rcode).unwrap();
    answer.header_mut().set_id(asked.header().id().wrapping_add(off_by));
    let count = if text.starts_with("big") { 100 } else { 1 };
    for number in 0..if rcode == Rcode::NOERROR { count } else { 0 } {
        answer.push((&name, 60, A::new(Ipv4Addr::new(192, 0, 2, number)))).unwrap();
    }
    let whole = answer.finish();
    if whole.len() <= limit {
        return Some(whole);
    }
    let mut cut = MessageBuilder::new_vec().start_answer(&asked, rcode).unwrap();
    cut.header_mut().set_id(asked.header().id().wrapping_add(off_by));
    cut.header_mut().set_tc(true);
    Some(cut.finish())
}

#[test]
fn names_of_the_lan_and_of_the_world() {
    let resolver = Resolver::start(Manner::Fine);
    let Net { client, names, gateway: _gateway, service: _service, .. } =
        net(Resolvers::At(vec![resolver.at]));
    names.insert("web", "10.0.0.2".parse().unwrap());
    let server: IpAddr = [10, 0, 0, 1].into();
    assert_eq!(lookup(&client, server, "WEB").unwrap(), ["10.0.0.2".parse::<IpAddr>().unwrap()]);
    assert_eq!(lookup(&client, server, "nobody.lan").unwrap_err().kind(), ErrorKind::NotFound);
    names.remove("web");
    assert_eq!(lookup(&client, server, "web.lan").unwrap_err().kind(), ErrorKind::NotFound);
    assert_eq!(resolver.asked(), 0, "names of the LAN never leave it");

    assert_eq!(lookup(&client, server, "www.example").unwrap(), ["192.0.2.0".parse::<IpAddr>().unwrap()]);
    assert_eq!(lookup(&client, server, "no.example").unwrap_err().kind(), ErrorKind::NotFound);
    assert_eq!(lookup(&client, server, "198.51.100.7").unwrap(), ["198.51.100.7".parse::<IpAddr>().unwrap()]);
    assert!(resolver.asked() > 0);

    // The case of the letters comes back as it went, from others too.
    let asked = question("wWw.eXample", Rtype::A, None);
    let answer = by_udp(&client, &asked);
    assert_eq!(&answer.as_slice()[12..asked.len()], &asked[12..]);

    // An answer that does not fit is cut, and fetched by TCP; with EDNS more fits.
    let cut = by_udp(&client, &question("big.example", Rtype::A, None));
    assert_eq!((cut.header().tc(), addresses(&cut)), (true, 0));
    let whole = by_udp(&client, &question("big.example", Rtype::A, Some(4096)));
    assert_eq!((whole.header().tc(), addresses(&whole)), (false, 100));
    let mut stream = TcpStream::connect(&client, "10.0.0.1:53").unwrap();
    for _ in 0..3 {
        let whole = by_tcp(&mut stream, &question("big.example", Rtype::A, None));
        assert_eq!((whole.header().tc(), addresses(&whole)), (false, 100));
        let none = by_tcp(&mut stream, &question("nobody.lan", Rtype::A, None));
        assert_eq!(none.header().rcode(), Rcode::NXDOMAIN);
    }
}

#[test]
fn the_next_resolver_is_asked() {
    let (silent, failing) = (Resolver::start(Manner::Silent), Resolver::start(Manner::Failing));
    let fine = Resolver::start(Manner::Fine);
    let closed = std::net::UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let Net { client, service: _service, .. } =
        net(Resolvers::At(vec![closed, failing.at, silent.at, fine.at]));
    let start = Instant::now();
    let answer = by_udp(&client, &question("www.example", Rtype::A, None));
    assert_eq!((answer.header().rcode(), addresses(&answer)), (Rcode::NOERROR, 1));
    assert!(start.elapsed() < Duration::from_secs(4));
    assert_eq!((failing.asked(), silent.asked(), fine.asked()), (1, 1, 1));
}

#[test]
fn nobody_to_be_asked_and_nobody_who_answers() {
    let Net { client, service, .. } = net(Resolvers::Nobody);
    let start = Instant::now();
    let answer = by_udp(&client, &question("www.example", Rtype::A, None));
    assert_eq!(answer.header().rcode(), Rcode::REFUSED);
    assert!(start.elapsed() < Duration::from_secs(1), "at once");
    drop(service);

    let silent = Resolver::start(Manner::Silent);
    let Net { client, service: _service, .. } = net(Resolvers::At(vec![silent.at]));
    let asking: Vec<_> = (0..4)
        .map(|number| {
            let client = client.clone();
            std::thread::spawn(move || {
                by_udp(&client, &question(&format!("{number}.example"), Rtype::A, None)).header().rcode()
            })
        })
        .collect();
    for asking in asking {
        assert_eq!(asking.join().unwrap(), Rcode::SERVFAIL);
    }
    assert_eq!(silent.asked(), 8, "each twice");
}

#[test]
fn a_service_ends_when_it_is_dropped() {
    let Net { client, gateway, service, .. } = net(Resolvers::Nobody);
    let mut stream = TcpStream::connect(&client, "10.0.0.1:53").unwrap();
    by_tcp(&mut stream, &question("nobody.lan", Rtype::A, None));
    // Noise harms nobody.
    let noise = UdpSocket::bind(&client, "0.0.0.0:0").unwrap();
    for length in [0, 1, 11, 12, 500, 1472, 6000] {
        noise.send_to(&vec![0x5a; length], "10.0.0.1:53").unwrap();
    }
    by_udp(&client, &question("nobody.lan", Rtype::A, None));
    assert_eq!(UdpSocket::bind(&gateway, "10.0.0.1:53").unwrap_err().kind(), ErrorKind::AddrInUse);
    drop(service);
    stream.set_read_timeout(Some(LONG)).unwrap();
    assert!(matches!(stream.read(&mut [0; 10]), Ok(0) | Err(_)), "the connection ends");
    let start = Instant::now();
    while UdpSocket::bind(&gateway, "10.0.0.1:53").is_err() {
        assert!(start.elapsed() < LONG, "the port is free again");
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn a_relay_answers_on_a_loopback_address_what_the_lans_service_answers() {
    let net = net(Resolvers::Nobody);
    net.names.insert("web", "10.0.0.9".parse().unwrap());
    let here: IpAddr = "127.0.0.53".parse().unwrap();
    let relay = NameService::relay(&net.client, &[here], "10.0.0.1".parse().unwrap()).unwrap();
    let found = lookup(&net.client, here, "web.lan").unwrap();
    assert_eq!(found, ["10.0.0.9".parse::<IpAddr>().unwrap()]);
    assert_eq!(lookup(&net.client, here, "nobody.lan").unwrap_err().kind(), ErrorKind::NotFound);
    // By TCP as well, and a single name, which only the LAN's service may judge.
    let mut stream = TcpStream::connect(&net.client, (here, 53)).unwrap();
    let answer = by_tcp(&mut stream, &question("web", Rtype::A, None));
    assert_eq!(answer.header().rcode(), Rcode::NOERROR);
    drop(relay);
    assert!(TcpStream::connect(&net.client, (here, 53)).is_err());
}
