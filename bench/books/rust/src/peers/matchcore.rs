//! `matchcore`: commands in, outcomes out. An order's id is the sequence number of the command that brought it.

use std::hint::black_box;

use matchcore::{
    AmendCmd, AmendPatch, CancelCmd, Command, CommandKind, CommandMeta, CommandOutcome, CommandReport, LimitOrder,
    LimitOrderPatch, MarketOrder, NewOrder, OrderBook, OrderFlags, OrderId, OrderKind, Price, Quantity, QuantityPolicy,
    SequenceNumber, Side, SubmitCmd, TimeInForce, Timestamp,
};

use super::Peer;
use crate::record::{self, Kind, Record, Workload};
use crate::tape::Sink;

struct Book {
    book: OrderBook,
    next: u64,
    /// The workload's ids of the orders by sequence number: a hash compares those.
    names: Vec<u64>,
}

pub struct Matchcore {
    books: Vec<Book>,
    /// Sequence numbers by the workload's ids, which are dense.
    numbers: Vec<u64>,
}

impl Peer for Matchcore {
    fn new(workload: &Workload) -> Self {
        let commands = workload.filling.len() + workload.measured.len();
        let room = 2 * commands / workload.instruments as usize;
        let book = |number: u32| Book {
            book: OrderBook::new(&format!("S{number}")),
            next: 0,
            names: Vec::with_capacity(room),
        };
        Self { books: (0..workload.instruments).map(book).collect(), numbers: vec![0; commands + 1] }
    }

    #[inline]
    fn apply(&mut self, record: &Record, sink: &mut impl Sink) {
        let side = if record.side == record::Side::Buy { Side::Buy } else { Side::Sell };
        let quantity = Quantity(record.qty as u64);
        let price = Price(record.price as u64);
        let order_id = OrderId(self.numbers[record.id as usize]);
        let book = &mut self.books[record.instrument as usize];
        let kind = match record.kind {
            Kind::Limit | Kind::Market => {
                self.numbers[record.id as usize] = book.next;
                let order = if record.kind == Kind::Market {
                    NewOrder::Market(MarketOrder::new(quantity, side, false))
                } else {
                    let flags = OrderFlags::new(side, false, TimeInForce::Gtc);
                    NewOrder::Limit(LimitOrder::new(price, QuantityPolicy::Standard { quantity }, flags))
                };
                CommandKind::Submit(SubmitCmd { order })
            }
            Kind::Cancel => CommandKind::Cancel(CancelCmd { order_id, order_kind: OrderKind::Limit }),
            Kind::Move => CommandKind::Amend(AmendCmd {
                order_id,
                patch: AmendPatch::Limit(LimitOrderPatch::new().with_price(price)),
            }),
        };
        let sequence_number = SequenceNumber(book.next);
        book.next += 1;
        book.names.push(record.id);
        let meta = CommandMeta { sequence_number, timestamp: Timestamp(sequence_number.0) };
        let outcome = black_box(book.book.execute(&Command { meta, kind }));
        let CommandOutcome::Applied(CommandReport::Submit(effects) | CommandReport::Amend(effects)) = &outcome else {
            return;
        };
        for trade in effects.target_order().match_result().map_or(&[][..], |result| result.trades()) {
            let maker = book.names[trade.maker_order_id().0 as usize];
            sink.trade(maker, record.id, trade.price().0 as i64, trade.quantity().0 as i64);
        }
    }
}
