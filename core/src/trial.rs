//! Looks ahead for a FOK order: is all of it there now, over any number of levels within its limit, and paid for?

use crate::engine::Engine;
use crate::hashing::NumberMap;
use crate::instruments::Instrument;
use crate::matcher::room;
use crate::money::part;
use crate::orders::{Orders, affordable_qty, whole_lots};
use crate::pool::{Pool, Quota};
use crate::words::SelfTradePrevention;

impl Engine {
    /// Whether the order would fill whole: without a trade that sets off an interruption (it is killed before it does), and,
    /// where the venue prevents self-trades, without shares of its own account.
    pub(crate) fn can_fill_whole(&self, place: u32, instrument: usize) -> bool {
        let instrument = &self.state.instruments[instrument];
        if !self.is_plain_case(place, instrument) {
            return Trial::new(self, instrument, place).fills();
        }
        // What stands at the levels that it would come to, best first, up to the first that it must not trade at.
        let order = &self.state.orders[place];
        let mut lacks = order.leaves_qty;
        for level in instrument.book.side(order.side().opposite()).limits.iter() {
            let allows = order.is_market() || order.side().reaches(order.limit_price, level.price);
            if !allows || instrument.interruption(level.price, instrument.last_price).is_some() {
                return false;
            }
            if level.qty >= lacks {
                return true;
            }
            lacks -= level.qty;
        }
        false
    }

    /// Whether limit orders at fixed prices are all that it can meet, so that adding up levels is enough.
    fn is_plain_case(&self, place: u32, instrument: &Instrument) -> bool {
        let order = &self.state.orders[place];
        let [buys, sells] = &instrument.book.sides;
        let opposite = instrument.book.side(order.side().opposite());
        buys.midpoints.count == 0
            && sells.midpoints.count == 0
            && opposite.markets.count == 0
            && instrument.rules.self_trade_prevention == SelfTradePrevention::Off
            && !order.is_midpoint()
            && !order.pays_as_it_goes(instrument.limits.upper)
    }
}

/// Plays the order on a copy of the book, where no money moves.
///
/// For a buy without a reservation its account's free cash counts as it was on entry, and so does that of resting buys like
/// it: what the order's own trades would bring to the same account does not.
struct Trial<'a> {
    engine: &'a Engine,
    instrument: Instrument,
    orders: Orders,
    taker: u32,
    spent: NumberMap<u32, i64>,
}

impl<'a> Trial<'a> {
    fn new(engine: &'a Engine, original: &Instrument, taker: u32) -> Self {
        let originals = &engine.state.orders;
        let mut orders = originals.without_orders();
        let mut twins: NumberMap<u32, u32> = NumberMap::default();
        let mut instrument = original.with_empty_book();
        for side in &original.book.sides {
            for place in side.awake(originals) {
                let twin = orders.insert_twin(originals, place);
                twins.insert(place, twin);
                instrument.book.side_mut(side.side).add_anew(&mut orders, twin);
            }
        }
        instrument.book.pool = original.book.pool.as_ref().map(|pool| {
            let twin = |turn: &Quota| twins.get(&turn.place).map(|place| Quota { place: *place, ..*turn });
            Box::new(Pool::new(pool.side, pool.price, pool.open(originals).filter_map(twin).collect()))
        });
        let taker = orders.insert_twin(originals, taker);
        Self { engine, instrument, orders, taker, spent: NumberMap::default() }
    }

    /// Whether nothing of the order is left in the end.
    fn fills(mut self) -> bool {
        let last_price = self.instrument.last_price;
        while self.orders[self.taker].leaves_qty > 0 {
            let Some(found) = self.instrument.best_match(&self.orders, &self.orders[self.taker]) else { return false };
            if self.instrument.interruption(found.price, last_price).is_some() {
                return false;
            }
            let (maker, price) = (found.place, found.price);
            if self.orders[maker].account == self.orders[self.taker].account {
                match self.instrument.rules.self_trade_prevention {
                    SelfTradePrevention::Off => {}
                    SelfTradePrevention::CancelResting => {
                        self.end(maker);
                        continue;
                    }
                    _ => return false,
                }
            }
            let wanted = self.orders[self.taker].leaves_qty.min(found.qty);
            let (maker_can, taker_can) = (self.most(maker, price), self.most(self.taker, price));
            let qty = wanted.min(maker_can);
            if taker_can < qty {
                return false;
            }
            if qty != 0 {
                self.trade(maker, price, qty);
            }
            if self.orders[maker].leaves_qty != 0 && maker_can == qty && qty < wanted {
                self.end(maker);
            }
        }
        true
    }

    /// Take an order out of the book, and out of its turns in a pool.
    fn end(&mut self, place: u32) {
        self.remove(place);
        self.orders[place].leaves_qty = 0;
    }

    fn remove(&mut self, place: u32) {
        let side = self.orders[place].side();
        self.instrument.book.side_mut(side).remove(&mut self.orders, place);
    }

    fn trade(&mut self, maker: u32, price: i64, qty: i64) {
        if let Some(pool) = &mut self.instrument.book.pool {
            pool.take(&self.orders, maker, price, qty);
        }
        if qty == self.orders[maker].leaves_qty {
            self.remove(maker);
        } else {
            let side = self.orders[maker].side();
            self.instrument.book.side_mut(side).reduce(&self.orders, maker, qty);
        }
        let amount = price * qty;
        for place in [maker, self.taker] {
            let (ppm, paid) = (self.orders.commission_ppm(place), self.orders.commission(place));
            let pays_as_it_goes = self.orders[place].pays_as_it_goes(self.instrument.limits.upper);
            let order = &mut self.orders[place];
            order.leaves_qty -= qty;
            order.filled_amount += amount;
            let due = part(order.filled_amount, ppm);
            if pays_as_it_goes {
                *self.spent.entry(order.account).or_default() += amount + (due - paid).max(0);
            }
            if due > paid {
                self.orders.more_mut(place).commission = due;
            }
        }
        self.instrument.last_price = price;
    }

    fn most(&self, place: u32, price: i64) -> i64 {
        let order = &self.orders[place];
        let room = room(order, price);
        if !order.pays_as_it_goes(self.instrument.limits.upper) {
            return room;
        }
        let spent = self.spent.get(&order.account).copied().unwrap_or(0);
        let free = self.engine.state.accounts.at(order.account).balance.available() - spent;
        let (ppm, paid) = (self.orders.commission_ppm(place), self.orders.commission(place));
        let can_pay = affordable_qty(free, price, order.filled_amount, ppm, paid);
        room.min(whole_lots(can_pay, self.instrument.rules.lot))
    }
}
