//! The grid: how TCP behaves over paths that are lossy, long, thin, reordering or shared, cell by cell, in numbers.
//!
//! A [`Cell`] is a path. A [`World`] is two [`End`]s with a cable between them, and a [`Watch`] that counts what every byte
//! went through; [`measure`] lets two hosts of ours play a cell in virtual time. Ends of another kind, moved by a real
//! clock, give the same numbers for other stacks: see `benches/grid`.
//!
//! ```
//! use sockeye_core::sim::grid::{Cell, Plan, measure};
//! use sockeye_core::time::Duration;
//!
//! let cell: Cell = "loss=1% rtt=20ms rate=10mbit queue=1".parse()?;
//! let plan = Plan { bulk: Duration::from_secs(5), ..Plan::default() };
//! let measured = measure(&cell, &plan, 7)?;
//! assert!(measured.goodput > 1_000_000.0);
//! assert_eq!(measure(&cell, &plan, 7)?, measured, "the same seed, the same numbers");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod cell;
mod host;
mod measure;
mod ranges;
mod watch;
mod world;

pub use cell::{Cell, CellError, FRAME};
pub use host::{FlowPlan, GridHost, PORT, RECEIVER, SECOND_SENDER, SENDER};
pub use measure::{Measured, Plan, Sample, jain, measure, trace};
pub use watch::{Counts, Incident, IncidentKind, Watch};
pub use world::{End, World};
