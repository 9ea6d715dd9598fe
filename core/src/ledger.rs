//! Moves money and shares: what an open order reserves, and what a fill settles. There is no second place for either.

use crate::engine::Engine;
use crate::money::part;
use crate::orders::reservation;

impl Engine {
    /// The upper limit of the day at an instrument; 0 where there is none.
    #[inline]
    pub(crate) fn upper_limit(&self, instrument: u32) -> i64 {
        self.state.instruments[instrument as usize - 1].limits.upper
    }

    /// Let `leaves_qty` shares of an order be open, and its account reserve what these need (KRX rules 8.1, 8.2).
    #[inline]
    pub(crate) fn resize(&mut self, place: u32, leaves_qty: i64) {
        let order = &self.state.orders[place];
        if order.is_buy() {
            let (account, unit) = (order.account, order.reserve_price(self.upper_limit(order.instrument)));
            let was = order.leaves_qty;
            self.state.orders[place].leaves_qty = leaves_qty;
            if unit != 0 {
                let ppm = self.state.orders.commission_ppm(place);
                let more = reservation(unit, leaves_qty, ppm) - reservation(unit, was, ppm);
                if more != 0 {
                    self.note_balance(account);
                    self.state.accounts.at_mut(account).balance.reserved_cash += more;
                }
            }
        } else {
            let (account, instrument, more) = (order.account, order.instrument, leaves_qty - order.leaves_qty);
            let position = self.note_position(account, instrument);
            self.state.accounts.positions[position].shares.reserved_qty += more;
            self.state.orders[place].leaves_qty = leaves_qty;
        }
    }

    /// The same for a buy that had `was` reserved, maybe at another price.
    pub(crate) fn resize_buy(&mut self, place: u32, leaves_qty: i64, was: i64) {
        let upper = self.upper_limit(self.state.orders[place].instrument);
        let order = &mut self.state.orders[place];
        order.leaves_qty = leaves_qty;
        let account = order.account;
        let reserved = self.state.orders.reserved(place, upper);
        if reserved != was {
            self.note_balance(account);
            self.state.accounts.at_mut(account).balance.reserved_cash += reserved - was;
        }
    }

    /// Settle a fill, both sides in the same step: the seller gives the shares and is paid, then the buyer pays and takes
    /// them. What a buy had reserved above the price is free again.
    #[inline]
    pub(crate) fn settle(&mut self, buy: u32, sell: u32, price: i64, qty: i64) {
        let amount = price * qty;
        let order = &mut self.state.orders[sell];
        let (seller, instrument) = (order.account, order.instrument);
        order.leaves_qty -= qty;
        order.filled_qty += qty;
        order.filled_amount += amount;
        let position = self.note_position(seller, instrument);
        let shares = &mut self.state.accounts.positions[position].shares;
        shares.reserved_qty -= qty;
        shares.sell(qty, amount);
        self.note_balance(seller);
        // A fee is floored on the order's whole amount, so its increase may be a few won more than this fill brings.
        let fees = self.charge(sell, amount);
        self.move_cash(seller, amount - fees);

        let ppm = self.state.orders.commission_ppm(buy);
        let unit = self.state.orders[buy].reserve_price(self.upper_limit(instrument));
        let order = &mut self.state.orders[buy];
        let buyer = order.account;
        let was = order.leaves_qty;
        order.leaves_qty -= qty;
        order.filled_qty += qty;
        order.filled_amount += amount;
        let freed = if unit == 0 { 0 } else { reservation(unit, was, ppm) - reservation(unit, order.leaves_qty, ppm) };
        let position = self.note_position(buyer, instrument);
        self.state.accounts.positions[position].shares.buy(qty, amount);
        self.note_balance(buyer);
        let balance = &mut self.state.accounts.at_mut(buyer).balance;
        balance.reserved_cash -= freed;
        let available = balance.available() - amount;
        let fees = self.charge(buy, available);
        self.move_cash(buyer, -amount - fees);
    }

    /// Take the increase of the order's commission and taxes, each floored on its whole filled amount (KRX rules 8.1), for
    /// the venue account; gives how much. Never more than `at_most`, so that no fee makes cash negative; a later fill
    /// catches up.
    #[inline]
    fn charge(&mut self, place: u32, at_most: i64) -> i64 {
        let rates = self.state.orders.rates(place);
        if rates.commission == 0 && rates.transaction_tax == 0 && rates.rural_tax == 0 {
            return 0;
        }
        let order = &self.state.orders[place];
        let (amount, is_buy) = (order.filled_amount, order.is_buy());
        let more = self.state.orders.more_mut(place);
        let commission = (part(amount, rates.commission) - more.commission).min(at_most);
        more.commission += commission;
        let mut charged = commission;
        if !is_buy {
            let tax = (part(amount, rates.transaction_tax) - more.transaction_tax).min(at_most - charged);
            more.transaction_tax += tax;
            charged += tax;
            let rural = (part(amount, rates.rural_tax) - more.rural_tax).min(at_most - charged);
            more.rural_tax += rural;
            charged += rural;
        }
        if charged != 0 {
            let Some(venue) = self.state.venue_place else { unreachable!("a fee needs an account to go to") };
            self.note_balance(venue);
            self.move_cash(venue, charged);
        }
        charged
    }

    /// Give or take a trade's cash. It may be used at once, and is settled some trading days later (KRX BR 7).
    #[inline]
    fn move_cash(&mut self, place: u32, amount: i64) {
        let days = self.state.settlement_days;
        let balance = &mut self.state.accounts.at_mut(place).balance;
        balance.cash += amount;
        match days {
            1 => balance.unsettled_d1 += amount,
            2 => balance.unsettled_d2 += amount,
            _ => {}
        }
    }
}
