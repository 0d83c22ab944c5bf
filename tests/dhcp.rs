//! Addresses by DHCP, over cables of ours.

use sockeye::dhcp::{Client, Server, ServerOptions};
use sockeye::dns::Names;
use sockeye::{Conditions, Host, Lan, MacAddr, PingSocket, UdpSocket};
use std::io::ErrorKind;
use std::net::IpAddr;
use std::time::{Duration, Instant};

const LONG: Duration = Duration::from_secs(240);

fn mac(number: u8) -> MacAddr {
    MacAddr([2, 0, 0, 0, 7, number])
}

fn ip(number: u8) -> IpAddr {
    IpAddr::from([10, 0, 0, number])
}

struct Net {
    lan: Lan,
    gateway: Host,
    names: Names,
    server: Server,
}

impl Net {
    fn new(conditions: Conditions, options: ServerOptions) -> Net {
        let lan = Lan::builder().seed(5).conditions(conditions).build().unwrap();
        let gateway = lan.host("gateway").address("10.0.0.1/24".parse().unwrap()).build().unwrap();
        let names = Names::new("lan");
        let server = Server::start(&gateway, options.names(&names)).unwrap();
        Net { lan, gateway, names, server }
    }
}

fn answers(from: &Host, to: IpAddr) -> bool {
    let socket = PingSocket::new(from, to).unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    socket.send(1, b"there?").unwrap();
    socket.receive(&mut [0; 100]).is_ok()
}

#[test]
fn hosts_get_addresses_and_names_and_lose_them() {
    let Net { lan, gateway, names, server } = Net::new(Conditions::default(), ServerOptions::default());
    let lease = Client::new(mac(1)).host_name("web").lease(&lan).unwrap();
    assert_eq!(lease.address, "10.0.0.2/24".parse().unwrap());
    assert_eq!((lease.gateway, lease.server, lease.lease_time), (Some(ip(1)), ip(1), None));
    assert_eq!((lease.dns, lease.mtu), (vec![ip(1)], Some(1500)));
    assert_eq!((lease.domain.as_deref(), lease.host_name.as_deref()), (Some("lan"), Some("web")));
    let web = lan.host("web").mac(mac(1)).address(lease.address).gateway(ip(1)).build().unwrap();
    assert!(answers(&web, ip(1)) && answers(&gateway, ip(2)));

    // A second one of the name, and one whose address is its own.
    let second = Client::new(mac(2)).host_name("web").lease(&lan).unwrap();
    assert_eq!((second.address.address(), second.host_name.as_deref()), (ip(3), Some("web-2")));
    let fixed = Client::new(mac(3)).host_name("db").inform(&lan, "10.0.0.4".parse().unwrap()).unwrap();
    assert_eq!((fixed.address, fixed.gateway), ("10.0.0.4/24".parse().unwrap(), Some(ip(1))));
    let error = Client::new(mac(9)).inform(&lan, "10.0.0.4".parse().unwrap()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::AddrInUse);
    assert!(error.to_string().contains("the host db"), "{error}");
    assert_eq!(Client::new(mac(4)).lease(&lan).unwrap().address.address(), ip(5));
    assert_eq!(names.all().len(), 3);
    assert_eq!(server.held(), 4);

    // Who is gone is gone, and may come back as somebody else.
    drop(web);
    assert_eq!(server.forget(mac(1)), [ip(2)]);
    assert!(names.addresses("web").is_empty());
    let again = Client::new(mac(8)).host_name("web").lease(&lan).unwrap();
    assert_eq!(again.address.address(), ip(2), "the same name, the same address");
}

#[test]
fn five_hundred_come_and_go_where_five_fit() {
    let lan = Lan::builder().seed(5).build().unwrap();
    let gateway = lan.host("gateway").address("10.0.0.1/29".parse().unwrap()).build().unwrap();
    let names = Names::new("lan");
    let server = Server::start(&gateway, ServerOptions::default().names(&names)).unwrap();
    for round in 0..500u16 {
        let [high, low] = round.to_be_bytes();
        let mac = MacAddr([2, 0, 0, 9, high, low]);
        let lease = Client::new(mac).host_name("guest").lease(&lan).unwrap();
        if round % 50 == 0 {
            // Once it is a neighbour, it has to be forgotten as one too.
            let guest = lan.host("guest").mac(mac).address(lease.address).build().unwrap();
            assert!(answers(&guest, ip(1)), "round {round}");
            guest.shutdown(LONG);
        }
        assert_eq!(names.addresses("guest"), [lease.address.address()], "round {round}");
        assert_eq!(server.forget(mac), [lease.address.address()]);
        assert!(names.all().is_empty());
    }
    assert_eq!(server.held(), 0);
    let full: Vec<_> = (1..=5).map(|number| Client::new(mac(number)).lease(&lan).unwrap()).collect();
    assert_eq!(full.len(), 5);
    let refused = Client::new(mac(6)).patience(Duration::from_millis(200)).lease(&lan);
    assert_eq!(refused.unwrap_err().kind(), ErrorKind::TimedOut);
}

#[test]
fn a_station_that_never_asked_keeps_its_address() {
    let Net { lan, gateway, server, .. } = Net::new(Conditions::default(), ServerOptions::default());
    let quiet = lan.host("quiet").address("10.0.0.2/24".parse().unwrap()).build().unwrap();
    assert!(answers(&quiet, gateway.addresses()[0].address()));
    let lease = Client::new(mac(1)).lease(&lan).unwrap();
    assert_eq!(lease.address.address(), ip(3));
    // One that somebody else has heard of.
    server.heard(mac(77), "10.0.0.4".parse().unwrap());
    assert_eq!(Client::new(mac(2)).lease(&lan).unwrap().address.address(), ip(5));
    assert!(Client::new(mac(3)).inform(&lan, "10.0.0.4".parse().unwrap()).is_err());
    server.forget(mac(77));
    assert_eq!(Client::new(mac(4)).lease(&lan).unwrap().address.address(), ip(4));
}

#[test]
fn a_station_that_shows_up_when_it_is_asked_keeps_its_address() {
    let Net { lan, server: _server, .. } = Net::new(Conditions::default(), ServerOptions::default());
    let _silent = lan.host("silent").address("10.0.0.2/24".parse().unwrap()).build().unwrap();
    // It may be offered the first time; it is not given.
    let lease = Client::new(mac(1)).lease(&lan).unwrap();
    let later = Client::new(mac(2)).lease(&lan).unwrap();
    assert!(lease.address.address() == ip(3) || later.address.address() == ip(3), "{lease:?} {later:?}");
}

#[test]
fn a_bad_cable_takes_longer() {
    let bad = Conditions {
        loss: "5%".parse().unwrap(),
        duplicate: "20%".parse().unwrap(),
        corrupt: "1%".parse().unwrap(),
        delay: Duration::from_millis(20),
        jitter: Duration::from_millis(20),
        ..Conditions::default()
    };
    let Net { lan, .. } = &Net::new(bad, ServerOptions::default());
    std::thread::scope(|scope| {
        let asking: Vec<_> = (1..=8)
            .map(|number| {
                let client = Client::new(mac(number)).host_name(format!("host{number}")).patience(LONG);
                scope.spawn(move || client.lease(lan).unwrap().address.address())
            })
            .collect();
        let mut given: Vec<IpAddr> = asking.into_iter().map(|asking| asking.join().unwrap()).collect();
        given.sort();
        given.dedup();
        assert_eq!(given.len(), 8, "{given:?}");
    });
}

#[test]
fn nobody_answers() {
    let lan = Lan::builder().seed(5).build().unwrap();
    let start = Instant::now();
    let client = Client::new(mac(1)).patience(Duration::from_millis(300));
    assert_eq!(client.lease(&lan).unwrap_err().kind(), ErrorKind::TimedOut);
    assert!(start.elapsed() < Duration::from_secs(5));
}

#[test]
fn a_server_ends_when_it_is_dropped() {
    let Net { lan, gateway, server, .. } = Net::new(Conditions::default(), ServerOptions::default());
    let hold = UdpSocket::bind(&gateway, "0.0.0.0:67").unwrap_err();
    assert_eq!(hold.kind(), ErrorKind::AddrInUse);
    // What is no message is nobody's harm.
    let noise = lan.host("noise").address("10.0.0.9/24".parse().unwrap()).build().unwrap();
    let socket = UdpSocket::bind(&noise, "0.0.0.0:68").unwrap();
    for length in [0, 1, 239, 240, 300, 1400] {
        socket.send_to(&vec![0xff; length], "10.0.0.1:67").unwrap();
    }
    assert!(Client::new(mac(1)).lease(&lan).is_ok());
    drop(server);
    let start = Instant::now();
    while UdpSocket::bind(&gateway, "0.0.0.0:67").is_err() {
        assert!(start.elapsed() < LONG, "the port is free again");
        std::thread::sleep(Duration::from_millis(5));
    }
    let refused = Client::new(mac(2)).patience(Duration::from_millis(100)).lease(&lan);
    assert_eq!(refused.unwrap_err().kind(), ErrorKind::TimedOut);
}
