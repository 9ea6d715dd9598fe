//! The workloads: what a crowd sends to one book or a thousand. The same seed gives the same commands.

use onseju_core::{Books, Prices, Side};

/// The prices that the workloads use: KRX's ±30 % around 70,000 won, in ticks of 100.
pub const PRICES: Prices = Prices::Between { lowest: 49_000, highest: 91_000, tick: 100 };
const BASE: i64 = 70_000;
const TICK: i64 = 100;
pub const ACCOUNTS: u32 = 1_000;

/// One command. Orders are named by the ids that the book gives: dense, from 1, one for each new order.
#[derive(Clone, Copy, Debug)]
pub enum Op {
    Limit { instrument: u32, side: Side, price: i64, qty: i64 },
    Market { instrument: u32, side: Side, qty: i64 },
    Cancel { id: u64 },
    Move { id: u64, price: i64, qty: i64 },
}

/// A workload: what fills the book first, and what is measured.
pub struct Workload {
    pub name: &'static str,
    pub instruments: u32,
    pub filling: Vec<Op>,
    pub ops: Vec<Op>,
}

/// splitmix64: small, and the same everywhere.
pub struct Random(pub u64);

impl Random {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    pub fn below(&mut self, n: u64) -> u64 {
        ((u128::from(self.next()) * u128::from(n)) >> 64) as u64
    }

    fn chance(&mut self, per_mille: u64) -> bool {
        self.below(1_000) < per_mille
    }

    fn side(&mut self) -> Side {
        if self.below(2) == 0 { Side::Buy } else { Side::Sell }
    }
}

struct Crowd {
    random: Random,
    books: Books,
    /// Ids that may be open, and of which instrument and side; dead ones are dropped when they are drawn.
    live: Vec<(u64, u32, Side)>,
    /// Cumulated weights of the instruments (Zipf).
    weights: Vec<u64>,
    resting: usize,
    far: u64,
}

/// The workload of this name: `base`, `deep` or `multi`, or `rest-N` for one symbol with N resting orders.
pub fn workload(name: &'static str, count: usize) -> Workload {
    let (instruments, resting, far) = match name {
        "base" => (1, 3_000, 8),
        "deep" => (1, 100_000, 150),
        "multi" => (1_000, 40_000, 8),
        other => (1, other.strip_prefix("rest-").and_then(|n| n.parse().ok()).unwrap_or(1_000), 150),
    };
    let mut crowd = Crowd::new(instruments, resting, far);
    let mut filling = Vec::new();
    while crowd.books.open_orders() < resting {
        filling.push(crowd.passive());
    }
    let ops = (0..count).map(|_| crowd.next()).collect();
    Workload { name, instruments, filling, ops }
}

impl Crowd {
    fn new(instruments: u32, resting: usize, far: u64) -> Self {
        let mut books = Books::new();
        let mut weights = Vec::new();
        let mut sum = 0;
        for number in 0..instruments {
            books.add(PRICES);
            sum += 1_000_000 / u64::from(number + 1);
            weights.push(sum);
        }
        Self { random: Random(42), books, live: Vec::new(), weights, resting, far }
    }

    fn instrument(&mut self) -> u32 {
        let at = self.random.below(self.weights[self.weights.len() - 1]);
        self.weights.partition_point(|weight| *weight <= at) as u32
    }

    /// Ticks away from the other side's best: half of the orders are near, few are far.
    fn distance(&mut self) -> i64 {
        let mut reach = 4;
        while reach < self.far && self.random.chance(500) {
            reach *= 2;
        }
        self.random.below(reach.min(self.far)) as i64
    }

    fn qty(&mut self) -> i64 {
        1 + self.random.below(100) as i64
    }

    fn price(&self, instrument: u32, side: Side, distance: i64) -> i64 {
        let best = self.books.best(instrument, side.opposite()).map(|(price, _)| price);
        let price = match side {
            Side::Buy => best.unwrap_or(BASE + TICK) - (1 + distance) * TICK,
            Side::Sell => best.unwrap_or(BASE) + (1 + distance) * TICK,
        };
        price.clamp(49_000, 91_000)
    }

    fn passive(&mut self) -> Op {
        let (instrument, side, qty) = (self.instrument(), self.random.side(), self.qty());
        let distance = self.distance();
        let price = self.price(instrument, side, distance);
        self.enter(instrument, side, price, qty)
    }

    fn enter(&mut self, instrument: u32, side: Side, price: i64, qty: i64) -> Op {
        let placed = self.books.limit(instrument, side, price, qty, |_| ());
        if let Some(placed) = placed.filter(|placed| placed.leaves_qty > 0) {
            self.live.push((placed.id, instrument, side));
        }
        Op::Limit { instrument, side, price, qty }
    }

    /// 60 % new limits, 3 % market, 33 % cancels, 4 % moves. How many limits cross keeps the number of resting orders.
    fn next(&mut self) -> Op {
        let roll = self.random.below(100);
        if roll < 60 {
            let (instrument, side, qty) = (self.instrument(), self.random.side(), self.qty());
            let crosses = if self.books.open_orders() > self.resting { 600 } else { 0 };
            let distance = if self.random.chance(crosses) { -3 } else { self.distance() };
            let price = self.price(instrument, side, distance);
            return self.enter(instrument, side, price, qty);
        }
        if roll < 63 {
            let (instrument, side, qty) = (self.instrument(), self.random.side(), self.qty());
            self.books.market(instrument, side, qty, |_| ());
            return Op::Market { instrument, side, qty };
        }
        let Some((at, id, instrument, side)) = self.draw() else { return self.passive() };
        if roll < 96 {
            self.live.swap_remove(at);
            self.books.cancel(id);
            return Op::Cancel { id };
        }
        let (distance, qty) = (self.distance(), self.qty());
        let price = self.price(instrument, side, distance);
        self.books.correct(id, price, qty, |_| ());
        Op::Move { id, price, qty }
    }

    /// An open order.
    fn draw(&mut self) -> Option<(usize, u64, u32, Side)> {
        while !self.live.is_empty() {
            let at = self.random.below(self.live.len() as u64) as usize;
            let (id, instrument, side) = self.live[at];
            if self.books.open_qty(id).is_some() {
                return Some((at, id, instrument, side));
            }
            self.live.swap_remove(at);
        }
        None
    }
}
