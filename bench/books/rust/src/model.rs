//! A book that is simple before all: sorted levels, queues, a map of orders. The workloads come from it, and what it says is
//! what every other book has to say.

use std::collections::{BTreeMap, HashMap, VecDeque};

use crate::record::{Kind, Record, Side};
use crate::tape::Sink;

#[derive(Clone, Copy, Debug)]
pub struct Open {
    pub instrument: u32,
    pub side: Side,
    pub price: i64,
    pub qty: i64,
}

#[derive(Default)]
struct Levels {
    bids: BTreeMap<i64, VecDeque<u64>>,
    asks: BTreeMap<i64, VecDeque<u64>>,
}

impl Levels {
    fn of(&mut self, side: Side) -> &mut BTreeMap<i64, VecDeque<u64>> {
        match side {
            Side::Buy => &mut self.bids,
            Side::Sell => &mut self.asks,
        }
    }
}

/// The books of all instruments.
pub struct Model {
    books: Vec<Levels>,
    orders: HashMap<u64, Open>,
}

impl Model {
    pub fn new(instruments: u32) -> Self {
        Self { books: (0..instruments).map(|_| Levels::default()).collect(), orders: HashMap::new() }
    }

    pub fn open_orders(&self) -> usize {
        self.orders.len()
    }

    pub fn open(&self, id: u64) -> Option<Open> {
        self.orders.get(&id).copied()
    }

    /// The best price of a side.
    pub fn best(&self, instrument: u32, side: Side) -> Option<i64> {
        let book = &self.books[instrument as usize];
        let level = match side {
            Side::Buy => book.bids.last_key_value(),
            Side::Sell => book.asks.first_key_value(),
        };
        level.map(|(price, _)| *price)
    }

    pub fn apply(&mut self, record: &Record, sink: &mut impl Sink) {
        match record.kind {
            Kind::Limit => self.enter(record, sink),
            Kind::Market => {
                self.cross(record, None, sink);
            }
            Kind::Cancel => self.remove(record.id),
            Kind::Move => {
                self.remove(record.id);
                self.enter(record, sink);
            }
        }
    }

    fn enter(&mut self, record: &Record, sink: &mut impl Sink) {
        let Record { side, instrument, id, price, .. } = *record;
        let qty = self.cross(record, Some(price), sink);
        if qty > 0 {
            self.orders.insert(id, Open { instrument, side, price, qty });
            self.books[instrument as usize].of(side).entry(price).or_default().push_back(id);
        }
    }

    fn cross(&mut self, taker: &Record, limit: Option<i64>, sink: &mut impl Sink) -> i64 {
        let mut left = taker.qty;
        let book = &mut self.books[taker.instrument as usize];
        while left > 0 {
            let best = match taker.side {
                Side::Buy => book.asks.first_entry(),
                Side::Sell => book.bids.last_entry(),
            };
            let Some(mut level) = best else { break };
            let price = *level.key();
            let reaches = match (limit, taker.side) {
                (None, _) => true,
                (Some(limit), Side::Buy) => limit >= price,
                (Some(limit), Side::Sell) => limit <= price,
            };
            if !reaches {
                break;
            }
            let maker = level.get()[0];
            let order = self.orders.get_mut(&maker).expect("an order in a queue is open");
            let qty = left.min(order.qty);
            left -= qty;
            order.qty -= qty;
            sink.trade(maker, taker.id, price, qty);
            if order.qty == 0 {
                self.orders.remove(&maker);
                level.get_mut().pop_front();
                if level.get().is_empty() {
                    level.remove();
                }
            }
        }
        left
    }

    fn remove(&mut self, id: u64) {
        let order = self.orders.remove(&id).expect("cancels and moves name open orders");
        let levels = self.books[order.instrument as usize].of(order.side);
        let queue = levels.get_mut(&order.price).expect("an open order has a level");
        queue.retain(|other| *other != id);
        if queue.is_empty() {
            levels.remove(&order.price);
        }
    }
}
