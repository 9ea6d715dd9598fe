//! Who is first: the best resting order of a side at this moment, by price and then time (KRX BR 22). Nothing is changed.

use crate::instruments::Instrument;
use crate::orders::{Order, Orders};
use crate::slab::NONE;
use crate::words::Side;

/// A resting order that may trade now: where it is, at what price, and how many shares before the next one's turn.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Match {
    pub place: u32,
    pub price: i64,
    pub qty: i64,
}

impl Instrument {
    /// Whom the incoming order meets now, and at which price: the earlier one's (선행호가, KRX BR 24); none when nobody.
    ///
    /// A market order crosses every price. A midpoint order's limit is the midpoint at this moment.
    #[inline(always)]
    pub fn best_match(&self, orders: &Orders, taker: &Order) -> Option<Match> {
        let limit = if taker.is_midpoint() {
            match self.midpoint(orders) {
                0 => return None,
                midpoint => midpoint,
            }
        } else if taker.is_market() {
            0
        } else {
            taker.limit_price
        };
        let side = taker.side();
        let met = Some((limit, taker.has_own_price()));
        let best = self.best_resting(orders, side.opposite(), met)?;
        (taker.is_market() || side.reaches(limit, best.price)).then_some(best)
    }

    /// The order of a side that trades first, when it meets an incoming order with this limit, whose own it may be.
    ///
    /// Ranked by price; at the same price market orders go first, but at the daily limit time alone decides between them
    /// and limit orders (KRX BR 22(2)1). What is left of a pool at a price limit goes before all others there.
    #[inline(always)]
    pub fn best_resting(&self, orders: &Orders, side: Side, met: Option<(i64, bool)>) -> Option<Match> {
        let own = self.book.side(side);
        if own.market_qty == 0 && own.midpoints.count == 0 {
            // the usual case
            let level = own.limits.best()?;
            return Some(self.in_turn(orders, side, level.queue.head, level.price));
        }
        self.best_of_all(orders, side, met)
    }

    fn best_of_all(&self, orders: &Orders, side: Side, met: Option<(i64, bool)>) -> Option<Match> {
        let own = self.book.side(side);
        let floats = self.rules.market_orders_float();
        let (met_limit, met_has_own_price) = met.unwrap_or((0, false));
        let market = own.markets.head;
        if market != NONE && !floats {
            // They rank before every limit order and trade at the incoming limit's price; two market orders trade at the
            // last price, or wait while there is none.
            let price = if met_limit != 0 { met_limit } else { self.last_price };
            if price != 0 {
                return Some(Match { place: market, price, qty: orders[market].leaves_qty });
            }
        }
        // (price by side, whether others go first, priority, place, price)
        let rank = |place: u32, price: i64, goes_first: bool| {
            (side.sign() * price, !goes_first, orders[place].priority, place, price)
        };
        let limit = own.limits.best().map(|level| rank(level.queue.head, level.price, false));
        let mut floating = None;
        if market != NONE && floats {
            let price = self.deemed_price(side, if met_has_own_price { met_limit } else { 0 }, None);
            if price != 0 {
                floating = Some(rank(market, price, !self.is_at_limit(side, price)));
            }
        }
        let mut middle = None;
        if own.midpoints.head != NONE {
            let price = self.midpoint(orders);
            if price != 0 {
                middle = Some(rank(own.midpoints.head, price, false));
            }
        }
        let (.., place, price) = [limit, floating, middle].into_iter().flatten().min()?;
        Some(self.in_turn(orders, side, place, price))
    }

    /// The best of both sides where they would trade with each other: the place of the later one, which takes, and the
    /// earlier one, whose price it is. Market orders that do not float cross any price, and take the other's.
    pub fn crossing(&self, orders: &Orders) -> Option<(u32, Match)> {
        let buy = self.best_resting(orders, Side::Buy, None)?;
        let sell = self.best_resting(orders, Side::Sell, None)?;
        let (earlier, later) =
            if orders[buy.place].priority < orders[sell.place].priority { (buy, sell) } else { (sell, buy) };
        let mut price = earlier.price;
        let at_market = [buy, sell].iter().any(|found| orders[found.place].is_market());
        if at_market && !self.rules.market_orders_float() {
            if let Some(other) = [buy, sell].iter().find(|found| !orders[found.place].is_market()) {
                price = other.price;
            }
        } else if buy.price < sell.price {
            return None;
        }
        Some((later.place, Match { place: earlier.place, price, qty: earlier.qty.min(later.qty) }))
    }

    /// Whose turn it is where this order is the first at the price.
    #[inline(always)]
    fn in_turn(&self, orders: &Orders, side: Side, place: u32, price: i64) -> Match {
        if let Some(pool) = &self.book.pool
            && pool.side == side
            && pool.price == price
            && let Some(turn) = pool.first(orders)
        {
            return Match { place: turn.place, price, qty: turn.open_qty(orders) };
        }
        Match { place, price, qty: orders[place].leaves_qty }
    }
}
