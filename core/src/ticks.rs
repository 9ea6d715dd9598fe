//! Prices on the grid: tick sizes by price band, and the daily price limits (`onseju/rules/ticks.py`).

use crate::money::{MAX_AMOUNT, PPM};

/// A tick table: `(from_price, tick)` pairs, ascending, the first from 0.
pub(crate) type Bands = Vec<(i64, i64)>;

/// A day's limits; 0 and 0 where there are none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct PriceLimits {
    pub upper: i64,
    pub lower: i64,
}

/// On the first day of a listing prices may rise by three times the base price, to 400 %...
pub(crate) const FIRST_DAY_RISE: i64 = 3;
/// ...and fall by 40 % of it, to 60 % (KRX BR 20).
const FIRST_DAY_FALL_PPM: u32 = 400_000;

/// A grid price may lie above every number of 64 bits where a table has a huge tick; it is then cut to the largest.
fn narrow(price: i128) -> i64 {
    i64::try_from(price).unwrap_or(i64::MAX)
}

/// The index of the band that holds `price`; prices below the first band belong to the first.
#[inline]
fn band_of(bands: &[(i64, i64)], price: i128) -> usize {
    bands.partition_point(|band| i128::from(band.0) <= price).saturating_sub(1)
}

/// The tick at `price`, chosen by the price itself, a band's lower edge inclusive (KRX ER 32(2)).
#[inline]
pub(crate) fn tick_size(bands: &[(i64, i64)], price: i64) -> i64 {
    bands[band_of(bands, price.into())].1
}

/// Whether an order may carry `price`: positive, and a multiple of its tick.
#[inline]
pub(crate) fn is_on_grid(bands: &[(i64, i64)], price: i64) -> bool {
    price > 0 && price % tick_size(bands, price) == 0
}

/// The nearest valid price at or below `price`; 0 where there is none.
pub(crate) fn floor_to_grid(bands: &[(i64, i64)], price: i64) -> i64 {
    let mut price = price;
    for index in (0..=band_of(bands, price.into())).rev() {
        let (start, tick) = bands[index];
        let candidate = price - price.rem_euclid(tick);
        if candidate >= start.max(1) {
            return candidate;
        }
        price = start - 1;
    }
    0
}

/// The nearest valid price at or above `price` (at least the lowest valid price).
pub(crate) fn ceil_to_grid(bands: &[(i64, i64)], price: i64) -> i64 {
    ceil_wide(bands, price.into())
}

fn ceil_wide(bands: &[(i64, i64)], price: i128) -> i64 {
    let mut price = price.max(1);
    let mut index = band_of(bands, price);
    loop {
        let tick = i128::from(bands[index].1);
        let candidate = price + (-price).rem_euclid(tick);
        index += 1;
        if index == bands.len() || candidate < bands[index].0.into() {
            return narrow(candidate);
        }
        price = bands[index].0.into();
    }
}

/// One tick up: the lowest valid price above `price` (19,990 → 20,000 → 20,050).
pub(crate) fn next_up(bands: &[(i64, i64)], price: i64) -> i64 {
    ceil_wide(bands, i128::from(price) + 1)
}

/// One tick down: the highest valid price below `price`; 0 where there is none (20,050 → 20,000 → 19,990).
pub(crate) fn next_down(bands: &[(i64, i64)], price: i64) -> i64 {
    floor_to_grid(bands, price - 1)
}

/// The day's upper and lower limit from the base price (KRX BR 20, ER 31); see the reference for the rule.
pub(crate) fn price_limits(base: i64, limit_ppm: u32, bands: &[(i64, i64)], leverage: i8) -> PriceLimits {
    if limit_ppm == 0 || base <= 0 {
        return PriceLimits::default();
    }
    let band = cut_band(base, limit_ppm, bands) * i128::from(leverage.unsigned_abs());
    limits_around(base, band, band, bands)
}

/// The limits of a new listing's first day from its base price: 60 and 400 % of it, brought onto the grid like those of other
/// days (KRX BR 20).
pub(crate) fn first_day_limits(base: i64, bands: &[(i64, i64)]) -> PriceLimits {
    let rise = i128::from(FIRST_DAY_RISE) * i128::from(base);
    limits_around(base, rise, cut_band(base, FIRST_DAY_FALL_PPM, bands), bands)
}

fn limits_around(base: i64, rise: i128, fall: i128, bands: &[(i64, i64)]) -> PriceLimits {
    let base = i128::from(base);
    PriceLimits {
        upper: floor_to_grid(bands, narrow((base + rise).min(MAX_AMOUNT.into()))),
        lower: ceil_wide(bands, base - fall),
    }
}

/// How far prices may go at a rate: cut down to a multiple of the base price's own tick, at least 1.
fn cut_band(base: i64, rate_ppm: u32, bands: &[(i64, i64)]) -> i128 {
    let band = i128::from(base) * i128::from(rate_ppm) / i128::from(PPM);
    (band - band % i128::from(tick_size(bands, base))).max(1)
}
