//! The state machine of Onseju, a stock exchange: books, order types, auctions, volatility interruptions, accounts,
//! reservations, fees and idempotency keys in one deterministic engine. Bytes in, bytes out.
//!
//! It is the fast twin of the reference engine in Python (`onseju/matching/reference.py`), which is the specification: the
//! same commands give the same events, byte for byte, and the same state hash. The modules have the reference's names.
//!
//! `server` is no part of the machine: it is what the server does with many commands and events at once, for Python alone.
//!
//! [`Engine`] is the whole machine, [`Book`] a bare order book that can be used alone.

mod accounts;
mod ahead;
mod auction;
mod auctioneer;
mod bare_book;
mod bits;
mod book;
mod commands;
mod correction_desk;
mod counterparty;
mod engine;
mod events;
mod hashing;
mod instruments;
mod invariants;
mod kept_ids;
mod ladder;
mod ledger;
mod matcher;
mod money;
mod order_checks;
mod order_desk;
mod order_ids;
mod orders;
mod outbox;
mod pool;
#[cfg(feature = "python")]
mod python;
mod quotes;
mod reasons;
mod records;
mod repeats;
mod rulebook;
#[cfg(feature = "python")]
mod server;
mod session_desk;
mod slab;
mod snapshot;
mod soundness;
mod state;
mod state_hash;
mod stops;
mod ticks;
mod trial;
mod venue_desk;
mod volatility;
mod words;

pub use bare_book::{Book, Books, Placed, Prices, Soon, Trade};
pub use commands::{COMMAND_BYTES, CommandKind};
pub use engine::{ApplyError, Engine};
pub use events::{EVENT_BYTES, EventKind};
pub use reasons::Reason;
pub use snapshot::SnapshotError;
pub use words::{OrderType, Phase, Rule, Side, TimeInForce};
