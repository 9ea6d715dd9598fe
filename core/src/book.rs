//! One instrument's book: per side the levels of limit orders, the market and midpoint orders, and the stops.

use std::collections::BTreeMap;

use crate::ladder::Ladder;
use crate::orders::{Orders, WAITING};
use crate::pool::Pool;
use crate::slab::Fifo;
use crate::ticks::PriceLimits;
use crate::words::{OrderType, Side};

/// A queue of orders without a level.
pub(crate) type Queue = Fifo<WAITING>;

/// The resting orders of one side. Only limit orders, of whatever type, make levels: the prices of market and midpoint
/// orders move with the book (`quotes.rs`).
#[derive(Clone, Debug)]
pub(crate) struct BookSide {
    pub side: Side,
    pub limits: Ladder,
    pub markets: Queue,
    pub midpoints: Queue,
    /// Sleeping stop orders by stop price.
    pub stops: BTreeMap<i64, Queue>,
    /// Open shares of all market orders. Buys that pay as they go are not bounded by any cash.
    pub market_qty: i128,
}

impl BookSide {
    pub fn new(side: Side, limits: PriceLimits, bands: &[(i64, i64)]) -> Self {
        Self {
            side,
            limits: Ladder::new(side, limits, bands),
            markets: Queue::default(),
            midpoints: Queue::default(),
            stops: BTreeMap::new(),
            market_qty: 0,
        }
    }

    /// Rest an order, or put a stop order to sleep. The level of an order with a price of its own was made.
    #[inline(always)]
    pub fn add(&mut self, orders: &mut Orders, place: u32) {
        let order = &orders[place];
        let leaves_qty = order.leaves_qty;
        match order.order_type {
            OrderType::StopLimit | OrderType::Stop => {
                let stop_price = orders.stop_price(place);
                self.stops.entry(stop_price).or_default().push(orders.slab_mut(), place);
            }
            OrderType::Market => {
                self.markets.push(orders.slab_mut(), place);
                self.market_qty += i128::from(leaves_qty);
            }
            OrderType::Midpoint => self.midpoints.push(orders.slab_mut(), place),
            _ => {
                let level = order.level;
                self.limits.push(orders.slab_mut(), level, place, leaves_qty);
            }
        }
    }

    /// The same, the level being made where that is needed.
    pub fn add_anew(&mut self, orders: &mut Orders, place: u32) {
        if orders[place].has_own_price() {
            orders[place].level = self.limits.make(orders[place].limit_price);
        }
        self.add(orders, place);
    }

    /// Take out an order; `leaves_qty` is what it still shows.
    #[inline(always)]
    pub fn remove(&mut self, orders: &mut Orders, place: u32) {
        let order = &orders[place];
        let leaves_qty = order.leaves_qty;
        match order.order_type {
            OrderType::StopLimit | OrderType::Stop => {
                let stop_price = orders.stop_price(place);
                if let Some(queue) = self.stops.get_mut(&stop_price) {
                    queue.unlink(orders.slab_mut(), place);
                    if queue.count == 0 {
                        self.stops.remove(&stop_price);
                    }
                }
            }
            OrderType::Market => {
                self.markets.unlink(orders.slab_mut(), place);
                self.market_qty -= i128::from(leaves_qty);
            }
            OrderType::Midpoint => self.midpoints.unlink(orders.slab_mut(), place),
            _ => {
                let level = order.level;
                self.limits.unlink(orders.slab_mut(), level, place, leaves_qty);
            }
        }
    }

    /// Show `qty` shares less of an order that keeps its place.
    #[inline(always)]
    pub fn reduce(&mut self, orders: &Orders, place: u32, qty: i64) {
        let order = &orders[place];
        if order.is_market() {
            self.market_qty -= i128::from(qty);
        } else if order.has_own_price() {
            self.limits.at_mut(order.level).qty -= qty;
        }
    }

    /// The best limit price; 0 when there is none. `without` is the place of an order that shall not count.
    #[inline]
    pub fn best_limit(&self, without: Option<u32>) -> i64 {
        match self.limits.best() {
            None => 0,
            Some(best) if without == Some(best.queue.head) && best.queue.count == 1 => self.limits.second_price(),
            Some(best) => best.price,
        }
    }

    /// The places of the limit orders, best first.
    pub fn limits_in_order<'a>(&'a self, orders: &'a Orders) -> impl Iterator<Item = u32> + 'a {
        self.limits.iter().flat_map(|level| level.queue.iter(orders.slab()))
    }

    /// The places of all orders in the book, those that sleep aside.
    pub fn awake<'a>(&'a self, orders: &'a Orders) -> impl Iterator<Item = u32> + 'a {
        self.markets.iter(orders.slab()).chain(self.midpoints.iter(orders.slab())).chain(self.limits_in_order(orders))
    }

    /// The places of the sleeping orders.
    pub fn asleep<'a>(&'a self, orders: &'a Orders) -> impl Iterator<Item = u32> + 'a {
        self.stops.values().flat_map(|queue| queue.iter(orders.slab()))
    }
}

/// Both sides of one instrument, and the pool of an auction that ended at a price limit.
#[derive(Clone, Debug)]
pub(crate) struct Book {
    pub sides: [BookSide; 2],
    pub pool: Option<Box<Pool>>,
}

impl Book {
    pub fn new(limits: PriceLimits, bands: &[(i64, i64)]) -> Self {
        Self { sides: Side::BOTH.map(|side| BookSide::new(side, limits, bands)), pool: None }
    }

    #[inline]
    pub fn side(&self, side: Side) -> &BookSide {
        &self.sides[side.index()]
    }

    #[inline]
    pub fn side_mut(&mut self, side: Side) -> &mut BookSide {
        &mut self.sides[side.index()]
    }

    /// Whether no order rests or sleeps here.
    pub fn is_empty(&self) -> bool {
        self.sides.iter().all(|side| {
            side.limits.is_empty() && side.markets.count + side.midpoints.count == 0 && side.stops.is_empty()
        })
    }

    /// Whether resting orders could come to cross by themselves: midpoint orders, or market orders of both sides.
    #[inline]
    pub fn has_moving_prices(&self) -> bool {
        let [buys, sells] = &self.sides;
        buys.midpoints.count + sells.midpoints.count != 0 || (buys.markets.count != 0 && sells.markets.count != 0)
    }
}
