//! A LAN with a client and a gateway.

use sockeye::{Gateway, GatewayPolicy, Host, HostLoopback, Lan};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

/// Longer than anything takes that works.
pub(crate) const LONG: Duration = Duration::from_secs(30);

/// What a client inside sees.
pub(crate) struct Inside {
    pub(crate) lan: Lan,
    pub(crate) router: Host,
    pub(crate) client: Host,
    pub(crate) gateway: Gateway,
}

/// A policy by which the real machine's loopback is reached.
pub(crate) fn loopback() -> GatewayPolicy {
    GatewayPolicy { host_loopback: HostLoopback::On, ..GatewayPolicy::default() }
}

/// A client, 10.0.0.2 and fd00::2, behind a gateway, 10.0.0.1 and fd00::1.
pub(crate) fn inside(policy: GatewayPolicy) -> Inside {
    let lan = Lan::builder().seed(7).build().unwrap();
    let router = lan
        .host("gateway")
        .address("10.0.0.1/24".parse().unwrap())
        .address("fd00:10::1/64".parse().unwrap())
        .any_address()
        .build()
        .unwrap();
    let client = lan
        .host("client")
        .address("10.0.0.2/24".parse().unwrap())
        .address("fd00:10::2/64".parse().unwrap())
        .gateway("10.0.0.1".parse().unwrap())
        .gateway("fd00:10::1".parse().unwrap())
        .build()
        .unwrap();
    let gateway = Gateway::open(&router, policy).unwrap();
    Inside { lan, router, client, gateway }
}

/// The name that a server on the real loopback has inside.
pub(crate) fn by_gateway(real: SocketAddr) -> SocketAddr {
    let own = if real.is_ipv4() { "10.0.0.1" } else { "fd00:10::1" };
    SocketAddr::new(own.parse().unwrap(), real.port())
}

/// Where servers listen, in both families if the machine has both.
pub(crate) fn loopbacks() -> Vec<&'static str> {
    let has_v6 = std::net::TcpListener::bind("[::1]:0").is_ok();
    if has_v6 { vec!["127.0.0.1:0", "[::1]:0"] } else { vec!["127.0.0.1:0"] }
}

/// Waits until `condition` holds.
pub(crate) fn eventually(what: &str, mut condition: impl FnMut() -> bool) {
    let start = Instant::now();
    while !condition() {
        assert!(start.elapsed() < LONG, "{what}");
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// Bytes that say where in the stream they stand.
pub(crate) fn pattern(length: usize, seed: u32) -> Vec<u8> {
    let mut state = seed;
    (0..length)
        .map(|_| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 24) as u8
        })
        .collect()
}
