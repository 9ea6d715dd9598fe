//! Bounds of money and quantities, and the arithmetic of rates. All are integers.

/// The bound of any amount of money or shares inside the state machine.
pub(crate) const MAX_AMOUNT: i64 = 1 << 62;

/// One whole, in millionths.
pub(crate) const PPM: i64 = 1_000_000;

/// Whether an amount may exist in the state machine.
pub(crate) fn fits(amount: i128) -> bool {
    (0..=MAX_AMOUNT as i128).contains(&amount)
}

/// `amount × ppm` millionths, floored. The amount is not negative.
#[inline]
pub(crate) fn part(amount: i64, ppm: u32) -> i64 {
    match amount.checked_mul(ppm.into()) {
        Some(product) => product / PPM, // far quicker than 128 bits
        None => (i128::from(amount) * i128::from(ppm) / i128::from(PPM)) as i64,
    }
}

/// `a × b / c`, floored, for numbers that are not negative.
#[inline]
pub(crate) fn mul_div(a: i64, b: i64, c: i64) -> i64 {
    match a.checked_mul(b) {
        Some(product) => product / c,
        None => (i128::from(a) * i128::from(b) / i128::from(c)) as i64,
    }
}
