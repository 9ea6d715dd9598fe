//! An account's event as the bytes that its stream gets.
//!
//! The twin of `onseju/push/frames.py` and `onseju/contract/views.py` for orders, fills, balances and positions; what is told
//! of requests, and texts that JSON would escape, are left to them.

use crate::events::EventKind;
use crate::server::entry::{EventBytes, i64_at, u32_at};
use crate::server::event_view::Position;
use crate::server::order_views::{
    Clock, client_id, is_plain, put, put_average, put_fill, put_number, put_order, put_place, put_time,
};

const KIND: usize = 28;
const ACCEPTED: u8 = EventKind::OrderAccepted as u8;
const TRIGGERED: u8 = EventKind::OrderTriggered as u8;
const FILLED: u8 = EventKind::OrderFilled as u8;
const BALANCE: u8 = EventKind::BalanceChanged as u8;
const POSITION: u8 = EventKind::PositionChanged as u8;

/// Writes frames of one journal, whose id JSON has as it is.
#[derive(Debug, Default)]
pub(crate) struct StreamFrames {
    pub journal_id: String,
    /// The reasons' codes, by number; empty where there is none.
    pub reasons: Vec<String>,
    clock: Clock,
}

impl StreamFrames {
    pub fn new(journal_id: String, reasons: Vec<String>) -> Self {
        Self { journal_id, reasons, clock: Clock::default() }
    }

    /// Write the frame (`id:…`, `event:…`, `data:…` and an empty line), and give the byte at which its JSON begins. None
    /// where the plain form must write it; then what is in `out` is worth nothing.
    ///
    /// `text` is the block's, `symbol` the instrument's (empty without one), `before` the account's event before this one.
    pub fn write(
        &mut self,
        out: &mut Vec<u8>,
        event: &EventBytes,
        text: &str,
        symbol: &str,
        before: Option<Position>,
    ) -> Option<usize> {
        let kind = match event[KIND] {
            ACCEPTED..=TRIGGERED => "order",
            FILLED => "fill",
            BALANCE | POSITION => "account",
            _ => return None,
        };
        if !is_plain(symbol) || !is_plain(&self.journal_id) {
            return None;
        }
        let symbol = format!("\"{symbol}\"");
        let at = (i64_at(event, 0) as u64, u32_at(event, 16));
        put(out, "id:");
        self.put_id(out, at);
        put(out, "\nevent:");
        put(out, kind);
        put(out, "\ndata:");
        let start = out.len();
        put(out, "{\"ch\":\"account\",\"id\":\"");
        self.put_id(out, at);
        match before {
            None => put(out, "\",\"prev\":null"),
            Some(before) => {
                put(out, "\",\"prev\":\"");
                self.put_id(out, before);
                out.push(b'"');
            }
        }
        put(out, ",\"type\":\"");
        put(out, kind);
        put(out, "\",\"ts\":\"");
        put_time(out, i64_at(event, 8), &mut self.clock)?;
        put(out, "\",\"data\":");
        match event[KIND] {
            FILLED => put_fill(out, event, client_id(text, i64_at(event, 32))?, &symbol, &mut self.clock)?,
            BALANCE => self.put_balance(out, event)?,
            POSITION => self.put_position(out, event, &symbol)?,
            _ => {
                let sums = [72, 80, 88, 96].map(|at| i64_at(event, at));
                let id = client_id(text, i64_at(event, 32))?;
                put_order(out, event, sums, event[123], id, &symbol, &self.reasons, &mut self.clock)?;
                out.push(b'}');
            }
        }
        put(out, "}\n\n");
        Some(start)
    }

    fn put_id(&self, out: &mut Vec<u8>, (seq, idx): Position) {
        put(out, &self.journal_id);
        out.push(b'-');
        put_number(out, seq.cast_signed());
        out.push(b'-');
        put_number(out, idx.into());
    }

    fn put_balance(&mut self, out: &mut Vec<u8>, event: &EventBytes) -> Option<()> {
        let [cash, reserved, d1, d2] = [32, 40, 48, 56].map(|at| i64_at(event, at));
        let by_tomorrow = cash.checked_sub(d2)?;
        put(out, "{\"kind\":\"balance\",\"account_id\":");
        put_number(out, u32_at(event, 20).into());
        for (name, amount) in [
            (",\"cash\":", cash),
            (",\"reserved\":", reserved),
            (",\"available\":", cash.checked_sub(reserved)?),
            (",\"settled_cash\":", cash.checked_sub(d1)?.checked_sub(d2)?),
            (",\"cash_d1\":", by_tomorrow),
            (",\"cash_d2\":", cash),
        ] {
            put(out, name);
            put_number(out, amount);
        }
        put_place(out, event, &mut self.clock)?;
        out.push(b'}');
        Some(())
    }

    fn put_position(&mut self, out: &mut Vec<u8>, event: &EventBytes, symbol: &str) -> Option<()> {
        let [qty, reserved, cost, profit] = [32, 40, 48, 56].map(|at| i64_at(event, at));
        if qty < 0 {
            return None; // no account has less than no shares; Python divides by such a number otherwise
        }
        put(out, "{\"kind\":\"position\",\"account_id\":");
        put_number(out, u32_at(event, 20).into());
        put(out, ",\"symbol\":");
        put(out, symbol);
        for (name, number) in [
            (",\"qty\":", qty),
            (",\"reserved_qty\":", reserved),
            (",\"available_qty\":", qty.checked_sub(reserved)?),
            (",\"cost_amount\":", cost),
        ] {
            put(out, name);
            put_number(out, number);
        }
        put(out, ",\"avg_cost\":");
        put_average(out, cost, qty);
        put(out, ",\"realized_profit\":");
        put_number(out, profit);
        put_place(out, event, &mut self.clock)?;
        out.push(b'}');
        Some(())
    }
}
