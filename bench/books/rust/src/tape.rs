//! What a book told: the number of its trades, their volume, and a hash over them by which two books compare.

/// Where trades go.
pub trait Sink {
    /// A trade, as it happens.
    fn trade(&mut self, maker: u64, taker: u64, price: i64, qty: i64);
}

/// Counts and adds up: what every harness does while it is timed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sums {
    pub trades: u64,
    pub volume: i64,
}

impl Sink for Sums {
    #[inline]
    fn trade(&mut self, _maker: u64, _taker: u64, _price: i64, qty: i64) {
        self.trades += 1;
        self.volume += qty;
    }
}

/// The same, and FNV-1a over maker, taker, price and quantity as 64-bit words.
#[derive(Clone, Copy, Debug)]
pub struct Tape {
    pub sums: Sums,
    pub hash: u64,
}

impl Default for Tape {
    fn default() -> Self {
        Self { sums: Sums::default(), hash: 0xCBF2_9CE4_8422_2325 }
    }
}

impl Sink for Tape {
    #[inline]
    fn trade(&mut self, maker: u64, taker: u64, price: i64, qty: i64) {
        self.sums.trade(maker, taker, price, qty);
        for word in [maker, taker, price as u64, qty as u64] {
            self.hash = (self.hash ^ word).wrapping_mul(0x0000_0100_0000_01B3);
        }
    }
}
