//! 정정: corrects open orders (KRX BR 13, ER 17). A correction is refused without harm, or done whole.

use crate::commands::{
    CORRECT_LEAVES_QTY, CORRECT_LIMIT_PRICE, CORRECT_PART, CORRECT_STOP_PRICE, CORRECT_TYPE, Command,
};
use crate::engine::Engine;
use crate::events::EventKind;
use crate::money::MAX_AMOUNT;
use crate::order_checks::{Circumstances, Terms, check_lots, check_phase};
use crate::orders::reservation;
use crate::reasons::{Checked, Reason};
use crate::words::OrderType;

const CORRECT_FLAGS: u16 = CORRECT_LIMIT_PRICE | CORRECT_LEAVES_QTY | CORRECT_TYPE | CORRECT_STOP_PRICE | CORRECT_PART;

/// Type and prices.
type Quote = (OrderType, i64, i64);

impl Engine {
    /// Correct an open order.
    ///
    /// A decrease of the open quantity alone keeps the order's place. Another price, stop or type, or an increase, sends it
    /// to the back of the queue of its new price, and it may trade at once. An open quantity of 0 cancels it. With a part
    /// quantity, only so many shares are corrected: they leave the order and become a new one that names it.
    pub(crate) fn correct_order(&mut self, command: Command) {
        let place = match self.find_theirs(command) {
            Ok(place) => place,
            Err(reason) => return self.out.events.request_rejected(command, reason, 0),
        };
        let number = self.state.orders[place].instrument;
        let instrument = number as usize - 1;
        match self.read_correction(command, place, instrument) {
            Err(reason) => self.out.events.request_rejected(command, reason, number),
            Ok(terms) if command.flags() & CORRECT_PART != 0 => self.split(place, instrument, &terms),
            Ok(terms) if terms.qty == 0 => {
                let qty = self.state.orders[place].leaves_qty;
                self.take_out(place, instrument, qty, Reason::CorrectedToZero);
            }
            Ok(terms) => self.change_order(place, instrument, &terms),
        }
        self.wake_stops(instrument);
    }

    // What is asked

    /// What the order, or its part, shall be, where it may be.
    fn read_correction(&self, command: Command, place: u32, instrument: usize) -> Checked<Terms> {
        let terms = self.corrected_terms(command, place, instrument)?;
        self.check_correction(command, place, instrument, &terms)?;
        Ok(terms)
    }

    fn corrected_terms(&self, command: Command, place: u32, instrument: usize) -> Checked<Terms> {
        let flags = command.flags();
        if flags & !CORRECT_FLAGS != 0 || (flags & CORRECT_PART != 0 && flags & CORRECT_LEAVES_QTY != 0) {
            return Err(Reason::InvalidCommand);
        }
        let terms = self.corrected_quote(command, place, instrument)?;
        if quote(&terms) == self.order_quote(place) && flags & CORRECT_LEAVES_QTY == 0 {
            return Err(Reason::NothingToCorrect);
        }
        if flags & CORRECT_LEAVES_QTY != 0 {
            return Ok(Terms { qty: command.i64(80), ..terms });
        }
        if flags & CORRECT_PART != 0 {
            let qty = command.i64(96);
            let is_part = 0 < qty && qty <= self.state.orders[place].leaves_qty;
            return if is_part { Ok(Terms { qty, ..terms }) } else { Err(Reason::InvalidQty) };
        }
        Ok(terms)
    }

    /// Type and prices as corrected, for the whole open quantity.
    ///
    /// A price alone keeps the type; a best order, which has been a limit order since its receipt, is one in name too then.
    /// A type alone keeps the price where both types have one; a best order's is taken from the book anew.
    fn corrected_quote(&self, command: Command, place: u32, instrument: usize) -> Checked<Terms> {
        let flags = command.flags();
        let order = &self.state.orders[place];
        let sleeps = order.order_type.sleeps();
        if flags & CORRECT_STOP_PRICE != 0 && !sleeps {
            return Err(Reason::InvalidStopPrice);
        }
        let mut order_type = order.order_type;
        let mut is_fixed = order_type.is_best();
        if flags & CORRECT_TYPE != 0 {
            order_type = OrderType::from_u8(command.u8(104)).ok_or(Reason::InvalidOrderType)?;
            is_fixed = false;
            let keeps = |word: OrderType| word == OrderType::Midpoint || word.sleeps();
            if order_type != order.order_type && (keeps(order_type) || keeps(order.order_type)) {
                return Err(Reason::OrderTypeNotAllowed);
            }
        }
        let mut limit_price = if order_type.has_limit() || is_fixed { order.limit_price } else { 0 };
        if flags & CORRECT_LIMIT_PRICE != 0 {
            if !order_type.has_limit() && !is_fixed {
                return Err(Reason::InvalidPrice);
            }
            limit_price = command.i64(72);
            if is_fixed && limit_price != order.limit_price {
                (order_type, is_fixed) = (OrderType::Limit, false);
            }
        }
        let stop_price = match (sleeps, flags & CORRECT_STOP_PRICE != 0) {
            (false, _) => 0,
            (true, true) => command.i64(88),
            (true, false) => self.state.orders.stop_price(place),
        };
        let terms = Terms {
            side: order.side(),
            order_type,
            limit_price,
            stop_price,
            qty: order.leaves_qty,
            time_in_force: order.time_in_force(),
            is_fixed,
        };
        Ok(self.priced(terms, instrument, Some(place)))
    }

    // Whether it may be

    fn check_correction(&self, command: Command, place: u32, instrument: usize, terms: &Terms) -> Checked {
        let order = &self.state.orders[place];
        let found = &self.state.instruments[instrument];
        let is_part = command.flags() & CORRECT_PART != 0;
        let only_less = (0..=order.leaves_qty).contains(&terms.qty) && quote(terms) == self.order_quote(place);
        let to_zero = command.flags() & CORRECT_LEAVES_QTY != 0 && terms.qty == 0;
        if !is_part && only_less {
            check_lots(terms.qty, found, order.leaves_qty)?;
            return check_phase(terms, found);
        }
        if to_zero {
            return check_phase(terms, found);
        }
        let more = i128::from(terms.qty) - i128::from(order.leaves_qty);
        if more > 0 && i128::from(order.qty) + more > MAX_AMOUNT.into() {
            return Err(Reason::AmountTooLarge);
        }
        // The order's present reservation is free for the corrected one: all of it, or what the part takes along.
        let stays = if is_part { order.leaves_qty - terms.qty } else { 0 };
        let commission_ppm = self.state.orders.commission_ppm(place);
        let upper = found.limits.upper;
        let freed_cash = if order.is_buy() {
            let kept = reservation(order.reserve_price(upper), stays, commission_ppm);
            self.state.orders.reserved(place, upper) - kept
        } else {
            0
        };
        let around = Circumstances {
            account: order.account,
            commission_ppm,
            adds_order: is_part && terms.qty < order.leaves_qty,
            open_qty: order.leaves_qty,
            already_filled: if is_part { 0 } else { order.filled_amount },
            freed_cash,
            freed_qty: order.leaves_qty - stays,
        };
        self.check(terms, instrument, &around)
    }

    // How it is done

    /// Correct the whole order.
    fn change_order(&mut self, place: u32, instrument: usize, terms: &Terms) {
        let leaves_qty = self.state.orders[place].leaves_qty;
        if quote(terms) == self.order_quote(place) && terms.qty <= leaves_qty {
            if terms.qty < leaves_qty {
                self.reduce(place, instrument, leaves_qty - terms.qty);
            }
            self.hash_without_order(place);
            self.write_open_order(EventKind::OrderCorrected, Reason::None, place);
            return;
        }
        self.withdraw(place, instrument);
        let was = self.state.orders.reserved(place, self.state.instruments[instrument].limits.upper);
        let priority = self.state.next_priority();
        let order = &mut self.state.orders[place];
        if terms.qty > leaves_qty {
            order.qty += terms.qty - leaves_qty;
        }
        order.order_type = terms.order_type;
        order.limit_price = terms.limit_price;
        order.priority = priority;
        if order.order_type.sleeps() {
            self.state.orders.more_mut(place).stop_price = terms.stop_price;
        }
        if self.state.orders[place].is_buy() {
            self.resize_buy(place, terms.qty, was);
        } else {
            self.resize(place, terms.qty);
        }
        self.write_open_order(EventKind::OrderCorrected, Reason::None, place);
        self.carry_out(place, instrument);
    }

    /// Correct a part: these shares leave the order and enter as a new one, behind everybody at its price.
    fn split(&mut self, place: u32, instrument: usize, terms: &Terms) {
        let order = &self.state.orders[place];
        let (parent, account, rates) = (order.order_id, order.account, order.rates);
        self.take_out(place, instrument, terms.qty, Reason::None);
        let order_id = self.state.next_order_id();
        let part = self.make_order(order_id, account, instrument, terms, rates);
        self.state.orders.more_mut(part).parent_order_id = parent;
        self.enter(part, terms.qty);
        self.carry_out(part, instrument);
    }

    /// Type and prices of an order as they stand. Of a stop that woke its stop price is history.
    fn order_quote(&self, place: u32) -> Quote {
        let order = &self.state.orders[place];
        let stop_price = if order.order_type.sleeps() { self.state.orders.stop_price(place) } else { 0 };
        (order.order_type, order.limit_price, stop_price)
    }
}

fn quote(terms: &Terms) -> Quote {
    (terms.order_type, terms.limit_price, terms.stop_price)
}
