//! The state hash: the sum modulo 2^128 of XXH3-128 over the canonical bytes of each live record.
//!
//! The records' bytes are those of `onseju/matching/state_hash.py`. A sum does not depend on any order, so it is kept up to
//! date record by record: before a record is touched its hash is taken away, and when the command is done the new one is
//! added. That costs some 30 ns a record, so it can be switched off; `state_hash` computes it in full then.

use xxhash_rust::xxh3::xxh3_128;

use crate::engine::Engine;
use crate::instruments::Instrument;
use crate::repeats::{FirstUse, Key};
use crate::slab::NONE;
use crate::state::Counters;
use crate::words::Rule;

/// A record's canonical bytes, built up field by field.
struct Record {
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

    fn hash(&self) -> u128 {
        xxh3_128(&self.bytes[..self.len])
    }
}

/// The running sum, where it is kept.
#[derive(Debug, Default)]
pub(crate) struct Running {
    is_on: bool,
    sum: u128,
    /// Orders whose hash was taken away: place and id.
    dirty: Vec<(u32, u64)>,
}

impl Running {
    /// Whether the hash is kept up to date.
    pub fn is_kept(&self) -> bool {
        self.is_on
    }
}

fn counters_hash(counters: &Counters) -> u128 {
    let mut record = Record::new(1);
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
    record.hash()
}

fn instrument_hash(instrument: &Instrument) -> u128 {
    let listing = &instrument.listing;
    let mut record = Record::new(5);
    record
        .u32s([instrument.number])
        .put(listing.symbol)
        .i64s([instrument.base_price, listing.listed_shares])
        .u32s([listing.limit_ppm, listing.vi_dynamic_ppm, listing.vi_static_ppm, listing.tick_table.into()])
        .put([listing.board, listing.security])
        .put(listing.leverage.to_le_bytes())
        .i64s([instrument.limits.upper, instrument.limits.lower, instrument.last_price])
        .i64s([instrument.close_price, instrument.auction_price])
        .put([instrument.phase as u8])
        .i64s([instrument.indicated.0, instrument.indicated.1])
        .put([instrument.awaits_uncross.into(), instrument.is_extended.into()])
        .u32s([instrument.interruptions])
        .put([instrument.breaker_stage])
        .i64s([instrument.total_shares]);
    record.hash()
}

fn phase_done_hash(instrument: u32, (phase, occurrence): (u8, u16)) -> u128 {
    let mut record = Record::new(6);
    record.u32s([instrument]).put([phase]).put(occurrence.to_le_bytes());
    record.hash()
}

fn rule_hash(instrument: u32, rule: u32, value: i64) -> u128 {
    let mut record = Record::new(7);
    record.u32s([instrument, rule]).i64s([value]);
    record.hash()
}

fn tick_band_hash(table: u32, from_price: i64, tick: i64) -> u128 {
    let mut record = Record::new(8);
    record.u32s([table]).i64s([from_price, tick]);
    record.hash()
}

fn first_use_hash(day: u8, key: &Key, first_use: &FirstUse) -> u128 {
    let mut record = Record::new(9);
    record.put([day]).u32s([key.account]).put(key.client_id).put(first_use.body_hash).u64(first_use.seq);
    record.hash()
}

impl Engine {
    /// The sum modulo 2^128 of a hash of each live record: equal states have equal hashes. Kept up to date where that is
    /// switched on, else computed in full.
    pub fn state_hash(&self) -> u128 {
        if self.hash.is_on { self.hash.sum } else { self.full_state_hash() }
    }

    /// Keep the hash up to date from now on, or not.
    pub fn keep_hash(&mut self, is_on: bool) {
        self.hash = Running { is_on, sum: if is_on { self.full_state_hash() } else { 0 }, dirty: Vec::new() };
    }

    /// The hash, computed in full.
    pub fn full_state_hash(&self) -> u128 {
        let state = &self.state;
        let mut sum = counters_hash(&state.counters);
        let mut add = |hash: u128| sum = sum.wrapping_add(hash);
        for place in 0..state.accounts.list.len() as u32 {
            add(self.account_hash(place));
            state.accounts.at(place).orders.iter(state.orders.slab()).for_each(|order| add(self.order_hash(order)));
        }
        (0..state.accounts.positions.len() as u32).for_each(|place| add(self.position_hash(place)));
        for instrument in &state.instruments {
            let number = instrument.number;
            add(instrument_hash(instrument));
            add(self.pool_hash(instrument));
            instrument.phases_done.iter().for_each(|done| add(phase_done_hash(number, *done)));
            instrument.own_rules.iter().for_each(|(rule, value)| add(rule_hash(number, *rule, *value)));
        }
        state.rules.values.iter().for_each(|(rule, value)| add(rule_hash(0, *rule, *value)));
        for (table, bands) in &state.rules.tick_tables {
            bands.iter().for_each(|(from_price, tick)| add(tick_band_hash(*table, *from_price, *tick)));
        }
        for (day, uses) in state.repeats.days.iter().enumerate() {
            uses.iter().for_each(|(key, first_use)| add(first_use_hash(day as u8, key, first_use)));
        }
        sum
    }

    fn account_hash(&self, place: u32) -> u128 {
        let account = self.state.accounts.at(place);
        let balance = &account.balance;
        let mut record = Record::new(2);
        record
            .u32s([account.number])
            .put([account.kind as u8])
            .put(account.owner)
            .u64(account.opened_seq)
            .i64s([balance.cash, balance.reserved_cash, balance.unsettled_d1, balance.unsettled_d2]);
        record.hash()
    }

    fn position_hash(&self, place: u32) -> u128 {
        let position = &self.state.accounts.positions[place as usize];
        let shares = &position.shares;
        let mut record = Record::new(3);
        record
            .u32s([position.account, position.instrument])
            .i64s([shares.qty, shares.reserved_qty, shares.cost_amount, shares.realized_profit]);
        record.hash()
    }

    fn order_hash(&self, place: u32) -> u128 {
        let orders = &self.state.orders;
        let order = &orders[place];
        let upper = self.state.instruments[order.instrument as usize - 1].limits.upper;
        let rates = orders.rates(place);
        let more = orders.more(place).cloned().unwrap_or_default();
        let mut record = Record::new(4);
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
        record.hash()
    }

    /// The turns that are left of a pool, numbered from the one that is next.
    fn pool_hash(&self, instrument: &Instrument) -> u128 {
        let Some(pool) = &instrument.book.pool else { return 0 };
        let mut sum = 0_u128;
        for (place, turn) in pool.open(&self.state.orders).enumerate() {
            let mut record = Record::new(10);
            record
                .u32s([instrument.number, place as u32])
                .put([pool.side as u8])
                .i64s([pool.price])
                .u64(self.state.orders[turn.place].order_id)
                .i64s([turn.qty])
                .u64(turn.priority);
            sum = sum.wrapping_add(record.hash());
        }
        sum
    }

    #[inline]
    fn change(&mut self, was: u128, is: u128) {
        self.hash.sum = self.hash.sum.wrapping_sub(was).wrapping_add(is);
    }

    /// Call before a command is applied: its number changes the counters at least.
    #[inline]
    pub(crate) fn hash_begin(&mut self) {
        if self.hash.is_on {
            self.change(counters_hash(&self.state.counters), 0);
        }
    }

    /// Call when a command is done, all else having been written.
    #[inline]
    pub(crate) fn hash_end(&mut self) {
        if !self.hash.is_on {
            return;
        }
        self.change(0, counters_hash(&self.state.counters));
        while let Some((place, order_id)) = self.hash.dirty.pop() {
            let order = &mut self.state.orders[place];
            if order.order_id == order_id && order.is_dirty() {
                order.set_dirty(false);
                self.change(0, self.order_hash(place));
            }
        }
    }

    /// Call before an order is changed; `NONE` for none.
    #[inline]
    pub(crate) fn hash_without_order(&mut self, place: u32) {
        if !self.hash.is_on || place == NONE || self.state.orders[place].is_dirty() {
            return;
        }
        if self.state.orders[place].is_listed() {
            self.change(self.order_hash(place), 0);
        }
        self.state.orders[place].set_dirty(true);
        self.hash.dirty.push((place, self.state.orders[place].order_id));
    }

    #[inline]
    pub(crate) fn hash_without_instrument(&mut self, place: usize) {
        if self.hash.is_on {
            let instrument = &self.state.instruments[place];
            let was = instrument_hash(instrument).wrapping_add(self.pool_hash(instrument));
            self.change(was, 0);
        }
    }

    #[inline]
    pub(crate) fn hash_with_instrument(&mut self, place: usize) {
        if self.hash.is_on {
            let instrument = &self.state.instruments[place];
            let is = instrument_hash(instrument).wrapping_add(self.pool_hash(instrument));
            self.change(0, is);
        }
    }

    #[inline]
    pub(crate) fn hash_without_account(&mut self, place: u32) {
        if self.hash.is_on {
            self.change(self.account_hash(place), 0);
        }
    }

    #[inline]
    pub(crate) fn hash_with_account(&mut self, place: u32) {
        if self.hash.is_on {
            self.change(0, self.account_hash(place));
        }
    }

    #[inline]
    pub(crate) fn hash_without_position(&mut self, place: u32) {
        if self.hash.is_on {
            self.change(self.position_hash(place), 0);
        }
    }

    #[inline]
    pub(crate) fn hash_with_position(&mut self, place: u32) {
        if self.hash.is_on {
            self.change(0, self.position_hash(place));
        }
    }

    pub(crate) fn hash_rule(&mut self, instrument: u32, rule: u32, was: Option<i64>, is: i64) {
        if self.hash.is_on {
            self.change(was.map_or(0, |value| rule_hash(instrument, rule, value)), rule_hash(instrument, rule, is));
        }
    }

    pub(crate) fn hash_tick_band(&mut self, table: u32, from_price: i64, was: Option<i64>, is: i64) {
        if self.hash.is_on {
            let was = was.map_or(0, |tick| tick_band_hash(table, from_price, tick));
            self.change(was, tick_band_hash(table, from_price, is));
        }
    }

    pub(crate) fn hash_phase_done(&mut self, instrument: u32, done: (u8, u16)) {
        if self.hash.is_on {
            self.change(0, phase_done_hash(instrument, done));
        }
    }

    /// Call before a day's phase changes are forgotten, and that it was the first of a listing.
    pub(crate) fn hash_without_day(&mut self, place: usize) {
        if self.hash.is_on {
            let instrument = &self.state.instruments[place];
            let done = instrument.phases_done.iter();
            let was = done.fold(0_u128, |sum, done| sum.wrapping_add(phase_done_hash(instrument.number, *done)));
            let rule = u32::from(Rule::NewListing as u8);
            let new_listing = instrument.own_rules.get(&rule);
            let was = was.wrapping_add(new_listing.map_or(0, |value| rule_hash(instrument.number, rule, *value)));
            self.change(was, 0);
        }
    }

    #[inline]
    pub(crate) fn hash_first_use(&mut self, key: &Key, first_use: &FirstUse) {
        if self.hash.is_on {
            self.change(0, first_use_hash(0, key, first_use));
        }
    }

    /// A trading day begins: today's client ids become yesterday's, yesterday's are dropped.
    pub(crate) fn hash_roll_repeats(&mut self) {
        if !self.hash.is_on {
            return;
        }
        let mut sum = 0_u128;
        let [today, yesterday] = &self.state.repeats.days;
        for (key, first_use) in today {
            let moves = first_use_hash(1, key, first_use).wrapping_sub(first_use_hash(0, key, first_use));
            sum = sum.wrapping_add(moves);
        }
        for (key, first_use) in yesterday {
            sum = sum.wrapping_sub(first_use_hash(1, key, first_use));
        }
        self.change(0, sum);
    }
}
