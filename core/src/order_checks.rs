//! Why an order is refused: its own form, what the phase takes, the market's rules, the account's cash and shares.
//!
//! The questions come in a fixed order; each answer is the first reason found.

use crate::engine::Engine;
use crate::instruments::Instrument;
use crate::money::MAX_AMOUNT;
use crate::orders::{reserve_price, wide_reservation};
use crate::reasons::{Checked, Reason};
use crate::words::{OrderType, Phase, Side, TimeInForce};

/// What an order asks: enough to check it against the market's rules and the account.
///
/// `limit_price` is 0 for market, midpoint and `plain` stop orders; a 최유리 or 최우선 order has one once the book gave it
/// one. `is_fixed` says that it keeps the price it has.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Terms {
    pub side: Side,
    pub order_type: OrderType,
    pub limit_price: i64,
    pub stop_price: i64,
    pub qty: i64,
    pub time_in_force: TimeInForce,
    pub is_fixed: bool,
}

/// What else a check needs to know of an order.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Circumstances {
    /// The account's place.
    pub account: u32,
    pub commission_ppm: u32,
    /// Whether the account would have one open order more.
    pub adds_order: bool,
    /// What is open of it now.
    pub open_qty: i64,
    /// The amount that it has traded before.
    pub already_filled: i64,
    /// What the order that is corrected has reserved for the shares in question: cash, and shares.
    pub freed_cash: i64,
    pub freed_qty: i64,
}

impl Engine {
    /// Why an order may not enter, or be corrected to these terms.
    #[inline]
    pub(crate) fn check(&self, terms: &Terms, instrument: usize, around: &Circumstances) -> Checked {
        let found = &self.state.instruments[instrument];
        check_form(terms)?;
        check_lots(terms.qty, found, around.open_qty)?;
        check_phase(terms, found)?;
        self.check_market(terms, found, around.already_filled)?;
        if around.adds_order {
            self.check_one_more(around.account)?;
        }
        self.check_account(terms, found, around)
    }

    /// The limit price that a 최유리 or 최우선 order gets now; others keep theirs. `without` is its own old quote.
    #[inline(always)]
    pub(crate) fn priced(&self, terms: Terms, instrument: usize, without: Option<u32>) -> Terms {
        if !terms.order_type.is_best() || terms.is_fixed {
            return terms;
        }
        let found = &self.state.instruments[instrument];
        let limit_price = found.price_on_receipt(&self.state.orders, terms.side, terms.order_type, without);
        Terms { limit_price, ..terms }
    }

    /// The account's number of open orders.
    fn check_one_more(&self, account: u32) -> Checked {
        let most = self.state.max_open_orders;
        if most != 0 && i64::from(self.state.accounts.at(account).orders.count) >= most {
            return Err(Reason::TooManyOpenOrders);
        }
        Ok(())
    }

    /// The market's rules: grid, limits, sizes, and quotes where the type needs them.
    fn check_market(&self, terms: &Terms, instrument: &Instrument, already_filled: i64) -> Checked {
        if instrument.phase.is_at_close() && terms.limit_price != instrument.off_hours_close() {
            return Err(Reason::NotAtClose);
        }
        let on_market = |price: i64| {
            if instrument.book.side(terms.side).limits.number_of(price).is_some() {
                Ok(()) // the day's grid has prices within the limits alone
            } else if !instrument.is_on_grid(price) {
                Err(Reason::PriceTick)
            } else if !instrument.is_within_limits(price) {
                Err(Reason::PriceLimit)
            } else {
                Ok(())
            }
        };
        if terms.order_type.has_limit() {
            on_market(terms.limit_price)?;
        }
        if terms.order_type.sleeps() {
            on_market(terms.stop_price)?;
        }
        match terms.order_type {
            OrderType::ConditionalLimit if instrument.is_at_limit(terms.side, terms.limit_price) => {
                return Err(Reason::OrderTypeNotAllowed);
            }
            OrderType::Midpoint if instrument.midpoint(&self.state.orders) == 0 => {
                return Err(Reason::NoOppositeQuote);
            }
            OrderType::BestOpposite | OrderType::BestSame if terms.limit_price == 0 => {
                return Err(Reason::NoOppositeQuote);
            }
            _ => {}
        }
        let most = instrument.rules.max_order_qty;
        if most != 0 && terms.qty > most {
            return Err(Reason::QtyLimit);
        }
        let amount = terms.limit_price.checked_mul(terms.qty).and_then(|sum| sum.checked_add(already_filled));
        let amount = amount.unwrap_or(i64::MAX); // all are positive here
        if terms.qty > MAX_AMOUNT || amount > MAX_AMOUNT {
            return Err(Reason::AmountTooLarge);
        }
        if instrument.rules.max_qty_by_value {
            let most = instrument.max_qty_by_value();
            if most != 0 && i128::from(terms.qty) > most {
                return Err(Reason::QtyLimit);
            }
        }
        Ok(())
    }

    /// The account's cash or shares (KRX rules 8.1, 8.2).
    fn check_account(&self, terms: &Terms, instrument: &Instrument, around: &Circumstances) -> Checked {
        let accounts = &self.state.accounts;
        if terms.side == Side::Sell {
            let has = accounts.available_shares(around.account, instrument.number) + around.freed_qty;
            return if terms.qty > has { Err(Reason::InsufficientShares) } else { Ok(()) };
        }
        let free = accounts.at(around.account).balance.available() + around.freed_cash;
        let unit = reserve_price(terms.side, terms.order_type, terms.limit_price, instrument.limits.upper);
        if unit == 0 {
            return if free <= 0 { Err(Reason::InsufficientCash) } else { Ok(()) };
        }
        let needed = wide_reservation(unit, terms.qty, around.commission_ppm);
        if needed > MAX_AMOUNT.into() {
            Err(Reason::AmountTooLarge)
        } else if needed > free.into() {
            Err(Reason::InsufficientCash)
        } else {
            Ok(())
        }
    }
}

/// The order's own form: quantity, price, stop price.
fn check_form(terms: &Terms) -> Checked {
    if terms.qty <= 0 {
        return Err(Reason::InvalidQty);
    }
    let has_limit = terms.order_type.has_limit();
    let may_have_price = has_limit || terms.order_type.is_best();
    if (has_limit && terms.limit_price <= 0) || (!may_have_price && terms.limit_price != 0) {
        return Err(Reason::InvalidPrice);
    }
    let is_bad = if terms.order_type.sleeps() { terms.stop_price <= 0 } else { terms.stop_price != 0 };
    if is_bad { Err(Reason::InvalidStopPrice) } else { Ok(()) }
}

/// What may be entered when (KRX rules 3.7). Cancels are always taken. A best order that keeps its price is a limit order by
/// now.
pub(crate) fn check_phase(terms: &Terms, instrument: &Instrument) -> Checked {
    let Some(types) = instrument.rules.types_in(instrument.phase) else {
        return Err(if instrument.phase == Phase::Halted { Reason::Halted } else { Reason::MarketClosed });
    };
    let bit = if terms.is_fixed { OrderType::Limit.bit() } else { terms.order_type.bit() };
    // On the first day of a listing there is no price yet that an order without a limit could go by (KRX rules 1.3).
    let at_market = OrderType::Market.bit() | OrderType::Stop.bit();
    let is_blind = instrument.rules.is_new && instrument.close_price == 0 && at_market & bit != 0;
    if types & bit == 0 || is_blind {
        return Err(Reason::OrderTypeNotAllowed);
    }
    if instrument.phase.is_at_close() && instrument.off_hours_close() == 0 {
        return Err(Reason::NoClose);
    }
    let immediate = terms.time_in_force == TimeInForce::Day
        || (instrument.phase == Phase::Continuous && instrument.rules.immediate_types & bit != 0);
    if immediate { Ok(()) } else { Err(Reason::OrderTypeNotAllowed) }
}

/// Orders, and the parts that are canceled or corrected, are whole lots (KRX rules 2.4). All that is open of an order may be
/// taken together, though a smaller lot of earlier left it odd.
#[inline]
pub(crate) fn check_lots(qty: i64, instrument: &Instrument, open_qty: i64) -> Checked {
    let lot = instrument.rules.lot;
    if lot != 1 && qty % lot != 0 && qty != open_qty { Err(Reason::InvalidQty) } else { Ok(()) }
}
