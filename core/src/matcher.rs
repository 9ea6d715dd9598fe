//! Continuous matching: the incoming order against the best resting one, again and again, by price and then time.

use crate::counterparty::Match;
use crate::engine::Engine;
use crate::events::EventKind;
use crate::money::MAX_AMOUNT;
use crate::orders::{Order, affordable_qty, whole_lots};
use crate::reasons::Reason;
use crate::words::{Liquidity, MarketRemainder, OrderStatus, Phase, SelfTradePrevention, TimeInForce};

impl Engine {
    // An order's life

    /// Make an order live with `qty` open shares: reserve, tell. It is listed once it rests.
    #[inline]
    pub(crate) fn enter(&mut self, place: u32, qty: i64) {
        self.hash_without_order(place);
        self.resize(place, qty);
        self.write_order(EventKind::OrderAccepted, Reason::None, place, OrderStatus::New);
    }

    /// Trade what can be traded now; rest or end what is left, as the order's type and condition and the phase say.
    ///
    /// IOC and FOK never rest (KRX ER 13(3)). A stop order only falls asleep here. While an auction collects, all rest. A
    /// market order's remainder is canceled, rests or floats by the rule `MARKET_REMAINDER`.
    #[inline]
    pub(crate) fn carry_out(&mut self, place: u32, instrument: usize) {
        let order = &self.state.orders[place];
        let priority = order.priority;
        if order.order_type.sleeps() {
            self.rest(place, instrument);
            return;
        }
        if self.state.instruments[instrument].phase.is_continuous() {
            if order.time_in_force() == TimeInForce::Fok && !self.can_fill_whole(place, instrument) {
                self.end(place, Reason::FokKilled);
                return;
            }
            self.trade_with_book(place, instrument);
        }
        if self.state.orders.is_still(place, priority) {
            self.keep_or_end(place, instrument);
        }
        if self.state.instruments[instrument].book.has_moving_prices() {
            self.settle_crossed(instrument);
        }
    }

    /// Put an order into the book, at the place of its price and priority stamp.
    #[inline]
    pub(crate) fn rest(&mut self, place: u32, instrument: usize) {
        self.hash_without_order(place);
        let order = &mut self.state.orders[place];
        let (side, sleeps, account) = (order.side(), order.order_type.sleeps(), order.account);
        let own_price = order.has_own_price().then_some((order.limit_price, order.leaves_qty));
        if !order.is_listed() {
            order.set_listed();
            let id = order.order_id;
            self.state.orders.ids.insert(id, place);
            self.state.accounts.at_mut(account).orders.push(self.state.orders.slab_mut(), place);
        }
        self.touch(instrument); // before the level is made: floating orders go by the best price
        if let Some((price, leaves_qty)) = own_price {
            let level = self.state.instruments[instrument].book.side_mut(side).limits.make(price);
            self.note_level(instrument, side, level);
            self.state.orders[place].level = level;
            let limits = &mut self.state.instruments[instrument].book.side_mut(side).limits;
            limits.push(self.state.orders.slab_mut(), level, place, leaves_qty);
        } else {
            self.state.instruments[instrument].book.side_mut(side).add(&mut self.state.orders, place);
        }
        let found = &mut self.state.instruments[instrument];
        if found.phase.is_auction() && !sleeps {
            found.awaits_uncross = true;
        }
    }

    /// Take a resting order out of the book; it stays live.
    #[inline]
    pub(crate) fn withdraw(&mut self, place: u32, instrument: usize) {
        self.note(place, instrument);
        let side = self.state.orders[place].side();
        self.state.instruments[instrument].book.side_mut(side).remove(&mut self.state.orders, place);
    }

    /// Take `qty` of a resting order's open shares out, not all; it keeps its place.
    pub(crate) fn reduce(&mut self, place: u32, instrument: usize, qty: i64) {
        self.note(place, instrument);
        let order = &self.state.orders[place];
        let leaves_qty = order.leaves_qty - qty;
        self.state.instruments[instrument].book.side_mut(order.side()).reduce(&self.state.orders, place, qty);
        self.resize(place, leaves_qty);
    }

    /// End a live order that is not in the book: free what it reserves, forget it, tell.
    #[inline]
    pub(crate) fn end(&mut self, place: u32, reason: Reason) {
        self.end_as(place, reason, EventKind::OrderCanceled, OrderStatus::Canceled);
    }

    /// The same, told by this kind of event.
    #[inline]
    pub(crate) fn end_as(&mut self, place: u32, reason: Reason, kind: EventKind, status: OrderStatus) {
        self.resize(place, 0);
        self.write_order(kind, reason, place, status);
        self.forget(place);
    }

    /// Take a resting order out of the book, and end it.
    #[inline]
    pub(crate) fn end_resting(&mut self, place: u32, instrument: usize, reason: Reason) {
        self.withdraw(place, instrument);
        self.end(place, reason);
    }

    /// What becomes of the shares that could not trade.
    #[inline]
    fn keep_or_end(&mut self, place: u32, instrument: usize) {
        let order = &self.state.orders[place];
        let found = &self.state.instruments[instrument];
        let reason = match order.time_in_force() {
            TimeInForce::Fok => Reason::FokKilled,
            TimeInForce::Ioc => Reason::IocRemainder,
            TimeInForce::Day => {
                let amount =
                    i128::from(order.filled_amount) + i128::from(order.limit_price) * i128::from(order.leaves_qty);
                if order.is_market()
                    && found.rules.market_remainder == MarketRemainder::Cancel
                    && !found.phase.is_auction()
                {
                    Reason::MarketRemainder
                } else if amount > i128::from(MAX_AMOUNT) {
                    Reason::AmountTooLarge
                } else {
                    self.rest(place, instrument);
                    return;
                }
            }
        };
        self.end(place, reason);
    }

    #[inline]
    fn forget(&mut self, place: u32) {
        let order = &self.state.orders[place];
        if order.is_listed() {
            let (id, account) = (order.order_id, order.account);
            self.state.orders.ids.remove(id);
            self.state.accounts.at_mut(account).orders.unlink(self.state.orders.slab_mut(), place);
        }
        self.state.orders.remove(place);
    }

    /// Call before an order's place in the book, or what it shows there, is changed.
    #[inline(always)]
    fn note(&mut self, place: u32, instrument: usize) {
        self.hash_without_order(place);
        let order = &self.state.orders[place];
        if order.has_own_price() {
            self.note_level(instrument, order.side(), order.level);
        } else {
            self.touch(instrument);
        }
    }

    /// Write an order as it stands now.
    #[inline]
    pub(crate) fn write_order(&mut self, kind: EventKind, reason: Reason, place: u32, status: OrderStatus) {
        let account = self.state.accounts.at(self.state.orders[place].account).number;
        self.out.events.order(kind, reason, account, &self.state.orders, place, status);
    }

    /// Write an order that stays open as it stands now.
    pub(crate) fn write_open_order(&mut self, kind: EventKind, reason: Reason, place: u32) {
        self.write_order(kind, reason, place, self.state.orders[place].open_status());
    }

    // Matching

    /// Trade an incoming order with the best resting orders while its limit allows (KRX BR 22, 24).
    #[inline]
    fn trade_with_book(&mut self, taker: u32, instrument: usize) {
        let last_price = self.state.instruments[instrument].last_price;
        let priority = self.state.orders[taker].priority;
        while self.state.orders.is_still(taker, priority) {
            let orders = &self.state.orders;
            let Some(found) = self.state.instruments[instrument].best_match(orders, &orders[taker]) else { return };
            if !self.meet(taker, found, instrument, last_price, false) {
                return;
            }
        }
    }

    /// In continuous trading, let resting orders trade that cross though none of them is new: midpoint orders whose price
    /// moved, market orders that waited for a first price, orders that an auction left behind.
    pub(crate) fn settle_crossed(&mut self, instrument: usize) {
        loop {
            let found = &self.state.instruments[instrument];
            if !found.phase.is_continuous() {
                return;
            }
            let last_price = found.last_price;
            let Some((taker, maker)) = found.crossing(&self.state.orders) else { return };
            if !self.meet(taker, maker, instrument, last_price, true) {
                return;
            }
        }
    }

    /// Let two orders meet; `rests` says that the taker is in the book itself. False where they must not trade now.
    ///
    /// First: is it a trade of an account with itself; then, would it set off an interruption? That trade does not happen
    /// then, and the instrument is in an auction (KRX BR 26-2).
    #[inline]
    fn meet(&mut self, taker: u32, found: Match, instrument: usize, last_price: i64, rests: bool) -> bool {
        let Match { place: maker, price, qty: most } = found;
        let orders = &self.state.orders;
        if orders[maker].account == orders[taker].account && self.prevent_self_trade(taker, maker, instrument, rests) {
            return true;
        }
        if let Some(reason) = self.state.instruments[instrument].interruption(price, last_price) {
            self.interrupt(instrument, reason);
            return false;
        }
        let orders = &self.state.orders;
        let wanted = orders[taker].leaves_qty.min(most);
        let (maker_can, taker_can) = (self.most(maker, price), self.most(taker, price));
        let qty = wanted.min(maker_can).min(taker_can);
        // Who is short has shares left, so it is still there after the trade.
        let short = |can: i64| can == qty && qty < wanted;
        if qty != 0 {
            if rests {
                self.take_from_book(taker, instrument, qty);
            }
            self.trade(taker, maker, instrument, price, qty);
        }
        if short(maker_can) {
            let reason = self.why_short(maker, price);
            self.end_resting(maker, instrument, reason);
        }
        if short(taker_can) {
            let reason = self.why_short(taker, price);
            self.end_taker(taker, instrument, reason, rests);
        }
        true
    }

    fn end_taker(&mut self, taker: u32, instrument: usize, reason: Reason, rests: bool) {
        if rests {
            self.withdraw(taker, instrument);
        }
        self.end(taker, reason);
    }

    /// Where the venue's rule forbids an account to trade with itself: cancel what the rule says, and tell so.
    fn prevent_self_trade(&mut self, taker: u32, maker: u32, instrument: usize, rests: bool) -> bool {
        let rule = self.state.instruments[instrument].rules.self_trade_prevention;
        if matches!(rule, SelfTradePrevention::CancelResting | SelfTradePrevention::CancelBoth) {
            self.end_resting(maker, instrument, Reason::SelfTrade);
        }
        if matches!(rule, SelfTradePrevention::CancelIncoming | SelfTradePrevention::CancelBoth) {
            self.end_taker(taker, instrument, Reason::SelfTrade, rests);
        }
        rule != SelfTradePrevention::Off
    }

    /// Begin a volatility interruption: continuous trading becomes an auction.
    fn interrupt(&mut self, instrument: usize, reason: Reason) {
        self.touch(instrument);
        let found = &mut self.state.instruments[instrument];
        found.interruptions += 1;
        found.phase = Phase::ViAuction;
        found.awaits_uncross = true;
        found.is_extended = false;
        let occurrence = found.interruptions.min(0xFFFF) as u16;
        self.out.events.phase_changed(found, self.state.counters.trading_day, occurrence, reason);
    }

    /// How many of its open shares an order can trade at a price.
    ///
    /// All, as a rule. But a buy without a reservation pays from the cash that is free, in whole lots, and no order's filled
    /// amount grows beyond `MAX_AMOUNT`.
    #[inline(always)]
    pub(crate) fn most(&self, place: u32, price: i64) -> i64 {
        let order = &self.state.orders[place];
        let room = room(order, price);
        if order.pays_as_it_goes(self.upper_limit(order.instrument)) {
            let cash = self.state.accounts.at(order.account).balance.available();
            let (ppm, paid) = (self.state.orders.commission_ppm(place), self.state.orders.commission(place));
            let can_pay = affordable_qty(cash, price, order.filled_amount, ppm, paid);
            let lot = self.state.instruments[order.instrument as usize - 1].rules.lot;
            return room.min(whole_lots(can_pay, lot));
        }
        room
    }

    /// Why `most` was less than what there was to trade.
    pub(crate) fn why_short(&self, place: u32, price: i64) -> Reason {
        let order = &self.state.orders[place];
        let room = (MAX_AMOUNT - order.filled_amount) / price;
        if room == 0 || !order.pays_as_it_goes(self.upper_limit(order.instrument)) {
            Reason::AmountTooLarge
        } else {
            Reason::CashRanOut
        }
    }

    /// One match of an incoming order.
    #[inline]
    fn trade(&mut self, taker: u32, maker: u32, instrument: usize, price: i64, qty: i64) {
        if self.state.instruments[instrument].book.pool.is_some() {
            self.take_turn(maker, instrument, price, qty);
        }
        self.take_from_book(maker, instrument, qty);
        let taker_side = self.state.orders[taker].side();
        let (buy, sell) = if self.state.orders[taker].is_buy() { (taker, maker) } else { (maker, taker) };
        let trade_id = self.settle_trade(buy, sell, instrument, price, qty, taker_side as u8);
        self.tell_fill(maker, (trade_id, price, qty), Liquidity::Maker);
        self.tell_fill(taker, (trade_id, price, qty), Liquidity::Taker);
    }

    /// Count a trade of an order against its turn in the pool.
    #[cold]
    fn take_turn(&mut self, maker: u32, instrument: usize, price: i64, qty: i64) {
        self.touch(instrument);
        if let Some(pool) = &mut self.state.instruments[instrument].book.pool {
            pool.take(&self.state.orders, maker, price, qty);
        }
    }

    /// One match of an auction: both orders rest in the book, nobody takes.
    pub(crate) fn trade_in_auction(&mut self, buy: u32, sell: u32, instrument: usize, price: i64, qty: i64) {
        self.take_from_book(buy, instrument, qty);
        self.take_from_book(sell, instrument, qty);
        let trade_id = self.settle_trade(buy, sell, instrument, price, qty, 0);
        self.tell_fill(buy, (trade_id, price, qty), Liquidity::Auction);
        self.tell_fill(sell, (trade_id, price, qty), Liquidity::Auction);
    }

    /// Show that `qty` shares of a resting order are about to trade.
    #[inline(always)]
    fn take_from_book(&mut self, place: u32, instrument: usize, qty: i64) {
        self.note(place, instrument);
        let order = &self.state.orders[place];
        let side = self.state.instruments[instrument].book.side_mut(order.side());
        if qty == order.leaves_qty {
            side.remove(&mut self.state.orders, place);
        } else {
            side.reduce(&self.state.orders, place, qty);
        }
    }

    /// Move money and shares, remember the price, tell the public. Gives the trade's id.
    #[inline]
    fn settle_trade(&mut self, buy: u32, sell: u32, instrument: usize, price: i64, qty: i64, taker_side: u8) -> u64 {
        self.settle(buy, sell, price, qty);
        let found = &mut self.state.instruments[instrument];
        if !found.phase.is_at_close() {
            found.last_price = price;
        }
        if found.phase.off_hours().is_none() {
            found.close_price = price;
            found.has_traded = true;
        }
        let number = found.number;
        let trade_id = self.state.next_trade_id();
        let [buy, sell] = [buy, sell].map(|place| self.state.orders[place].order_id);
        self.out.events.trade(number, (trade_id, price, qty), buy, sell, taker_side);
        trade_id
    }

    /// Tell an account of its side of a trade; forget an order that is filled.
    #[inline]
    fn tell_fill(&mut self, place: u32, trade: (u64, i64, i64), liquidity: Liquidity) {
        let order = &self.state.orders[place];
        let is_done = order.leaves_qty == 0;
        let status = if is_done { OrderStatus::Filled } else { order.open_status() };
        let account = self.state.accounts.at(order.account).number;
        self.out.events.filled(account, &self.state.orders, place, trade, liquidity, status);
        if is_done {
            self.forget(place);
        }
    }
}

/// How many of its open shares an order can trade at a price before its filled amount reaches `MAX_AMOUNT`.
#[inline]
pub(crate) fn room(order: &Order, price: i64) -> i64 {
    let left = MAX_AMOUNT - order.filled_amount;
    match order.leaves_qty.checked_mul(price) {
        Some(amount) if amount <= left => order.leaves_qty,
        _ => order.leaves_qty.min(left / price),
    }
}
