//! A host on a named LAN, which other processes are on too.

use std::io::ErrorKind;
use std::net::IpAddr;
use std::sync::Arc;

use sockeye::{Attachment, Cidr, Host};
use sockeye_core::wire::LinkType;
use tokio::runtime::Handle;
use tokio::sync::Notify;

use super::{
    Attendants, Site, Wish, announce, cannot_build, described, is_of_tcp, on_the_cable, party, side,
    with_congestion, with_hardware,
};
use crate::failure::{Code, Failure};
use crate::interrupt::interrupted;
use crate::ladder::Side;
use crate::ladder::row::Ends;
use crate::lan::{Joined, LanName, Membership, join};
use crate::watch::Watch;

/// Tells when the LAN is there no more.
pub(super) struct Gone {
    notify: Arc<Notify>,
    line: String,
}

impl Gone {
    fn watch(attachment: Attachment, line: String) -> Result<Gone, Failure> {
        let notify = Arc::new(Notify::new());
        let waiting = Arc::clone(&notify);
        // It ends with the uplink, whichever side ends that.
        let watching = std::thread::Builder::new().name("uplink-end".into()).spawn(move || {
            attachment.wait_unplugged(None);
            waiting.notify_one();
        });
        watching.map_err(|error| Failure::talking("cannot watch the LAN", &error))?;
        Ok(Gone { notify, line })
    }

    pub(super) async fn come(&self) -> Failure {
        self.notify.notified().await;
        Failure::new(Code::Network, self.line.clone())
    }
}

/// Joins, which takes a while where nobody answers; Ctrl-C ends the waiting.
fn join_unless_interrupted(wish: Membership) -> Result<Joined, Failure> {
    let joining = tokio::task::spawn_blocking(move || join(&wish));
    let joined = async {
        tokio::select! {
            joined = joining => {
                joined.unwrap_or_else(|_| Err(Failure::new(Code::Network, "the LAN cannot be joined")))
            }
            failure = interrupted() => Err(failure),
        }
    };
    tokio::task::block_in_place(|| Handle::current().block_on(joined))
}

/// The addresses of a name, as the LAN's gateway knows it.
pub(super) async fn look_up(host: &Host, server: IpAddr, name: &str) -> Result<Vec<IpAddr>, Failure> {
    let (host, asked) = (host.clone(), name.to_owned());
    let found = tokio::task::spawn_blocking(move || sockeye::dns::lookup(&host, server, &asked)).await;
    let found = found.unwrap_or_else(|_| Err(ErrorKind::Other.into()));
    found.map_err(|error| match error.kind() {
        ErrorKind::TimedOut => Failure::new(Code::Timeout, error.to_string()),
        ErrorKind::NotFound | ErrorKind::InvalidInput | ErrorKind::Other => {
            Failure::new(Code::NameNotFound, error.to_string())
        }
        _ => Failure::talking(format!("cannot ask {server} for the name {name}"), &error),
    })
}

impl Site {
    /// Joins the LAN, and says on standard error as whom.
    pub(super) fn on_named_lan(wish: &Wish<'_>, seed: u64, name: &LanName) -> Result<Site, Failure> {
        let Wish { common, role, .. } = wish;
        let joined = join_unless_interrupted(Membership {
            lan: name.clone(),
            host: common.place.name.as_deref().unwrap_or(role.name()).to_owned(),
            addresses: common.place.addresses(),
            conditions: common.cable.conditions(),
            mac: common.place.mac,
            gateway: common.place.gateway,
            seed,
        })?;
        let own_name = joined.host.as_str();
        let conditions = common.cable.conditions();
        let own_side = side(*role);
        let own = described(own_name, &joined.addresses);
        let others = format!("the LAN {name}");
        let ends = match own_side {
            Side::Left => Ends { left: own, right: others },
            Side::Right => Ends { left: others, right: own },
        };
        let has_states = [own_side == Side::Left, own_side == Side::Right];
        let watch = Watch::start(
            &common.seeing,
            party(wish, LinkType::Ethernet, has_states),
            ends,
            (role.command(), wish.json_to),
        )?;
        // Before the host is there: it announces itself.
        watch.watch_cable(&joined.lan, own_name, own_side)?;
        let builder = joined.lan.host(own_name).mac(joined.mac).conditions(conditions);
        let builder = joined.addresses.iter().fold(builder, |host, address: &Cidr| host.address(*address));
        let builder = joined.gateway.into_iter().fold(builder, |host, gateway| host.gateway(gateway));
        let host = with_congestion(builder, wish).build().map_err(cannot_build)?;
        watch.watch_host(&host, (own_side, conditions), is_of_tcp)?;
        let cable = on_the_cable(*role, &conditions);
        announce(&format!("{} on the LAN {name}, seed {seed}{cable}", with_hardware(&host)));
        let gone = Gone::watch(joined.attachment.clone(), format!("the LAN {name} has ended"))?;
        let lan = Some(joined.lan);
        let dns = joined.dns;
        Ok(Site {
            host,
            others: Vec::new(),
            lan,
            is_private: false,
            gone: Some(gone),
            uplink: Some(joined.attachment),
            dns,
            attendants: Attendants::default(),
            watch,
        })
    }
}
