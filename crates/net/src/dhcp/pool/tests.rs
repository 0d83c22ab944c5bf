//! What the server's machine gives, keeps and refuses.

use super::*;

const NOBODY: &dyn Fn(Ipv4Addr, MacAddr) -> bool = &|_, _| false;

fn pool(subnet: &str, lease_time: Option<Duration>) -> Pool {
    let subnet: Cidr = subnet.parse().unwrap();
    let IpAddr::V4(own) = subnet.address() else { panic!("IPv4") };
    Pool::new(Settings {
        own,
        subnet,
        router: Some(own),
        dns: Some(own),
        mtu: 1500,
        lease_time,
        reserved: BTreeSet::new(),
        names: Some(Names::new("lan")),
    })
}

fn mac(number: u8) -> MacAddr {
    MacAddr([2, 0, 0, 0, 0, number])
}

fn ip(number: u8) -> Ipv4Addr {
    Ipv4Addr::new(10, 0, 0, number)
}

fn discover(number: u8) -> Message {
    Message::new(Kind::Discover, 7, mac(number))
}

fn request(number: u8, address: Ipv4Addr) -> Message {
    let mut request = Message::new(Kind::Request, 7, mac(number));
    request.set_address(code::SERVER_ID, ip(1));
    request.set_address(code::REQUESTED_ADDRESS, address);
    request.set(code::HOST_NAME, "host");
    request
}

/// Takes an address as a client does.
fn take(pool: &mut Pool, now: Instant, number: u8) -> Option<Ipv4Addr> {
    let offer = pool.answer(now, &discover(number), NOBODY)?.message;
    assert_eq!((offer.kind, offer.xid, offer.chaddr), (Kind::Offer, 7, mac(number)));
    let ack = pool.answer(now, &request(number, offer.yiaddr), NOBODY)?.message;
    assert_eq!((ack.kind, ack.yiaddr), (Kind::Ack, offer.yiaddr));
    Some(ack.yiaddr)
}

#[test]
fn addresses_are_given_in_order_kept_and_used_up() {
    let now = Instant::from_secs(1);
    let mut pool = pool("10.0.0.1/29", None);
    for number in 2..=6 {
        assert_eq!(take(&mut pool, now, number), Some(ip(number)));
    }
    assert_eq!(take(&mut pool, now, 7), None, "10.0.0.7 is for all");
    assert_eq!(take(&mut pool, now, 4), Some(ip(4)), "the same client, the same address");
    assert_eq!(pool.held(), 5);
    // One goes; its address is free for others, but it would have it back.
    assert_eq!(pool.forget(mac(3)), [ip(3)]);
    assert_eq!(take(&mut pool, now, 3), Some(ip(3)));
    pool.forget(mac(3));
    assert_eq!(take(&mut pool, now, 9), Some(ip(3)));
    assert_eq!(take(&mut pool, now, 3), None);
}

#[test]
fn what_a_client_is_told() {
    let now = Instant::from_secs(1);
    let mut pool = pool("10.0.0.1/24", Some(Duration::from_secs(600)));
    let offer = pool.answer(now, &discover(9), NOBODY).unwrap();
    assert_eq!((offer.to, offer.probe), (None, Some(ip(2))));
    let offer = offer.message;
    assert_eq!(offer.address(code::SUBNET_MASK), Some(Ipv4Addr::new(255, 255, 255, 0)));
    assert_eq!(offer.address(code::ROUTER), Some(ip(1)));
    assert_eq!(offer.address(code::DNS_SERVER), Some(ip(1)));
    assert_eq!(offer.number(code::LEASE_TIME), Some(600));
    assert_eq!(offer.short_number(code::MTU), Some(1500));
    assert_eq!(offer.text(code::DOMAIN).as_deref(), Some("lan"));
    let ack = pool.answer(now, &request(9, ip(2)), NOBODY).unwrap().message;
    assert_eq!(ack.text(code::HOST_NAME).as_deref(), Some("host"));
    // A second one of that name has another.
    let second = take(&mut pool, now, 10).unwrap();
    assert_eq!(pool.settings.names.as_ref().unwrap().host(second.into()).as_deref(), Some("host-2"));
    // It renews by unicast.
    let mut renewal = Message::new(Kind::Request, 8, mac(9));
    renewal.ciaddr = ip(2);
    assert_eq!(pool.answer(now, &renewal, NOBODY).unwrap().to, Some(ip(2)));
    // A lease ends with its time, an offer earlier.
    pool.answer(now, &discover(11), NOBODY).unwrap();
    assert_eq!(pool.leases.len(), 3);
    let later = now + OFFER;
    assert!(pool.answer(later, &Message::new(Kind::Release, 1, mac(77)), NOBODY).is_none());
    assert_eq!(pool.leases.len(), 2);
    let later = now + Duration::from_secs(600);
    assert_eq!(take(&mut pool, later, 12), Some(ip(4)), "the others are kept in mind");
    assert_eq!(pool.leases.len(), 1);
}

#[test]
fn addresses_of_others_are_left_alone() {
    let now = Instant::from_secs(1);
    let mut pool = pool("10.0.0.1/24", None);
    pool.settings.reserved.insert(ip(2));
    let occupied: &dyn Fn(Ipv4Addr, MacAddr) -> bool = &|address, asker| address == ip(3) && asker != mac(3);
    // A host with a fixed address tells its name.
    let mut inform = Message::new(Kind::Inform, 1, mac(4));
    inform.ciaddr = ip(4);
    inform.set(code::HOST_NAME, "Fixed.example");
    let ack = pool.answer(now, &inform, occupied).unwrap();
    assert_eq!((ack.message.kind, ack.message.yiaddr), (Kind::Ack, Ipv4Addr::UNSPECIFIED));
    assert_eq!(ack.message.number(code::LEASE_TIME), None);
    assert_eq!(ack.message.text(code::HOST_NAME).as_deref(), Some("fixed"));
    assert_eq!(pool.answer(now, &discover(9), occupied).unwrap().message.yiaddr, ip(5));
    // Another one with that address is told so.
    let mut second = Message::new(Kind::Inform, 1, mac(5));
    second.ciaddr = ip(4);
    let nak = pool.answer(now, &second, occupied).unwrap().message;
    assert_eq!(nak.kind, Kind::Nak);
    assert_eq!(nak.text(code::MESSAGE).as_deref(), Some("10.0.0.4 belongs to the host fixed already"));
    // Whoever shows up at an address between offer and request.
    let nak = pool.answer(now, &request(9, ip(5)), &|address, _| address == ip(5)).unwrap().message;
    assert_eq!(nak.kind, Kind::Nak);
    // What a client finds in use is left alone.
    let address = take(&mut pool, now, 9).unwrap();
    let mut decline = Message::new(Kind::Decline, 1, mac(9));
    decline.set_address(code::REQUESTED_ADDRESS, address);
    assert!(pool.answer(now, &decline, NOBODY).is_none());
    assert_ne!(take(&mut pool, now, 9), Some(address));
    pool.forget(mac(4));
    assert!(pool.settings.names.as_ref().unwrap().addresses("fixed").is_empty());
}

#[test]
fn requests_that_cannot_be_met() {
    let now = Instant::from_secs(1);
    let mut pool = pool("10.0.0.1/24", None);
    let kind = |pool: &mut Pool, message: &Message| pool.answer(now, message, NOBODY).map(|a| a.message.kind);
    assert_eq!(kind(&mut pool, &request(9, ip(77))), Some(Kind::Nak), "never offered");
    assert_eq!(kind(&mut pool, &request(9, Ipv4Addr::new(192, 168, 0, 9))), Some(Kind::Nak), "another net");
    let mut reboot = Message::new(Kind::Request, 7, mac(9));
    assert_eq!(kind(&mut pool, &reboot), None, "without an address");
    reboot.set_address(code::REQUESTED_ADDRESS, ip(9));
    assert_eq!(kind(&mut pool, &reboot), None, "unknown here");
    take(&mut pool, now, 9).unwrap();
    reboot.set_address(code::REQUESTED_ADDRESS, ip(2));
    assert_eq!(kind(&mut pool, &reboot), Some(Kind::Ack));
    let mut others = request(10, ip(2));
    assert_eq!(kind(&mut pool, &others), Some(Kind::Nak), "somebody else's");
    others.set_address(code::SERVER_ID, ip(99));
    assert_eq!(kind(&mut pool, &others), None, "another server's business");
    let mut relayed = discover(10);
    relayed.giaddr = ip(200);
    assert_eq!(kind(&mut pool, &relayed), None);
    let mut release = Message::new(Kind::Release, 1, mac(9));
    release.ciaddr = ip(2);
    assert_eq!((kind(&mut pool, &release), pool.held()), (None, 0));
}

#[test]
fn a_flood_of_clients_takes_bounded_room() {
    let mut pool = pool("10.0.0.1/8", None);
    for number in 0..10_000u32 {
        let [_, _, a, b] = number.to_be_bytes();
        let message = Message::new(Kind::Discover, 1, MacAddr([2, 0, 0, 1, a, b]));
        // Each a second later, so that offers time out.
        let _ = pool.answer(Instant::from_millis(u64::from(number) * 10), &message, NOBODY);
    }
    assert!(pool.leases.len() <= MOST && pool.homes.len() <= MOST);
}
