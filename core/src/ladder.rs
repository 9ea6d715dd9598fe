//! One side's price levels, best first: dense by tick where the day has price limits, sorted where it has none.

use std::collections::BTreeMap;

use crate::slab::{Fifo, NONE, Node, Slab};
use crate::ticks::{PriceLimits, ceil_to_grid, floor_to_grid};
use crate::words::Side;

/// A grid with more prices than this between its limits is not laid out densely.
const DENSE_MOST: i64 = 1 << 15;

/// A price level: its queue in the order of time, and its open quantity.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Level {
    pub price: i64,
    pub qty: i64,
    pub queue: Fifo<0>,
    /// Whether the command at work has noted what it was before.
    pub is_noted: bool,
}

/// The levels of one side. A level has a small number (its place) for as long as orders stand at it.
#[derive(Clone, Debug)]
pub(crate) struct Ladder {
    side: Side,
    levels: Vec<Level>,
    /// The first of the unused places, threaded through `queue.head`.
    free: u32,
    len: u32,
    best: u32,
    index: Index,
}

#[derive(Clone, Debug)]
enum Index {
    Dense(Box<Dense>),
    Sorted(BTreeMap<i64, u32>),
}

/// The prices between two limits by their number on the grid, and a bit for each that has a level; above the words a
/// summary with a bit for each word that is not empty.
#[derive(Clone, Debug)]
struct Dense {
    grid: Vec<Stretch>,
    places: Vec<u32>,
    words: Vec<u64>,
    summary: Vec<u64>,
}

/// A stretch of the grid with one tick: its first price, and that price's number.
#[derive(Clone, Copy, Debug)]
struct Stretch {
    from: i64,
    tick: i64,
    first: i64,
}

impl Ladder {
    /// A ladder without levels for the prices of a day.
    pub fn new(side: Side, limits: PriceLimits, bands: &[(i64, i64)]) -> Self {
        let index = match Dense::new(limits, bands) {
            Some(dense) => Index::Dense(Box::new(dense)),
            None => Index::Sorted(BTreeMap::new()),
        };
        Self { side, levels: Vec::new(), free: NONE, len: 0, best: NONE, index }
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
        &self.levels[place as usize]
    }

    /// The same, to be changed.
    #[inline]
    pub fn at_mut(&mut self, place: u32) -> &mut Level {
        &mut self.levels[place as usize]
    }

    /// The best level.
    #[inline]
    pub fn best(&self) -> Option<&Level> {
        (self.best != NONE).then(|| self.at(self.best))
    }

    /// The best price below the best level's; 0 when there is none.
    pub fn second_price(&self) -> i64 {
        match self.best() {
            Some(best) => self.after(best.price).map_or(0, |place| self.at(place).price),
            None => 0,
        }
    }

    /// The price farthest from trading; 0 when there is none.
    pub fn worst_price(&self) -> i64 {
        let place = match &self.index {
            Index::Dense(dense) => match self.side {
                Side::Buy => dense.at_or_above(0),
                Side::Sell => dense.below(dense.places.len()),
            }
            .map(|number| dense.places[number]),
            Index::Sorted(map) => match self.side {
                Side::Buy => map.values().next().copied(),
                Side::Sell => map.values().next_back().copied(),
            },
        };
        place.map_or(0, |place| self.at(place).price)
    }

    /// The place of the level at a price.
    #[inline]
    pub fn find(&self, price: i64) -> Option<u32> {
        match &self.index {
            Index::Dense(dense) => {
                dense.number_of(price).map(|number| dense.places[number]).filter(|place| *place != NONE)
            }
            Index::Sorted(map) => map.get(&price).copied(),
        }
    }

    /// The place, where the level there is still that of the price.
    #[inline]
    pub fn still_at(&self, place: u32, price: i64) -> Option<u32> {
        let level = self.levels.get(place as usize)?;
        (level.is_noted && level.price == price).then_some(place)
    }

    /// Open quantity and number of orders at a price.
    #[inline]
    pub fn shown(&self, price: i64) -> (i64, u32) {
        self.find(price).map_or((0, 0), |place| (self.at(place).qty, self.at(place).queue.count))
    }

    /// The place of the next level, farther from trading.
    fn after(&self, price: i64) -> Option<u32> {
        match &self.index {
            Index::Dense(dense) => {
                let number = dense.number_of(price)?;
                let next = match self.side {
                    Side::Buy => dense.below(number),
                    Side::Sell => dense.at_or_above(number + 1),
                };
                next.map(|number| dense.places[number])
            }
            Index::Sorted(map) => match self.side {
                Side::Buy => map.range(..price).next_back().map(|(_, place)| *place),
                Side::Sell => map.range(price + 1..).next().map(|(_, place)| *place),
            },
        }
    }

    /// The levels, best first.
    pub fn iter(&self) -> impl Iterator<Item = &Level> {
        let mut at = self.best;
        std::iter::from_fn(move || {
            let place = at;
            (place != NONE).then(|| {
                let level = self.at(place);
                at = self.after(level.price).unwrap_or(NONE);
                level
            })
        })
    }

    /// The place of the level at a price, made where there is none. The price is on the grid and within the limits.
    #[inline]
    pub fn make(&mut self, price: i64) -> u32 {
        if let Some(place) = self.find(price) {
            return place;
        }
        let level = Level { price, ..Level::default() };
        let place = if self.free != NONE {
            let place = self.free;
            self.free = self.at(place).queue.head;
            *self.at_mut(place) = level;
            place
        } else {
            self.levels.push(level);
            (self.levels.len() - 1) as u32
        };
        match &mut self.index {
            Index::Dense(dense) => dense.set(price, place),
            Index::Sorted(map) => {
                map.insert(price, place);
            }
        }
        self.len += 1;
        if self.best == NONE || self.side.sign() * price < self.side.sign() * self.at(self.best).price {
            self.best = place;
        }
        place
    }

    /// Put a record at the end of a level's queue.
    #[inline]
    pub fn push<T: Node>(&mut self, slab: &mut Slab<T>, level: u32, record: u32, qty: i64) {
        let level = self.at_mut(level);
        level.queue.push(slab, record);
        level.qty += qty;
    }

    /// Take a record with `qty` open out of its level's queue; the level goes with the last one.
    #[inline]
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
        if place == self.best {
            self.best = self.after(price).unwrap_or(NONE);
        }
        match &mut self.index {
            Index::Dense(dense) => dense.clear(price),
            Index::Sorted(map) => {
                map.remove(&price);
            }
        }
        self.len -= 1;
        let free = self.free;
        let level = self.at_mut(place);
        *level = Level::default();
        level.queue.head = free;
        self.free = place;
    }
}

impl Dense {
    fn new(limits: PriceLimits, bands: &[(i64, i64)]) -> Option<Self> {
        if limits.upper <= 0 {
            return None;
        }
        let mut grid = Vec::new();
        let mut count = 0;
        for (index, &(start, tick)) in bands.iter().enumerate() {
            let end = bands.get(index + 1).map_or(i64::MAX, |band| band.0).min(limits.upper.saturating_add(1));
            let from = ceil_to_grid(bands, start.max(limits.lower));
            if from >= end || from < start {
                continue;
            }
            let last = floor_to_grid(bands, end - 1);
            grid.push(Stretch { from, tick, first: count });
            count += (last - from) / tick + 1;
            if count > DENSE_MOST {
                return None;
            }
        }
        let words = (count as usize).div_ceil(64);
        Some(Self {
            grid,
            places: vec![NONE; count as usize],
            words: vec![0; words],
            summary: vec![0; words.div_ceil(64)],
        })
    }

    /// A price's number; none for a price that is not on this grid.
    #[inline]
    fn number_of(&self, price: i64) -> Option<usize> {
        let mut at = self.grid.len().checked_sub(1)?;
        while self.grid[at].from > price {
            at = at.checked_sub(1)?;
        }
        let Stretch { from, tick, first } = self.grid[at];
        // 32 bits divide far quicker than 64, and all prices in won fit.
        let above = price - from;
        let steps = match (u32::try_from(above), u32::try_from(tick)) {
            (Ok(above), Ok(tick)) => i64::from(above / tick),
            _ => above / tick,
        };
        let number = (first + steps) as usize;
        (number < self.places.len() && steps * tick == above).then_some(number)
    }

    fn set(&mut self, price: i64, place: u32) {
        if let Some(number) = self.number_of(price) {
            self.places[number] = place;
            self.words[number / 64] |= 1 << (number % 64);
            self.summary[number / 4096] |= 1 << (number / 64 % 64);
        } else {
            unreachable!("price {price} is not on the day's grid");
        }
    }

    fn clear(&mut self, price: i64) {
        if let Some(number) = self.number_of(price) {
            self.places[number] = NONE;
            self.words[number / 64] &= !(1 << (number % 64));
            if self.words[number / 64] == 0 {
                self.summary[number / 4096] &= !(1 << (number / 64 % 64));
            }
        }
    }

    /// The lowest number from `number` on that has a level.
    fn at_or_above(&self, number: usize) -> Option<usize> {
        let (word, bit) = (number / 64, number % 64);
        let here = self.words.get(word)? & (u64::MAX << bit);
        if here != 0 {
            return Some(word * 64 + here.trailing_zeros() as usize);
        }
        let next = word + 1;
        let mut group = next / 64;
        let mut bits = self.summary.get(group)? & (u64::MAX << (next % 64));
        while bits == 0 {
            group += 1;
            bits = *self.summary.get(group)?;
        }
        let word = group * 64 + bits.trailing_zeros() as usize;
        Some(word * 64 + self.words[word].trailing_zeros() as usize)
    }

    /// The highest number below `number` that has a level.
    fn below(&self, number: usize) -> Option<usize> {
        let (word, bit) = (number / 64, number % 64);
        let here = self.words.get(word).map_or(0, |bits| bits & ((1 << bit) - 1));
        if here != 0 {
            return Some(word * 64 + 63 - here.leading_zeros() as usize);
        }
        let mut group = word / 64;
        let mut bits = self.summary.get(group).map_or(0, |bits| bits & ((1 << (word % 64)) - 1));
        while bits == 0 {
            group = group.checked_sub(1)?;
            bits = self.summary[group];
        }
        let word = group * 64 + 63 - bits.leading_zeros() as usize;
        Some(word * 64 + 63 - self.words[word].leading_zeros() as usize)
    }
}
