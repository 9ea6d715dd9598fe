//! What is left of the turns of an auction that ended at a price limit (KRX ER 34), as the public side follows it.
//!
//! The twin of `onseju/market/pools.py`.

use std::cmp::Reverse;

use crate::hashing::NumberMap;
use crate::server::queue_places::{Entry, Level};

const FIRST_PASS_QTY: i64 = 100;

/// An order as it stood in a queue: one that goes to the back is another one, with a higher stamp.
pub(crate) type Standing = (u64, u64);

/// So many shares of an order, whose turn it is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Turn {
    /// Order id and stamp.
    pub order: Standing,
    pub qty: i64,
}

/// The turns that are left at a level.
#[derive(Debug)]
pub(crate) struct Turns {
    pub level: Level,
    pub turns: Vec<Turn>,
}

/// What an order has open: nothing where it has left its place.
pub(crate) fn open_qty(entries: &NumberMap<u64, Entry>, order: Standing) -> i64 {
    entries.get(&order.0).filter(|entry| entry.stamp == order.1).map_or(0, |entry| entry.qty)
}

impl Turns {
    /// `members` are the orders in order of time, with what each had open before the auction; it took `taken` shares of
    /// them in all.
    pub fn new(level: Level, members: &[(Standing, i64)], taken: i128) -> Self {
        let mut turns = turns_of(members);
        let mut taken = taken;
        for turn in &mut turns {
            let part = taken.min(turn.qty.into());
            turn.qty -= part as i64;
            taken -= part;
        }
        turns.retain(|turn| turn.qty != 0);
        Self { level, turns }
    }

    /// Count a trade of the order whose turn it is, before its entry shows the trade.
    pub fn take(&mut self, entries: &NumberMap<u64, Entry>, entry: &Entry, price: i64, qty: i64) {
        let done = self.turns.iter().take_while(|turn| turn.qty.min(open_qty(entries, turn.order)) == 0).count();
        self.turns.drain(..done);
        if let Some(turn) = self.turns.first_mut()
            && turn.order == (entry.order_id, entry.stamp)
            && price == self.level.2
        {
            turn.qty -= qty;
        }
    }

    /// Who trades how many shares, one after the other: the turns, then what is left of all, in order of time.
    pub fn pieces(&self, entries: &NumberMap<u64, Entry>, queue: Vec<Entry>) -> Vec<(Entry, i64)> {
        let mut lacks: NumberMap<u64, i64> = queue.iter().map(|entry| (entry.order_id, entry.qty)).collect();
        let mut pieces = Vec::with_capacity(queue.len());
        for turn in &self.turns {
            let Some(lack) = lacks.get_mut(&turn.order.0) else { continue };
            let qty = turn.qty.min(open_qty(entries, turn.order)).min(*lack);
            if qty != 0 {
                *lack -= qty;
                pieces.push((entries[&turn.order.0], qty));
            }
        }
        pieces.extend(queue.into_iter().map(|entry| (entry, lacks[&entry.order_id])).filter(|(_, qty)| *qty != 0));
        pieces
    }
}

/// The largest first, equal ones in order of time: first up to 100 shares each, then half of what each still lacks (half a
/// share counts as one), then the rest.
fn turns_of(members: &[(Standing, i64)]) -> Vec<Turn> {
    let mut lacks = members.to_vec();
    lacks.sort_by_key(|(_, qty)| Reverse(*qty));
    let passes: [fn(i64) -> i64; 3] = [|qty| qty.min(FIRST_PASS_QTY), |qty| qty / 2 + qty % 2, |qty| qty];
    let mut turns = Vec::new();
    for part in passes {
        for (order, lack) in &mut lacks {
            let qty = part(*lack);
            *lack -= qty;
            if qty != 0 {
                turns.push(Turn { order: *order, qty });
            }
        }
    }
    turns
}
