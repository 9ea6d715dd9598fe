//! The state machine of Onseju, a stock exchange: books, order types, auctions, volatility interruptions, accounts,
//! reservations, fees and idempotency keys in one deterministic engine. Bytes in, bytes out.
//!
//! It is the fast twin of the reference engine in Python (`onseju/matching/reference.py`), which is the specification: the
//! same commands give the same events, byte for byte, and the same state hash. The modules have the reference's names.
//!
//! `entry` and `order_views` are no part of the machine: the Python module offers them to the gateway.
//!
//! [`Engine`] is the whole machine, [`Book`] a bare order book that can be used alone.

#[cfg(feature = "python")]
mod account_chains;
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
#[cfg(feature = "python")]
mod entry;
#[cfg(feature = "python")]
mod event_view;
mod events;
mod hashing;
mod instruments;
mod invariants;
#[cfg(feature = "python")]
mod journal_frames;
mod kept_ids;
mod ladder;
mod ledger;
#[cfg(feature = "python")]
mod market_digest;
mod matcher;
mod money;
mod order_checks;
mod order_desk;
mod order_ids;
#[cfg(feature = "python")]
mod order_texts;
#[cfg(feature = "python")]
mod order_views;
mod orders;
mod outbox;
mod pool;
#[cfg(feature = "python")]
mod python;
#[cfg(feature = "python")]
mod python_entry;
#[cfg(feature = "python")]
mod python_listeners;
#[cfg(feature = "python")]
mod python_rows;
#[cfg(feature = "python")]
mod python_runs;
#[cfg(feature = "python")]
mod queue_places;
#[cfg(feature = "python")]
mod queue_turns;
mod quotes;
mod reasons;
mod records;
mod repeats;
mod rulebook;
#[cfg(feature = "python")]
mod runs;
mod session_desk;
mod slab;
mod snapshot;
mod soundness;
mod state;
mod state_hash;
mod stops;
#[cfg(feature = "python")]
mod table_rows;
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
