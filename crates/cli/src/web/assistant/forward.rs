//! A forwarder: each connection to it becomes one to somebody else, and both sides stand in the log.

use std::net::SocketAddr;
use std::sync::Arc;

use super::conversation::{End, Output, converse};
use super::entry::Channel;
use super::session::{Ending, Session};
use super::words;
use crate::place::{Place, Stream};

/// Carries what a connection brings to another, and back, with the ends of both.
pub(super) async fn carry<P: Place>(
    session: &Arc<Session>,
    place: &P,
    near: P::Stream,
    peer: SocketAddr,
    to: SocketAddr,
) {
    let (near_address, far_address): (Arc<str>, Arc<str>) = (peer.to_string().into(), to.to_string().into());
    let number = session.new_number(&near_address);
    let (near_channel, far_channel) = (Channel::near(number), Channel::far(number));
    session.happened(Some(near_channel), Some(&near_address), words::accepted(&near_address));
    let options = session.current().settings.options.tcp(session.opening.kind);
    let mut near_link = session.link(near_channel, &near_address);
    let connecting = place.connect_with(None, to, &options);
    let far = tokio::select! {
        far = connecting => far,
        _ = super::session::ending(&mut near_link.ending) => {
            session.unlink(near_channel, "closed");
            return;
        }
    };
    let far = match far {
        Ok(far) => far,
        Err(error) => {
            // Who has connected to us learns it as if it had connected there itself.
            near.reset_when_closed().ok();
            session.went_wrong(Some(far_channel), Some(&far_address), words::connect(to, &error));
            drop(near);
            session.unlink(near_channel, "closed");
            return;
        }
    };
    session.happened(Some(far_channel), Some(&far_address), words::connected(far.local_address().ok(), to));
    let far_link = session.link(far_channel, &far_address);
    let partners = {
        let inner = session.inner();
        let orders = |channel| inner.links.get(&channel).map(|link| link.orders.clone());
        orders(near_channel).zip(orders(far_channel))
    };
    let Some((near_orders, far_orders)) = partners else { return };
    let there = async {
        let end = converse(session, near, near_link, Output::Partner(far_orders)).await;
        end_other(session, &end, far_channel);
    };
    let back = async {
        let end = converse(session, far, far_link, Output::Partner(near_orders)).await;
        end_other(session, &end, near_channel);
    };
    tokio::join!(there, back);
}

/// A connection that broke breaks the other; one that was ended ends the other.
fn end_other(session: &Arc<Session>, end: &End, other: Channel) {
    match end {
        End::ByPeer => {}
        End::ByUs(how) => drop(session.end_link(other, *how)),
        End::Failed(_) => drop(session.end_link(other, Ending::Rst)),
    }
}
