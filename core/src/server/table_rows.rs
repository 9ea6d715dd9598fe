//! From events to the rows of the read side's tables: of each order, balance, position and candle the last state.
//!
//! The twin of what `onseju/projections/rows.py` does with the events of every day; those that are rare are left to it. A
//! row's numbers are in the order of its table's columns (`onseju/projections/tables.py`), the tables' rows in that of their
//! largest indexes, so that neighbours are written one after the other.

use crate::events::{EVENT_BYTES, EventKind};
use crate::hashing::NumberMap;
use crate::server::event_view::{EventView, events_in};
use crate::words::OrderStatus;

const ACCEPTED: u8 = EventKind::OrderAccepted as u8;
const REJECTED: u8 = EventKind::OrderRejected as u8;
const LAST_OF_ORDERS: u8 = EventKind::OrderTriggered as u8;
const FILLED: u8 = EventKind::OrderFilled as u8;
const TRADE: u8 = EventKind::Trade as u8;
const BALANCE: u8 = EventKind::BalanceChanged as u8;
const POSITION: u8 = EventKind::PositionChanged as u8;

const MINUTE_S: i64 = 60;
const DAY_S: i64 = 86_400;
const MINUTE_US: i64 = MINUTE_S * 1_000_000;

/// The place of the client's own id in an order's row: the one column that is no number.
pub(crate) const NAME: usize = 4;
const LEAVES: usize = 11;
const CREATED: usize = 18;
const UPDATED: usize = 20;

/// An order's row; the number at `NAME` stands for nothing.
pub(crate) struct OrderRow {
    pub numbers: [i64; 22],
    pub name: Option<Box<str>>,
}

/// Account and instrument.
type Key = (u32, u32);

/// What many commands' events change.
#[derive(Default)]
pub(crate) struct TableRows {
    pub orders: Vec<OrderRow>,
    order_places: NumberMap<u64, usize>,
    open_fills: NumberMap<u64, [i64; 9]>,
    /// What fills changed in orders that have no whole row here; the order's id is the last number.
    pub order_fills: Vec<[i64; 9]>,
    pub fills: Vec<[i64; 19]>,
    pub trades: Vec<[i64; 8]>,
    pub balances: Vec<[i64; 7]>,
    balance_places: NumberMap<u32, usize>,
    pub positions: Vec<[i64; 8]>,
    position_places: NumberMap<Key, usize>,
    pub candles: Vec<[i64; 10]>,
    candle_places: NumberMap<(u32, u64, u64), usize>,
    pub accepted: u64,
    pub done: u64,
    pub rejected: u64,
}

/// A command's text, and where its events end.
pub(crate) struct Texts<'a> {
    /// The byte behind each command's events.
    pub ends: &'a [usize],
    /// By the command's place, in that order.
    pub texts: &'a [(usize, String)],
}

impl TableRows {
    /// Take in more events. `day_start` is when their trading day's candle begins, in microseconds.
    pub fn add(&mut self, payload: &[u8], day_start: i64, texts: &Texts<'_>) {
        let mut done = 0;
        for (place, text) in texts.texts {
            let end = texts.ends.get(*place).copied().unwrap_or(0);
            let start = place.checked_sub(1).and_then(|before| texts.ends.get(before)).copied().unwrap_or(0);
            self.add_part(payload.get(done..start).unwrap_or_default(), day_start, "");
            self.add_part(payload.get(start..end).unwrap_or_default(), day_start, text);
            done = end;
        }
        self.add_part(payload.get(done..).unwrap_or_default(), day_start, "");
    }

    fn add_part(&mut self, payload: &[u8], day_start: i64, text: &str) {
        for event in events_in(payload) {
            match event.kind() {
                ACCEPTED..=LAST_OF_ORDERS => self.order(event, text),
                FILLED => self.fill(event),
                TRADE => self.trade(event, day_start),
                BALANCE => self.balance(event),
                POSITION => self.position(event),
                _ => {}
            }
        }
    }

    fn order(&mut self, event: EventView<'_>, text: &str) {
        let order_id = event.u64(32);
        let status = event.u8(123);
        let done = is_done(status);
        match event.kind() {
            ACCEPTED => self.accepted += 1,
            REJECTED => self.rejected += 1,
            _ => self.done += u64::from(done),
        }
        self.open_fills.remove(&order_id);
        let (seq, ts) = (event.i64(0), event.ts());
        let numbers = [
            event.i64(32),
            event.i64(40),
            event.account().into(),
            event.instrument().into(),
            0,
            event.u8(120).into(),
            event.u8(121).into(),
            event.u8(122).into(),
            event.i64(48),
            event.i64(56),
            event.i64(64),
            event.i64(72),
            event.i64(80),
            event.i64(88),
            event.i64(96),
            status.into(),
            done.into(),
            u16::from_le_bytes([event.u8(30), event.u8(31)]).into(),
            seq,
            ts,
            seq,
            ts,
        ];
        let mut row = OrderRow { numbers, name: name_in(text, order_id) };
        let next = self.orders.len();
        let place = *self.order_places.entry(order_id).or_insert(next);
        if place == next {
            self.orders.push(row);
        } else {
            row.numbers[CREATED..UPDATED].copy_from_slice(&self.orders[place].numbers[CREATED..UPDATED]);
            self.orders[place] = row;
        }
    }

    fn fill(&mut self, event: EventView<'_>) {
        let order_id = event.u64(32);
        let (seq, ts) = (event.i64(0), event.ts());
        let status = event.u8(122);
        let done = is_done(status);
        self.done += u64::from(done);
        let [leaves, filled, canceled, amount] = [64, 72, 80, 88].map(|at| event.i64(at));
        self.fills.push([
            seq,
            event.u32(16).into(),
            ts,
            event.account().into(),
            event.instrument().into(),
            event.i64(32),
            event.i64(40),
            event.u8(120).into(),
            event.i64(48),
            event.i64(56),
            event.u8(121).into(),
            leaves,
            filled,
            canceled,
            amount,
            event.i64(96),
            event.i64(104),
            event.i64(112),
            status.into(),
        ]);
        let sums = [leaves, filled, canceled, amount, status.into(), done.into()];
        if let Some(place) = self.order_places.get(&order_id) {
            let row = &mut self.orders[*place].numbers;
            row[LEAVES..LEAVES + sums.len()].copy_from_slice(&sums);
            row[UPDATED..].copy_from_slice(&[seq, ts]);
        } else {
            let [leaves, filled, canceled, amount, status, done] = sums;
            self.open_fills.insert(order_id, [leaves, filled, canceled, amount, status, done, seq, ts, event.i64(32)]);
        }
    }

    fn trade(&mut self, event: EventView<'_>, day_start: i64) {
        let (ts, instrument, price, qty) = (event.ts(), event.instrument(), event.i64(40), event.i64(48));
        self.trades.push([
            event.i64(32),
            event.i64(0),
            event.u32(16).into(),
            ts,
            instrument.into(),
            price,
            qty,
            event.u8(72).into(),
        ]);
        self.candle(instrument, [MINUTE_S, ts - ts.rem_euclid(MINUTE_US)], price, qty);
        self.candle(instrument, [DAY_S, day_start], price, qty);
    }

    /// Sums stop at the largest number.
    fn candle(&mut self, instrument: u32, [interval, start]: [i64; 2], price: i64, qty: i64) {
        let amount = price.saturating_mul(qty);
        let next = self.candles.len();
        let key = (instrument, interval as u64, start as u64);
        let place = *self.candle_places.entry(key).or_insert(next);
        if place == next {
            self.candles.push([instrument.into(), interval, start, price, price, price, price, qty, amount, 1]);
            return;
        }
        let candle = &mut self.candles[place];
        candle[4] = candle[4].max(price);
        candle[5] = candle[5].min(price);
        candle[6] = price;
        candle[7] = candle[7].saturating_add(qty);
        candle[8] = candle[8].saturating_add(amount);
        candle[9] += 1;
    }

    fn balance(&mut self, event: EventView<'_>) {
        let account = event.account();
        let [cash, reserved, d1, d2] = [32, 40, 48, 56].map(|at| event.i64(at));
        let next = self.balances.len();
        let place = *self.balance_places.entry(account).or_insert(next);
        let row = [account.into(), cash, reserved, d1, d2, event.i64(0), event.ts()];
        put(&mut self.balances, place, row);
    }

    fn position(&mut self, event: EventView<'_>) {
        let key = (event.account(), event.instrument());
        let [qty, reserved, cost, profit] = [32, 40, 48, 56].map(|at| event.i64(at));
        let next = self.positions.len();
        let place = *self.position_places.entry(key).or_insert(next);
        let row = [key.0.into(), key.1.into(), qty, reserved, cost, profit, event.i64(0), event.ts()];
        put(&mut self.positions, place, row);
    }

    /// An account's cash, where an event told of it.
    pub fn cash(&self, account: u32) -> Option<i64> {
        self.balance_places.get(&account).map(|place| self.balances[*place][1])
    }

    /// An account's shares of an instrument, where an event told of them.
    pub fn shares(&self, account: u32, instrument: u32) -> Option<i64> {
        self.position_places.get(&(account, instrument)).map(|place| self.positions[*place][2])
    }

    /// Put the rows in their order. Nothing may be added any more.
    pub fn finish(&mut self) {
        self.order_places.clear();
        self.balance_places.clear();
        self.position_places.clear();
        self.candle_places.clear();
        self.order_fills.extend(self.open_fills.drain().map(|(_, row)| row));
        self.orders.sort_unstable_by_key(|row| [2, 3, 0].map(|at| row.numbers[at]));
        self.order_fills.sort_unstable_by_key(|row| row[8]);
        self.fills.sort_unstable_by_key(|row| [3, 0, 1].map(|at| row[at]));
        self.trades.sort_unstable_by_key(|row| [4, 0].map(|at| row[at]));
        self.balances.sort_unstable_by_key(|row| row[0]);
        self.positions.sort_unstable_by_key(|row| [row[0], row[1]]);
        self.candles.sort_unstable_by_key(|row| [row[0], row[1], row[2]]);
    }
}

/// Set a row, or add it behind the last.
fn put<const N: usize>(rows: &mut Vec<[i64; N]>, place: usize, row: [i64; N]) {
    if place == rows.len() {
        rows.push(row);
    } else {
        rows[place] = row;
    }
}

fn is_done(status: u8) -> bool {
    status != OrderStatus::New as u8 && status != OrderStatus::PartiallyFilled as u8
}

/// An order's text in its block's: a line each, the order's number, a tab, the text.
fn name_in(text: &str, order_id: u64) -> Option<Box<str>> {
    if text.is_empty() {
        return None;
    }
    text.rsplit('\n').find_map(|line| {
        let (number, name) = line.split_once('\t')?;
        (number.parse() == Ok(order_id)).then(|| name.into())
    })
}

/// Whether these bytes are whole events.
pub(crate) fn are_events(payload: &[u8]) -> bool {
    payload.len().is_multiple_of(EVENT_BYTES)
}
