//! The network a command runs on when it is not the real machine's: a private LAN, or a host on a TAP or TUN interface.

mod named;
mod plan;

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hasher};
use std::io::{self, Write, stderr};
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use sockeye::dns::{NameService, Names, Resolvers};
use sockeye::sockeye_device::{Capture, Device, Offloads, OpenError, Tap, Tun};
use sockeye::{Attachment, BuildError, Cidr, Conditions, Host, HostBuilder, Lan, Publish, TraceEvent};
use sockeye_core::transport::tcp::CongestionName;
use sockeye_core::wire::LinkType;
use tokio::runtime::Handle;

use crate::failure::{Code, Failure, plain};
use crate::interrupt::interrupted;
use crate::ladder::row::Ends;
use crate::ladder::{Party, Side};
use crate::options::{Common, On};
use crate::serve::open;
use crate::service::Service;
use crate::ss::Control;
use crate::watch::{JsonTo, Watch};
use crate::way_out::{DOMAIN, WayOut, WayOutOptions, asked_inside};
use named::Gone;
use plan::Plan;
pub(crate) use plan::Role;

/// So long the last words of a connection are waited for at the end.
const FAREWELL: Duration = Duration::from_millis(500);

/// What the server of a LAN serves to a client.
const SERVED: [(Service, u16); 5] = [
    (Service::Echo, 7),
    (Service::Discard, 9),
    (Service::Daytime, 13),
    (Service::Chargen, 19),
    (Service::Http, 80),
];

/// A network, with the command's host on it.
pub(crate) struct Site {
    /// The command's own host.
    pub(crate) host: Host,
    /// The other hosts of a LAN: gateway, and server where the own host is the client.
    others: Vec<Host>,
    /// The cables, if they are ours.
    lan: Option<Lan>,
    /// The way to a named LAN.
    uplink: Option<Attachment>,
    /// Whether nobody is there but our own hosts.
    is_private: bool,
    /// What tells that a named LAN has ended.
    gone: Option<Gone>,
    /// Who answers for names, on a named LAN.
    dns: Option<IpAddr>,
    attendants: Attendants,
    watch: Watch,
}

/// What is at work beside the hosts, as long as there is the network.
#[derive(Default)]
struct Attendants {
    /// Tells `sockeye ss` of the hosts.
    control: Option<Control>,
    /// The way out of a private LAN.
    way_out: Option<WayOut>,
    /// Who answers for names on a program's own loopback addresses.
    inside: Option<NameService>,
}

/// What a command wants of its network.
pub(crate) struct Wish<'a> {
    /// The options.
    pub(crate) common: &'a Common,
    /// The part of its host.
    pub(crate) role: Role,
    /// The ports that the side drawn on the right listens on.
    pub(crate) listening: Vec<u16>,
    /// Where JSON goes.
    pub(crate) json_to: JsonTo,
    /// The congestion control of its host's connections, if not the usual one.
    pub(crate) congestion: Option<CongestionName>,
    /// What may leave a private LAN; nothing otherwise.
    pub(crate) way_out: Option<&'a WayOutOptions>,
}

impl Site {
    /// Makes the network, and says on standard error what was made.
    pub(crate) fn build(wish: &Wish<'_>) -> Result<Site, Failure> {
        let seed = wish.common.cable.seed.unwrap_or_else(drawn);
        let names = Names::new(DOMAIN);
        let mut site = match &wish.common.place.on {
            On::Tap(name) => Site::on_interface(wish, seed, name, LinkType::Ethernet),
            On::Tun(name) => Site::on_interface(wish, seed, name, LinkType::Ip),
            On::Named(name) => Site::on_named_lan(wish, seed, name),
            On::Lan | On::Os => Site::on_lan(wish, seed, &names),
        }?;
        let hosts = [&site.host].into_iter().chain(&site.others).cloned().collect();
        site.attendants.control = Control::start(hosts);
        if wish.role == Role::Program {
            let inside = asked_inside();
            let service = match site.dns {
                Some(server) => NameService::relay(&site.host, &inside, server),
                None => NameService::start_at(&site.host, &inside, &names, Resolvers::System),
            };
            site.attendants.inside =
                Some(service.map_err(|error| Failure::talking("cannot answer for names", &error))?);
        }
        Ok(site)
    }

    /// Makes the network for a host that asks. On a LAN there is a server to be asked.
    pub(crate) async fn for_client(
        common: &Common,
        json_to: JsonTo,
        congestion: Option<CongestionName>,
    ) -> Result<Site, Failure> {
        let listening = SERVED.iter().map(|(_, port)| *port).collect();
        let site =
            Site::build(&Wish { common, role: Role::Client, listening, json_to, congestion, way_out: None })?;
        if let Some(server) = site.server() {
            for (service, port) in &SERVED {
                for address in server.addresses() {
                    let at = SocketAddr::new(address.address(), *port);
                    open(server, service, at).await.map_err(|error| {
                        Failure::new(Code::Bind, format!("cannot listen on {at}: {}", plain(&error)))
                    })?;
                }
            }
            let services: Vec<String> =
                SERVED.iter().map(|(service, port)| format!("{}:{port}", service.name())).collect();
            announce(&format!("the server serves {}", services.join(" ")));
        }
        Ok(site)
    }

    fn on_lan(wish: &Wish<'_>, seed: u64, names: &Names) -> Result<Site, Failure> {
        let Wish { common, role, .. } = wish;
        let plan = Plan::new(*role, &common.place.addresses(), common.place.gateway)?;
        let conditions = common.cable.conditions();
        let lan = Lan::builder()
            .seed(seed)
            .build()
            .map_err(|error| Failure::talking("cannot make a LAN", &error))?;
        let own_side = side(*role);
        let gateway = described("gateway", &plan.gateway);
        let ends = ends(*role, described(role.name(), &plan.own), gateway);
        let party = party(wish, LinkType::Ethernet, [true, true]);
        let watch = Watch::start(&common.seeing, party, ends, (role.command(), wish.json_to))?;
        // Before there are hosts: they announce themselves.
        watch.watch_cable(&lan, role.name(), own_side)?;
        // The gateway first: the hosts' hardware addresses are numbered in this order.
        let mut others = Vec::new();
        for (name, addresses) in [("gateway", &plan.gateway), ("server", &plan.server)] {
            if !addresses.is_empty() {
                let builder = addresses.iter().fold(lan.host(name), |host, address| host.address(*address));
                let leads_out = name == "gateway" && wish.way_out.is_some();
                let builder = if leads_out { WayOut::prepare(builder) } else { builder };
                others.push(with_mtu(builder, common).build().map_err(cannot_build)?);
            }
        }
        let own = plan.own.iter().fold(lan.host(role.name()), |host, address| host.address(*address));
        let own = plan.gateway.iter().fold(own, |host, gateway| host.gateway(gateway.address()));
        let own = with_congestion(with_mac(with_mtu(own, common), common), wish).conditions(conditions);
        let host = own.build().map_err(cannot_build)?;
        for other in &others {
            watch.watch_host(other, (own_side.other(), Conditions::default()), is_of_tcp)?;
        }
        watch.watch_host(&host, (own_side, conditions), is_of_tcp)?;
        let mut attendants = Attendants::default();
        if let (Some(options), Some(gateway)) = (wish.way_out, others.first()) {
            for host in others.iter().chain([&host]) {
                for own in host.addresses() {
                    names.insert(host.name(), own.address());
                }
            }
            let opened = WayOut::open(gateway, options, names);
            let cannot = |error| Failure::talking("cannot lead out of the LAN", &error);
            attendants.way_out = Some(opened.map_err(cannot)?);
        }
        let nets: Vec<String> = plan.own.iter().map(|subnet| subnet.network().to_string()).collect();
        let cable = on_the_cable(*role, &conditions);
        announce(&format!("a private LAN {}, seed {seed}{cable}", nets.join(" and ")));
        let hosts: Vec<String> = others.iter().chain([&host]).map(with_hardware).collect();
        announce(&format!("on it: {}", hosts.join(", ")));
        Ok(Site {
            host,
            others,
            lan: Some(lan),
            is_private: true,
            gone: None,
            uplink: None,
            dns: None,
            attendants,
            watch,
        })
    }

    fn on_interface(wish: &Wish<'_>, seed: u64, name: &str, link: LinkType) -> Result<Site, Failure> {
        let Wish { common, role, .. } = wish;
        let conditions = common.cable.conditions();
        // A cable carries frames as they are on a wire: nothing can be left to a device behind it.
        let plain = common.place.no_offload || !conditions.is_perfect() || common.seeing.web.is_some();
        let offloads = if plain { Offloads::Off } else { Offloads::On };
        let device: Box<dyn Device> = match link {
            LinkType::Ethernet => Box::new(Tap::open(name, offloads).map_err(|error| cannot_open(&error))?),
            LinkType::Ip => Box::new(Tun::open(name, offloads).map_err(|error| cannot_open(&error))?),
        };
        let ends = ends(*role, format!("{} on {name}", role.name()), format!("the other side of {name}"));
        let own_side = side(*role);
        let has_states = [own_side == Side::Left, own_side == Side::Right];
        let watch = Watch::start(
            &common.seeing,
            party(wish, link, has_states),
            ends,
            (role.command(), wish.json_to),
        )?;
        let (lan, builder) = if conditions.is_perfect() && !watch.has_view() {
            let device = match watch.capture() {
                Some(file) => {
                    let capture = Capture::new(device, file, name);
                    Box::new(capture.map_err(|error| Failure::talking("cannot write the capture", &error))?)
                }
                None => device,
            };
            (None, Host::builder(role.name()).seed(seed).device(device))
        } else {
            // Between the interface and the host a cable of ours, which does what is asked for.
            let lan = Lan::builder().seed(seed).build();
            let lan = lan.map_err(|error| Failure::talking("cannot make a LAN", &error))?;
            watch.watch_cable(&lan, role.name(), own_side)?;
            lan.attach(name, device, None)
                .map_err(|error| Failure::talking(format!("cannot use {name} with a cable"), &error))?;
            let builder = lan.host(role.name()).conditions(conditions);
            (Some(lan), builder)
        };
        let builder = common.place.addresses().into_iter().fold(builder, HostBuilder::address);
        let builder = with_congestion(with_mac(with_mtu(builder, common), common), wish);
        let builder = match common.place.gateway {
            Some(gateway) => builder.gateway(gateway),
            None => builder,
        };
        let builder = match Handle::try_current() {
            // Its sockets are those of tasks of the runtime.
            Ok(runtime) => builder.drive_on(runtime),
            Err(_) => builder,
        };
        let host = builder.build().map_err(cannot_build)?;
        let wanted = if lan.is_some() { is_of_tcp } else { is_anything };
        watch.watch_host(&host, (own_side, conditions), wanted)?;
        let cable = on_the_cable(*role, &conditions);
        announce(&format!("{} on {name}, seed {seed}{cable}", with_hardware(&host)));
        Ok(Site {
            host,
            others: Vec::new(),
            lan,
            is_private: false,
            gone: None,
            uplink: None,
            dns: None,
            attendants: Attendants::default(),
            watch,
        })
    }

    /// Lets a port of the real machine lead to a port of the command's own host; on a LAN only.
    pub(crate) fn publish(&self, listen: SocketAddr, port: u16) -> io::Result<()> {
        let Some(lan) = &self.lan else { return Ok(()) };
        lan.publish(Publish { listen, host: self.host.name().to_owned(), port }).map(drop)
    }

    /// The name that the others of a named LAN know the command's own host by.
    pub(crate) fn known_as(&self) -> Option<&str> {
        self.dns.map(|_| self.host.name())
    }

    /// The server that a client can ask, on a LAN.
    fn server(&self) -> Option<&Host> {
        self.others.get(1)
    }

    /// The addresses a host is known by: the hosts of a LAN have names, and nobody else is on it.
    pub(crate) async fn look_up(&self, host: &str) -> Result<Vec<IpAddr>, Failure> {
        let hosts = || self.others.iter().chain([&self.host]);
        match (host.parse::<IpAddr>(), self.is_private) {
            (Ok(address), false) => Ok(vec![address]),
            (Ok(address), true) => {
                if self.host.addresses().iter().any(|subnet| subnet.contains(address)) {
                    return Ok(vec![address]);
                }
                let known: Vec<String> =
                    hosts().map(|host| described(host.name(), &host.addresses())).collect();
                Err(Failure::new(
                    Code::Refused,
                    format!(
                        "{address} is outside the LAN, and no way leads out of it (on it: {})",
                        known.join(", ")
                    ),
                ))
            }
            (Err(_), true) => match hosts().find(|known| known.name() == host) {
                Some(known) => Ok(known.addresses().iter().map(Cidr::address).collect()),
                None => {
                    let names: Vec<&str> = hosts().map(Host::name).collect();
                    let line = format!("no host of the LAN is called `{host}` (names: {})", names.join(", "));
                    Err(Failure::new(Code::NameNotFound, line))
                }
            },
            (Err(_), false) => match self.dns {
                Some(server) => named::look_up(&self.host, server, host).await,
                None => Err(Failure::new(
                    Code::NameNotFound,
                    format!("`{host}` is no address, and nobody answers for names here"),
                )),
            },
        }
    }

    /// Waits until nobody has the page open that shows it, or somebody interrupts.
    pub(crate) async fn looked_at(&self) {
        tokio::select! {
            () = self.watch.looked_at() => {}
            _ = interrupted() => {}
        }
    }

    /// Waits until nobody reads what is shown any more; for ever if it is read, or if nothing is shown.
    pub(crate) async fn unread(&self) {
        self.watch.unread().await;
    }

    /// Waits until the network is there no more; for ever if it is this process's own.
    pub(crate) async fn gone(&self) -> Failure {
        match &self.gone {
            Some(gone) => gone.come().await,
            None => std::future::pending().await,
        }
    }

    /// Ends the network: last words are said, what was seen is shown, the capture is whole.
    pub(crate) fn close(self) -> Result<(), Failure> {
        self.close_within(FAREWELL)
    }

    /// The same, with this much patience for what the command's own host still has to send.
    pub(crate) fn close_within(self, patience: Duration) -> Result<(), Failure> {
        // The way out is open for its last words.
        self.host.shutdown(patience);
        self.others.iter().for_each(let_finish);
        drop(self.attendants);
        for host in &self.others {
            host.shutdown(FAREWELL);
        }
        if let Some(lan) = &self.lan {
            lan.flush_observations(FAREWELL);
        }
        if let Some(uplink) = &self.uplink {
            // When it is out, the last frames have reached the LAN.
            uplink.unplug();
            uplink.wait_unplugged(Some(FAREWELL));
        }
        self.watch.finish()
    }
}

/// Gives the gateway the moment that it takes to pass on what it has been told last.
fn let_finish(gateway: &Host) {
    const GLANCE: Duration = Duration::from_millis(5);
    const MOMENT: Duration = Duration::from_millis(50);
    let is_carrying = || gateway.snapshot().sockets.iter().any(|socket| socket.tcp.is_some());
    let has_unread = || {
        let sockets = gateway.snapshot().sockets;
        sockets.iter().any(|socket| socket.tcp.is_some() && socket.receive_queue > 0)
    };
    let until = Instant::now() + FAREWELL;
    while has_unread() && Instant::now() < until {
        std::thread::sleep(GLANCE);
    }
    let until = Instant::now() + MOMENT;
    while is_carrying() && Instant::now() < until {
        std::thread::sleep(GLANCE);
    }
}

/// Which side of the ladder the command's own host is drawn on.
fn side(role: Role) -> Side {
    match role {
        Role::Server | Role::Program => Side::Right,
        Role::Client => Side::Left,
    }
}

fn ends(role: Role, own: String, other: String) -> Ends {
    match role {
        Role::Server | Role::Program => Ends { left: other, right: own },
        // More than one host can be asked.
        Role::Client => Ends { left: own, right: "the other hosts".to_owned() },
    }
}

fn party(wish: &Wish<'_>, link: LinkType, has_states: [bool; 2]) -> Party {
    let listening = wish.listening.clone();
    Party { link, shown: wish.common.seeing.shown(), start: sockeye::now(), has_states, listening }
}

fn with_mtu(host: HostBuilder, common: &Common) -> HostBuilder {
    match common.place.mtu {
        Some(mtu) => host.mtu(mtu.into()),
        None => host,
    }
}

fn with_congestion(builder: HostBuilder, wish: &Wish<'_>) -> HostBuilder {
    match wish.congestion {
        Some(name) => builder.configure(|config| config.tcp.congestion = name),
        None => builder,
    }
}

fn with_mac(host: HostBuilder, common: &Common) -> HostBuilder {
    match common.place.mac {
        Some(mac) => host.mac(mac),
        None => host,
    }
}

/// A host by name and addresses.
fn described(name: &str, addresses: &[Cidr]) -> String {
    let addresses: Vec<String> = addresses.iter().map(|cidr| cidr.address().to_string()).collect();
    format!("{name} {}", addresses.join(" "))
}

/// The same, and its hardware address.
pub(crate) fn with_hardware(host: &Host) -> String {
    let macs: Vec<String> = host.interfaces().iter().map(|interface| interface.mac.to_string()).collect();
    format!("{} ({})", described(host.name(), &host.addresses()), macs.join(" "))
}

fn cannot_build(error: BuildError) -> Failure {
    match error {
        BuildError::Io(error) => {
            Failure::new(Code::Network, format!("cannot start a host: {}", plain(&error)))
        }
        contradiction => Failure::usage(contradiction.to_string()),
    }
}

fn cannot_open(error: &OpenError) -> Failure {
    let code = match error {
        OpenError::InvalidName { .. } => Code::Usage,
        _ => Code::Bind,
    };
    Failure::new(code, error.to_string())
}

fn is_of_tcp(event: &TraceEvent) -> bool {
    matches!(
        event,
        TraceEvent::State { .. } | TraceEvent::Retransmission { .. } | TraceEvent::Recovery { .. }
    )
}

fn is_anything(_: &TraceEvent) -> bool {
    true
}

/// What is not as on a perfect cable.
fn on_the_cable(role: Role, conditions: &Conditions) -> String {
    if conditions.is_perfect() {
        String::new()
    } else {
        format!("; on the cable of the {}, both ways: {conditions}", role.name())
    }
}

/// A seed that nobody chose.
pub(crate) fn drawn() -> u64 {
    RandomState::new().build_hasher().finish()
}

/// One line for the person who started the command.
pub(crate) fn announce(line: &str) {
    writeln!(stderr(), "sockeye: {line}").ok();
}

/// An address with a port, for each address.
pub(crate) fn with_port(addresses: &[IpAddr], port: u16) -> Vec<SocketAddr> {
    addresses.iter().map(|address| SocketAddr::new(*address, port)).collect()
}
