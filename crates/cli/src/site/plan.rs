//! Who has which address on a private LAN.

use std::net::IpAddr;

use sockeye::Cidr;

use crate::failure::Failure;

/// The part the host of a command plays.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    /// It serves; a gateway brings the clients.
    Server,
    /// It asks; there are a gateway and a server to be asked.
    Client,
    /// It is a foreign program's; a gateway brings clients and leads out.
    Program,
}

impl Role {
    /// The command whose host has this part.
    pub(crate) fn command(self) -> &'static str {
        match self {
            Role::Server => "serve",
            Role::Client => "connect",
            Role::Program => "run",
        }
    }

    /// The name of the command's own host.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Role::Server => "server",
            Role::Client => "client",
            Role::Program => "program",
        }
    }
}

/// The addresses of the hosts of a LAN.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Plan {
    /// The command's own host.
    pub(super) own: Vec<Cidr>,
    /// The gateway.
    pub(super) gateway: Vec<Cidr>,
    /// The server that a client can ask; none where the command's own host is the server.
    pub(super) server: Vec<Cidr>,
}

impl Plan {
    /// Gives every host an address in each subnet of the command's host: what the user asked for, and the first free
    /// numbers for the rest.
    pub(super) fn new(role: Role, ip: &[Cidr], gateway: Option<IpAddr>) -> Result<Plan, Failure> {
        let own = if ip.is_empty() { vec![default_address(role)?] } else { ip.to_vec() };
        let mut plan = Plan { own: own.clone(), gateway: Vec::new(), server: Vec::new() };
        let mut taken: Vec<IpAddr> = own.iter().map(Cidr::address).collect();
        for (index, subnet) in own.iter().enumerate() {
            if own.iter().take(index).any(|earlier| earlier.network() == subnet.network()) {
                continue;
            }
            let asked_for = gateway.filter(|gateway| subnet.contains(*gateway));
            let gateway = match asked_for {
                Some(gateway) if taken.contains(&gateway) => {
                    return Err(Failure::usage(format!(
                        "{gateway} cannot be both the {}'s and the gateway's",
                        role.name()
                    )));
                }
                Some(gateway) => gateway,
                None => free_address(subnet, &taken)?,
            };
            taken.push(gateway);
            plan.gateway.push(on_the_net_of(subnet, gateway)?);
            if role == Role::Client {
                let server = free_address(subnet, &taken)?;
                taken.push(server);
                plan.server.push(on_the_net_of(subnet, server)?);
            }
        }
        match gateway.filter(|gateway| !own.iter().any(|subnet| subnet.contains(*gateway))) {
            Some(outside) => {
                let nets: Vec<String> = own.iter().map(|subnet| subnet.network().to_string()).collect();
                Err(Failure::usage(format!(
                    "the gateway {outside} is outside the LAN {}",
                    nets.join(" and ")
                )))
            }
            None => Ok(plan),
        }
    }
}

fn default_address(role: Role) -> Result<Cidr, Failure> {
    let number = match role {
        Role::Server | Role::Program => 2,
        Role::Client => 3,
    };
    Cidr::new(IpAddr::from([10, 0, 0, number]), 24).map_err(|error| Failure::usage(error.to_string()))
}

fn on_the_net_of(subnet: &Cidr, address: IpAddr) -> Result<Cidr, Failure> {
    Cidr::new(address, subnet.prefix()).map_err(|error| Failure::usage(error.to_string()))
}

/// The first address of a subnet that nobody has.
fn free_address(subnet: &Cidr, taken: &[IpAddr]) -> Result<IpAddr, Failure> {
    let first = subnet.network().address();
    let broadcast = subnet.broadcast().map(IpAddr::V4);
    // No more than the addresses taken and two that are nobody's can be in the way.
    (1..taken.len() as u32 + 3)
        .filter_map(|number| match first {
            IpAddr::V4(first) => u32::from(first).checked_add(number).map(|bits| IpAddr::V4(bits.into())),
            IpAddr::V6(first) => {
                u128::from(first).checked_add(u128::from(number)).map(|bits| IpAddr::V6(bits.into()))
            }
        })
        .find(|address| subnet.contains(*address) && Some(*address) != broadcast && !taken.contains(address))
        .ok_or_else(|| Failure::usage(format!("{subnet} leaves no room for the other hosts of the LAN")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cidrs(texts: &[&str]) -> Vec<Cidr> {
        texts.iter().map(|text| text.parse().unwrap()).collect()
    }

    fn plan(role: Role, ip: &[&str], gateway: Option<&str>) -> Result<Plan, String> {
        Plan::new(role, &cidrs(ip), gateway.map(|ip| ip.parse().unwrap())).map_err(|failure| failure.line)
    }

    #[test]
    fn the_defaults() {
        let server = plan(Role::Server, &[], None).unwrap();
        assert_eq!((server.own, server.gateway), (cidrs(&["10.0.0.2/24"]), cidrs(&["10.0.0.1/24"])));
        let client = plan(Role::Client, &[], None).unwrap();
        assert_eq!(client.own, cidrs(&["10.0.0.3/24"]));
        assert_eq!((client.gateway, client.server), (cidrs(&["10.0.0.1/24"]), cidrs(&["10.0.0.2/24"])));
    }

    #[test]
    fn everybody_gets_an_address_in_every_subnet() {
        let plan =
            plan(Role::Client, &["10.9.0.1/29", "fd77::2/64", "10.9.0.2/29"], Some("10.9.0.6")).unwrap();
        assert_eq!(plan.gateway, cidrs(&["10.9.0.6/29", "fd77::1/64"]));
        assert_eq!(plan.server, cidrs(&["10.9.0.3/29", "fd77::3/64"]));
    }

    #[test]
    fn what_cannot_be() {
        assert!(plan(Role::Server, &["10.0.0.2/32"], None).unwrap_err().contains("no room"));
        assert!(plan(Role::Client, &["10.0.0.1/30"], None).unwrap_err().contains("no room"));
        assert!(
            plan(Role::Server, &[], Some("192.168.0.1")).unwrap_err().contains("outside the LAN 10.0.0.0/24")
        );
        assert!(plan(Role::Server, &[], Some("10.0.0.2")).unwrap_err().contains("cannot be both"));
    }
}
