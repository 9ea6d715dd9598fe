//! 동시호가: how an opening or resumption auction that ends exactly at a price limit divides what there is (KRX ER 34).

use crate::orders::Orders;
use crate::words::Side;

/// Lots that each order gets in the first pass.
const FIRST_PASS_LOTS: i64 = 100;

/// What an order may take before the next one's turn. It is void once the order left its place.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Quota {
    /// The order's place, and its priority: another order's at the same place is another.
    pub place: u32,
    pub priority: u64,
    pub qty: i64,
}

impl Quota {
    /// How much of it can still be taken: canceled shares drop out.
    pub fn open_qty(&self, orders: &Orders) -> i64 {
        if orders.is_still(self.place, self.priority) { self.qty.min(orders[self.place].leaves_qty) } else { 0 }
    }
}

/// The turns of a pool, from its orders in order of record; `lot` in shares.
///
/// The largest goes first, equal ones in order of record. First each gets up to 100 lots, then half of what it still
/// lacks (half a lot counts as one), then the rest.
pub(crate) fn quotas(orders: &Orders, places: &[u32], lot: i64) -> Vec<Quota> {
    let mut lacks: Vec<(u32, i64)> = places.iter().map(|place| (*place, orders[*place].leaves_qty)).collect();
    lacks.sort_by_key(|(_, qty)| -qty);
    let passes: [&dyn Fn(i64) -> i64; 3] =
        [&|qty| qty.min(FIRST_PASS_LOTS.saturating_mul(lot)), &|qty| (qty / lot + 1) / 2 * lot, &|qty| qty];
    let mut turns = Vec::new();
    for part in passes {
        for (place, lack) in &mut lacks {
            let qty = part(*lack);
            *lack -= qty;
            if qty != 0 {
                turns.push(Quota { place: *place, priority: orders[*place].priority, qty });
            }
        }
    }
    turns
}

/// What is left of an auction's quotas. In continuous trading they go on where the auction stopped, before all later
/// orders at this price (KRX ER 34(3)); other auctions ignore them.
#[derive(Clone, Debug)]
pub(crate) struct Pool {
    pub side: Side,
    pub price: i64,
    turns: Vec<Quota>,
    /// How many turns are over.
    over: usize,
}

impl Pool {
    pub fn new(side: Side, price: i64, turns: Vec<Quota>) -> Self {
        Self { side, price, turns, over: 0 }
    }

    /// The turns that are left, in order.
    pub fn open<'a>(&'a self, orders: &'a Orders) -> impl Iterator<Item = &'a Quota> + 'a {
        self.turns[self.over..].iter().filter(|turn| turn.open_qty(orders) != 0)
    }

    /// Whose turn it is; none when the pool is used up.
    pub fn first(&self, orders: &Orders) -> Option<Quota> {
        self.open(orders).next().copied()
    }

    /// Count a trade of the order whose turn it is, before the trade takes its shares. What a market order of
    /// the pool trades at another price than the pool's is not of its turn; nor is what it trades beyond its turn, where
    /// market orders do not float (any more) and so go first with all they have.
    pub fn take(&mut self, orders: &Orders, place: u32, price: i64, qty: i64) {
        while let Some(turn) = self.turns.get_mut(self.over) {
            if turn.open_qty(orders) != 0 {
                if turn.place == place && price == self.price {
                    turn.qty -= qty.min(turn.qty);
                }
                return;
            }
            self.over += 1;
        }
    }
}
