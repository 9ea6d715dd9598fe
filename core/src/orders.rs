//! Open orders, and the arithmetic of what they reserve.

use std::ops::{Index, IndexMut};

use crate::money::{PPM, part};
use crate::order_checks::Terms;
use crate::order_ids::OrderIds;
use crate::slab::{NONE, Node, Slab};
use crate::words::{OrderStatus, OrderType, Side, TimeInForce};

/// The kind of queue that orders wait in: a level's, or that of market, midpoint or stop orders.
pub(crate) const WAITING: usize = 0;
/// The kind of queue of an account's own orders, oldest first.
pub(crate) const OWN: usize = 1;

/// The rates of an order's entry, in millionths: a later change of the rules leaves the order alone.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Rates {
    pub commission: u32,
    pub transaction_tax: u32,
    pub rural_tax: u32,
}

/// An order while it is open, 96 bytes. What most orders never have is in `More`.
///
/// Not stored: the canceled quantity (what is neither open nor filled), and what it reserves (`reserve_price`).
#[derive(Clone, Debug)]
pub(crate) struct Order {
    pub order_id: u64,
    pub qty: i64,
    pub leaves_qty: i64,
    pub filled_qty: i64,
    pub limit_price: i64,
    /// The sum of price × quantity of its fills.
    pub filled_amount: i64,
    /// The stamp that orders of one price queue by. No two orders ever have the same.
    pub priority: u64,
    links: [[u32; 2]; 2],
    /// The account's place.
    pub account: u32,
    /// The instrument's number.
    pub instrument: u32,
    /// The place of the level that it waits at.
    pub level: u32,
    /// Where its rates are in the table of rates.
    pub rates: u32,
    pub order_type: OrderType,
    bits: u8,
    /// Where the rest of it is, or `NONE`.
    more: u32,
}

/// What few orders have: a client's id, a stop, a parent, fees so far.
#[derive(Clone, Debug, Default)]
pub(crate) struct More {
    pub client_id: [u8; 16],
    pub stop_price: i64,
    pub parent_order_id: u64,
    pub commission: i64,
    pub transaction_tax: i64,
    pub rural_tax: i64,
    links: [u32; 2],
}

const SELL: u8 = 1;
const TIF_SHIFT: u8 = 1;
const LISTED: u8 = 8;
const DIRTY: u8 = 16;

impl Default for Order {
    fn default() -> Self {
        Self {
            order_id: 0,
            qty: 0,
            leaves_qty: 0,
            filled_qty: 0,
            limit_price: 0,
            filled_amount: 0,
            priority: 0,
            links: [[NONE; 2]; 2],
            account: 0,
            instrument: 0,
            level: NONE,
            rates: 0,
            order_type: OrderType::Limit,
            bits: (TimeInForce::Day as u8) << TIF_SHIFT,
            more: NONE,
        }
    }
}

impl Node for Order {
    #[inline]
    fn links(&self, kind: usize) -> [u32; 2] {
        self.links[kind]
    }

    #[inline]
    fn links_mut(&mut self, kind: usize) -> &mut [u32; 2] {
        &mut self.links[kind]
    }
}

impl Node for More {
    fn links(&self, _kind: usize) -> [u32; 2] {
        self.links
    }

    fn links_mut(&mut self, _kind: usize) -> &mut [u32; 2] {
        &mut self.links
    }
}

impl Order {
    /// An order on these terms, with nothing open yet; its stop price is in `More`.
    #[inline]
    pub fn new(order_id: u64, account: u32, instrument: u32, priority: u64, rates: u32, terms: &Terms) -> Self {
        Self {
            order_id,
            qty: terms.qty,
            limit_price: terms.limit_price,
            priority,
            account,
            instrument,
            rates,
            order_type: terms.order_type,
            bits: terms.side.index() as u8 | (terms.time_in_force as u8) << TIF_SHIFT,
            ..Self::default()
        }
    }

    #[inline]
    pub fn side(&self) -> Side {
        if self.bits & SELL == 0 { Side::Buy } else { Side::Sell }
    }

    #[inline]
    pub fn time_in_force(&self) -> TimeInForce {
        match self.bits >> TIF_SHIFT & 3 {
            1 => TimeInForce::Day,
            2 => TimeInForce::Ioc,
            _ => TimeInForce::Fok,
        }
    }

    /// Whether the engine knows it by id, and its account counts it: from its first rest on.
    #[inline]
    pub fn is_listed(&self) -> bool {
        self.bits & LISTED != 0
    }

    #[inline]
    pub fn set_listed(&mut self) {
        self.bits |= LISTED;
    }

    /// Whether the state hash waits for what becomes of it.
    pub fn is_dirty(&self) -> bool {
        self.bits & DIRTY != 0
    }

    pub fn set_dirty(&mut self, dirty: bool) {
        self.bits = if dirty { self.bits | DIRTY } else { self.bits & !DIRTY };
    }

    #[inline]
    pub fn is_buy(&self) -> bool {
        self.bits & SELL == 0
    }

    #[inline]
    pub fn is_market(&self) -> bool {
        self.order_type == OrderType::Market
    }

    #[inline]
    pub fn is_midpoint(&self) -> bool {
        self.order_type == OrderType::Midpoint
    }

    /// Whether it queues at a limit price of its own: neither market, midpoint nor asleep.
    #[inline]
    pub fn has_own_price(&self) -> bool {
        !(self.is_market() || self.is_midpoint() || self.order_type.sleeps())
    }

    /// The cash that it reserves for each open share (KRX rules 8.1), on a day with this upper limit; 0 for a sell.
    ///
    /// An order that names a limit reserves it. One that does not reserves the upper limit; where there is none, a best
    /// order reserves the price that it got, and the others nothing: they pay as they go. While orders are open the limits
    /// do not change, and a type that changes by itself takes its reservation along, so this need not be stored.
    #[inline]
    pub fn reserve_price(&self, upper_limit: i64) -> i64 {
        reserve_price(self.side(), self.order_type, self.limit_price, upper_limit)
    }

    /// Whether nothing is reserved for this buy, so that each fill is checked against the cash that is free.
    #[inline]
    pub fn pays_as_it_goes(&self, upper_limit: i64) -> bool {
        self.is_buy() && self.reserve_price(upper_limit) == 0
    }

    /// What is neither open nor filled.
    #[inline]
    pub fn canceled_qty(&self) -> i64 {
        self.qty - self.leaves_qty - self.filled_qty
    }

    /// Its status while shares are open.
    #[inline]
    pub fn open_status(&self) -> OrderStatus {
        if self.filled_qty > 0 { OrderStatus::PartiallyFilled } else { OrderStatus::New }
    }
}

/// All open orders.
#[derive(Clone, Debug, Default)]
pub(crate) struct Orders {
    slab: Slab<Order>,
    more: Slab<More>,
    pub ids: OrderIds,
    rates: Vec<Rates>,
}

impl Index<u32> for Orders {
    type Output = Order;
    #[inline]
    fn index(&self, place: u32) -> &Order {
        &self.slab[place]
    }
}

impl IndexMut<u32> for Orders {
    #[inline]
    fn index_mut(&mut self, place: u32) -> &mut Order {
        &mut self.slab[place]
    }
}

impl Orders {
    /// Store an order; gives its place.
    #[inline]
    pub fn insert(&mut self, order: Order) -> u32 {
        self.slab.insert(order)
    }

    /// Forget an order. Whoever still names its place finds one with another priority there.
    #[inline]
    pub fn remove(&mut self, place: u32) {
        let more = self.slab[place].more;
        if more != NONE {
            self.more.remove(more);
        }
        self.slab.remove(place);
    }

    pub fn len(&self) -> usize {
        self.slab.len()
    }

    pub fn slab(&self) -> &Slab<Order> {
        &self.slab
    }

    pub fn slab_mut(&mut self) -> &mut Slab<Order> {
        &mut self.slab
    }

    /// The order with this priority, if it is still at the place.
    #[inline]
    pub fn is_still(&self, place: u32, priority: u64) -> bool {
        self.slab[place].priority == priority
    }

    /// What an order has that most have not.
    #[inline]
    pub fn more(&self, place: u32) -> Option<&More> {
        let more = self.slab[place].more;
        (more != NONE).then(|| &self.more[more])
    }

    /// The same, to be changed; made where there is none.
    #[inline(always)]
    pub fn more_mut(&mut self, place: u32) -> &mut More {
        let mut more = self.slab[place].more;
        if more == NONE {
            more = self.more.insert(More { links: [NONE; 2], ..More::default() });
            self.slab[place].more = more;
        }
        &mut self.more[more]
    }

    /// The price that a stop order waits for, and that a woken one waited for; 0 for others.
    #[inline]
    pub fn stop_price(&self, place: u32) -> i64 {
        self.more(place).map_or(0, |more| more.stop_price)
    }

    /// The commission charged so far.
    #[inline]
    pub fn commission(&self, place: u32) -> i64 {
        self.more(place).map_or(0, |more| more.commission)
    }

    /// The rates of its entry.
    #[inline]
    pub fn rates(&self, place: u32) -> Rates {
        self.rates[self.slab[place].rates as usize]
    }

    /// The commission's rate of its entry.
    #[inline]
    pub fn commission_ppm(&self, place: u32) -> u32 {
        self.rates(place).commission
    }

    /// The number under which rates are kept. There are as many as an operator ever set together.
    pub fn number_of_rates(&mut self, rates: Rates) -> u32 {
        if let Some(number) = self.rates.iter().position(|known| *known == rates) {
            return number as u32;
        }
        self.rates.push(rates);
        (self.rates.len() - 1) as u32
    }

    /// All rates that are known.
    pub fn all_rates(&self) -> &[Rates] {
        &self.rates
    }

    /// The cash that an order keeps reserved, on a day with this upper limit.
    #[inline(always)]
    pub fn reserved(&self, place: u32, upper_limit: i64) -> i64 {
        let order = &self.slab[place];
        match order.reserve_price(upper_limit) {
            0 => 0,
            unit => reservation(unit, order.leaves_qty, self.commission_ppm(place)),
        }
    }

    /// An empty store that knows the same rates, to try something on.
    pub fn without_orders(&self) -> Self {
        Self { rates: self.rates.clone(), ..Self::default() }
    }

    /// Copy an order of another store into this one, not its links; gives its place here.
    pub fn insert_twin(&mut self, originals: &Self, original: u32) -> u32 {
        let twin = Order { links: [[NONE; 2]; 2], more: NONE, ..originals[original].clone() };
        let place = self.insert(twin);
        if let Some(more) = originals.more(original) {
            *self.more_mut(place) = More { links: [NONE; 2], ..more.clone() };
        }
        place
    }

    /// Bytes that the stores of orders hold.
    pub fn resident_bytes(&self) -> usize {
        self.slab.resident_bytes() + self.more.resident_bytes() + self.ids.resident_bytes()
    }
}

/// See `Order::reserve_price`.
#[inline]
pub(crate) fn reserve_price(side: Side, order_type: OrderType, limit_price: i64, upper_limit: i64) -> i64 {
    if side == Side::Sell {
        0
    } else if order_type.has_limit() || upper_limit == 0 {
        limit_price
    } else {
        upper_limit
    }
}

/// The cash that `qty` open shares at `unit` each keep reserved: the price, and the commission on it (KRX rules 8.1). The
/// product fits: it was checked on entry.
#[inline]
pub(crate) fn reservation(unit: i64, qty: i64, commission_ppm: u32) -> i64 {
    let amount = unit * qty;
    amount + part(amount, commission_ppm)
}

/// The same for what nobody checked yet.
#[inline]
pub(crate) fn wide_reservation(unit: i64, qty: i64, commission_ppm: u32) -> i128 {
    if let Some(amount) = unit.checked_mul(qty)
        && let Some(product) = amount.checked_mul(commission_ppm.into())
    {
        return i128::from(amount) + i128::from(product / PPM); // 128 bits divide slowly
    }
    let amount = i128::from(unit) * i128::from(qty);
    if commission_ppm == 0 { amount } else { amount + amount * i128::from(commission_ppm) / i128::from(PPM) }
}

/// The most shares of a quantity that are whole lots.
#[inline]
pub(crate) fn whole_lots(qty: i64, lot: i64) -> i64 {
    if lot == 1 { qty } else { qty - qty % lot }
}

/// How many shares this cash can reserve at `unit` each, the commission on them included.
pub(crate) fn coverable_qty(cash: i64, unit: i64, commission_ppm: u32) -> i64 {
    if cash <= 0 {
        return 0;
    }
    let rate = i128::from(PPM) + i128::from(commission_ppm);
    let mut qty = ((i128::from(cash) + 1) * i128::from(PPM) / (i128::from(unit) * rate) + 1) as i64;
    while qty > 0 && wide_reservation(unit, qty, commission_ppm) > cash.into() {
        qty -= 1;
    }
    qty
}

/// How many shares at `price` this cash pays, the commission's increase included; see the reference.
pub(crate) fn affordable_qty(cash: i64, price: i64, filled_amount: i64, commission_ppm: u32, paid: i64) -> i64 {
    if cash <= 0 {
        return 0;
    }
    if commission_ppm == 0 {
        return cash / price;
    }
    let (wide_price, ppm) = (i128::from(price), i128::from(commission_ppm));
    let cost = |qty: i64| {
        let amount = wide_price * i128::from(qty);
        amount + (i128::from(filled_amount) + amount) * ppm / i128::from(PPM) - i128::from(paid)
    };
    let mut qty = ((i128::from(cash) + 1) * i128::from(PPM) / (wide_price * (i128::from(PPM) + ppm)) + 1) as i64;
    while qty > 0 && cost(qty) > cash.into() {
        qty -= 1;
    }
    qty
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_order_is_small() {
        assert!(size_of::<Order>() <= 96, "{} bytes", size_of::<Order>());
    }
}
