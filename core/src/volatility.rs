//! 변동성완화장치 (VI): whether a trade would be so far from a reference price that an auction must come first (KRX BR 26-2).

use crate::instruments::Instrument;
use crate::money::PPM;
use crate::reasons::Reason;
use crate::ticks::tick_size;
use crate::words::Phase;

/// Below this last price (won) a move of few ticks interrupts nothing.
const LOW_PRICE: i64 = 1_000;
const LOW_PRICE_TICKS: i128 = 3;

impl Instrument {
    /// Which interruption a trade at `price` would set off, the dynamic one first; none where it may happen.
    ///
    /// The dynamic one measures from `last_price`, the previous price when the order arrived; the static one from the last
    /// auction's price. Continuous trading and the closing auction know both, the opening auction the static one alone, the
    /// auctions after an interruption or a halt none, nor does the first day of a listing. In the closing auction the dynamic
    /// rate is two thirds of the usual.
    #[inline(always)]
    pub fn interruption(&self, price: i64, last_price: i64) -> Option<Reason> {
        if (self.rules.vi_dynamic_ppm == 0 && self.rules.vi_static_ppm == 0) || self.rules.is_new {
            return None;
        }
        let dynamic_ppm = match self.phase {
            Phase::Continuous => self.rules.vi_dynamic_ppm,
            Phase::ClosingAuction => (u64::from(self.rules.vi_dynamic_ppm) * 2 / 3) as u32,
            Phase::OpeningAuction => 0,
            _ => return None,
        };
        let is_low = last_price < LOW_PRICE;
        if self.is_far(price, last_price, dynamic_ppm, is_low) {
            return Some(Reason::ViDynamic);
        }
        self.is_far(price, self.auction_price, self.rules.vi_static_ppm, is_low).then_some(Reason::ViStatic)
    }

    fn is_far(&self, price: i64, reference: i64, rate_ppm: u32, is_low: bool) -> bool {
        if rate_ppm == 0 || reference == 0 {
            return false;
        }
        let distance = i128::from(price) - i128::from(reference);
        let distance = distance.abs();
        if is_low && distance <= LOW_PRICE_TICKS * i128::from(tick_size(&self.bands, reference)) {
            return false;
        }
        distance * i128::from(PPM) >= i128::from(rate_ppm) * i128::from(reference)
    }
}
