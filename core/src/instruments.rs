//! An instrument: what it was listed as, today's limits, its phase and its book.

use std::collections::BTreeSet;

use crate::book::Book;
use crate::rulebook::{Rules, Values};
use crate::ticks::{
    Bands, PriceLimits, ceil_to_grid, first_day_limits, floor_to_grid, is_on_grid, next_down, next_up, price_limits,
};
use crate::words::{Phase, Rule, Side};

const BILLION: i128 = 1_000_000_000;

/// What an instrument was listed as.
#[derive(Clone, Debug)]
pub(crate) struct Listing {
    pub symbol: [u8; 16],
    pub listed_shares: i64,
    pub limit_ppm: u32,
    pub vi_dynamic_ppm: u32,
    pub vi_static_ppm: u32,
    pub tick_table: u8,
    pub board: u8,
    pub security: u8,
    pub leverage: i8,
}

/// A listed instrument. `last_price` is the previous price of KRX rules 1.4: the last trade's, before it the base price; 0
/// while there is neither.
#[derive(Clone, Debug)]
pub(crate) struct Instrument {
    pub number: u32,
    pub listing: Listing,
    pub bands: Bands,
    pub base_price: i64,
    pub limits: PriceLimits,
    pub last_price: i64,
    /// What the day closes at; 0 before.
    pub close_price: i64,
    /// Whether it traded in today's regular session.
    pub has_traded: bool,
    /// The last price that a call auction fixed, before the first of the day the base price.
    pub auction_price: i64,
    pub phase: Phase,
    /// What the auction was last said to give: price and quantity.
    pub indicated: (i64, i64),
    /// Whether an auction collected orders since it was last uncrossed.
    pub awaits_uncross: bool,
    /// Whether this auction went on because its own price would have set off an interruption.
    pub is_extended: bool,
    /// Today's volatility interruptions.
    pub interruptions: u32,
    /// The highest circuit breaker stage of today.
    pub breaker_stage: u8,
    /// Shares that all accounts hold together.
    pub total_shares: i64,
    /// Rules set for this instrument alone.
    pub own_rules: Values,
    /// What holds for it now.
    pub rules: Rules,
    /// (phase, occurrence) of today's phase changes: each takes effect once.
    pub phases_done: BTreeSet<(u8, u16)>,
    pub book: Book,
    /// Whether the command at work has noted what it was before.
    pub is_noted: bool,
}

impl Instrument {
    pub fn new(number: u32, listing: Listing, bands: Bands, base_price: i64, rules: Rules) -> Self {
        let mut instrument = Self {
            number,
            listing,
            base_price: 0,
            limits: PriceLimits::default(),
            last_price: 0,
            close_price: 0,
            has_traded: false,
            auction_price: 0,
            phase: Phase::Continuous,
            indicated: (0, 0),
            awaits_uncross: false,
            is_extended: false,
            interruptions: 0,
            breaker_stage: 0,
            total_shares: 0,
            own_rules: Values::new(),
            rules,
            phases_done: BTreeSet::new(),
            book: Book::new(PriceLimits::default(), &bands),
            bands,
            is_noted: false,
        };
        instrument.set_base(base_price);
        instrument
    }

    /// The same instrument with nothing in its book, to try something on.
    pub fn with_empty_book(&self) -> Self {
        Self {
            listing: self.listing.clone(),
            bands: self.bands.clone(),
            own_rules: Values::new(),
            rules: self.rules.clone(),
            phases_done: BTreeSet::new(),
            book: Book::new(self.limits, &self.bands),
            ..*self
        }
    }

    /// Fix the day's base price, raised to the grid (KRX ER 30), and what follows from it. The book is empty then.
    fn set_base(&mut self, price: i64) {
        self.base_price = if price != 0 { ceil_to_grid(&self.bands, price) } else { 0 };
        self.last_price = self.base_price;
        self.auction_price = self.base_price;
        self.book.pool = None;
        self.set_limits();
    }

    /// Fix the day's limits, which follow from the base price. The book is empty then, and fits itself to them.
    pub fn set_limits(&mut self) {
        self.limits = if self.rules.is_new {
            first_day_limits(self.base_price, &self.bands)
        } else {
            price_limits(self.base_price, self.listing.limit_ppm, &self.bands, self.listing.leverage)
        };
        let pool = self.book.pool.take();
        self.book = Book { pool, ..Book::new(self.limits, &self.bands) };
    }

    /// A trading day begins; `close` is the price at which the one before it ended. The phase stays.
    pub fn begin_day(&mut self, close: i64) {
        self.own_rules.remove(&u32::from(Rule::NewListing as u8));
        self.rules.is_new = false;
        self.set_base(close);
        self.close_price = 0;
        self.has_traded = false;
        self.phases_done.clear();
        self.is_extended = false;
        self.interruptions = 0;
        self.breaker_stage = 0;
    }

    #[inline]
    pub fn has_limits(&self) -> bool {
        self.limits.upper > 0
    }

    /// Whether the price is a multiple of its tick.
    #[inline]
    pub fn is_on_grid(&self, price: i64) -> bool {
        is_on_grid(&self.bands, price)
    }

    /// Whether the price is inside today's limits, the limits included.
    #[inline]
    pub fn is_within_limits(&self, price: i64) -> bool {
        !self.has_limits() || (self.limits.lower..=self.limits.upper).contains(&price)
    }

    /// The price, brought inside today's limits; 0 stays 0.
    pub fn clamp(&self, price: i64) -> i64 {
        if price == 0 || !self.has_limits() {
            return price;
        }
        price.min(self.limits.upper).max(self.limits.lower)
    }

    /// Whether a bid stands at the upper limit, or an ask at the lower.
    pub fn is_at_limit(&self, side: Side, price: i64) -> bool {
        let limit = match side {
            Side::Buy => self.limits.upper,
            Side::Sell => self.limits.lower,
        };
        self.has_limits() && price == limit
    }

    /// One tick up for a buy, down for a sell, as far as limits and grid go.
    pub fn one_tick_better(&self, side: Side, price: i64) -> i64 {
        self.clamp(match side {
            Side::Buy => next_up(&self.bands, price),
            Side::Sell => match next_down(&self.bands, price) {
                0 => price,
                down => down,
            },
        })
    }

    /// The previous price, brought onto the grid: up for a buy, down for a sell; 0 while there is none.
    pub fn last_on_grid(&self, side: Side) -> i64 {
        if self.last_price == 0 {
            return 0;
        }
        let down = if side == Side::Buy { 0 } else { floor_to_grid(&self.bands, self.last_price) };
        if down != 0 { down } else { ceil_to_grid(&self.bands, self.last_price) }
    }

    /// The day's close (종가). Without a trade it is the 기세, where a base price makes limits: the lowest ask below the
    /// base price, else the highest bid above it, else the base price (KRX BR 2(9)).
    pub fn closing_price(&self) -> i64 {
        if self.close_price != 0 {
            return self.close_price;
        }
        if !self.has_limits() {
            return self.last_price;
        }
        let [bid, ask] = Side::BOTH.map(|side| self.book.side(side).best_limit(None));
        if 0 < ask && ask < self.base_price {
            return ask;
        }
        bid.max(self.base_price)
    }

    /// The one price of a phase at a close (시간외종가, KRX ER 51), raised to the grid: yesterday's close before the regular
    /// session, today's after it; 0 where there was no trade to fix it, and in all other phases.
    pub fn off_hours_close(&self) -> i64 {
        match self.phase {
            Phase::PreviousClose if self.rules.is_new => 0,
            Phase::PreviousClose => self.base_price,
            phase if phase.is_at_close() && self.has_traded => ceil_to_grid(&self.bands, self.close_price),
            _ => 0,
        }
    }

    /// The most shares that one order may have, by the company's value at the base price in won (KRX ER 14(1)3); 0 where
    /// the number of listed shares is not known.
    pub fn max_qty_by_value(&self) -> i128 {
        let (base, listed) = (i128::from(self.base_price), i128::from(self.listing.listed_shares));
        if base == 0 || listed == 0 {
            return 0;
        }
        let value = base * listed;
        if value >= 10_000 * BILLION {
            (100 * BILLION + base - 1) / base
        } else if value >= 100 * BILLION {
            (listed / 100).max(1)
        } else if value >= 20 * BILLION {
            (BILLION + base - 1) / base
        } else {
            (listed / 20).max(1)
        }
    }
}
