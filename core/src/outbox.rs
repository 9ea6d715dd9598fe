//! Collects a command's events, in the order that the contract fixes.
//!
//! What happened to orders and trades is written as it happens. Books, levels, positions and balances are only *noted*
//! before they are touched; `finish` writes, once each, what differs after the command from before it.

use crate::accounts::{Balance, Shares};
use crate::engine::Engine;
use crate::events::{EventKind, Events};
use crate::ladder::Ladder;
use crate::quotes::MarketLevel;
use crate::reasons::Reason;
use crate::slab::NONE;
use crate::words::Side;

/// A level as it was before the command; `order` says which note of several about one level came first.
#[derive(Clone, Copy, Debug)]
struct LevelNote {
    instrument: u32,
    side: Side,
    price: i64,
    /// Where the level was; it may be gone, or `NONE`.
    place: u32,
    order: u32,
    qty: i64,
    order_count: u32,
}

/// Where the market orders of an instrument showed before the command, by side.
#[derive(Clone, Copy, Debug)]
struct MarketNote {
    /// The instrument's place.
    place: u32,
    markets: [MarketLevel; 2],
}

#[derive(Clone, Copy, Debug)]
struct PositionNote {
    account: u32,
    instrument: u32,
    place: u32,
    before: Shares,
}

#[derive(Clone, Copy, Debug)]
struct BalanceNote {
    account: u32,
    place: u32,
    before: Balance,
}

/// One command's events.
#[derive(Debug, Default)]
pub(crate) struct Outbox {
    pub events: Events,
    /// The places of the instruments.
    books: Vec<u32>,
    /// Of those among them where market orders float.
    markets: Vec<MarketNote>,
    levels: Vec<LevelNote>,
    positions: Vec<PositionNote>,
    balances: Vec<BalanceNote>,
}

impl LevelNote {
    /// What the level shows now; it is not noted any more.
    #[inline]
    fn finish(&self, ladder: &mut Ladder) -> (i64, u32) {
        match ladder.still_at(self.place, self.price).or_else(|| ladder.find(self.price)) {
            Some(place) => {
                let level = ladder.at_mut(place);
                level.is_noted = false;
                (level.qty, level.queue.count)
            }
            None => (0, 0),
        }
    }
}

impl Outbox {
    /// Where an instrument's market orders showed before the command.
    fn markets_before(&self, place: u32) -> [MarketLevel; 2] {
        self.markets.iter().find(|note| note.place == place).map_or_else(Default::default, |note| note.markets)
    }
}

impl Engine {
    /// Call before anything is changed that an instrument's prices depend on: its book, last price, limits, phase.
    #[inline]
    pub(crate) fn touch(&mut self, instrument: usize) {
        let found = &mut self.state.instruments[instrument];
        if !found.is_noted {
            found.is_noted = true;
            self.out.books.push(instrument as u32);
            if found.has_floating_orders() {
                self.note_markets(instrument);
            }
            self.hash_without_instrument(instrument);
        }
    }

    #[inline(never)]
    fn note_markets(&mut self, instrument: usize) {
        let markets = self.state.instruments[instrument].market_levels();
        self.out.markets.push(MarketNote { place: instrument as u32, markets });
    }

    /// Call before a level is touched, by its place.
    #[inline(always)]
    pub(crate) fn note_level(&mut self, instrument: usize, side: Side, place: u32) {
        self.touch(instrument);
        let found = &mut self.state.instruments[instrument];
        let level = found.book.side_mut(side).limits.at_mut(place);
        if level.is_noted {
            return;
        }
        level.is_noted = true;
        let order = self.out.levels.len() as u32;
        self.out.levels.push(LevelNote {
            instrument: found.number,
            side,
            price: level.price,
            place,
            order,
            qty: level.qty,
            order_count: level.queue.count,
        });
    }

    /// Call before a position is touched; gives its place.
    #[inline]
    pub(crate) fn note_position(&mut self, account: u32, instrument: u32) -> usize {
        let (place, is_new) = self.state.accounts.make_position(account, instrument);
        if !self.state.accounts.positions[place as usize].is_noted {
            if !is_new {
                self.hash_without_position(place);
            }
            let position = &mut self.state.accounts.positions[place as usize];
            position.is_noted = true;
            let (account, before) = (position.account, position.shares);
            self.out.positions.push(PositionNote { account, instrument, place, before });
        }
        place as usize
    }

    /// Call before an account's cash, reserved or unsettled cash is touched.
    #[inline(always)]
    pub(crate) fn note_balance(&mut self, place: u32) {
        if !self.state.accounts.at(place).is_noted {
            self.hash_without_account(place);
            let account = self.state.accounts.at_mut(place);
            account.is_noted = true;
            self.out.balances.push(BalanceNote { account: account.number, place, before: account.balance });
        }
    }

    /// The command is done: write what the auctions would give, the levels, positions and balances that it changed, in
    /// ascending order.
    #[inline]
    pub(crate) fn finish(&mut self) {
        if !self.out.books.is_empty() {
            self.finish_books();
        }
        if !self.out.positions.is_empty() {
            self.finish_positions();
        }
        if !self.out.balances.is_empty() {
            self.finish_balances();
        }
    }

    #[inline]
    fn finish_books(&mut self) {
        if self.out.books.len() > 1 {
            self.out.books.sort_unstable();
        }
        let mut show_markets = !self.out.markets.is_empty();
        for place in &self.out.books {
            let instrument = &mut self.state.instruments[*place as usize];
            instrument.is_noted = false;
            if instrument.phase.is_auction() {
                let found = instrument.find_auction_price();
                if found != instrument.indicated {
                    instrument.indicated = found;
                    let kind = EventKind::AuctionIndicated;
                    self.out.events.auction(kind, Reason::None, instrument.number, found.0, found.1);
                }
            } else {
                instrument.indicated = (0, 0);
            }
            show_markets |= instrument.has_floating_orders();
        }
        if show_markets {
            self.note_market_levels();
        }
        if self.out.levels.len() > 1 {
            self.sort_levels();
        }
        if show_markets {
            self.finish_levels_with_markets();
            self.out.markets.clear();
        } else {
            self.finish_levels();
        }
        if self.hash.is_kept() {
            for at in 0..self.out.books.len() {
                self.hash_with_instrument(self.out.books[at] as usize);
            }
        }
        self.out.books.clear();
    }

    /// Market orders that float show in the levels where they were and where they are.
    fn note_market_levels(&mut self) {
        for place in &self.out.books {
            let instrument = &self.state.instruments[*place as usize];
            let (before, after) = (self.out.markets_before(*place), instrument.market_levels());
            for side in Side::BOTH {
                for market in [before[side.index()], after[side.index()]] {
                    if market.price != 0 {
                        let (qty, order_count) = instrument.book.side(side).limits.shown(market.price);
                        self.out.levels.push(LevelNote {
                            instrument: instrument.number,
                            side,
                            price: market.price,
                            place: NONE,
                            order: self.out.levels.len() as u32,
                            qty,
                            order_count,
                        });
                    }
                }
            }
        }
    }

    /// Bring the notes about levels into the order in which they are written, of each level the first alone.
    fn sort_levels(&mut self) {
        self.out.levels.sort_unstable_by_key(|note| (note.instrument, note.side, note.price, note.order));
        self.out.levels.dedup_by_key(|note| (note.instrument, note.side, note.price));
    }

    /// Write the levels that show something else than before, where no market orders float.
    #[inline]
    fn finish_levels(&mut self) {
        for note in &self.out.levels {
            let instrument = &mut self.state.instruments[note.instrument as usize - 1];
            let now = note.finish(&mut instrument.book.side_mut(note.side).limits);
            if (note.qty, note.order_count) != now {
                self.out.events.level_changed(note.instrument, note.side, note.price, now.0, now.1);
            }
        }
        self.out.levels.clear();
    }

    /// The same, with the market orders in the levels where they floated and where they float.
    fn finish_levels_with_markets(&mut self) {
        let mut markets: (u32, [MarketLevel; 2], [MarketLevel; 2]) = (0, Default::default(), Default::default());
        for at in 0..self.out.levels.len() {
            let note = self.out.levels[at];
            let instrument = &mut self.state.instruments[note.instrument as usize - 1];
            if markets.0 != note.instrument {
                let before = self.out.markets_before(note.instrument - 1);
                markets = (note.instrument, before, instrument.market_levels());
            }
            let now = note.finish(&mut instrument.book.side_mut(note.side).limits);
            let side = note.side.index();
            let was = with_markets(note.price, (note.qty, note.order_count), markets.1[side]);
            let now = with_markets(note.price, now, markets.2[side]);
            if was != now {
                let qty = i64::try_from(now.0).unwrap_or(i64::MAX);
                self.out.events.level_changed(note.instrument, note.side, note.price, qty, now.1);
            }
        }
        self.out.levels.clear();
    }

    #[inline]
    fn finish_positions(&mut self) {
        if self.out.positions.len() > 1 {
            self.out.positions.sort_unstable_by_key(|note| (note.account, note.instrument));
        }
        for note in &self.out.positions {
            let position = &mut self.state.accounts.positions[note.place as usize];
            position.is_noted = false;
            if position.shares != note.before {
                self.out.events.position_changed(note.account, note.instrument, &position.shares);
            }
        }
        if self.hash.is_kept() {
            for at in 0..self.out.positions.len() {
                self.hash_with_position(self.out.positions[at].place);
            }
        }
        self.out.positions.clear();
    }

    #[inline]
    fn finish_balances(&mut self) {
        if self.out.balances.len() > 1 {
            self.out.balances.sort_unstable_by_key(|note| note.account);
        }
        for note in &self.out.balances {
            let account = self.state.accounts.at_mut(note.place);
            account.is_noted = false;
            if account.balance != note.before {
                self.out.events.balance_changed(note.account, &account.balance);
            }
        }
        if self.hash.is_kept() {
            for at in 0..self.out.balances.len() {
                self.hash_with_account(self.out.balances[at].place);
            }
        }
        self.out.balances.clear();
    }
}

/// What shows at a price: the limit orders there, and the market orders if they rest at it.
fn with_markets(price: i64, limits: (i64, u32), markets: MarketLevel) -> (i128, u32) {
    let (qty, order_count) = limits;
    if price != markets.price {
        return (qty.into(), order_count);
    }
    (i128::from(qty) + markets.qty, order_count + markets.order_count)
}
