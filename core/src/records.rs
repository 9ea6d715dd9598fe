//! The canonical bytes of every live record: what the state hash sums up and a snapshot carries.
//!
//! A record's bytes are its tag (u8), then its fields little-endian; they are those of `onseju/matching/state_hash.py`.

use xxhash_rust::xxh3::xxh3_128;

use crate::engine::Engine;
use crate::instruments::Instrument;
use crate::repeats::{FirstUse, Key};
use crate::state::Counters;

pub(crate) const COUNTERS: u8 = 1;
pub(crate) const ACCOUNT: u8 = 2;
pub(crate) const POSITION: u8 = 3;
pub(crate) const ORDER: u8 = 4;
pub(crate) const INSTRUMENT: u8 = 5;
pub(crate) const PHASE_DONE: u8 = 6;
pub(crate) const RULE: u8 = 7;
pub(crate) const TICK_BAND: u8 = 8;
pub(crate) const FIRST_USE: u8 = 9;
pub(crate) const QUOTA: u8 = 10;

/// How wide a record of each tag is, its tag included.
pub(crate) const WIDTHS: [usize; 11] = [0, 59, 62, 41, 160, 129, 8, 17, 21, 38, 42];

/// A record's canonical bytes, built up field by field.
pub(crate) struct Record {
    bytes: [u8; 192],
    len: usize,
}

impl Record {
    fn new(tag: u8) -> Self {
        let mut record = Self { bytes: [0; 192], len: 0 };
        record.put([tag]);
        record
    }

    #[inline]
    fn put<const N: usize>(&mut self, bytes: [u8; N]) -> &mut Self {
        self.bytes[self.len..self.len + N].copy_from_slice(&bytes);
        self.len += N;
        self
    }

    #[inline]
    fn u32s<const N: usize>(&mut self, numbers: [u32; N]) -> &mut Self {
        for number in numbers {
            self.put(number.to_le_bytes());
        }
        self
    }

    #[inline]
    fn u64(&mut self, number: u64) -> &mut Self {
        self.put(number.to_le_bytes())
    }

    #[inline]
    fn i64s<const N: usize>(&mut self, numbers: [i64; N]) -> &mut Self {
        for number in numbers {
            self.put(number.to_le_bytes());
        }
        self
    }

    /// The record's bytes.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes[..self.len]
    }

    /// The record's part of the state hash.
    #[inline]
    pub fn hash(&self) -> u128 {
        xxh3_128(self.bytes())
    }
}

pub(crate) fn counters_record(counters: &Counters) -> Record {
    let mut record = Record::new(COUNTERS);
    record
        .put([counters.is_open.into(), counters.price_scale])
        .u32s([counters.trading_day])
        .u64(counters.epoch)
        .u64(counters.last_seq)
        .u64(counters.last_order_id)
        .u64(counters.last_trade_id)
        .u64(counters.last_priority)
        .i64s([counters.total_cash])
        .u32s([counters.venue_account]);
    record
}

pub(crate) fn instrument_record(instrument: &Instrument) -> Record {
    let listing = &instrument.listing;
    let mut record = Record::new(INSTRUMENT);
    record
        .u32s([instrument.number])
        .put(listing.symbol)
        .i64s([instrument.base_price, listing.listed_shares])
        .u32s([listing.limit_ppm, listing.vi_dynamic_ppm, listing.vi_static_ppm, listing.tick_table.into()])
        .put([listing.board, listing.security])
        .put(listing.leverage.to_le_bytes())
        .i64s([instrument.limits.upper, instrument.limits.lower, instrument.last_price])
        .i64s([instrument.close_price])
        .put([instrument.has_traded.into()])
        .i64s([instrument.auction_price])
        .put([instrument.phase as u8])
        .i64s([instrument.indicated.0, instrument.indicated.1])
        .put([instrument.awaits_uncross.into(), instrument.is_extended.into()])
        .u32s([instrument.interruptions])
        .put([instrument.breaker_stage])
        .i64s([instrument.total_shares]);
    record
}

pub(crate) fn phase_done_record(instrument: u32, (phase, occurrence): (u8, u16)) -> Record {
    let mut record = Record::new(PHASE_DONE);
    record.u32s([instrument]).put([phase]).put(occurrence.to_le_bytes());
    record
}

pub(crate) fn rule_record(instrument: u32, rule: u32, value: i64) -> Record {
    let mut record = Record::new(RULE);
    record.u32s([instrument, rule]).i64s([value]);
    record
}

pub(crate) fn tick_band_record(table: u32, from_price: i64, tick: i64) -> Record {
    let mut record = Record::new(TICK_BAND);
    record.u32s([table]).i64s([from_price, tick]);
    record
}

pub(crate) fn first_use_record(day: u8, key: &Key, first_use: &FirstUse) -> Record {
    let mut record = Record::new(FIRST_USE);
    record.put([day]).u32s([key.account]).put(key.client_id).put(first_use.body_hash).u64(first_use.seq);
    record
}

impl Engine {
    /// Show every live record, in no particular order.
    pub(crate) fn for_each_record(&self, mut visit: impl FnMut(&Record)) {
        let state = &self.state;
        visit(&counters_record(&state.counters));
        for place in 0..state.accounts.list.len() as u32 {
            visit(&self.account_record(place));
            for order in state.accounts.at(place).orders.iter(state.orders.slab()) {
                visit(&self.order_record(order));
            }
        }
        for place in 0..state.accounts.positions.len() as u32 {
            visit(&self.position_record(place));
        }
        for instrument in &state.instruments {
            let number = instrument.number;
            visit(&instrument_record(instrument));
            self.for_each_turn(instrument, &mut visit);
            instrument.phases_done.iter().for_each(|done| visit(&phase_done_record(number, *done)));
            instrument.own_rules.iter().for_each(|(rule, value)| visit(&rule_record(number, *rule, *value)));
        }
        state.rules.values.iter().for_each(|(rule, value)| visit(&rule_record(0, *rule, *value)));
        for (table, bands) in &state.rules.tick_tables {
            bands.iter().for_each(|(from_price, tick)| visit(&tick_band_record(*table, *from_price, *tick)));
        }
        for (day, uses) in state.repeats.days().iter().enumerate() {
            uses.iter().for_each(|(key, first_use)| visit(&first_use_record(day as u8, &key, &first_use)));
        }
    }

    pub(crate) fn account_record(&self, place: u32) -> Record {
        let account = self.state.accounts.at(place);
        let balance = &account.balance;
        let mut record = Record::new(ACCOUNT);
        record.u32s([account.number]).put([account.kind as u8]).put(account.owner).u64(account.opened_seq).i64s([
            balance.cash,
            balance.reserved_cash,
            balance.unsettled_d1,
            balance.unsettled_d2,
        ]);
        record
    }

    pub(crate) fn position_record(&self, place: u32) -> Record {
        let position = &self.state.accounts.positions[place as usize];
        let shares = &position.shares;
        let mut record = Record::new(POSITION);
        record.u32s([position.account, position.instrument]).i64s([
            shares.qty,
            shares.reserved_qty,
            shares.cost_amount,
            shares.realized_profit,
        ]);
        record
    }

    pub(crate) fn order_record(&self, place: u32) -> Record {
        let orders = &self.state.orders;
        let order = &orders[place];
        let upper = self.state.instruments[order.instrument as usize - 1].limits.upper;
        let rates = orders.rates(place);
        let more = orders.more(place).cloned().unwrap_or_default();
        let mut record = Record::new(ORDER);
        record
            .u64(order.order_id)
            .u32s([self.state.accounts.at(order.account).number, order.instrument])
            .put([order.side() as u8, order.order_type as u8, order.time_in_force() as u8])
            .i64s([order.qty, order.limit_price, more.stop_price])
            .u64(order.priority)
            .put(more.client_id)
            .i64s([order.leaves_qty])
            .u64(more.parent_order_id)
            .i64s([order.filled_qty, order.canceled_qty(), order.filled_amount])
            .i64s([order.reserve_price(upper), orders.reserved(place, upper)])
            .u32s([rates.commission, rates.transaction_tax, rates.rural_tax])
            .i64s([more.commission, more.transaction_tax, more.rural_tax]);
        record
    }

    /// The turns that are left of a pool, numbered from the one that is next.
    pub(crate) fn for_each_turn(&self, instrument: &Instrument, mut visit: impl FnMut(&Record)) {
        let Some(pool) = &instrument.book.pool else { return };
        for (place, turn) in pool.open(&self.state.orders).enumerate() {
            let mut record = Record::new(QUOTA);
            record
                .u32s([instrument.number, place as u32])
                .put([pool.side as u8])
                .i64s([pool.price])
                .u64(self.state.orders[turn.place].order_id)
                .i64s([turn.qty])
                .u64(turn.priority);
            visit(&record);
        }
    }
}
