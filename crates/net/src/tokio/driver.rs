//! The driver as a task: frames and deadlines are waited for by the runtime that runs the program's tasks too.
//!
//! What a frame brings is then handed to its task without another thread in between.

use crate::clock;
use crate::driver::{Driver, Turn, Watch};
use crate::engine::Engine;
use rustix::time::{
    Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create, timerfd_settime,
};
use sockeye_core::time::Instant;
use std::future::poll_fn;
use std::io;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::task::{Context, Poll};
use tokio::io::unix::AsyncFd;
use tokio::runtime::Handle;

/// What the task waits for.
///
/// The descriptors tell an edge: readiness is taken back before the turn that looks, so what comes after that look is a
/// new edge.
struct Waits {
    doorbell: AsyncFd<OwnedFd>,
    watches: Vec<Watch<AsyncFd<OwnedFd>>>,
    timer: Timer,
}

/// Starts the task of `engine` on `runtime`.
///
/// # Errors
/// When the process has no descriptors left.
///
/// # Panics
/// Where the runtime was built without I/O, as sockets of tokio do.
pub(crate) fn start(engine: &Arc<Engine>, frame_capacity: usize, runtime: &Handle) -> io::Result<()> {
    let (driver, watches) = Driver::new(engine, frame_capacity)?;
    let entered = runtime.enter();
    let waits = Waits {
        doorbell: watched(engine.doorbell.input().try_clone_to_owned()?)?,
        watches: watches
            .into_iter()
            .map(|Watch { input, output }| {
                Ok(Watch { input: input.map(watched).transpose()?, output: output.map(watched).transpose()? })
            })
            .collect::<io::Result<Vec<_>>>()?,
        timer: Timer::new()?,
    };
    drop(entered);
    // The runtime may end first: then the task is dropped, and the host ends with it.
    let end = driver.end_on_exit();
    runtime.spawn(async move {
        let _end = end;
        run(driver, waits).await;
    });
    Ok(())
}

/// `fd`, known to the runtime that was entered.
#[expect(
    deprecated,
    reason = "unsound for what may close its descriptor early only; the other way in is unsafe"
)]
fn watched(fd: OwnedFd) -> io::Result<AsyncFd<OwnedFd>> {
    AsyncFd::new(fd)
}

async fn run(mut driver: Driver, mut waits: Waits) {
    loop {
        match driver.turn() {
            Turn::Busy => tokio::task::yield_now().await,
            Turn::Idle(until) => {
                waits.timer.set(until);
                poll_fn(|context| waits.poll(&driver, context)).await;
            }
            Turn::Ended => return,
        }
    }
}

impl Waits {
    /// Whether there is a frame, or room, or the doorbell is rung, or the time has come.
    fn poll(&mut self, driver: &Driver, context: &mut Context<'_>) -> Poll<()> {
        let mut is_due = false;
        if let Poll::Ready(Ok(mut ready)) = self.doorbell.poll_read_ready(context) {
            ready.clear_ready();
            driver.engine().doorbell.drain();
            is_due = true;
        }
        for (watch, plan) in self.watches.iter().zip(driver.plans()) {
            if let (Some(input), true) = (&watch.input, plan.input)
                && let Poll::Ready(Ok(mut ready)) = input.poll_read_ready(context)
            {
                ready.clear_ready();
                is_due = true;
            }
            if let (Some(output), true) = (&watch.output, plan.output)
                && let Poll::Ready(Ok(mut ready)) = output.poll_write_ready(context)
            {
                ready.clear_ready();
                is_due = true;
            }
        }
        is_due |= self.timer.poll(context);
        if is_due { Poll::Ready(()) } else { Poll::Pending }
    }
}

/// A timer of the operating system: those of the runtime are of whole milliseconds, which is too coarse for pacing.
struct Timer {
    fd: AsyncFd<OwnedFd>,
    set: Option<Instant>,
}

impl Timer {
    fn new() -> io::Result<Timer> {
        let fd = timerfd_create(TimerfdClockId::Monotonic, TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC)?;
        Ok(Timer { fd: watched(fd)?, set: None })
    }

    fn set(&mut self, until: Option<Instant>) {
        if until == self.set {
            return;
        }
        self.set = until;
        // Zero would stop it; a time that is past is due at once.
        let left = until.map(|until| until.since(clock::now()));
        let it_value = left.map_or(Timespec { tv_sec: 0, tv_nsec: 0 }, |left| Timespec {
            tv_sec: i64::try_from(left.as_secs()).unwrap_or(i64::MAX),
            tv_nsec: i64::from(left.subsec_nanos()).max(1),
        });
        let once = Itimerspec { it_interval: Timespec { tv_sec: 0, tv_nsec: 0 }, it_value };
        // Only fails for times that cannot be told.
        let _ = timerfd_settime(self.fd.get_ref(), TimerfdTimerFlags::empty(), &once);
    }

    fn poll(&mut self, context: &mut Context<'_>) -> bool {
        let Poll::Ready(Ok(mut ready)) = self.fd.poll_read_ready(context) else { return false };
        ready.clear_ready();
        let _ = rustix::io::read(self.fd.get_ref(), &mut [0u8; 8]);
        self.set = None;
        true
    }
}
