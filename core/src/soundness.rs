//! Whether what a snapshot says could be what commands made: numbers within their bounds, everything that is named there.
//!
//! The hash tells damage, not forgery: whoever writes records can sum them up. So what the machine relies on is checked before
//! a state is taken up, the values one by one here, and that they add up by `check_invariants`. It is the same as
//! `onseju/matching/soundness.py`.

use crate::accounts::{Account, Position};
use crate::engine::Engine;
use crate::instruments::Instrument;
use crate::money::{MAX_AMOUNT, PPM, fits};
use crate::orders::{Order, Rates, wide_reservation};
use crate::rulebook::{is_rate, rule_with_value};
use crate::session_desk::{LAST_STAGE, is_day};
use crate::venue_desk::MAX_TICK_BANDS;
use crate::words::{AccountKind, OrderType, Rule};

/// Numbers that are given one after the other stay below; so nothing that counts on overflows.
const MAX_NUMBER: u64 = 1 << 62;

/// A count of interruptions that no day comes near.
const MAX_INTERRUPTIONS: u32 = 1 << 31;

/// Whether a tick table's band is one that can be set.
pub(crate) fn is_band(from_price: i64, tick: i64) -> bool {
    fits(from_price.into()) && 0 < tick && tick <= MAX_AMOUNT
}

/// Whether a rule may have this value; `instrument` is 0 for the venue's.
pub(crate) fn is_rule(instrument: u32, number: u32, value: i64) -> bool {
    let is_new = instrument != 0 && number == u32::from(Rule::NewListing as u8) && (0..=1).contains(&value);
    is_new || rule_with_value(number, value, instrument != 0).is_some()
}

/// Whether an order's own numbers are within their bounds; its instrument and rates are known.
pub(crate) fn is_order(order: &Order, stop_price: i64, fees: [i64; 3], rates: Rates, instrument: &Instrument) -> bool {
    let (qty, leaves, filled) = (i128::from(order.qty), i128::from(order.leaves_qty), i128::from(order.filled_qty));
    let adds_up = 0 < leaves && 0 <= filled && leaves + filled <= qty && fits(qty);
    let amounts = [order.filled_amount, fees[0], fees[1], fees[2]];
    let is_price = |price| instrument.is_on_grid(price) && instrument.is_within_limits(price);
    let has_price = order.order_type.has_limit() || order.order_type.is_best();
    let is_priced =
        if has_price { is_price(order.limit_price) && order.limit_price <= MAX_AMOUNT } else { order.limit_price == 0 };
    adds_up
        && amounts.into_iter().all(|amount| fits(amount.into()))
        && [rates.commission, rates.transaction_tax, rates.rural_tax].into_iter().all(|rate| i64::from(rate) <= PPM)
        && is_priced
        && stop_price >= 0
        && (!order.order_type.sleeps() || is_price(stop_price))
        && is_reservable(order, rates.commission, instrument.limits.upper)
}

fn is_reservable(order: &Order, commission_ppm: u32, upper: i64) -> bool {
    fits(wide_reservation(order.reserve_price(upper), order.leaves_qty, commission_ppm))
}

impl Engine {
    /// Whether the values of a state that a snapshot made are within their bounds.
    pub(crate) fn is_sound(&self) -> bool {
        let state = &self.state;
        let numbers_rise = self.numbers_are_sound();
        let venues = state.accounts.list.iter().filter(|account| account.kind == AccountKind::Venue);
        let venue_is_known = match state.counters.venue_account {
            0 => state.venue_place.is_none(),
            number => venues.clone().count() == 1 && state.venue_place == state.accounts.find(number),
        };
        numbers_rise
            && venue_is_known
            && (state.venue_place.is_some() || !self.has_fees())
            && state.rules.tick_tables.values().all(|bands| bands.len() <= MAX_TICK_BANDS)
            && state.accounts.list.iter().all(|account| self.is_account(account))
            && state.accounts.positions.iter().all(|position| self.is_position(position))
            && state.instruments.iter().all(|instrument| self.is_instrument(instrument))
            && self.ids_are_sound()
    }

    fn numbers_are_sound(&self) -> bool {
        let counters = &self.state.counters;
        let last = [counters.last_seq, counters.last_order_id, counters.last_trade_id, counters.last_priority];
        let day = counters.trading_day;
        last.into_iter().all(|last| last <= MAX_NUMBER)
            && fits(counters.total_cash.into())
            && if counters.is_open { is_day(day) } else { day == 0 }
    }

    /// Whether anything has a fee to pay.
    fn has_fees(&self) -> bool {
        let instruments = self.state.instruments.iter();
        let own = instruments.flat_map(|instrument| instrument.own_rules.iter());
        let has_rate = own.chain(&self.state.rules.values).any(|(rule, value)| is_rate(*rule) && *value > 0);
        has_rate || self.state.orders.all_rates().iter().any(|rates| *rates != Rates::default())
    }

    fn is_account(&self, account: &Account) -> bool {
        let balance = account.balance;
        let (d1, d2) = (i128::from(balance.unsettled_d1), i128::from(balance.unsettled_d2));
        let cash = i128::from(balance.cash);
        account.number != 0
            && fits(cash)
            && account.opened_seq <= self.state.counters.last_seq
            && [d1, d2, cash - d1 - d2, cash - d2].into_iter().all(|part| fits(part.abs()))
    }

    fn is_position(&self, position: &Position) -> bool {
        let shares = position.shares;
        self.state.find_instrument(position.instrument).is_some()
            && fits(shares.qty.into())
            && fits(shares.cost_amount.into())
            && fits(i128::from(shares.realized_profit).abs())
    }

    fn is_instrument(&self, instrument: &Instrument) -> bool {
        let (price, qty) = instrument.indicated;
        let pool = instrument.book.pool.as_ref();
        let orders = &self.state.orders;
        [instrument.base_price, instrument.last_price, instrument.close_price, instrument.auction_price, price, qty]
            .into_iter()
            .all(|number| fits(number.into()))
            && fits(instrument.total_shares.into())
            && instrument.interruptions <= MAX_INTERRUPTIONS
            && instrument.breaker_stage <= LAST_STAGE
            && (!instrument.rules.is_new || instrument.has_limits())
            && pool.is_none_or(|pool| {
                pool.price > 0
                    && pool.open(orders).all(|turn| {
                        let order = &orders[turn.place];
                        let is_here = order.limit_price == pool.price || order.order_type == OrderType::Market;
                        turn.qty > 0 && is_here && order.instrument == instrument.number && order.side() == pool.side
                    })
            })
    }

    /// Orders, and client ids, were given and used by commands that were applied.
    fn ids_are_sound(&self) -> bool {
        let (state, counters) = (&self.state, &self.state.counters);
        let accounts = state.accounts.list.iter();
        let mut orders =
            accounts.flat_map(|account| account.orders.iter(state.orders.slab())).map(|place| &state.orders[place]);
        let are_given = orders.all(|order| {
            (1..=counters.last_order_id).contains(&order.order_id)
                && (1..=counters.last_priority).contains(&order.priority)
        });
        let mut uses = state.repeats.days().iter().flat_map(crate::kept_ids::KeptIds::iter);
        are_given && uses.all(|(_, first_use)| (1..=counters.last_seq).contains(&first_use.seq))
    }
}
