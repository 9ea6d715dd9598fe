//! The crowd that a workload comes from. The same seed gives the same commands.
//!
//! About 60 % new limits, 3 % market orders, 33 % cancels and 4 % moves; prices walk in ticks of 100 around 70,000; most
//! orders are near the touch; cancels and moves name open orders, any with the same chance. Limits cross while more orders
//! rest than planned, and do not while fewer rest: so their number stays where it is.

use crate::model::{Model, Open};
use crate::record::{Kind, Record, Side, Workload};
use crate::tape::{Sums, Tape};

/// The seed of all workloads.
pub const SEED: u64 = 20_261_123;

const MIDDLE: i64 = 70_000;
const TICK: i64 = 100;
/// ±30 % of the middle.
const LOWEST: i64 = 49_000;
const HIGHEST: i64 = 91_000;
/// How far the middle itself walks.
const WALK: i64 = 7_000;

/// What a workload is like.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    pub instruments: u32,
    pub resting: usize,
    /// Orders come no further from the middle than so many ticks.
    pub far: u64,
    pub commands: usize,
}

impl Plan {
    /// `base`, `deep`, `multi`; `resting-N`: one symbol with N resting orders; `symbols-N`: N symbols with 40 each.
    pub fn of(name: &str, commands: usize) -> Option<Self> {
        let (instruments, resting, far) = match name.split_once('-') {
            None if name == "base" => (1, 3_000, 8),
            None if name == "deep" => (1, 100_000, 150),
            None if name == "multi" => (1_000, 40_000, 8),
            Some(("resting", count)) => (1, count.parse().ok()?, 150),
            Some(("symbols", count)) => (count.parse().ok()?, 40 * count.parse::<usize>().ok()?, 8),
            _ => return None,
        };
        Some(Self { instruments, resting, far, commands })
    }
}

/// A point of the workload up to which sums and hash are known.
pub struct Checkpoint {
    pub commands: usize,
    pub resting: usize,
    pub tape: Tape,
}

/// splitmix64: small, and the same everywhere.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, n: u64) -> u64 {
        ((u128::from(self.next()) * u128::from(n)) >> 64) as u64
    }

    fn side(&mut self) -> Side {
        if self.below(2) == 0 { Side::Buy } else { Side::Sell }
    }
}

struct Crowd {
    plan: Plan,
    random: Random,
    model: Model,
    tape: Tape,
    last_id: u64,
    /// Ids that may be open; those that are not leave when they are drawn.
    live: Vec<u64>,
    middles: Vec<i64>,
    /// Cumulated weights of the instruments (Zipf).
    weights: Vec<u64>,
}

/// The workload of a plan, and what it does up to some points.
pub fn workload(plan: Plan, seed: u64) -> (Workload, Vec<Checkpoint>) {
    let mut crowd = Crowd::new(plan, seed);
    let mut filling = Vec::new();
    while crowd.model.open_orders() < plan.resting {
        filling.push(crowd.passive());
    }
    assert_eq!(crowd.tape.sums, Sums::default(), "filling the books trades nothing");
    let mut measured = Vec::with_capacity(plan.commands);
    let mut checkpoints = Vec::new();
    for number in 1..=plan.commands {
        let record = crowd.next();
        measured.push(record);
        if number == plan.commands || [1_000, 2_000, 10_000, 30_000, 100_000, 300_000].contains(&number) {
            checkpoints.push(Checkpoint { commands: number, resting: crowd.model.open_orders(), tape: crowd.tape });
        }
    }
    let workload =
        Workload { instruments: plan.instruments, lowest: LOWEST, highest: HIGHEST, tick: TICK, filling, measured };
    (workload, checkpoints)
}

impl Crowd {
    fn new(plan: Plan, seed: u64) -> Self {
        let mut sum = 0;
        let weights = (1..=u64::from(plan.instruments)).map(|rank| {
            sum += 1_000_000_000 / rank;
            sum
        });
        Self {
            plan,
            random: Random(seed),
            model: Model::new(plan.instruments),
            tape: Tape::default(),
            last_id: 0,
            live: Vec::new(),
            weights: weights.collect(),
            middles: vec![MIDDLE; plan.instruments as usize],
        }
    }

    fn next(&mut self) -> Record {
        match self.random.below(100) {
            0..60 => self.limit(),
            60..63 => {
                let (instrument, side, qty) = (self.instrument(), self.random.side(), self.qty());
                self.new_order(Kind::Market, instrument, side, 0, qty)
            }
            roll => match self.draw() {
                None => self.passive(),
                Some((id, open)) if roll < 96 => self.give(Kind::Cancel, id, open),
                Some((id, open)) => {
                    let mut price = self.quiet_price(open.instrument, open.side);
                    if price == open.price {
                        price += if price < MIDDLE { TICK } else { -TICK };
                    }
                    self.give(Kind::Move, id, Open { price, ..open })
                }
            },
        }
    }

    fn limit(&mut self) -> Record {
        let (instrument, side, qty) = (self.instrument(), self.random.side(), self.qty());
        if self.random.below(250) == 0 {
            let step = if self.random.below(2) == 0 { TICK } else { -TICK };
            let middle = &mut self.middles[instrument as usize];
            *middle = (*middle + step).clamp(MIDDLE - WALK, MIDDLE + WALK);
        }
        if self.model.open_orders() > self.plan.resting && self.random.below(10) < 6 {
            let price = self.price(instrument, side, -3);
            return self.new_order(Kind::Limit, instrument, side, price, qty);
        }
        let price = self.quiet_price(instrument, side);
        self.new_order(Kind::Limit, instrument, side, price, qty)
    }

    fn passive(&mut self) -> Record {
        let (instrument, side, qty) = (self.instrument(), self.random.side(), self.qty());
        let price = self.quiet_price(instrument, side);
        self.new_order(Kind::Limit, instrument, side, price, qty)
    }

    fn new_order(&mut self, kind: Kind, instrument: u32, side: Side, price: i64, qty: i64) -> Record {
        self.last_id += 1;
        let record = self.give(kind, self.last_id, Open { instrument, side, price, qty });
        if self.model.open(self.last_id).is_some() {
            self.live.push(self.last_id);
        }
        record
    }

    fn give(&mut self, kind: Kind, id: u64, order: Open) -> Record {
        let Open { instrument, side, price, qty } = order;
        let record = Record { kind, side, instrument, id, price, qty };
        self.model.apply(&record, &mut self.tape);
        record
    }

    /// An open order.
    fn draw(&mut self) -> Option<(u64, Open)> {
        while !self.live.is_empty() {
            let at = self.random.below(self.live.len() as u64) as usize;
            let id = self.live[at];
            if let Some(open) = self.model.open(id) {
                return Some((id, open));
            }
            self.live.swap_remove(at);
        }
        None
    }

    fn instrument(&mut self) -> u32 {
        let at = self.random.below(self.weights[self.weights.len() - 1]);
        self.weights.partition_point(|weight| *weight <= at) as u32
    }

    /// Ticks from the middle: half of the orders are within four, few are far.
    fn distance(&mut self) -> i64 {
        let mut reach = 4;
        while reach < self.plan.far && self.random.below(2) == 0 {
            reach *= 2;
        }
        self.random.below(reach.min(self.plan.far)) as i64
    }

    fn qty(&mut self) -> i64 {
        1 + self.random.below(100) as i64
    }

    /// A price that does not trade.
    fn quiet_price(&mut self, instrument: u32, side: Side) -> i64 {
        let distance = self.distance();
        let price = self.price(instrument, side, distance);
        match (side, self.model.best(instrument, if side == Side::Buy { Side::Sell } else { Side::Buy })) {
            (Side::Buy, Some(ask)) => price.min(ask - TICK),
            (Side::Sell, Some(bid)) => price.max(bid + TICK),
            (_, None) => price,
        }
    }

    fn price(&self, instrument: u32, side: Side, distance: i64) -> i64 {
        let middle = self.middles[instrument as usize];
        let price = if side == Side::Buy { middle - distance * TICK } else { middle + TICK + distance * TICK };
        price.clamp(LOWEST, HIGHEST)
    }
}
