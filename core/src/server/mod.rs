//! What the server does with many commands and events at once, in the stages around the machine. It reads their bytes and
//! knows nothing of the engine. Python does the same where this is not compiled; only the Python module has it.

// the gateway: commands checked and stamped, answers made
pub mod entry;
pub mod order_views;

// the exchange and its journal: commands numbered, records framed and chained, texts of open orders
pub mod journal_frames;
pub mod order_texts;
pub mod runs;

// those who listen to events: the streams' chains, the market's digest, places in the queue, the tables' rows
pub mod account_chains;
pub mod event_view;
pub mod market_digest;
pub mod queue_places;
pub mod queue_turns;
pub mod stream_frames;
pub mod table_rows;
