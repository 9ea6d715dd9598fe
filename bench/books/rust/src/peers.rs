//! Books that can be measured: each takes the same records.

#[cfg(feature = "lobster")]
pub mod lobster;
#[cfg(feature = "matchcore")]
pub mod matchcore;
pub mod onseju;
#[cfg(feature = "orderbook-rs")]
pub mod orderbook_rs;

use crate::record::{Record, Workload};
use crate::tape::Sink;

/// A venue of books, one for each instrument of a workload.
pub trait Peer {
    /// Empty books. What is set up here is not timed.
    fn new(workload: &Workload) -> Self;

    /// Carry out one command and tell its trades.
    fn apply(&mut self, record: &Record, sink: &mut impl Sink);
}
