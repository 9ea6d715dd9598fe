//! Prices that move with the book: of resting market orders, of midpoint orders, and the best quotes. Nothing is changed.
//!
//! Where the rule says that market orders float (KRX), each rests at a *deemed price*, which counts as a quote of its side
//! and shows in the levels.

use crate::instruments::Instrument;
use crate::orders::Orders;
use crate::words::{OrderType, Side};

/// Where a side's resting market orders show: at no price (0) while they have none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct MarketLevel {
    pub price: i64,
    pub qty: i128,
    pub order_count: u32,
}

impl Instrument {
    /// The deemed price of market orders in continuous trading (KRX BR 24(2)); 0 while there is nothing to tell it by.
    ///
    /// A buy stands one tick above the best bid limit, or at the last price where there is none, and never below the
    /// highest ask limit: so it crosses all of them. A sell mirrors that. `met_limit` is the limit of the incoming order
    /// that it meets, which counts. `without` is an order that shall not count. No price is outside the day's limits.
    pub fn deemed_price(&self, side: Side, met_limit: i64, without: Option<u32>) -> i64 {
        let best = self.book.side(side).best_limit(without);
        let price = if best != 0 { self.one_tick_better(side, best) } else { self.last_on_grid(side) };
        side.farthest(&[self.clamp(price), self.book.side(side.opposite()).limits.worst_price(), met_limit])
    }

    /// The deemed prices of market buys and market sells while an auction collects (KRX BR 23(3)); 0 = none.
    pub fn auction_prices(&self) -> [i64; 2] {
        let [buys, sells] = &self.book.sides;
        if !buys.limits.is_empty() || !sells.limits.is_empty() {
            return Side::BOTH.map(|side| self.auction_price_of(side));
        }
        let price = self.clamp(self.last_on_grid(Side::Buy));
        if price == 0 {
            return [0, 0];
        }
        let better = |side: Side, has_more: bool| if has_more { self.one_tick_better(side, price) } else { price };
        [better(Side::Buy, buys.market_qty > sells.market_qty), better(Side::Sell, sells.market_qty > buys.market_qty)]
    }

    fn auction_price_of(&self, side: Side) -> i64 {
        let best = self.book.side(side).best_limit(None);
        let better = if best != 0 { self.one_tick_better(side, best) } else { 0 };
        let previous = self.clamp(self.last_on_grid(side));
        side.farthest(&[better, self.book.side(side.opposite()).limits.worst_price(), previous])
    }

    /// Where resting market orders show now, by side.
    pub fn market_levels(&self) -> [MarketLevel; 2] {
        if self.has_floating_orders() { self.floating_levels() } else { Default::default() }
    }

    /// Whether market orders rest here that float.
    #[inline]
    pub fn has_floating_orders(&self) -> bool {
        let [buys, sells] = &self.book.sides;
        (buys.markets.count | sells.markets.count) != 0 && self.rules.market_orders_float()
    }

    fn floating_levels(&self) -> [MarketLevel; 2] {
        let auction = self.phase.is_auction().then(|| self.auction_prices());
        Side::BOTH.map(|side| {
            let own = self.book.side(side);
            if own.market_qty == 0 {
                return MarketLevel::default();
            }
            let price = auction.map_or_else(|| self.deemed_price(side, 0, None), |prices| prices[side.index()]);
            if price == 0 {
                return MarketLevel::default();
            }
            MarketLevel { price, qty: own.market_qty, order_count: own.markets.count }
        })
    }

    /// A side's best quote in continuous trading, midpoint orders left out (KRX ER 3, 4); 0 when there is none.
    fn best_quote(&self, orders: &Orders, side: Side, without: Option<u32>) -> i64 {
        let own = self.book.side(side);
        let limit = own.best_limit(without);
        let mut markets = own.markets.count;
        if without.is_some_and(|place| orders[place].is_market() && orders[place].side() == side) {
            markets -= 1;
        }
        if markets > 0 && self.rules.market_orders_float() {
            return side.farthest(&[limit, self.deemed_price(side, 0, without)]);
        }
        limit
    }

    /// The price of midpoint orders: half way between the best quotes, fractions cut, on the grid or not; 0 while a side is
    /// empty, when they are suspended (KRX 중간가호가).
    pub fn midpoint(&self, orders: &Orders) -> i64 {
        let [bid, ask] = Side::BOTH.map(|side| self.best_quote(orders, side, None));
        if bid != 0 && ask != 0 { ((i128::from(bid) + i128::from(ask)) / 2) as i64 } else { 0 }
    }

    /// The limit price that a 최유리 or 최우선 order gets, once, on receipt (KRX ER 3, 4); 0 when there is none.
    ///
    /// 최유리 (best opposite): the other side's best price; where that side is empty, one tick better than the own side's
    /// best; in an empty book the last price, brought onto the grid towards trading. 최우선 (best same): the own side's best
    /// price; where there is none, the last price, brought onto the grid away from trading.
    pub fn price_on_receipt(&self, orders: &Orders, side: Side, order_type: OrderType, without: Option<u32>) -> i64 {
        let own = self.best_quote(orders, side, without);
        if order_type == OrderType::BestSame {
            return if own != 0 { own } else { self.clamp(self.last_on_grid(side.opposite())) };
        }
        match self.best_quote(orders, side.opposite(), without) {
            0 if own == 0 => self.clamp(self.last_on_grid(side)),
            0 => self.one_tick_better(side, own),
            other => other,
        }
    }
}
