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

    /// So many commands are shown to `look_ahead` before they are carried out, in the passes that do not time each of them;
    /// 0 = none.
    const AHEAD: usize = 0;

    /// Get ready for commands.
    fn look_ahead(&self, _records: &[Record]) {}

    /// Carry out one command and tell its trades.
    fn apply(&mut self, record: &Record, sink: &mut impl Sink);
}

/// Carry out commands, looked at ahead where the book can.
#[inline]
pub fn apply_all<P: Peer>(book: &mut P, records: &[Record], sink: &mut impl Sink) {
    if P::AHEAD == 0 {
        return records.iter().for_each(|record| book.apply(record, sink));
    }
    for group in records.chunks(P::AHEAD) {
        book.look_ahead(group);
        group.iter().for_each(|record| book.apply(record, sink));
    }
}
