//! The interfaces of the host, as a program numbers them: the loopback interface is 1, the first other one 2.

use sockeye::AnySocket;
use std::net::IpAddr;

/// The number of the interface that has `address`.
pub(crate) fn index_of(socket: &AnySocket, address: IpAddr) -> u32 {
    let address = address.to_canonical();
    if address.is_loopback() {
        return 1;
    }
    let interfaces = socket.host().interfaces();
    let position = interfaces.iter().position(|interface| {
        interface.addresses.iter().any(|own| own.address() == address || own.contains(address))
    });
    position.map_or(2, |position| position as u32 + 2)
}
