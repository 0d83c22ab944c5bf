//! TIME-WAIT: the connection is over, but its last acknowledgement may be asked for again for two segment lifetimes.

use super::deadlines::Owner;
use super::{Remembered, Stack};
use crate::drop_reason::DropReason;
use crate::socket::{Body, SocketId};
use crate::table::Handle;
use crate::time::Instant;
use crate::transport::demux::{Flow, FlowKey};
use crate::transport::tcp::{Endpoints, State, TimeWaitStep, reset_for};
use crate::wire::tcp::Segment;

impl Stack {
    /// A connection has reached TIME-WAIT: a record of a few words takes its place in the demultiplexer. The socket
    /// stays as long as a program holds it.
    pub(super) fn enter_time_wait(&mut self, now: Instant, id: SocketId) {
        let Some(socket) = self.sockets.get_mut(id) else { return };
        let options = socket.options;
        let Body::Stream(stream) = &mut socket.body else { return };
        if !stream.in_demux {
            return;
        }
        stream.in_demux = false;
        if core::mem::take(&mut stream.memory.is_orphan) {
            self.tcp.memory.orphans = self.tcp.memory.orphans.saturating_sub(1);
        }
        let ends = stream.connection.endpoints();
        let key = FlowKey::new(ends.local, ends.remote);
        let record = stream.connection.time_wait(now);
        let expires = record.expires();
        let has_room = self.tcp.time_waits.len() < self.config.time_wait_limit;
        match has_room.then(|| self.tcp.time_waits.insert(Remembered { record, options })).flatten() {
            Some(handle) => {
                self.tcp.demux.insert_flow(key, Flow::TimeWait(handle));
                self.deadlines.arm(expires, Owner::TimeWait(handle));
            }
            None => {
                self.tcp.demux.remove_flow(&key, Flow::Connection(id));
                self.tcp.ports.release(ends.local, options.reuse);
                self.record_state(now, None, ends, (State::TimeWait, State::Closed), "full table");
            }
        }
    }

    /// A segment for a connection in TIME-WAIT.
    pub(super) fn on_time_wait_segment(
        &mut self,
        now: Instant,
        handle: Handle,
        ends: Endpoints,
        (segment, payload): (&Segment, &[u8]),
    ) -> Result<(), DropReason> {
        let entry = self.tcp.time_waits.get_mut(handle).ok_or(DropReason::NoSocket)?;
        let options = entry.options;
        match entry.record.on_segment(now, segment) {
            TimeWaitStep::Acknowledge(answer) => self.reply(ends, answer, options),
            TimeWaitStep::Reopen { iss_at_least } => {
                // A new incarnation (RFC 9293, 3.10.7.4, MAY-2; RFC 6191), if somebody listens. If nobody does, the
                // caller shall not wait for the end of its timers to learn it.
                let Some(listener) = self.listener_at(&ends) else {
                    if let Some(reset) = reset_for(segment) {
                        self.reply(ends, reset, options)?;
                    }
                    return Err(DropReason::NoSocket);
                };
                self.end_time_wait(now, handle, "segment");
                self.on_syn(now, listener, ends, (segment, payload), Some(iss_at_least))
            }
            TimeWaitStep::Closed => {
                self.end_time_wait(now, handle, "segment");
                Ok(())
            }
            TimeWaitStep::Drop(reason) => Err(reason),
        }
    }

    /// Forgets a TIME-WAIT record and lets its port go.
    pub(super) fn end_time_wait(&mut self, now: Instant, handle: Handle, cause: &'static str) {
        let Some(entry) = self.tcp.time_waits.remove(handle) else { return };
        self.deadlines.disarm(Owner::TimeWait(handle));
        let ends = entry.record.endpoints();
        self.tcp.demux.remove_flow(&FlowKey::new(ends.local, ends.remote), Flow::TimeWait(handle));
        self.tcp.ports.release(ends.local, entry.options.reuse);
        self.record_state(now, None, ends, (State::TimeWait, State::Closed), cause);
    }
}
