//! The whole state as bytes, the same from every implementation for the same state, and the state from its bytes.
//!
//! Little-endian: 8 bytes `ONSEJUSS`, u32 format (2), u32 semantics version (1), u64 number of records, 16 bytes state hash;
//! then the records of `records.rs`, sorted by their bytes. Buffers and links are not part of the state: queues follow from
//! the orders' priorities.

use std::fmt;

use crate::accounts::{Account, Balance, Shares};
use crate::engine::Engine;
use crate::hashing::NumberMap;
use crate::instruments::{Instrument, Listing};
use crate::money::fits;
use crate::order_checks::Terms;
use crate::order_desk::NO_HASH;
use crate::orders::{Order, Rates};
use crate::pool::{Pool, Quota};
use crate::records::{
    ACCOUNT, COUNTERS, FIRST_USE, INSTRUMENT, ORDER, PHASE_DONE, POSITION, QUOTA, RULE, TICK_BAND, WIDTHS,
};
use crate::repeats::{FirstUse, Key};
use crate::rulebook::Values;
use crate::slab::{Fifo, NONE};
use crate::soundness::{is_band, is_order, is_rule};
use crate::state::Counters;
use crate::ticks::PriceLimits;
use crate::words::{AccountKind, OrderType, Phase, Side, TimeInForce};

const MAGIC: [u8; 8] = *b"ONSEJUSS";
const FORMAT: u32 = 2;
const SEMANTICS: u32 = 1;
const HEAD: usize = 40;

/// Why bytes are not a snapshot that this release can take up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SnapshotError {
    /// Not a snapshot, or cut off.
    Malformed,
    /// Of a format or of semantics that this release does not know.
    Version {
        /// The format's number.
        format: u32,
        /// The semantics' number.
        semantics: u32,
    },
    /// The records are not those that the hash was taken of, or do not make a state.
    Damaged,
}

impl fmt::Display for SnapshotError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Malformed => write!(formatter, "the bytes are not a snapshot"),
            Self::Version { format, semantics } => {
                write!(formatter, "a snapshot of format {format}, semantics {semantics}")
            }
            Self::Damaged => write!(formatter, "the snapshot's records do not make a state of its hash"),
        }
    }
}

impl std::error::Error for SnapshotError {}

/// Reads a record's fields one after the other. Its width was checked.
#[derive(Clone, Copy)]
struct Fields<'a>(&'a [u8]);

impl Fields<'_> {
    fn take<const N: usize>(&mut self) -> [u8; N] {
        match self.0.split_first_chunk::<N>() {
            Some((field, rest)) => {
                self.0 = rest;
                *field
            }
            None => [0; N],
        }
    }

    fn u8(&mut self) -> u8 {
        u8::from_le_bytes(self.take())
    }

    /// Whether it is so: 1 or 0.
    fn flag(&mut self) -> Result<bool, SnapshotError> {
        match self.u8() {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(SnapshotError::Damaged),
        }
    }

    fn u32(&mut self) -> u32 {
        u32::from_le_bytes(self.take())
    }

    fn u64(&mut self) -> u64 {
        u64::from_le_bytes(self.take())
    }

    fn i64(&mut self) -> i64 {
        i64::from_le_bytes(self.take())
    }
}

fn known<T>(word: Option<T>) -> Result<T, SnapshotError> {
    word.ok_or(SnapshotError::Damaged)
}

fn expect(holds: bool) -> Result<(), SnapshotError> {
    if holds { Ok(()) } else { Err(SnapshotError::Damaged) }
}

impl Engine {
    /// The whole state as bytes.
    pub fn snapshot(&self) -> Vec<u8> {
        let mut records: Vec<Box<[u8]>> = Vec::new();
        let mut hash = 0_u128;
        self.for_each_record(|record| {
            hash = hash.wrapping_add(record.hash());
            records.push(record.bytes().into());
        });
        records.sort_unstable();
        let mut bytes = Vec::with_capacity(HEAD + records.iter().map(|record| record.len()).sum::<usize>());
        bytes.extend_from_slice(&MAGIC);
        bytes.extend_from_slice(&FORMAT.to_le_bytes());
        bytes.extend_from_slice(&SEMANTICS.to_le_bytes());
        bytes.extend_from_slice(&(records.len() as u64).to_le_bytes());
        bytes.extend_from_slice(&hash.to_le_bytes());
        records.iter().for_each(|record| bytes.extend_from_slice(record));
        bytes
    }

    /// An engine in the state of a snapshot. Whatever the bytes, it is a state that the machine can go on from, or an error.
    pub fn restore(snapshot: &[u8]) -> Result<Self, SnapshotError> {
        let (head, mut rest) = snapshot.split_first_chunk::<HEAD>().ok_or(SnapshotError::Malformed)?;
        let mut head = Fields(head);
        if head.take() != MAGIC {
            return Err(SnapshotError::Malformed);
        }
        let (format, semantics) = (head.u32(), head.u32());
        if (format, semantics) != (FORMAT, SEMANTICS) {
            return Err(SnapshotError::Version { format, semantics });
        }
        let (count, hash) = (head.u64(), u128::from_le_bytes(head.take()));
        let mut by_tag: [Vec<Fields>; WIDTHS.len()] = Default::default();
        let mut sum = 0_u128;
        let mut last: &[u8] = &[];
        for _ in 0..count {
            let tag = usize::from(*rest.first().ok_or(SnapshotError::Malformed)?);
            let width = *WIDTHS.get(tag).filter(|width| **width > 0).ok_or(SnapshotError::Malformed)?;
            let (record, after) = rest.split_at_checked(width).ok_or(SnapshotError::Malformed)?;
            sum = sum.wrapping_add(xxhash_rust::xxh3::xxh3_128(record));
            expect(last < record)?;
            last = record;
            by_tag[tag].push(Fields(&record[1..]));
            rest = after;
        }
        if !rest.is_empty() {
            return Err(SnapshotError::Malformed);
        }
        let mut engine = Self::new();
        if sum != hash || engine.take_up(by_tag)? != hash {
            return Err(SnapshotError::Damaged);
        }
        Ok(engine)
    }

    /// Make the state of a snapshot's records; gives the hash of what it came to.
    fn take_up(&mut self, by_tag: [Vec<Fields>; WIDTHS.len()]) -> Result<u128, SnapshotError> {
        let mut by_tag = by_tag;
        let mut records = |tag: u8| std::mem::take(&mut by_tag[usize::from(tag)]);
        self.state.rules.tick_tables.clear();
        for mut fields in records(TICK_BAND) {
            let (table, from_price, tick) = (fields.u32(), fields.i64(), fields.i64());
            expect(is_band(from_price, tick))?;
            self.state.rules.set_band(table, from_price, tick);
        }
        let [counted] = records(COUNTERS)[..] else { return Err(SnapshotError::Damaged) };
        self.state.counters = counters(counted)?;
        let mut own_rules = Vec::new();
        for mut fields in records(RULE) {
            let (instrument, rule, value) = (fields.u32(), fields.u32(), fields.i64());
            expect(is_rule(instrument, rule, value))?;
            if instrument == 0 {
                self.state.rules.values.insert(rule, value);
            } else {
                own_rules.push((instrument, rule, value));
            }
        }
        self.refresh_venue_rules();
        let mut instruments = records(INSTRUMENT);
        instruments.sort_unstable_by_key(|fields| Fields(fields.0).u32());
        for fields in instruments {
            self.take_up_instrument(fields, &own_rules)?;
        }
        for mut fields in records(PHASE_DONE) {
            let place = known(self.state.find_instrument(fields.u32()))?;
            let done = (fields.u8(), u16::from_le_bytes(fields.take()));
            known(Phase::from_u8(done.0))?;
            self.state.instruments[place].phases_done.insert(done);
        }
        for fields in records(ACCOUNT) {
            self.take_up_account(fields)?;
        }
        for mut fields in records(POSITION) {
            let (account, instrument) = (known(self.state.accounts.find(fields.u32()))?, fields.u32());
            let (position, _) = self.state.accounts.make_position(account, instrument);
            self.state.accounts.positions[position as usize].shares = Shares {
                qty: fields.i64(),
                reserved_qty: fields.i64(),
                cost_amount: fields.i64(),
                realized_profit: fields.i64(),
            };
        }
        self.take_up_orders(records(ORDER))?;
        self.take_up_pools(records(QUOTA))?;
        self.take_up_first_uses(records(FIRST_USE))?;
        expect(self.is_sound() && self.check_invariants().is_ok())?;
        Ok(self.full_state_hash())
    }

    fn take_up_instrument(&mut self, mut fields: Fields, own_rules: &[(u32, u32, i64)]) -> Result<(), SnapshotError> {
        let number = fields.u32();
        let (symbol, base_price, listed_shares) = (fields.take(), fields.i64(), fields.i64());
        let (limit_ppm, vi_dynamic_ppm, vi_static_ppm) = (fields.u32(), fields.u32(), fields.u32());
        let listing = Listing {
            symbol,
            listed_shares,
            limit_ppm,
            vi_dynamic_ppm,
            vi_static_ppm,
            tick_table: u8::try_from(fields.u32()).map_err(|_| SnapshotError::Damaged)?,
            board: fields.u8(),
            security: fields.u8(),
            leverage: i8::from_le_bytes(fields.take()),
        };
        expect(self.check_listed_as(&listing).is_ok() && fits(base_price.into()))?;
        let own: Values =
            own_rules.iter().filter(|rule| rule.0 == number).map(|(_, rule, value)| (*rule, *value)).collect();
        let state = &mut self.state;
        let bands = known(state.rules.tick_tables.get(&u32::from(listing.tick_table)).cloned())?;
        let place = state.instruments.len();
        expect(number as usize == place + 1)?;
        let rules = state.rules.rules(&own, &listing);
        let mut found = Instrument::new(number, listing, bands, base_price, rules);
        found.own_rules = own;
        let limits = PriceLimits { upper: fields.i64(), lower: fields.i64() };
        expect(found.base_price == base_price && found.limits == limits)?;
        found.last_price = fields.i64();
        found.close_price = fields.i64();
        found.has_traded = fields.flag()?;
        found.auction_price = fields.i64();
        found.phase = known(Phase::from_u8(fields.u8()))?;
        found.indicated = (fields.i64(), fields.i64());
        found.awaits_uncross = fields.flag()?;
        found.is_extended = fields.flag()?;
        found.interruptions = fields.u32();
        found.breaker_stage = fields.u8();
        found.total_shares = fields.i64();
        state.instruments.push(found);
        self.refresh_rules(place);
        Ok(())
    }

    fn take_up_account(&mut self, mut fields: Fields) -> Result<(), SnapshotError> {
        let (number, kind) = (fields.u32(), known(AccountKind::from_u8(fields.u8()))?);
        let (owner, opened_seq) = (fields.take(), fields.u64());
        let (cash, reserved_cash, unsettled_d1, unsettled_d2) =
            (fields.i64(), fields.i64(), fields.i64(), fields.i64());
        expect(self.state.accounts.find(number).is_none())?;
        let balance = Balance { cash, reserved_cash, unsettled_d1, unsettled_d2 };
        let orders = Fifo::default();
        let account = Account { number, kind, owner, opened_seq, balance, orders, is_noted: false, latest: None };
        let place = self.state.accounts.insert(account);
        if kind == AccountKind::Venue {
            self.state.venue_place = Some(place);
        }
        Ok(())
    }

    /// Orders enter their lists by id, and their queues by priority.
    fn take_up_orders(&mut self, mut records: Vec<Fields>) -> Result<(), SnapshotError> {
        records.sort_unstable_by_key(|fields| Fields(fields.0).u64());
        let mut resting = Vec::with_capacity(records.len());
        for fields in records {
            resting.push(self.take_up_order(fields)?);
        }
        resting.sort_unstable_by_key(|place| self.state.orders[*place].priority);
        let orders = &self.state.orders;
        expect(resting.windows(2).all(|pair| orders[pair[0]].priority < orders[pair[1]].priority))?;
        let mut shown = vec![[0_i128; 2]; self.state.instruments.len()];
        for place in resting {
            let order = &self.state.orders[place];
            let (instrument, side) = (order.instrument as usize - 1, order.side());
            let sum = &mut shown[instrument][side.index()];
            // what is bought is bounded by the cash, what is sold by the shares; so no level can be too large to be counted
            *sum += if order.has_own_price() { i128::from(order.leaves_qty) } else { 0 };
            expect(fits(*sum))?;
            self.state.instruments[instrument].book.side_mut(side).add_anew(&mut self.state.orders, place);
        }
        Ok(())
    }

    fn take_up_order(&mut self, mut fields: Fields) -> Result<u32, SnapshotError> {
        let order_id = fields.u64();
        let (account, instrument) = (known(self.state.accounts.find(fields.u32()))?, fields.u32());
        let found = known(self.state.find_instrument(instrument))?;
        let side = known(Side::from_u8(fields.u8()))?;
        let order_type = known(OrderType::from_u8(fields.u8()))?;
        let time_in_force = known(TimeInForce::from_u8(fields.u8()))?;
        let (qty, limit_price, stop_price) = (fields.i64(), fields.i64(), fields.i64());
        let (priority, client_id, leaves_qty, parent_order_id) =
            (fields.u64(), fields.take(), fields.i64(), fields.u64());
        let (filled_qty, _canceled_qty, filled_amount) = (fields.i64(), fields.i64(), fields.i64());
        let (_reserve_price, _reserved_cash) = (fields.i64(), fields.i64());
        let rates = Rates { commission: fields.u32(), transaction_tax: fields.u32(), rural_tax: fields.u32() };
        let fees = [fields.i64(), fields.i64(), fields.i64()];
        let terms = Terms { side, order_type, limit_price, stop_price, qty, time_in_force, is_fixed: false };
        let number = self.state.orders.number_of_rates(rates);
        let mut order = Order::new(order_id, account, instrument, priority, number, &terms);
        (order.leaves_qty, order.filled_qty, order.filled_amount) = (leaves_qty, filled_qty, filled_amount);
        order.set_listed();
        expect(is_order(&order, stop_price, fees, rates, &self.state.instruments[found]))?;
        let orders = &mut self.state.orders;
        expect(orders.ids.get(order_id) == NONE)?;
        let place = orders.insert(order);
        if client_id != [0; 16] || stop_price != 0 || parent_order_id != 0 || fees != [0; 3] {
            let more = orders.more_mut(place);
            (more.client_id, more.stop_price, more.parent_order_id) = (client_id, stop_price, parent_order_id);
            [more.commission, more.transaction_tax, more.rural_tax] = fees;
        }
        orders.ids.insert(order_id, place);
        self.state.accounts.at_mut(account).orders.push(orders.slab_mut(), place);
        Ok(place)
    }

    /// Client ids enter in the order of their use.
    fn take_up_first_uses(&mut self, records: Vec<Fields>) -> Result<(), SnapshotError> {
        let mut uses: Vec<_> = records
            .into_iter()
            .map(|mut fields| {
                let (day, account, client_id) = (usize::from(fields.u8()), fields.u32(), fields.take());
                let first_use = FirstUse { body_hash: fields.take(), seq: fields.u64() };
                (day, Key { account, client_id }, first_use)
            })
            .collect();
        uses.sort_unstable_by_key(|(_, _, first_use)| first_use.seq);
        for (day, key, first_use) in uses {
            let repeats = &mut self.state.repeats;
            expect(day < repeats.days().len() && key.client_id != NO_HASH && repeats.first_use(&key).is_none())?;
            if day == 0 { repeats.remember(key, first_use) } else { repeats.remember_of_yesterday(key, first_use) }
        }
        Ok(())
    }

    fn take_up_pools(&mut self, mut records: Vec<Fields>) -> Result<(), SnapshotError> {
        // by instrument, then by place in the pool
        records.sort_unstable_by_key(|fields| {
            let mut fields = Fields(fields.0);
            (fields.u32(), fields.u32())
        });
        let mut pools: NumberMap<u32, (Side, i64, Vec<Quota>)> = NumberMap::default();
        for mut fields in records {
            let (instrument, _place) = (fields.u32(), fields.u32());
            let (side, price) = (known(Side::from_u8(fields.u8()))?, fields.i64());
            let (order_id, qty, priority) = (fields.u64(), fields.i64(), fields.u64());
            let place = self.state.orders.ids.get(order_id);
            expect(place != NONE)?;
            let pool = pools.entry(instrument).or_insert_with(|| (side, price, Vec::new()));
            pool.2.push(Quota { place, priority, qty });
        }
        for (instrument, (side, price, turns)) in pools {
            let place = known(self.state.find_instrument(instrument))?;
            self.state.instruments[place].book.pool = Some(Box::new(Pool::new(side, price, turns)));
        }
        Ok(())
    }
}

fn counters(mut fields: Fields) -> Result<Counters, SnapshotError> {
    Ok(Counters {
        is_open: fields.flag()?,
        price_scale: fields.u8(),
        trading_day: fields.u32(),
        epoch: fields.u64(),
        last_seq: fields.u64(),
        last_order_id: fields.u64(),
        last_trade_id: fields.u64(),
        last_priority: fields.u64(),
        total_cash: fields.i64(),
        venue_account: fields.u32(),
    })
}
