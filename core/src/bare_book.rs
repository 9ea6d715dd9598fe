//! A bare order book: price-time priority, and nothing else. No accounts, no rules, no events; trades come out as they happen.
//!
//! It stands on the same ladder, queues and ids as the engine's books, and may be used without the engine.

use std::hint::black_box;

use crate::ladder::Ladder;
use crate::order_ids::OrderIds;
use crate::slab::{NONE, Node, Slab};
use crate::ticks::PriceLimits;
use crate::words::Side;

/// Which prices a book takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Prices {
    /// Any positive price. Levels are kept sorted.
    Any,
    /// The multiples of `tick` from `lowest` to `highest`. Levels are laid out densely, which is quicker.
    Between {
        /// The lowest price.
        lowest: i64,
        /// The highest price.
        highest: i64,
        /// The step between prices.
        tick: i64,
    },
}

/// A match of an incoming order with the best resting one, at the resting order's price.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Trade {
    /// The resting order.
    pub maker: u64,
    /// The incoming order.
    pub taker: u64,
    /// The price.
    pub price: i64,
    /// The quantity.
    pub qty: i64,
    /// The incoming order's side.
    pub taker_side: Side,
}

/// What became of an order that entered or was corrected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Placed {
    /// Its id: dense, from 1.
    pub id: u64,
    /// What is open of it now. 0 = nothing: it was filled, or a market order found nobody.
    pub leaves_qty: i64,
}

/// An open order, 32 bytes.
#[derive(Clone, Copy, Debug)]
struct Resting {
    id: u64,
    qty: i64,
    links: [u32; 2],
    level: u32,
    /// The instrument's number, doubled, and 1 more for a sell.
    place: u32,
}

impl Default for Resting {
    fn default() -> Self {
        Self { id: 0, qty: 0, links: [NONE; 2], level: NONE, place: 0 }
    }
}

impl Node for Resting {
    #[inline]
    fn links(&self, _kind: usize) -> [u32; 2] {
        self.links
    }

    #[inline]
    fn links_mut(&mut self, _kind: usize) -> &mut [u32; 2] {
        &mut self.links
    }
}

/// What a caller will soon do; see [`Books::touch`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Soon {
    /// Cancel or correct the order with this id.
    Order(u64),
    /// Enter an order.
    New {
        /// The instrument's number.
        instrument: u32,
        /// The order's side.
        side: Side,
        /// Its price; 0 for a market order.
        price: i64,
    },
}

/// [`Books::touch`] fetches so many side by side.
const TOUCHED: usize = 16;

/// The books of many instruments, numbered from 0. Their orders share one store and one sequence of ids.
#[derive(Clone, Debug, Default)]
pub struct Books {
    /// Bids and asks of each instrument, one after the other.
    ladders: Vec<Ladder>,
    prices: Vec<Prices>,
    orders: Slab<Resting>,
    ids: OrderIds,
    last_id: u64,
}

impl Books {
    /// No instruments yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Add an instrument; gives its number.
    pub fn add(&mut self, prices: Prices) -> u32 {
        let (limits, bands) = match prices {
            Prices::Any => (PriceLimits::default(), vec![(0, 1)]),
            Prices::Between { lowest, highest, tick } => {
                (PriceLimits { upper: highest, lower: lowest }, vec![(0, tick.max(1))])
            }
        };
        self.ladders.extend(Side::BOTH.map(|side| Ladder::new(side, limits, &bands)));
        self.prices.push(prices);
        self.prices.len() as u32 - 1
    }

    /// Whether an order of the instrument may carry a price.
    #[inline]
    pub fn takes(&self, instrument: u32, price: i64) -> bool {
        match self.ladders.get(instrument as usize * 2) {
            None => false,
            Some(ladder) if ladder.has_grid() => ladder.number_of(price).is_some(),
            Some(_) => self.takes_unlimited(instrument, price),
        }
    }

    fn takes_unlimited(&self, instrument: u32, price: i64) -> bool {
        match self.prices[instrument as usize] {
            Prices::Any => price > 0,
            Prices::Between { lowest, highest, tick } => {
                price > 0 && lowest <= price && price <= highest && price % tick.max(1) == 0
            }
        }
    }

    /// Enter a limit order. None, and nothing changes, for a price or a quantity that cannot be.
    #[inline]
    pub fn limit(
        &mut self,
        instrument: u32,
        side: Side,
        price: i64,
        qty: i64,
        on_trade: impl FnMut(Trade),
    ) -> Option<Placed> {
        if qty <= 0 || !self.takes(instrument, price) {
            return None;
        }
        self.last_id += 1;
        let id = self.last_id;
        let leaves_qty = self.cross(instrument, side, price, id, qty, on_trade);
        if leaves_qty > 0 {
            let order = Resting { id, qty: leaves_qty, place: place_of(instrument, side), ..Resting::default() };
            let place = self.orders.insert(order);
            self.ids.insert(id, place);
            self.rest(place, price);
        }
        Some(Placed { id, leaves_qty })
    }

    /// Enter a market order: it trades with whoever is there, and never rests. `leaves_qty` is what found nobody.
    #[inline]
    pub fn market(&mut self, instrument: u32, side: Side, qty: i64, on_trade: impl FnMut(Trade)) -> Option<Placed> {
        if qty <= 0 || instrument as usize >= self.prices.len() {
            return None;
        }
        self.last_id += 1;
        let id = self.last_id;
        let limit = if side == Side::Buy { i64::MAX } else { 0 };
        Some(Placed { id, leaves_qty: self.cross(instrument, side, limit, id, qty, on_trade) })
    }

    /// Cancel an open order; gives what was open of it.
    #[inline]
    pub fn cancel(&mut self, id: u64) -> Option<i64> {
        let place = self.ids.get(id);
        if place == NONE {
            return None;
        }
        let order = self.orders[place];
        self.ladders[order.place as usize].unlink(&mut self.orders, order.level, place, order.qty);
        self.forget(place);
        Some(order.qty)
    }

    /// Give an open order another price and open quantity. Less quantity at the same price keeps its place in the queue;
    /// everything else sends it to the back, and it may trade at once. None, and nothing changes, where that cannot be.
    #[inline]
    pub fn correct(&mut self, id: u64, price: i64, qty: i64, on_trade: impl FnMut(Trade)) -> Option<Placed> {
        let place = self.ids.get(id);
        if place == NONE || qty <= 0 {
            return None;
        }
        let order = self.orders[place];
        let (instrument, side) = whose(order.place);
        if !self.takes(instrument, price) {
            return None;
        }
        let ladder = &mut self.ladders[order.place as usize];
        if ladder.at(order.level).price == price && qty <= order.qty {
            ladder.at_mut(order.level).qty -= order.qty - qty;
            self.orders[place].qty = qty;
            return Some(Placed { id, leaves_qty: qty });
        }
        ladder.unlink(&mut self.orders, order.level, place, order.qty);
        let leaves_qty = self.cross(instrument, side, price, id, qty, on_trade);
        if leaves_qty > 0 {
            self.orders[place].qty = leaves_qty;
            self.rest(place, price);
        } else {
            self.forget(place);
        }
        Some(Placed { id, leaves_qty })
    }

    /// Read what these commands will need, so that memory is waited for once and not for each of them. Nothing changes, and
    /// nothing depends on it: it pays where the open orders are more than the caches hold and the next commands are known.
    /// A handful to some dozen at a time are best.
    pub fn touch(&self, soon: &[Soon]) {
        let mut sum = 0_u64;
        for soon in soon.chunks(TOUCHED) {
            // The order that each names or will meet, and the one at whose end it will queue.
            let mut found = [(NONE, NONE); TOUCHED];
            for (found, soon) in found.iter_mut().zip(soon) {
                *found = match *soon {
                    Soon::Order(id) => (self.ids.get(id), NONE),
                    Soon::New { instrument, side, price } => self.will_meet(instrument, side, price),
                };
            }
            let open = |place: u32| self.orders.get(place);
            let found = &found[..soon.len()];
            for (order, last) in found {
                sum ^= open(*order).map_or(0, |order| order.id) ^ open(*last).map_or(0, |order| order.id);
            }
            for (place, soon) in found.iter().zip(soon) {
                let Some(order) = open(place.0) else { continue };
                let [before, after] = order.links;
                sum ^= open(after).map_or(0, |order| order.id);
                if let Soon::Order(_) = soon {
                    let level = self.ladders.get(order.place as usize).and_then(|ladder| ladder.get(order.level));
                    sum ^= open(before).map_or(0, |order| order.id) ^ level.map_or(0, |level| level.qty as u64);
                } else {
                    sum ^= u64::from(self.ids.get(order.id));
                }
            }
        }
        black_box(sum);
    }

    /// The order that a new one will trade with first, or else the one at whose end it will queue.
    #[inline]
    fn will_meet(&self, instrument: u32, side: Side, price: i64) -> (u32, u32) {
        let at = instrument as usize * 2;
        let Some([buys, sells]) = self.ladders.get(at..at + 2) else { return (NONE, NONE) };
        let (own, other) = if side == Side::Buy { (buys, sells) } else { (sells, buys) };
        match other.best() {
            Some(best) if price == 0 || side.reaches(price, best.price) => (best.queue.head, NONE),
            _ => (NONE, own.find(price).map_or(NONE, |place| own.at(place).queue.tail)),
        }
    }

    /// The best price of a side, with the open quantity there.
    #[inline]
    pub fn best(&self, instrument: u32, side: Side) -> Option<(i64, i64)> {
        let level = self.ladders.get(place_of(instrument, side) as usize)?.best()?;
        Some((level.price, level.qty))
    }

    /// Open quantity and number of orders at a price.
    #[inline]
    pub fn depth_at(&self, instrument: u32, side: Side, price: i64) -> (i64, u32) {
        self.ladders.get(place_of(instrument, side) as usize).map_or((0, 0), |ladder| ladder.shown(price))
    }

    /// The levels of a side, best first: price, open quantity, number of orders.
    pub fn levels(&self, instrument: u32, side: Side) -> impl Iterator<Item = (i64, i64, u32)> {
        let ladder = self.ladders.get(place_of(instrument, side) as usize);
        ladder.into_iter().flat_map(|ladder| ladder.iter().map(|level| (level.price, level.qty, level.queue.count)))
    }

    /// What is open of an order; none where it is not open.
    #[inline]
    pub fn open_qty(&self, id: u64) -> Option<i64> {
        let place = self.ids.get(id);
        (place != NONE).then(|| self.orders[place].qty)
    }

    /// How many orders are open.
    pub fn open_orders(&self) -> usize {
        self.orders.len()
    }

    /// Bytes that the stores of open orders hold.
    pub fn order_bytes(&self) -> usize {
        self.orders.resident_bytes() + self.ids.resident_bytes()
    }

    /// Trade with the other side while the limit allows; gives what is left.
    #[inline]
    fn cross(
        &mut self,
        instrument: u32,
        taker_side: Side,
        limit: i64,
        taker: u64,
        qty: i64,
        mut on_trade: impl FnMut(Trade),
    ) -> i64 {
        let ladder = &mut self.ladders[place_of(instrument, taker_side.opposite()) as usize];
        let mut left = qty;
        while left > 0 {
            let Some(level) = ladder.best() else { break };
            let price = level.price;
            if !taker_side.reaches(limit, price) {
                break;
            }
            let place = level.queue.head;
            let order = &mut self.orders[place];
            let (maker, level) = (order.id, order.level);
            let qty = left.min(order.qty);
            left -= qty;
            if qty == order.qty {
                ladder.unlink(&mut self.orders, level, place, qty);
                self.orders.remove(place);
                self.ids.remove(maker);
            } else {
                order.qty -= qty;
                ladder.at_mut(level).qty -= qty;
            }
            on_trade(Trade { maker, taker, price, qty, taker_side });
        }
        left
    }

    #[inline]
    fn rest(&mut self, place: u32, price: i64) {
        let order = &mut self.orders[place];
        let (whose, qty) = (order.place as usize, order.qty);
        let level = self.ladders[whose].make(price);
        order.level = level;
        self.ladders[whose].push(&mut self.orders, level, place, qty);
    }

    #[inline]
    fn forget(&mut self, place: u32) {
        self.ids.remove(self.orders[place].id);
        self.orders.remove(place);
    }
}

/// The book of one instrument; see [`Books`], whose first it is.
#[derive(Clone, Debug)]
pub struct Book {
    books: Books,
}

impl Book {
    /// An empty book.
    pub fn new(prices: Prices) -> Self {
        let mut books = Books::new();
        books.add(prices);
        Self { books }
    }

    /// Enter a limit order; see [`Books::limit`].
    #[inline]
    pub fn limit(&mut self, side: Side, price: i64, qty: i64, on_trade: impl FnMut(Trade)) -> Option<Placed> {
        self.books.limit(0, side, price, qty, on_trade)
    }

    /// Enter a market order; see [`Books::market`].
    #[inline]
    pub fn market(&mut self, side: Side, qty: i64, on_trade: impl FnMut(Trade)) -> Option<Placed> {
        self.books.market(0, side, qty, on_trade)
    }

    /// Cancel an open order; see [`Books::cancel`].
    #[inline]
    pub fn cancel(&mut self, id: u64) -> Option<i64> {
        self.books.cancel(id)
    }

    /// Give an open order another price and quantity; see [`Books::correct`].
    #[inline]
    pub fn correct(&mut self, id: u64, price: i64, qty: i64, on_trade: impl FnMut(Trade)) -> Option<Placed> {
        self.books.correct(id, price, qty, on_trade)
    }

    /// The best price of a side, with the open quantity there.
    #[inline]
    pub fn best(&self, side: Side) -> Option<(i64, i64)> {
        self.books.best(0, side)
    }

    /// Open quantity and number of orders at a price.
    #[inline]
    pub fn depth_at(&self, side: Side, price: i64) -> (i64, u32) {
        self.books.depth_at(0, side, price)
    }

    /// The levels of a side, best first: price, open quantity, number of orders.
    pub fn levels(&self, side: Side) -> impl Iterator<Item = (i64, i64, u32)> {
        self.books.levels(0, side)
    }

    /// What is open of an order; none where it is not open.
    pub fn open_qty(&self, id: u64) -> Option<i64> {
        self.books.open_qty(id)
    }

    /// How many orders are open.
    pub fn open_orders(&self) -> usize {
        self.books.open_orders()
    }
}

#[inline]
fn place_of(instrument: u32, side: Side) -> u32 {
    instrument * 2 + side.index() as u32
}

#[inline]
fn whose(place: u32) -> (u32, Side) {
    (place / 2, if place & 1 == 0 { Side::Buy } else { Side::Sell })
}

#[cfg(test)]
mod tests {
    use super::*;

    const KRX: Prices = Prices::Between { lowest: 49_000, highest: 91_000, tick: 100 };

    fn silent(_: Trade) {}

    #[test]
    fn trades_by_price_and_then_time() {
        for prices in [KRX, Prices::Any] {
            let mut book = Book::new(prices);
            let mut id = |side, price, qty| book.limit(side, price, qty, silent).map(|placed| placed.id);
            let first = id(Side::Sell, 70_100, 5);
            let better = id(Side::Sell, 70_000, 5);
            let second = id(Side::Sell, 70_100, 5);
            let mut makers = Vec::new();
            let placed =
                book.limit(Side::Buy, 70_200, 12, |trade| makers.push((Some(trade.maker), trade.price, trade.qty)));
            assert_eq!(placed.map(|placed| placed.leaves_qty), Some(0));
            assert_eq!(makers, [(better, 70_000, 5), (first, 70_100, 5), (second, 70_100, 2)]);
            assert_eq!(book.best(Side::Sell), Some((70_100, 3)));
            assert_eq!(book.depth_at(Side::Sell, 70_100), (3, 1));
            assert_eq!(book.best(Side::Buy), None);
            assert_eq!(book.cancel(second.unwrap_or(0)), Some(3));
            assert_eq!(book.open_orders(), 0);
        }
    }

    #[test]
    fn a_smaller_quantity_keeps_its_place_and_another_price_does_not() {
        let mut book = Book::new(KRX);
        let ids: Vec<u64> =
            (0..3).filter_map(|_| book.limit(Side::Buy, 60_000, 10, silent)).map(|placed| placed.id).collect();
        book.correct(ids[0], 60_000, 4, silent);
        book.correct(ids[1], 60_000, 11, silent);
        let mut makers = Vec::new();
        book.market(Side::Sell, 100, |trade| makers.push((trade.maker, trade.qty)));
        assert_eq!(makers, [(ids[0], 4), (ids[2], 10), (ids[1], 11)]);
    }

    #[test]
    fn touching_ahead_changes_nothing() {
        let mut random = 1_u64;
        let mut below = |n: u64| {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (random >> 33) % n
        };
        let mut both = [Books::new(), Books::new()];
        for books in &mut both {
            books.add(KRX);
            books.add(Prices::Any);
        }
        let mut trades = [Vec::new(), Vec::new()];
        for number in 0..500 {
            let soon: Vec<Soon> = (0..40)
                .map(|_| match below(3) {
                    0 => Soon::Order(below(number * 40 + 2)),
                    _ => Soon::New {
                        instrument: below(3) as u32,
                        side: if below(2) == 0 { Side::Buy } else { Side::Sell },
                        price: if below(10) == 0 { 0 } else { 69_000 + below(21) as i64 * 100 },
                    },
                })
                .collect();
            both[1].touch(&soon);
            for (books, trades) in both.iter_mut().zip(&mut trades) {
                for soon in &soon {
                    match *soon {
                        Soon::Order(id) => {
                            books.cancel(id);
                        }
                        Soon::New { instrument, side, price: 0 } => {
                            books.market(instrument, side, 5, |trade| trades.push(trade));
                        }
                        Soon::New { instrument, side, price } => {
                            books.limit(instrument, side, price, 3, |trade| trades.push(trade));
                        }
                    }
                }
            }
        }
        assert!(trades[0].len() > 1_000);
        assert_eq!(trades[0], trades[1]);
        assert_eq!(both[0].open_orders(), both[1].open_orders());
    }

    #[test]
    fn what_cannot_be_is_refused() {
        let mut book = Book::new(KRX);
        for (price, qty) in [(48_900, 1), (91_100, 1), (70_050, 1), (70_000, 0), (70_000, -1)] {
            assert_eq!(book.limit(Side::Buy, price, qty, silent), None);
        }
        assert_eq!(book.cancel(1), None);
        assert_eq!(book.correct(1, 70_000, 1, silent), None);
        assert_eq!(book.open_orders(), 0);
    }
}
