//! Orders that come and go, a hundred million of them: does the bare book's memory stay flat?

use std::time::Instant;

use onseju_core::{Books, Prices, Side};

use crate::measure::resident_bytes;

const RESTING: usize = 3_000;

/// Orders rest until three thousand others have come, then they are canceled; one in eight trades at once. Prints a JSON
/// list of `[orders, resident bytes, seconds]` a tenth of the way apart.
pub fn churn(orders: u64) -> Result<(), Box<dyn std::error::Error>> {
    let mut books = Books::new();
    let instrument = books.add(Prices::Between { lowest: 49_000, highest: 91_000, tick: 100 });
    let mut ring = [0_u64; RESTING];
    let mut random = 88_172_645_463_325_252_u64;
    let began = Instant::now();
    let mut points = Vec::new();
    for number in 0..orders {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        let slot = &mut ring[number as usize % RESTING];
        books.cancel(*slot);
        let is_buy = random & 1 == 0;
        let distance = (random >> 8) as i64 % 64 * 100;
        let crosses = if random >> 60 < 2 { 6_400 } else { 0 };
        let (side, price) =
            if is_buy { (Side::Buy, 70_000 - distance + crosses) } else { (Side::Sell, 70_100 + distance - crosses) };
        let placed = books.limit(instrument, side, price, 1 + (random >> 32) as i64 % 100, |_| ());
        *slot = placed.ok_or("the book refused an order")?.id;
        if (number + 1) % (orders / 10).max(1) == 0 {
            points.push(format!("[{},{},{:.3}]", number + 1, resident_bytes(), began.elapsed().as_secs_f64()));
        }
    }
    println!("[{}]", points.join(","));
    Ok(())
}
