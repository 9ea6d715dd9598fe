//! Onseju's bare book: with the price limits of a KRX share, and without any.

use std::hint::black_box;

use onseju_core::{Books, Prices, Side, Soon, Trade};

use super::Peer;
use crate::record::{self, Kind, Record, Workload};
use crate::tape::Sink;

/// Levels in a dense array between price limits.
pub struct Limited(Books);

/// The same, the next commands touched ahead.
pub struct Ahead(Books);

/// Levels in a sorted map: any price.
pub struct AnyPrice(Books);

impl Peer for Limited {
    fn new(workload: &Workload) -> Self {
        let Workload { lowest, highest, tick, .. } = *workload;
        Self(books(workload, Prices::Between { lowest, highest, tick }))
    }

    #[inline]
    fn apply(&mut self, record: &Record, sink: &mut impl Sink) {
        apply(&mut self.0, record, sink);
    }
}

impl Peer for Ahead {
    const AHEAD: usize = 16;

    fn new(workload: &Workload) -> Self {
        let Workload { lowest, highest, tick, .. } = *workload;
        Self(books(workload, Prices::Between { lowest, highest, tick }))
    }

    fn look_ahead(&self, records: &[Record]) {
        let mut known = [Soon::Order(0); Self::AHEAD];
        for (soon, record) in known.iter_mut().zip(records) {
            *soon = match record.kind {
                Kind::Cancel | Kind::Move => Soon::Order(record.id),
                Kind::Limit => Soon::New { instrument: record.instrument, side: side(record), price: record.price },
                Kind::Market => Soon::New { instrument: record.instrument, side: side(record), price: 0 },
            };
        }
        self.0.touch(&known[..records.len().min(Self::AHEAD)]);
    }

    #[inline]
    fn apply(&mut self, record: &Record, sink: &mut impl Sink) {
        apply(&mut self.0, record, sink);
    }
}

impl Peer for AnyPrice {
    fn new(workload: &Workload) -> Self {
        Self(books(workload, Prices::Any))
    }

    #[inline]
    fn apply(&mut self, record: &Record, sink: &mut impl Sink) {
        apply(&mut self.0, record, sink);
    }
}

fn books(workload: &Workload, prices: Prices) -> Books {
    let mut books = Books::new();
    for _ in 0..workload.instruments {
        books.add(prices);
    }
    books
}

#[inline]
fn side(record: &Record) -> Side {
    if record.side == record::Side::Buy { Side::Buy } else { Side::Sell }
}

#[inline]
fn apply(books: &mut Books, record: &Record, sink: &mut impl Sink) {
    let side = side(record);
    let mut on_trade = |trade: Trade| sink.trade(trade.maker, trade.taker, trade.price, trade.qty);
    match record.kind {
        Kind::Limit => {
            black_box(books.limit(record.instrument, side, record.price, record.qty, &mut on_trade));
        }
        Kind::Market => {
            black_box(books.market(record.instrument, side, record.qty, &mut on_trade));
        }
        Kind::Cancel => {
            black_box(books.cancel(record.id));
        }
        Kind::Move => {
            black_box(books.correct(record.id, record.price, record.qty, &mut on_trade));
        }
    }
}
