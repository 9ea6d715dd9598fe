//! The state hash: the sum modulo 2^128 of XXH3-128 over the canonical bytes of each live record (`records.rs`).
//!
//! A sum does not depend on any order, so it is kept up to date record by record: before a record is touched its hash is
//! taken away, and when the command is done the new one is added. That costs some 30 ns a record, so it can be switched off;
//! `state_hash` computes it in full then.

use crate::engine::Engine;
use crate::records::{
    counters_record, first_use_record, instrument_record, phase_done_record, rule_record, tick_band_record,
};
use crate::repeats::{FirstUse, Key};
use crate::slab::NONE;
use crate::words::Rule;

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
        let mut sum = 0_u128;
        self.for_each_record(|record| sum = sum.wrapping_add(record.hash()));
        sum
    }

    /// An instrument's hash, with that of its pool.
    fn instrument_hash(&self, place: usize) -> u128 {
        let instrument = &self.state.instruments[place];
        let mut sum = instrument_record(instrument).hash();
        self.for_each_turn(instrument, |record| sum = sum.wrapping_add(record.hash()));
        sum
    }

    #[inline]
    fn change(&mut self, was: u128, is: u128) {
        self.hash.sum = self.hash.sum.wrapping_sub(was).wrapping_add(is);
    }

    /// Call before a command is applied: its number changes the counters at least.
    #[inline(always)]
    pub(crate) fn hash_begin(&mut self) {
        if self.hash.is_on {
            self.take_counters();
        }
    }

    #[cold]
    fn take_counters(&mut self) {
        self.change(counters_record(&self.state.counters).hash(), 0);
    }

    /// Call when a command is done, all else having been written.
    #[inline(always)]
    pub(crate) fn hash_end(&mut self) {
        if self.hash.is_on {
            self.add_counters_and_orders();
        }
    }

    #[cold]
    fn add_counters_and_orders(&mut self) {
        self.change(0, counters_record(&self.state.counters).hash());
        while let Some((place, order_id)) = self.hash.dirty.pop() {
            let order = &mut self.state.orders[place];
            if order.order_id == order_id && order.is_dirty() {
                order.set_dirty(false);
                self.change(0, self.order_record(place).hash());
            }
        }
    }

    /// Call before an order is changed; `NONE` for none.
    #[inline(always)]
    pub(crate) fn hash_without_order(&mut self, place: u32) {
        if self.hash.is_on {
            self.take_order(place);
        }
    }

    #[cold]
    fn take_order(&mut self, place: u32) {
        if place == NONE || self.state.orders[place].is_dirty() {
            return;
        }
        if self.state.orders[place].is_listed() {
            self.change(self.order_record(place).hash(), 0);
        }
        self.state.orders[place].set_dirty(true);
        self.hash.dirty.push((place, self.state.orders[place].order_id));
    }

    #[inline(always)]
    pub(crate) fn hash_without_instrument(&mut self, place: usize) {
        if self.hash.is_on {
            self.take_instrument(place);
        }
    }

    #[cold]
    fn take_instrument(&mut self, place: usize) {
        self.change(self.instrument_hash(place), 0);
    }

    #[inline(always)]
    pub(crate) fn hash_with_instrument(&mut self, place: usize) {
        if self.hash.is_on {
            self.add_instrument(place);
        }
    }

    #[cold]
    fn add_instrument(&mut self, place: usize) {
        self.change(0, self.instrument_hash(place));
    }

    #[inline(always)]
    pub(crate) fn hash_without_account(&mut self, place: u32) {
        if self.hash.is_on {
            self.take_account(place);
        }
    }

    #[cold]
    fn take_account(&mut self, place: u32) {
        self.change(self.account_record(place).hash(), 0);
    }

    #[inline(always)]
    pub(crate) fn hash_with_account(&mut self, place: u32) {
        if self.hash.is_on {
            self.add_account(place);
        }
    }

    #[cold]
    fn add_account(&mut self, place: u32) {
        self.change(0, self.account_record(place).hash());
    }

    #[inline(always)]
    pub(crate) fn hash_without_position(&mut self, place: u32) {
        if self.hash.is_on {
            self.take_position(place);
        }
    }

    #[cold]
    fn take_position(&mut self, place: u32) {
        self.change(self.position_record(place).hash(), 0);
    }

    #[inline(always)]
    pub(crate) fn hash_with_position(&mut self, place: u32) {
        if self.hash.is_on {
            self.add_position(place);
        }
    }

    #[cold]
    fn add_position(&mut self, place: u32) {
        self.change(0, self.position_record(place).hash());
    }

    pub(crate) fn hash_rule(&mut self, instrument: u32, rule: u32, was: Option<i64>, is: i64) {
        if self.hash.is_on {
            self.change(
                was.map_or(0, |value| rule_record(instrument, rule, value).hash()),
                rule_record(instrument, rule, is).hash(),
            );
        }
    }

    pub(crate) fn hash_tick_band(&mut self, table: u32, from_price: i64, was: Option<i64>, is: i64) {
        if self.hash.is_on {
            let was = was.map_or(0, |tick| tick_band_record(table, from_price, tick).hash());
            self.change(was, tick_band_record(table, from_price, is).hash());
        }
    }

    pub(crate) fn hash_phase_done(&mut self, instrument: u32, done: (u8, u16)) {
        if self.hash.is_on {
            self.change(0, phase_done_record(instrument, done).hash());
        }
    }

    /// Call before a day's phase changes are forgotten, and that it was the first of a listing.
    pub(crate) fn hash_without_day(&mut self, place: usize) {
        if self.hash.is_on {
            let instrument = &self.state.instruments[place];
            let done = instrument.phases_done.iter();
            let was =
                done.fold(0_u128, |sum, done| sum.wrapping_add(phase_done_record(instrument.number, *done).hash()));
            let rule = u32::from(Rule::NewListing as u8);
            let new_listing = instrument.own_rules.get(&rule);
            let was =
                was.wrapping_add(new_listing.map_or(0, |value| rule_record(instrument.number, rule, *value).hash()));
            self.change(was, 0);
        }
    }

    #[inline]
    pub(crate) fn hash_first_use(&mut self, key: &Key, first_use: &FirstUse) {
        if self.hash.is_on {
            self.change(0, first_use_record(0, key, first_use).hash());
        }
    }

    /// A trading day begins: today's client ids become yesterday's, yesterday's are dropped.
    pub(crate) fn hash_roll_repeats(&mut self) {
        if !self.hash.is_on {
            return;
        }
        let mut sum = 0_u128;
        let [today, yesterday] = self.state.repeats.days();
        for (key, first_use) in today.iter() {
            let moves =
                first_use_record(1, &key, &first_use).hash().wrapping_sub(first_use_record(0, &key, &first_use).hash());
            sum = sum.wrapping_add(moves);
        }
        for (key, first_use) in yesterday.iter() {
            sum = sum.wrapping_sub(first_use_record(1, &key, &first_use).hash());
        }
        self.change(0, sum);
    }
}
