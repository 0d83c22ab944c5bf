//! The calls that several sockets share to the letter, each group written once and invoked inside the `impl` of every
//! socket that has it. The sockets keep their [`Socket`](crate::socket::Socket) in the field `socket`.

/// The hop limit; `$of` says whose.
macro_rules! ttl_calls {
    ($of:literal) => {
        #[doc = concat!("Sets the hop limit of ", $of, ".")]
        ///
        /// # Errors
        /// `EINVAL` outside 1 to 255.
        pub fn set_ttl(&self, ttl: u32) -> std::io::Result<()> {
            self.socket.set_ttl(ttl)
        }

        #[doc = concat!("The hop limit of ", $of, ".")]
        ///
        /// # Errors
        /// `ENETDOWN` after the host's shutdown.
        pub fn ttl(&self) -> std::io::Result<u32> {
            self.socket.ttl()
        }
    };
}
pub(crate) use ttl_calls;

/// How long the blocking calls wait; the arguments name one of each kind.
macro_rules! timeout_calls {
    ($reading:literal, $writing:literal) => {
        #[doc = concat!("How long a ", $reading, " may wait; for ever without.")]
        ///
        /// # Errors
        /// `InvalidInput` for a time of zero.
        pub fn set_read_timeout(&self, timeout: Option<std::time::Duration>) -> std::io::Result<()> {
            self.socket.set_timeout($crate::waiting::Interest::Read, timeout)
        }

        #[doc = concat!("How long a ", $writing, " may wait; for ever without.")]
        ///
        /// # Errors
        /// `InvalidInput` for a time of zero.
        pub fn set_write_timeout(&self, timeout: Option<std::time::Duration>) -> std::io::Result<()> {
            self.socket.set_timeout($crate::waiting::Interest::Write, timeout)
        }

        #[doc = concat!("How long a ", $reading, " may wait.")]
        ///
        /// # Errors
        /// None; the answer is a `Result` as in std.
        pub fn read_timeout(&self) -> std::io::Result<Option<std::time::Duration>> {
            Ok(self.socket.timeout($crate::waiting::Interest::Read))
        }

        #[doc = concat!("How long a ", $writing, " may wait.")]
        ///
        /// # Errors
        /// None; the answer is a `Result` as in std.
        pub fn write_timeout(&self) -> std::io::Result<Option<std::time::Duration>> {
            Ok(self.socket.timeout($crate::waiting::Interest::Write))
        }
    };
}
pub(crate) use timeout_calls;

/// Membership in multicast groups, and what is sent to them.
macro_rules! multicast_calls {
    () => {
        /// Listens to an IPv4 group, on the interface with the address `interface`, or with 0.0.0.0 on the first one.
        ///
        /// # Errors
        /// `EADDRINUSE` if this socket does already; `EINVAL` for an address that is no group; `ENODEV` if no interface
        /// has the address.
        pub fn join_multicast_v4(
            &self,
            group: &std::net::Ipv4Addr,
            interface: &std::net::Ipv4Addr,
        ) -> std::io::Result<()> {
            use $crate::group::{By, Change};
            self.socket.change_group(Change::Join, (*group).into(), By::Address(*interface))
        }

        /// Ends [`join_multicast_v4`](Self::join_multicast_v4).
        ///
        /// # Errors
        /// `EADDRNOTAVAIL` if this socket does not listen to the group.
        pub fn leave_multicast_v4(
            &self,
            group: &std::net::Ipv4Addr,
            interface: &std::net::Ipv4Addr,
        ) -> std::io::Result<()> {
            use $crate::group::{By, Change};
            self.socket.change_group(Change::Leave, (*group).into(), By::Address(*interface))
        }

        /// Listens to an IPv6 group, on the interface with this number (1 for `eth0`, 2 for `eth1`, …), or with 0 on the
        /// first one.
        ///
        /// # Errors
        /// As [`join_multicast_v4`](Self::join_multicast_v4).
        pub fn join_multicast_v6(&self, group: &std::net::Ipv6Addr, interface: u32) -> std::io::Result<()> {
            use $crate::group::{By, Change};
            self.socket.change_group(Change::Join, (*group).into(), By::Number(interface))
        }

        /// Ends [`join_multicast_v6`](Self::join_multicast_v6).
        ///
        /// # Errors
        /// As [`leave_multicast_v4`](Self::leave_multicast_v4).
        pub fn leave_multicast_v6(&self, group: &std::net::Ipv6Addr, interface: u32) -> std::io::Result<()> {
            use $crate::group::{By, Change};
            self.socket.change_group(Change::Leave, (*group).into(), By::Number(interface))
        }

        /// `IP_MULTICAST_LOOP`: whether this host's own members hear what this socket sends to a group.
        ///
        /// # Errors
        /// `ENETDOWN` after the host's shutdown.
        pub fn set_multicast_loop_v4(&self, on: bool) -> std::io::Result<()> {
            self.socket.set($crate::SocketOption::MulticastLoop(on))
        }

        /// `IP_MULTICAST_LOOP`.
        ///
        /// # Errors
        /// `ENETDOWN` after the host's shutdown.
        pub fn multicast_loop_v4(&self) -> std::io::Result<bool> {
            self.socket.multicast_loop()
        }

        /// `IP_MULTICAST_TTL`: how many routers a datagram to a group may pass; 1 keeps it on the link.
        ///
        /// # Errors
        /// `EINVAL` over 255.
        pub fn set_multicast_ttl_v4(&self, ttl: u32) -> std::io::Result<()> {
            self.socket.set_multicast_ttl(ttl)
        }

        /// `IP_MULTICAST_TTL`.
        ///
        /// # Errors
        /// `ENETDOWN` after the host's shutdown.
        pub fn multicast_ttl_v4(&self) -> std::io::Result<u32> {
            self.socket.multicast_ttl()
        }
    };
}
pub(crate) use multicast_calls;

/// How tasks wait to try; the arguments say what for.
#[cfg(feature = "tokio")]
macro_rules! readiness_calls {
    ($reading:literal, $writing:literal) => {
        #[doc = concat!("Waits until ", $reading, " is worth trying.")]
        ///
        /// # Errors
        /// `ENETDOWN` after the host's shutdown.
        pub async fn readable(&self) -> std::io::Result<()> {
            self.socket.ready_to_read().await.map(|_| ())
        }

        #[doc = concat!("Waits until ", $writing, " is worth trying.")]
        ///
        /// # Errors
        /// `ENETDOWN` after the host's shutdown.
        pub async fn writable(&self) -> std::io::Result<()> {
            self.socket.ready_to_write().await.map(|_| ())
        }

        /// Waits until something of `interest` is worth trying.
        ///
        /// # Errors
        /// `ENETDOWN` after the host's shutdown.
        pub async fn ready(&self, interest: ::tokio::io::Interest) -> std::io::Result<::tokio::io::Ready> {
            self.socket.ready(interest).await
        }
    };
}
#[cfg(feature = "tokio")]
pub(crate) use readiness_calls;
