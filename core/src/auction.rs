//! What price a call auction finds: the KRX rule (BR 23) and `max_volume`. Nothing is changed here.

use crate::instruments::Instrument;
use crate::ticks::{ceil_to_grid, next_down, next_up};
use crate::words::{AuctionPricing, Side};

/// What stands at a price and strictly better than it. Buys that pay as they go are not bounded by any cash.
#[derive(Clone, Copy, Debug)]
struct Supply {
    price: i64,
    bid: i128,
    ask: i128,
    bid_above: i128,
    ask_below: i128,
}

impl Supply {
    fn volume(&self) -> i128 {
        (self.bid_above + self.bid).min(self.ask_below + self.ask)
    }

    /// Something trades, and all that is strictly better is filled whole (KRX BR 23(4)1).
    fn fills_the_better(&self) -> bool {
        let volume = self.volume();
        volume > 0 && volume >= self.bid_above && volume >= self.ask_below
    }

    /// Orders at the price itself get something too, where there are any (KRX BR 23(4)2).
    fn fills_all_prices(&self) -> bool {
        let volume = self.volume();
        !((self.bid > 0 && volume == self.bid_above) || (self.ask > 0 && volume == self.ask_below))
    }
}

/// A stretch of prices that all give this volume: from, to, volume.
type Range = (i64, i64, i128);

/// An auction's price and volume; 0 and 0 = no match. The volume is never more than is offered, so it fits.
pub(crate) type Found = (i64, i64);

const NOTHING: Found = (0, 0);

impl Instrument {
    /// The matching price (합치가격) and its volume, market orders at their deemed prices.
    pub fn find_auction_price(&self) -> Found {
        let [buys, sells] = &self.book.sides;
        if [buys, sells].iter().any(|side| side.limits.is_empty() && side.market_qty == 0) {
            return NOTHING;
        }
        let (price, qty) = if self.auctions_follow_krx() {
            self.krx_price()
        } else if buys.limits.is_empty() && sells.limits.is_empty() {
            let volume = buys.market_qty.min(sells.market_qty);
            if self.last_price != 0 && volume > 0 { (self.last_price, volume) } else { (0, 0) }
        } else {
            self.max_volume_price()
        };
        (price, qty as i64)
    }

    /// Whether the auction is KRX's.
    pub fn auctions_follow_krx(&self) -> bool {
        self.rules.auction_pricing == AuctionPricing::Krx
    }

    /// What stands at each price that an order names, ascending. `markets` are the prices of market orders, 0 = none.
    fn supplies(&self, markets: [i64; 2]) -> Vec<Supply> {
        let [buys, sells] = &self.book.sides;
        let mut curve: Vec<(i64, i128, i128)> =
            Vec::with_capacity((buys.limits.len() + sells.limits.len() + 2) as usize);
        curve.extend(buys.limits.iter().map(|level| (level.price, level.qty.into(), 0)));
        curve.extend(sells.limits.iter().map(|level| (level.price, 0, level.qty.into())));
        if markets[0] != 0 {
            curve.push((markets[0], buys.market_qty, 0));
        }
        if markets[1] != 0 {
            curve.push((markets[1], 0, sells.market_qty));
        }
        curve.sort_unstable_by_key(|point| point.0);
        let mut supplies: Vec<Supply> = Vec::with_capacity(curve.len());
        for (price, bid, ask) in curve {
            match supplies.last_mut() {
                Some(last) if last.price == price => {
                    last.bid += bid;
                    last.ask += ask;
                }
                _ => supplies.push(Supply { price, bid, ask, bid_above: 0, ask_below: 0 }),
            }
        }
        let mut bid_above: i128 = supplies.iter().map(|supply| supply.bid).sum();
        let mut ask_below = 0;
        for supply in &mut supplies {
            bid_above -= supply.bid;
            supply.bid_above = bid_above;
            supply.ask_below = ask_below;
            ask_below += supply.ask;
        }
        supplies
    }

    /// The matching price of KRX BR 23, market orders at their deemed prices.
    ///
    /// A price matches when all that is strictly better is filled whole and nobody at the price goes empty-handed. Where no
    /// price satisfies the second half, the first alone decides (BR 23(6)). Of several prices the one nearest to the
    /// previous price is taken; where that lies between them and is none of them, the nearest above it (BR 23(5)).
    fn krx_price(&self) -> (i64, i128) {
        let [buys, sells] = &self.book.sides;
        let mut markets = self.auction_prices();
        for (price, side) in markets.iter_mut().zip([buys, sells]) {
            if side.market_qty == 0 {
                *price = 0;
            }
        }
        let supplies = self.supplies(markets);
        let mut ranges: Vec<Range> = Vec::new();
        for pair in supplies.windows(2) {
            let [lower, upper] = pair else { continue };
            if lower.bid_above > 0 && lower.bid_above == lower.ask_below + lower.ask {
                let range = (next_up(&self.bands, lower.price), next_down(&self.bands, upper.price), lower.bid_above);
                if range.0 <= range.1 {
                    ranges.push(range);
                }
            }
        }
        let point = |supply: &Supply| (supply.price, supply.price, supply.volume());
        let better = || supplies.iter().filter(|supply| supply.fills_the_better());
        ranges.extend(better().filter(|supply| supply.fills_all_prices()).map(point));
        if ranges.is_empty() {
            ranges.extend(better().map(point));
        }
        ranges.sort_unstable();
        let Some(&(_, highest, qty)) = ranges.last() else { return (0, 0) };
        if self.last_price >= highest {
            return (highest, qty);
        }
        let wanted = ceil_to_grid(&self.bands, self.last_price);
        match ranges.iter().find(|range| range.1 >= wanted) {
            Some(&(first, _, qty)) => (first.max(wanted), qty),
            None => (highest, qty),
        }
    }

    /// Of the prices that limit orders name the one with the most volume; then the smallest surplus, then the higher.
    fn max_volume_price(&self) -> (i64, i128) {
        let [market_buy, market_sell] = Side::BOTH.map(|side| self.book.side(side).market_qty);
        let mut best = (0, 0, 0);
        for supply in self.supplies([0, 0]) {
            let demand = market_buy + supply.bid_above + supply.bid;
            let offer = market_sell + supply.ask_below + supply.ask;
            best = best.max((demand.min(offer), -(demand - offer).abs(), supply.price));
        }
        let (volume, _, price) = best;
        if volume > 0 { (price, volume) } else { (0, 0) }
    }
}
