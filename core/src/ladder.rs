//! One side's price levels, best first: by their number on the grid where the day has price limits, sorted where it has none.

use std::collections::BTreeMap;

use crate::bits::Bits;
use crate::slab::{Fifo, NONE, Node, Slab};
use crate::ticks::{PriceLimits, ceil_to_grid, floor_to_grid};
use crate::words::Side;

/// A grid with more prices than this between its limits is not laid out by number.
const DENSE_MOST: i64 = 1 << 15;

/// So many levels around the first are laid out at once.
const FIRST_LEVELS: u32 = 16;

/// A price level: its queue in the order of time, and its open quantity. Its price is 0 while nobody stands there.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Level {
    pub price: i64,
    pub qty: i64,
    pub queue: Fifo<0>,
    /// Whether the command at work has noted what it was before.
    pub is_noted: bool,
}

/// The levels of one side. A level has a small number (its place) for as long as orders stand at it: on a grid the price's
/// own number, so that a price leads to its level without a step between. Of a grid only the stretch that orders ever came
/// to is laid out. What each order needs is in the first 64 bytes: a thousand instruments share the caches.
#[derive(Clone, Debug)]
#[repr(C, align(64))]
pub(crate) struct Ladder {
    levels: Vec<Level>,
    /// The place of the first of `levels`; 0 where they are sorted.
    first: u32,
    best: u32,
    /// How many prices the grid has; 0 where the levels are sorted.
    prices: u32,
    len: u32,
    /// The grid's highest stretch, in which most prices are.
    top: Stretch,
    side: Side,
    /// The stretches below.
    lower: Vec<Stretch>,
    /// Of a grid: which prices have a level.
    bits: Bits,
    sorted: Option<Box<Sorted>>,
}

/// Levels of any price.
#[derive(Clone, Debug, Default)]
struct Sorted {
    places: BTreeMap<i64, u32>,
    /// Places that are free.
    free: Vec<u32>,
}

/// A stretch of the grid with one tick: its first price, and that price's number.
#[derive(Clone, Copy, Debug)]
struct Stretch {
    from: i64,
    tick: u32,
    first: u32,
}

impl Ladder {
    /// A ladder without levels for the prices of a day.
    pub fn new(side: Side, limits: PriceLimits, bands: &[(i64, i64)]) -> Self {
        let (mut lower, prices) = grid(limits, bands).unwrap_or_default();
        let top = lower.pop();
        Self {
            levels: Vec::new(),
            first: 0,
            best: NONE,
            prices,
            len: 0,
            top: top.unwrap_or(Stretch { from: 0, tick: 1, first: 0 }),
            side,
            lower,
            bits: Bits::new(prices as usize),
            sorted: top.is_none().then(Box::default),
        }
    }

    /// How many levels there are.
    #[inline]
    pub fn len(&self) -> u32 {
        self.len
    }

    /// Whether nobody stands here.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The level at a place.
    #[inline]
    pub fn at(&self, place: u32) -> &Level {
        &self.levels[place.wrapping_sub(self.first) as usize]
    }

    /// The same, to be changed.
    #[inline]
    pub fn at_mut(&mut self, place: u32) -> &mut Level {
        &mut self.levels[place.wrapping_sub(self.first) as usize]
    }

    /// The same, where there is such a place.
    #[inline]
    pub fn get(&self, place: u32) -> Option<&Level> {
        self.levels.get(place.wrapping_sub(self.first) as usize)
    }

    /// The best level.
    #[inline]
    pub fn best(&self) -> Option<&Level> {
        (self.best != NONE).then(|| self.at(self.best))
    }

    /// The best price below the best level's; 0 when there is none.
    pub fn second_price(&self) -> i64 {
        match self.best() {
            Some(best) => self.after(self.best, best.price).map_or(0, |place| self.at(place).price),
            None => 0,
        }
    }

    /// The price farthest from trading; 0 when there is none.
    pub fn worst_price(&self) -> i64 {
        let place = match (&self.sorted, self.side) {
            (None, Side::Buy) => self.bits.at_or_above(0),
            (None, Side::Sell) => self.bits.below(self.prices),
            (Some(sorted), Side::Buy) => sorted.places.values().next().copied(),
            (Some(sorted), Side::Sell) => sorted.places.values().next_back().copied(),
        };
        place.map_or(0, |place| self.at(place).price)
    }

    /// A price's number on the grid; none for one that is not on it, and where the levels are sorted.
    #[inline]
    pub fn number_of(&self, price: i64) -> Option<u32> {
        let mut stretch = &self.top;
        if price < stretch.from {
            stretch = self.lower.iter().rev().find(|lower| lower.from <= price)?;
        }
        // 32 bits divide far quicker than 64.
        let above = u32::try_from(price.checked_sub(stretch.from)?).ok()?;
        let steps = above / stretch.tick;
        let number = steps.checked_add(stretch.first)?;
        (number < self.prices && steps * stretch.tick == above).then_some(number)
    }

    /// Whether the levels have numbers on a grid.
    #[inline]
    pub fn has_grid(&self) -> bool {
        self.prices != 0
    }

    /// The place of the level at a price.
    #[inline]
    pub fn find(&self, price: i64) -> Option<u32> {
        match &self.sorted {
            None => self.number_of(price).filter(|place| self.get(*place).is_some_and(|level| level.price == price)),
            Some(sorted) => sorted.places.get(&price).copied(),
        }
    }

    /// The place, where the level there is still that of the price.
    #[inline]
    pub fn still_at(&self, place: u32, price: i64) -> Option<u32> {
        let level = self.get(place)?;
        (level.is_noted && level.price == price).then_some(place)
    }

    /// Open quantity and number of orders at a price.
    #[inline]
    pub fn shown(&self, price: i64) -> (i64, u32) {
        self.find(price).map_or((0, 0), |place| (self.at(place).qty, self.at(place).queue.count))
    }

    /// The place of the next level, farther from trading than the one at a place, or that was there, with this price.
    fn after(&self, place: u32, price: i64) -> Option<u32> {
        match (&self.sorted, self.side) {
            (None, Side::Buy) => self.bits.below(place),
            (None, Side::Sell) => self.bits.at_or_above(place + 1),
            (Some(sorted), Side::Buy) => sorted.places.range(..price).next_back().map(|(_, place)| *place),
            (Some(sorted), Side::Sell) => sorted.places.range(price + 1..).next().map(|(_, place)| *place),
        }
    }

    /// The levels, best first.
    pub fn iter(&self) -> impl Iterator<Item = &Level> {
        let mut at = self.best;
        std::iter::from_fn(move || {
            let place = at;
            (place != NONE).then(|| {
                let level = self.at(place);
                at = self.after(place, level.price).unwrap_or(NONE);
                level
            })
        })
    }

    /// The place of the level at a price, made where there is none. The price is on the grid and within the limits.
    #[inline(always)]
    pub fn make(&mut self, price: i64) -> u32 {
        let place = match &mut self.sorted {
            None => {
                let Some(place) = self.number_of(price) else { unreachable!("price {price} is not on the day's grid") };
                match self.get(place) {
                    Some(level) if level.price == price => return place,
                    Some(_) => {}
                    None => self.lay_out(place),
                }
                self.bits.set(place);
                place
            }
            Some(sorted) => {
                if let Some(place) = sorted.places.get(&price) {
                    return *place;
                }
                let place = sorted.free.pop().unwrap_or_else(|| {
                    self.levels.push(Level::default());
                    (self.levels.len() - 1) as u32
                });
                sorted.places.insert(price, place);
                place
            }
        };
        self.at_mut(place).price = price;
        self.len += 1;
        if self.best == NONE || self.side.sign() * price < self.side.sign() * self.at(self.best).price {
            self.best = place;
        }
        place
    }

    /// Lay out more of the grid, so that this place is in it: twice as much as there is, or what it takes.
    #[cold]
    fn lay_out(&mut self, place: u32) {
        let len = self.levels.len() as u32;
        let (mut from, mut to) = (self.first, self.first + len);
        if len == 0 {
            (from, to) = (place.saturating_sub(FIRST_LEVELS / 2), place + FIRST_LEVELS / 2);
        } else if place < from {
            from = place.min(from.saturating_sub(len));
        } else {
            to = (place + 1).max(to + len);
        }
        let to = to.min(self.prices);
        let mut levels = vec![Level::default(); (to - from) as usize];
        let at = (self.first.max(from) - from) as usize;
        levels[at..at + len as usize].copy_from_slice(&self.levels);
        (self.levels, self.first) = (levels, from);
    }

    /// Put a record at the end of a level's queue.
    #[inline(always)]
    pub fn push<T: Node>(&mut self, slab: &mut Slab<T>, level: u32, record: u32, qty: i64) {
        let level = self.at_mut(level);
        level.queue.push(slab, record);
        level.qty += qty;
    }

    /// Take a record with `qty` open out of its level's queue; the level goes with the last one.
    #[inline(always)]
    pub fn unlink<T: Node>(&mut self, slab: &mut Slab<T>, place: u32, record: u32, qty: i64) {
        let level = self.at_mut(place);
        level.queue.unlink(slab, record);
        level.qty -= qty;
        if level.queue.count == 0 {
            self.drop_level(place);
        }
    }

    fn drop_level(&mut self, place: u32) {
        let price = self.at(place).price;
        *self.at_mut(place) = Level::default();
        match &mut self.sorted {
            None => self.bits.clear(place),
            Some(sorted) => {
                sorted.places.remove(&price);
                sorted.free.push(place);
            }
        }
        self.len -= 1;
        if place == self.best {
            self.best = self.after(place, price).unwrap_or(NONE);
        }
    }
}

/// The stretches of the grid between two limits, ascending, and how many prices they have; none where there are no limits, or
/// too many prices between them.
fn grid(limits: PriceLimits, bands: &[(i64, i64)]) -> Option<(Vec<Stretch>, u32)> {
    if limits.upper <= 0 {
        return None;
    }
    let mut stretches = Vec::new();
    let mut count = 0;
    for (index, &(start, tick)) in bands.iter().enumerate() {
        let end = bands.get(index + 1).map_or(i64::MAX, |band| band.0).min(limits.upper.saturating_add(1));
        let from = ceil_to_grid(bands, start.max(limits.lower));
        if from >= end || from < start {
            continue;
        }
        let last = floor_to_grid(bands, end - 1);
        u32::try_from(last - from).ok()?;
        stretches.push(Stretch { from, tick: u32::try_from(tick).ok()?, first: count as u32 });
        count += (last - from) / tick + 1;
        if count > DENSE_MOST {
            return None;
        }
    }
    (count > 0).then_some((stretches, count as u32))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::orders::Order;

    /// Levels that come and go all over a grid of two ticks are those of a sorted map.
    #[test]
    fn has_the_levels_of_a_sorted_one() {
        let bands = [(0, 5), (5_000, 10)];
        let limits = PriceLimits { upper: 6_500, lower: 3_500 };
        for side in Side::BOTH {
            let mut slab: Slab<Order> = Slab::default();
            let mut on_grid = Ladder::new(side, limits, &bands);
            let mut sorted = Ladder::new(side, PriceLimits::default(), &bands);
            assert!(on_grid.has_grid() && !sorted.has_grid());
            let mut there: Vec<(i64, u32, u32)> = Vec::new();
            for number in 0..20_000_u64 {
                let mixed = number.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 32;
                let price = ceil_to_grid(&bands, 3_500 + (mixed % 3_001).min(mixed / 7 % 3_001) as i64);
                if mixed % 5 < 2 + u64::from(there.len() < 100) {
                    let records = [slab.insert(Order::default()), slab.insert(Order::default())];
                    for (ladder, record) in [&mut on_grid, &mut sorted].into_iter().zip(records) {
                        let place = ladder.make(price);
                        ladder.push(&mut slab, place, record, 1);
                    }
                    there.push((price, records[0], records[1]));
                } else if !there.is_empty() {
                    let (price, first, second) = there.swap_remove(mixed as usize % there.len());
                    for (ladder, record) in [(&mut on_grid, first), (&mut sorted, second)] {
                        let place = ladder.find(price).unwrap_or(NONE);
                        ladder.unlink(&mut slab, place, record, 1);
                        slab.remove(record);
                    }
                }
                let shown = |ladder: &Ladder| ladder.best().map(|level| (level.price, level.qty));
                assert_eq!(shown(&on_grid), shown(&sorted));
                assert_eq!(on_grid.worst_price(), sorted.worst_price());
                assert_eq!(on_grid.second_price(), sorted.second_price());
                assert_eq!(on_grid.len(), sorted.len());
                assert_eq!(on_grid.shown(price), sorted.shown(price));
                if number % 100 == 0 {
                    let levels =
                        |ladder: &Ladder| ladder.iter().map(|level| (level.price, level.qty)).collect::<Vec<_>>();
                    assert_eq!(levels(&on_grid), levels(&sorted));
                }
            }
        }
    }

    #[test]
    fn a_price_off_the_grid_has_no_level() {
        let mut ladder = Ladder::new(Side::Buy, PriceLimits { upper: 6_500, lower: 3_500 }, &[(0, 5), (5_000, 10)]);
        ladder.make(5_010);
        ladder.make(4_995);
        assert!(ladder.find(5_010).is_some() && ladder.find(4_995).is_some());
        for price in [i64::MIN, 0, 3_495, 4_990, 4_996, 5_000, 5_015, 6_510, i64::MAX] {
            assert_eq!(ladder.find(price), None, "{price}");
        }
    }

    #[test]
    fn what_an_order_needs_of_a_ladder_is_in_one_line() {
        assert!(std::mem::offset_of!(Ladder, side) < 64);
        assert!(size_of::<Ladder>() <= 128, "{} bytes", size_of::<Ladder>());
    }
}
