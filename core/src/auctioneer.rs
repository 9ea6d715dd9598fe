//! Uncrosses call auctions: one price, everything better filled whole, the rest by time, or at a price limit in turns.

use std::collections::VecDeque;

use crate::auction::Found;
use crate::engine::Engine;
use crate::events::EventKind;
use crate::pool::{Pool, Quota, quotas};
use crate::reasons::Reason;
use crate::words::{MarketRemainder, Phase, Side};

/// An order, and how much of it trades before the next one's turn.
#[derive(Clone, Copy, Debug)]
struct Turn {
    quota: Quota,
    /// What is left of the turn itself: less than the quota's rest once the order was canceled.
    qty: i64,
    is_of_pool: bool,
}

impl Engine {
    /// Match the auction; the phase stays. Where its price would set off an interruption, it only goes on, once.
    pub(crate) fn uncross_auction(&mut self, instrument: usize) {
        self.touch(instrument);
        let found = &mut self.state.instruments[instrument];
        let number = found.number;
        let (price, qty) = found.find_auction_price();
        if qty != 0
            && !found.is_extended
            && let Some(reason) = found.interruption(price, found.last_price)
        {
            found.is_extended = true;
            found.interruptions += 1;
            self.out.events.auction(EventKind::AuctionExtended, reason, number, price, qty);
            return;
        }
        let traded = if qty != 0 { self.trade_auction(instrument, (price, qty)) } else { 0 };
        let found = &mut self.state.instruments[instrument];
        if traded != 0 {
            found.auction_price = price;
        }
        found.is_extended = false;
        let price = if traded != 0 { price } else { 0 };
        self.out.events.auction(EventKind::AuctionUncrossed, Reason::None, number, price, traded);
        self.end_market_remainders(instrument);
        self.state.instruments[instrument].awaits_uncross = false;
    }

    /// Walk both sides' turns in parallel until the volume is traded. Gives how much was.
    ///
    /// It is less than was found only where a buy without a reservation runs out of cash; its rest is canceled.
    fn trade_auction(&mut self, instrument: usize, (price, volume): Found) -> i64 {
        let mut sides = Side::BOTH.map(|side| VecDeque::from(self.turns(instrument, side, price)));
        let mut left = volume;
        while left != 0 {
            let [buys, sells] = &mut sides;
            let (Some(buy), Some(sell)) = (buys.front().copied(), sells.front().copied()) else { break };
            let orders = &self.state.orders;
            let is_open = |turn: &Turn| orders.is_still(turn.quota.place, turn.quota.priority);
            if !is_open(&buy) {
                buys.pop_front(); // canceled below, with turns left
                continue;
            }
            if !is_open(&sell) {
                sells.pop_front();
                continue;
            }
            let places = [buy.quota.place, sell.quota.place];
            let wanted = left.min(buy.qty).min(sell.qty);
            let can = places.map(|place| self.most(place, price));
            let qty = wanted.min(can[0]).min(can[1]);
            if qty != 0 {
                self.trade_in_auction(places[0], places[1], instrument, price, qty);
                left -= qty;
            }
            for (turns, (place, can)) in sides.iter_mut().zip(places.into_iter().zip(can)) {
                let Some(turn) = turns.front_mut() else { continue };
                turn.qty -= qty;
                turn.quota.qty -= qty;
                if can == qty && qty < wanted {
                    let reason = self.why_short(place, price);
                    self.end_resting(place, instrument, reason);
                    turn.qty = 0;
                }
                if turn.qty == 0 {
                    turns.pop_front();
                }
            }
        }
        for (side, turns) in Side::BOTH.into_iter().zip(sides) {
            let rest: Vec<Quota> = turns.iter().filter(|turn| turn.is_of_pool).map(|turn| turn.quota).collect();
            if !rest.is_empty() {
                self.state.instruments[instrument].book.pool = Some(Box::new(Pool::new(side, price, rest)));
            }
        }
        volume - left
    }

    /// A side's orders that may trade at the price, in the order in which they do (KRX rules 5.4, 5.6).
    ///
    /// By price, then market orders before limit orders, then time; at the daily limit time alone decides between them.
    fn turns(&self, instrument: usize, side: Side, price: i64) -> Vec<Turn> {
        let (found, orders) = (&self.state.instruments[instrument], &self.state.orders);
        let own = found.book.side(side);
        let follows_krx = found.auctions_follow_krx();
        let sign = side.sign();
        let reached = own.limits.iter().take_while(|level| sign * level.price <= sign * price);
        // (price by side, who goes first at it, priority, place)
        let mut ranked: Vec<(i64, u8, u64, u32)> = reached
            .flat_map(|level| level.queue.iter(orders.slab()).map(|place| (sign * level.price, place)))
            .map(|(key, place)| (key, 1, orders[place].priority, place))
            .collect();
        let markets = own.markets.iter(orders.slab());
        if follows_krx {
            let deemed = found.auction_prices()[side.index()];
            let goes_first = if found.is_at_limit(side, deemed) { 1 } else { 0 };
            if sign * deemed <= sign * price {
                ranked.extend(markets.map(|place| (sign * deemed, goes_first, orders[place].priority, place)));
            }
        } else {
            ranked.extend(markets.map(|place| (i64::MIN, 0, orders[place].priority, place)));
        }
        ranked.sort_unstable();
        let places: Vec<u32> = ranked.iter().map(|rank| rank.3).collect();
        let turn = |quota: Quota, is_of_pool: bool| Turn { quota, qty: quota.qty, is_of_pool };
        let divides_in_turns = matches!(found.phase, Phase::OpeningAuction | Phase::ResumptionAuction)
            && follows_krx
            && found.is_at_limit(side, price);
        if divides_in_turns {
            return quotas(orders, &places, found.rules.lot).into_iter().map(|quota| turn(quota, true)).collect();
        }
        let whole = |place: u32| Quota { place, priority: orders[place].priority, qty: orders[place].leaves_qty };
        places.into_iter().map(|place| turn(whole(place), false)).collect()
    }

    /// Where market orders do not rest, an auction is all that they can wait for.
    pub(crate) fn end_market_remainders(&mut self, instrument: usize) {
        let found = &self.state.instruments[instrument];
        if found.rules.market_remainder != MarketRemainder::Cancel {
            return;
        }
        for side in Side::BOTH {
            let markets = &self.state.instruments[instrument].book.side(side).markets;
            let waiting: Vec<u32> = markets.iter(self.state.orders.slab()).collect();
            for place in waiting {
                self.end_resting(place, instrument, Reason::MarketRemainder);
            }
        }
    }
}
