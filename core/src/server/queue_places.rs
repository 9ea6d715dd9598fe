//! Where open orders stand in the queues at their prices, followed from the events.
//!
//! The twin of `onseju/market/queues.py`, which says what it does and by which rules.

use std::collections::{BTreeMap, BTreeSet};

use crate::events::EventKind;
use crate::hashing::NumberMap;
use crate::server::event_view::{EventView, events_in};
use crate::server::queue_turns::{Standing, Turn, Turns};
use crate::words::{AuctionPricing, Liquidity, OrderStatus, OrderType, Phase, Rule, Side};

/// Instrument, side, price; price 0 for a side's market orders.
pub(crate) type Level = (u32, u8, i64);

/// An open order in a queue.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Entry {
    pub order_id: u64,
    pub account: u32,
    pub level: Level,
    pub order_type: u8,
    pub qty: i64,
    pub stamp: u64,
}

/// An order's place: its id, shares ahead, its own open shares, those of the level, and orders ahead.
pub(crate) type Place = (u64, i128, i64, i128, usize);

/// One level's orders, first to trade first: whoever goes to the back gets a higher stamp.
#[derive(Default)]
struct Queue {
    orders: BTreeMap<u64, u64>,
    qty: i128,
}

/// All queues.
#[derive(Default)]
pub(crate) struct QueuePlaces {
    pub entries: NumberMap<u64, Entry>,
    queues: NumberMap<Level, Queue>,
    /// What the depth shows at each level.
    pub shown: NumberMap<Level, i64>,
    /// Where market orders show, by instrument and side.
    pub market_prices: NumberMap<(u32, u8), i64>,
    by_account: NumberMap<u32, BTreeSet<u64>>,
    pub stamps: u64,
    pub pools: NumberMap<u32, Turns>,
    pub phases: NumberMap<u32, u8>,
    /// Upper and lower.
    pub limits: NumberMap<u32, (i64, i64)>,
    /// By instrument; 0 = the venue's.
    pub pricing: NumberMap<u32, i64>,
    /// What the auction of the present command filled: the order, its level, and the shares.
    auction_fills: NumberMap<u64, (Standing, Level, i128)>,
    watched: BTreeSet<u32>,
    /// Levels that the present command changed.
    changed: BTreeSet<Level>,
    /// Those of the present call; only while somebody watches.
    touched: BTreeSet<Level>,
    moved: BTreeSet<u32>,
}

/// Phases whose auctions divide in turns where they end at a price limit (KRX BR 22(3)).
fn divides_in_turns(phase: u8) -> bool {
    matches!(Phase::from_u8(phase), Some(Phase::OpeningAuction | Phase::ResumptionAuction))
}

impl QueuePlaces {
    /// Nothing yet, watched as this is.
    pub fn emptied(&self) -> Self {
        Self { watched: self.watched.clone(), ..Self::default() }
    }

    /// Follow the events of whole commands. Gives the watched accounts of which a place may have changed.
    pub fn listen(&mut self, payload: &[u8]) -> Vec<u32> {
        let mut seq = None;
        for event in events_in(payload) {
            if seq != Some(event.seq()) {
                if seq.is_some() {
                    self.end_command();
                }
                seq = Some(event.seq());
            }
            self.take(event);
        }
        self.end_command();
        let woken = if self.watched.is_empty() { Vec::new() } else { self.woken() };
        self.touched.clear();
        self.moved.clear();
        woken
    }

    /// Whether `listen` tells of the account.
    pub fn watch(&mut self, account: u32, is_watched: bool) {
        if is_watched {
            self.watched.insert(account);
        } else {
            self.watched.remove(&account);
        }
    }

    fn woken(&self) -> Vec<u32> {
        let mut found = &self.moved & &self.watched;
        for level in &self.touched {
            if let Some(queue) = self.queues.get(level) {
                let accounts = queue.orders.values().map(|order_id| self.entries[order_id].account);
                found.extend(accounts.filter(|account| self.watched.contains(account)));
            }
        }
        found.into_iter().collect()
    }

    /// Where an order of this account stands.
    pub fn place(&self, account: u32, order_id: u64) -> Option<Place> {
        let entry = self.entries.get(&order_id).filter(|entry| entry.account == account)?;
        self.at_level(self.level_of(entry)?, &BTreeSet::from([order_id])).into_iter().next()
    }

    /// All places of an account, oldest order first.
    pub fn places(&self, account: u32) -> Vec<Place> {
        let mut mine: BTreeMap<Level, BTreeSet<u64>> = BTreeMap::new();
        for order_id in self.by_account.get(&account).into_iter().flatten() {
            if let Some(level) = self.level_of(&self.entries[order_id]) {
                mine.entry(level).or_default().insert(*order_id);
            }
        }
        let mut found: Vec<Place> =
            mine.into_iter().flat_map(|(level, orders)| self.at_level(level, &orders)).collect();
        found.sort_unstable();
        found
    }

    fn level_of(&self, entry: &Entry) -> Option<Level> {
        let (instrument, side, price) = entry.level;
        let price = match price {
            0 => *self.market_prices.get(&(instrument, side)).unwrap_or(&0),
            _ => price,
        };
        (price != 0).then_some((instrument, side, price))
    }

    fn orders_of(&self, level: Level) -> impl Iterator<Item = Entry> {
        let queue = self.queues.get(&level);
        queue.into_iter().flat_map(move |queue| queue.orders.values().map(move |order_id| self.entries[order_id]))
    }

    fn order_of(&self, level: Level) -> Vec<Entry> {
        let (instrument, side, price) = level;
        if self.market_prices.get(&(instrument, side)) != Some(&price) {
            return self.orders_of(level).collect();
        }
        let mut found: Vec<Entry> = self.orders_of((instrument, side, 0)).chain(self.orders_of(level)).collect();
        if price == self.daily_limit(instrument, side) {
            found.sort_unstable_by_key(|entry| entry.stamp);
        }
        found
    }

    fn daily_limit(&self, instrument: u32, side: u8) -> i64 {
        let (upper, lower) = *self.limits.get(&instrument).unwrap_or(&(0, 0));
        if side == Side::Buy as u8 { upper } else { lower }
    }

    fn pieces(&self, level: Level) -> Vec<(Entry, i64)> {
        let queue = self.order_of(level);
        let phase = self.phases.get(&level.0).and_then(|phase| Phase::from_u8(*phase));
        match self.pools.get(&level.0) {
            Some(pool) if pool.level == level && !phase.is_some_and(Phase::is_auction) => {
                pool.pieces(&self.entries, queue)
            }
            _ => queue.into_iter().map(|entry| (entry, entry.qty)).collect(),
        }
    }

    fn at_level(&self, level: Level, orders: &BTreeSet<u64>) -> Vec<Place> {
        let (instrument, side, price) = level;
        let qty_of = |level| self.queues.get(&level).map_or(0, |queue| queue.qty);
        let mut level_qty = qty_of(level);
        if self.market_prices.get(&(instrument, side)) == Some(&price) {
            level_qty += qty_of((instrument, side, 0));
        }
        let mut found = Vec::new();
        let mut before: BTreeSet<u64> = BTreeSet::new();
        let mut ahead = 0;
        for (entry, qty) in self.pieces(level) {
            if orders.contains(&entry.order_id) && !before.contains(&entry.order_id) {
                found.push((entry.order_id, ahead, entry.qty, level_qty, before.len()));
                if found.len() == orders.len() {
                    break;
                }
            }
            before.insert(entry.order_id);
            ahead += i128::from(qty);
        }
        found
    }

    // Following the events

    fn take(&mut self, event: EventView<'_>) {
        let kind = event.kind();
        if (EventKind::OrderAccepted as u8..=EventKind::OrderTriggered as u8).contains(&kind) {
            if !event.is(EventKind::OrderRejected) {
                self.order(event);
            }
        } else if event.is(EventKind::OrderFilled) {
            self.fill(event);
        } else if event.is(EventKind::LevelChanged) {
            let level = (event.instrument(), event.u8(52), event.i64(32));
            self.changed.insert(level);
            match event.i64(40) {
                0 => self.shown.remove(&level),
                qty => self.shown.insert(level, qty),
            };
        } else if event.is(EventKind::PhaseChanged) {
            self.phases.insert(event.instrument(), event.u8(36));
        } else if event.is(EventKind::PriceLimitsSet) {
            self.limits.insert(event.instrument(), (event.i64(40), event.i64(48)));
        } else if event.is(EventKind::AuctionUncrossed) {
            self.uncross(event);
        } else if event.is(EventKind::RuleSet) {
            if event.u32(32) == Rule::AuctionPricing as u32 {
                self.pricing.insert(event.instrument(), event.i64(40));
            }
        } else if event.is(EventKind::DayRolled) {
            self.pools.clear();
        }
    }

    fn order(&mut self, event: EventView<'_>) {
        let (order_id, order_type, leaves) = (event.u64(32), event.u8(121), event.i64(72));
        let has_place = !matches!(
            OrderType::from_u8(order_type),
            Some(OrderType::Midpoint | OrderType::StopLimit | OrderType::Stop)
        );
        let status = OrderStatus::from_u8(event.u8(123));
        if !has_place || !matches!(status, Some(OrderStatus::New | OrderStatus::PartiallyFilled)) {
            self.remove(order_id);
            return;
        }
        let price = if order_type == OrderType::Market as u8 { 0 } else { event.i64(56) };
        let level = (event.instrument(), event.u8(120), price);
        if let Some(entry) = self.entries.get(&order_id)
            && (entry.level, entry.order_type) == (level, order_type)
            && leaves <= entry.qty
        {
            self.shrink(order_id, leaves);
            return;
        }
        self.remove(order_id);
        self.stamps += 1;
        let entry = Entry { order_id, account: event.account(), level, order_type, qty: leaves, stamp: self.stamps };
        self.put(entry);
        self.changed.insert(level);
    }

    /// Put an entry at the place of its stamp.
    pub fn put(&mut self, entry: Entry) {
        self.entries.insert(entry.order_id, entry);
        let queue = self.queues.entry(entry.level).or_default();
        queue.orders.insert(entry.stamp, entry.order_id);
        queue.qty += i128::from(entry.qty);
        self.by_account.entry(entry.account).or_default().insert(entry.order_id);
    }

    fn fill(&mut self, event: EventView<'_>) {
        let Some(entry) = self.entries.get(&event.u64(32)).copied() else { return };
        let (price, qty, liquidity) = (event.i64(48), event.i64(56), event.u8(121));
        if liquidity == Liquidity::Auction as u8 {
            let standing = (entry.order_id, entry.stamp);
            let filled = self.auction_fills.entry(entry.order_id).or_insert((standing, entry.level, 0));
            *filled = (standing, entry.level, filled.2 + i128::from(qty));
        } else if liquidity == Liquidity::Maker as u8
            && let Some(pool) = self.pools.get_mut(&event.instrument())
        {
            pool.take(&self.entries, &entry, price, qty);
        }
        self.shrink(entry.order_id, event.i64(64));
    }

    fn shrink(&mut self, order_id: u64, qty: i64) {
        if qty == 0 {
            self.remove(order_id);
            return;
        }
        let Some(entry) = self.entries.get_mut(&order_id) else { return };
        if let Some(queue) = self.queues.get_mut(&entry.level) {
            queue.qty -= i128::from(entry.qty) - i128::from(qty);
        }
        entry.qty = qty;
        self.changed.insert(entry.level);
    }

    fn remove(&mut self, order_id: u64) {
        let Some(entry) = self.entries.remove(&order_id) else { return };
        self.changed.insert(entry.level);
        if !self.watched.is_empty() {
            self.moved.insert(entry.account);
        }
        if let Some(queue) = self.queues.get_mut(&entry.level) {
            queue.orders.remove(&entry.stamp);
            queue.qty -= i128::from(entry.qty);
            if queue.orders.is_empty() {
                self.queues.remove(&entry.level);
            }
        }
        if let Some(mine) = self.by_account.get_mut(&entry.account) {
            mine.remove(&order_id);
            if mine.is_empty() {
                self.by_account.remove(&entry.account);
            }
        }
    }

    /// After a command: market orders stand where the depth shows more than the limit orders of a level.
    fn end_command(&mut self) {
        self.auction_fills.clear();
        let mut found = Vec::new();
        for level in &self.changed {
            let (instrument, side, price) = *level;
            if price == 0 {
                if !self.queues.contains_key(level) {
                    self.market_prices.remove(&(instrument, side));
                }
                continue;
            }
            let shown = i128::from(*self.shown.get(level).unwrap_or(&0));
            if shown > self.queues.get(level).map_or(0, |queue| queue.qty) {
                found.push(((instrument, side), price));
            } else if self.market_prices.get(&(instrument, side)) == Some(&price) {
                self.market_prices.remove(&(instrument, side));
            }
        }
        self.market_prices.extend(found);
        if self.watched.is_empty() {
            self.changed.clear();
        } else {
            self.touched.append(&mut self.changed);
        }
    }

    /// Where the auction ended at a price limit, remember the turns that it left.
    fn uncross(&mut self, event: EventView<'_>) {
        let (instrument, price) = (event.instrument(), event.i64(32));
        let pricing = self.pricing.get(&instrument).or_else(|| self.pricing.get(&0));
        let is_krx = pricing.copied() == Some(AuctionPricing::Krx as i64); // unset is the most volume's
        if price == 0 || !is_krx || !self.phases.get(&instrument).is_some_and(|phase| divides_in_turns(*phase)) {
            return;
        }
        for side in Side::BOTH {
            if price == self.daily_limit(instrument, side as u8) {
                self.keep_turns((instrument, side as u8, price));
            }
        }
    }

    fn keep_turns(&mut self, level: Level) {
        let (instrument, side, price) = level;
        let mut levels = vec![level];
        if self.market_prices.get(&(instrument, side)) == Some(&price) {
            levels.push((instrument, side, 0)); // as it was before this command
        }
        let mut had: BTreeMap<u64, (Standing, i64)> = BTreeMap::new(); // by stamp: in order of time
        let mut filled_orders: BTreeSet<u64> = BTreeSet::new();
        let mut taken = 0;
        for (standing, at, filled) in self.auction_fills.values() {
            if levels.contains(at) {
                let qty = i128::from(crate::server::queue_turns::open_qty(&self.entries, *standing)) + filled;
                had.insert(standing.1, (*standing, i64::try_from(qty).unwrap_or(i64::MAX)));
                filled_orders.insert(standing.0);
                taken += filled;
            }
        }
        for entry in levels.iter().flat_map(|level| self.orders_of(*level)) {
            if !filled_orders.contains(&entry.order_id) {
                had.insert(entry.stamp, ((entry.order_id, entry.stamp), entry.qty));
            }
        }
        let members: Vec<(Standing, i64)> = had.into_values().collect();
        let pool = Turns::new(level, &members, taken);
        if !pool.turns.is_empty() {
            self.pools.insert(instrument, pool);
        }
    }

    /// The turns of each pool that can still be taken, as a checkpoint keeps them.
    pub fn kept_pools(&self) -> impl Iterator<Item = (Level, Vec<Turn>)> {
        self.pools.values().map(|pool| {
            let alive = pool
                .turns
                .iter()
                .filter(|turn| turn.qty.min(crate::server::queue_turns::open_qty(&self.entries, turn.order)) != 0);
            (pool.level, alive.copied().collect())
        })
    }
}
