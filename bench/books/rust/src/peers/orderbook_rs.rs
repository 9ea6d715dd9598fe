//! `orderbook-rs`: a book for many threads; here it has one.

use std::hint::black_box;

use orderbook_rs::{Id, OrderBook, Side, TimeInForce};
use pricelevel::MatchResult;

use super::Peer;
use crate::record::{self, Kind, Record, Workload};
use crate::tape::Sink;

pub struct OrderbookRs(Vec<OrderBook<()>>);

impl Peer for OrderbookRs {
    fn new(workload: &Workload) -> Self {
        Self((0..workload.instruments).map(|number| OrderBook::new(&format!("S{number}"))).collect())
    }

    #[inline]
    fn apply(&mut self, record: &Record, sink: &mut impl Sink) {
        let book = &self.0[record.instrument as usize];
        let id = Id::sequential(record.id);
        let side = if record.side == record::Side::Buy { Side::Buy } else { Side::Sell };
        let (qty, price) = (record.qty as u64, record.price as u128);
        match record.kind {
            Kind::Limit => {
                let placed = book.add_limit_order_with_result(id, price, qty, side, TimeInForce::Gtc, None);
                if let Ok((_, Some(trades))) = black_box(placed) {
                    tell(&trades.match_result, sink);
                }
            }
            Kind::Market => {
                // A market order that finds less than it wants is an error that carries what was traded.
                match book.submit_market_order_with_committed(id, qty, side) {
                    Ok(result) => tell(&result, sink),
                    Err(failure) => {
                        if let Some(trades) = &failure.committed {
                            tell(&trades.match_result, sink);
                        }
                    }
                }
            }
            Kind::Cancel => {
                let _ = black_box(book.cancel_order(id));
            }
            Kind::Move => {
                let _ = black_box(book.cancel_order(id));
                let placed = book.add_limit_order_with_result(id, price, qty, side, TimeInForce::Gtc, None);
                if let Ok((_, Some(trades))) = black_box(placed) {
                    tell(&trades.match_result, sink);
                }
            }
        }
    }
}

fn tell(result: &MatchResult, sink: &mut impl Sink) {
    for trade in result.trades().as_vec() {
        let (Id::Sequential(maker), Id::Sequential(taker)) = (trade.maker_order_id(), trade.taker_order_id()) else {
            continue;
        };
        sink.trade(maker, taker, trade.price().as_u128() as i64, trade.quantity().as_u64() as i64);
    }
}
