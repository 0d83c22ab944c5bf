//! Where typed events leave for the closures that want to see them: a queue with a thread of its own.
//!
//! Events are put in under the lock of whoever makes them, which fixes their order; the closures run on the outlet's
//! thread, outside every lock, so that a slow terminal holds up no timer. The queue is bounded by its producers:
//! they stop making events while [`Outlet::is_full`].

use parking_lot::{Condvar, Mutex};
use std::collections::VecDeque;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// Events that may wait before producers should pause.
const CAPACITY: usize = 8192;

/// A closure that looks at events.
pub(crate) type Sink<T> = Box<dyn FnMut(&T) + Send>;

/// A queue of events on their way to sinks. Dropping it lets the thread deliver what is queued, and end.
pub(crate) struct Outlet<T> {
    shared: Arc<Shared<T>>,
}

struct Shared<T> {
    queue: Mutex<Queue<T>>,
    arrived: Condvar,
    delivered: Condvar,
    is_full: AtomicBool,
}

struct Queue<T> {
    events: VecDeque<T>,
    fresh: Vec<Sink<T>>,
    is_closed: bool,
    is_delivering: bool,
}

impl<T: Send + 'static> Outlet<T> {
    /// An outlet and its thread, named `name`.
    pub(crate) fn open(name: String, sink: Sink<T>) -> io::Result<Self> {
        let shared = Arc::new(Shared {
            queue: Mutex::new(Queue {
                events: VecDeque::new(),
                fresh: vec![sink],
                is_closed: false,
                is_delivering: false,
            }),
            arrived: Condvar::new(),
            delivered: Condvar::new(),
            is_full: AtomicBool::new(false),
        });
        let of_thread = Arc::clone(&shared);
        std::thread::Builder::new().name(name).spawn(move || deliver(&of_thread))?;
        Ok(Self { shared })
    }

    /// One more sink; it sees what is queued from now on, and maybe some events that are waiting already.
    pub(crate) fn add(&self, sink: Sink<T>) {
        self.shared.queue.lock().fresh.push(sink);
    }

    /// Puts one event behind the others.
    pub(crate) fn push(&self, event: T) {
        let mut queue = self.shared.queue.lock();
        if queue.is_closed {
            return;
        }
        queue.events.push_back(event);
        if queue.events.len() >= CAPACITY {
            self.shared.is_full.store(true, Ordering::Relaxed);
        }
        if queue.events.len() == 1 {
            self.shared.arrived.notify_one();
        }
    }

    /// Whether so many events wait that producers should pause.
    pub(crate) fn is_full(&self) -> bool {
        self.shared.is_full.load(Ordering::Relaxed)
    }

    /// What waits until every event put in so far has been seen by the sinks.
    pub(crate) fn drain(&self) -> Drain<T> {
        Drain { shared: Arc::clone(&self.shared) }
    }
}

/// Waits for an outlet without holding on to it.
pub(crate) struct Drain<T> {
    shared: Arc<Shared<T>>,
}

impl<T> Drain<T> {
    /// Waits until the queue is empty and no sink is running, `patience` at most; `false` if that was not enough.
    pub(crate) fn wait(&self, patience: Duration) -> bool {
        let deadline = std::time::Instant::now() + patience;
        let mut queue = self.shared.queue.lock();
        while !queue.is_closed && (!queue.events.is_empty() || queue.is_delivering) {
            if self.shared.delivered.wait_until(&mut queue, deadline).timed_out() {
                return queue.events.is_empty() && !queue.is_delivering;
            }
        }
        true
    }
}

impl<T> Drop for Outlet<T> {
    fn drop(&mut self) {
        let mut queue = self.shared.queue.lock();
        queue.is_closed = true;
        self.shared.arrived.notify_one();
    }
}

/// Closes the queue when a sink panics: producers must not wait for a thread that is gone.
struct CloseOnExit<'a, T>(&'a Shared<T>);

impl<T> Drop for CloseOnExit<'_, T> {
    fn drop(&mut self) {
        let mut queue = self.0.queue.lock();
        queue.is_closed = true;
        queue.is_delivering = false;
        queue.events = VecDeque::new();
        self.0.is_full.store(false, Ordering::Relaxed);
        self.0.delivered.notify_all();
    }
}

fn deliver<T>(shared: &Shared<T>) {
    let exit = CloseOnExit(shared);
    let mut sinks: Vec<Sink<T>> = Vec::new();
    let mut batch = VecDeque::new();
    loop {
        let mut queue = shared.queue.lock();
        queue.is_delivering = false;
        if queue.events.is_empty() {
            shared.delivered.notify_all();
        }
        while queue.events.is_empty() && !queue.is_closed {
            shared.arrived.wait(&mut queue);
        }
        if queue.events.is_empty() {
            break;
        }
        std::mem::swap(&mut queue.events, &mut batch);
        sinks.append(&mut queue.fresh);
        queue.is_delivering = true;
        shared.is_full.store(false, Ordering::Relaxed);
        drop(queue);
        for event in batch.drain(..) {
            for sink in &mut sinks {
                sink(&event);
            }
        }
    }
    drop(exit);
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc;

    #[test]
    fn events_arrive_in_order_and_dropping_delivers_the_rest() {
        let (sender, receiver) = mpsc::channel();
        let outlet =
            Outlet::open("outlet-order".into(), Box::new(move |n: &u32| sender.send(*n).unwrap())).unwrap();
        for n in 0..1000 {
            outlet.push(n);
        }
        drop(outlet);
        assert!(receiver.iter().eq(0..1000));
    }

    #[test]
    fn waiting_for_the_sinks_ends_when_they_have_seen_everything() {
        let (sender, receiver) = mpsc::channel();
        let outlet = Outlet::open(
            "outlet-drain".into(),
            Box::new(move |n: &u32| {
                std::thread::sleep(Duration::from_millis(1));
                sender.send(*n).unwrap();
            }),
        )
        .unwrap();
        for n in 0..20 {
            outlet.push(n);
        }
        assert!(outlet.drain().wait(Duration::from_secs(20)));
        assert_eq!(receiver.try_iter().count(), 20);
    }

    #[test]
    fn a_full_outlet_says_so_and_a_panicking_sink_frees_it() {
        let (go, wait) = mpsc::channel::<()>();
        let (enter, entered) = mpsc::channel();
        let outlet = Outlet::open(
            "outlet-panic".into(),
            Box::new(move |_: &u32| {
                let _ = enter.send(());
                let _ = wait.recv();
                std::panic::resume_unwind(Box::new("sink"));
            }),
        )
        .unwrap();
        outlet.push(0);
        entered.recv().unwrap(); // the sink is at work: nobody takes what comes now
        for n in 1..=u32::try_from(CAPACITY).unwrap() {
            outlet.push(n);
        }
        assert!(outlet.is_full());
        go.send(()).unwrap();
        assert!(outlet.drain().wait(Duration::from_secs(20)));
        assert!(!outlet.is_full());
    }
}
