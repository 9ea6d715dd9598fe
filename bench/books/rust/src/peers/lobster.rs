//! `lobster`: one book for an instrument, a map of prices, no move.

use std::hint::black_box;

use lobster::{OrderBook, OrderEvent, OrderType, Side};

use super::Peer;
use crate::record::{self, Kind, Record, Workload};
use crate::tape::Sink;

pub struct Lobster(Vec<OrderBook>);

impl Peer for Lobster {
    fn new(workload: &Workload) -> Self {
        Self((0..workload.instruments).map(|_| OrderBook::default()).collect())
    }

    #[inline]
    fn apply(&mut self, record: &Record, sink: &mut impl Sink) {
        let book = &mut self.0[record.instrument as usize];
        let id = u128::from(record.id);
        let side = if record.side == record::Side::Buy { Side::Bid } else { Side::Ask };
        let (qty, price) = (record.qty as u64, record.price as u64);
        let event = match record.kind {
            Kind::Limit => book.execute(OrderType::Limit { id, side, qty, price }),
            Kind::Market => book.execute(OrderType::Market { id, side, qty }),
            Kind::Cancel => book.execute(OrderType::Cancel { id }),
            Kind::Move => {
                black_box(book.execute(OrderType::Cancel { id }));
                book.execute(OrderType::Limit { id, side, qty, price })
            }
        };
        if let OrderEvent::Filled { fills, .. } | OrderEvent::PartiallyFilled { fills, .. } = black_box(event) {
            for fill in fills {
                sink.trade(fill.order_2 as u64, fill.order_1 as u64, fill.price as i64, fill.qty as i64);
            }
        }
    }
}
