//! Answers the commands about orders: new, cancel, cancel all. Every refusal is an event and changes nothing.

use crate::commands::Command;
use crate::engine::Engine;
use crate::events::EventKind;
use crate::order_checks::{Circumstances, Terms, check_lots};
use crate::orders::Order;
use crate::reasons::{Checked, Reason};
use crate::slab::NONE;
use crate::words::{OrderType, Side, TimeInForce};

pub(crate) const NO_HASH: [u8; 16] = [0; 16];

impl Engine {
    /// Enter an order, or refuse it. Either way it gets an id.
    #[inline]
    pub(crate) fn new_order(&mut self, command: Command) {
        let order_id = self.state.next_order_id();
        let instrument = self.state.find_instrument(command.instrument());
        let account = self.state.accounts.find(command.account());
        let refused = match self.read_new(command, instrument, account) {
            Ok((terms, instrument, account)) => match self.enter_new(command, order_id, terms, instrument, account) {
                Ok(()) => return,
                Err(reason) => reason,
            },
            Err(reason) => reason,
        };
        let number = instrument.map_or(0, |_| command.instrument());
        self.out.events.order_rejected(command, order_id, number, refused);
    }

    fn enter_new(&mut self, command: Command, order_id: u64, terms: Terms, instrument: usize, account: u32) -> Checked {
        let terms = self.priced(terms, instrument, None);
        let rules = &self.state.instruments[instrument].rules;
        let rates = rules.rates_number;
        let around = Circumstances {
            account,
            commission_ppm: rules.rates.commission,
            adds_order: terms.time_in_force == TimeInForce::Day,
            ..Circumstances::default()
        };
        self.check(&terms, instrument, &around)?;
        let place = self.make_order(order_id, account, instrument, &terms, rates);
        let client_id = command.client_id();
        if client_id != NO_HASH {
            self.state.orders.more_mut(place).client_id = client_id;
        }
        self.enter(place, terms.qty);
        self.carry_out(place, instrument);
        self.wake_stops(instrument);
        Ok(())
    }

    /// Make the record of an order that stood the checks, with the next priority.
    #[inline(always)]
    pub(crate) fn make_order(
        &mut self,
        order_id: u64,
        account: u32,
        instrument: usize,
        terms: &Terms,
        rates: u32,
    ) -> u32 {
        let priority = self.state.next_priority();
        let order = Order::new(order_id, account, instrument as u32 + 1, priority, rates, terms);
        let place = self.state.orders.insert(order);
        if terms.stop_price != 0 {
            self.state.orders.more_mut(place).stop_price = terms.stop_price;
        }
        place
    }

    /// What a new order asks, of which instrument and account; or why that cannot be said.
    #[inline]
    fn read_new(
        &self,
        command: Command,
        instrument: Option<usize>,
        account: Option<u32>,
    ) -> Checked<(Terms, usize, u32)> {
        if !self.state.counters.is_open {
            return Err(Reason::VenueNotOpen);
        }
        let account = account.ok_or(Reason::UnknownAccount)?;
        let instrument = instrument.ok_or(Reason::UnknownSymbol)?;
        let side = Side::from_u8(command.u8(88)).ok_or(Reason::InvalidSide)?;
        let order_type = OrderType::from_u8(command.u8(89)).ok_or(Reason::InvalidOrderType)?;
        let time_in_force = TimeInForce::from_u8(command.u8(90)).ok_or(Reason::InvalidTimeInForce)?;
        let (qty, limit_price, stop_price) = (command.i64(64), command.i64(72), command.i64(80));
        if limit_price != 0 && order_type.is_best() {
            return Err(Reason::InvalidPrice);
        }
        let terms = Terms { side, order_type, limit_price, stop_price, qty, time_in_force, is_fixed: false };
        Ok((terms, instrument, account))
    }

    /// Cancel an order's open quantity or a part of it; a part leaves the rest its place (KRX BR 13).
    #[inline]
    pub(crate) fn cancel_order(&mut self, command: Command) {
        let place = match self.find_theirs(command) {
            Ok(place) => place,
            Err(reason) => return self.out.events.request_rejected(command, reason, 0),
        };
        let order = &self.state.orders[place];
        let (qty, leaves_qty, number) = (command.i64(72), order.leaves_qty, order.instrument);
        let found = &self.state.instruments[number as usize - 1];
        if !(0..=leaves_qty).contains(&qty) || check_lots(qty, found, leaves_qty).is_err() {
            return self.out.events.request_rejected(command, Reason::InvalidQty, number);
        }
        let qty = if qty == 0 { leaves_qty } else { qty };
        self.take_out(place, number as usize - 1, qty, Reason::None);
    }

    /// Cancel an account's open orders, oldest first; then say how many.
    pub(crate) fn cancel_all(&mut self, command: Command) {
        let (number, side) = (command.instrument(), command.u8(64));
        let Some(account) = self.state.accounts.find(command.account()) else {
            return self.out.events.request_rejected(command, Reason::UnknownAccount, 0);
        };
        if number != 0 && self.state.find_instrument(number).is_none() {
            return self.out.events.request_rejected(command, Reason::UnknownSymbol, 0);
        }
        if side != 0 && Side::from_u8(side).is_none() {
            return self.out.events.request_rejected(command, Reason::InvalidSide, number);
        }
        let orders = &self.state.orders;
        let is_meant = |place: &u32| {
            let order = &orders[*place];
            (number == 0 || number == order.instrument) && (side == 0 || side == order.side() as u8)
        };
        let mine = self.state.accounts.at(account).orders.iter(orders.slab());
        let meant: Vec<u32> = mine.filter(is_meant).collect();
        for place in &meant {
            let instrument = self.state.orders[*place].instrument as usize - 1;
            self.end_resting(*place, instrument, Reason::None);
        }
        self.out.events.all_canceled(command.account(), number, meant.len() as u32, side);
    }

    /// The place of the order that a request names, where it is the asking account's. Somebody else's order is as unknown as
    /// one that never was. Of done orders the engine keeps nothing, so it can only say that the id was given once.
    #[inline(always)]
    pub(crate) fn find_theirs(&self, command: Command) -> Checked<u32> {
        if !self.state.counters.is_open {
            return Err(Reason::VenueNotOpen);
        }
        let Ok(order_id) = u64::try_from(command.i64(64)) else { return Err(Reason::OrderNotFound) };
        let place = self.state.orders.ids.get(order_id);
        if place == NONE {
            let given = 0 < order_id && order_id <= self.state.counters.last_order_id;
            return Err(if given { Reason::OrderDone } else { Reason::OrderNotFound });
        }
        let account = self.state.orders[place].account;
        if self.state.accounts.at(account).number == command.account() { Ok(place) } else { Err(Reason::OrderNotFound) }
    }

    /// Take `qty` open shares out of a resting or sleeping order.
    #[inline(always)]
    pub(crate) fn take_out(&mut self, place: u32, instrument: usize, qty: i64, reason: Reason) {
        if qty == self.state.orders[place].leaves_qty {
            self.end_resting(place, instrument, reason);
        } else {
            self.reduce(place, instrument, qty);
            self.write_open_order(EventKind::OrderCanceled, reason, place);
        }
    }
}
