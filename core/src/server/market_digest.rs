//! What many commands' events come to for the public market: of each level the last state, of each instrument its trades.
//!
//! The twin of `onseju/market/digest.py`.

use crate::events::{EVENT_BYTES, EventKind};
use crate::hashing::NumberMap;
use crate::server::event_view::{EventView, Position, events_in};
use crate::words::Side;

/// A level as it stands after all commands: side, price, open quantity, number of orders.
pub(crate) type LevelNow = (u8, i64, i64, u32);

/// An instrument's levels that changed, and the last event of one.
pub(crate) struct Levels {
    pub instrument: u32,
    pub last: Position,
    pub last_ts: i64,
    pub levels: Vec<LevelNow>,
}

/// An instrument's trades: each price with the time at which it was reached first.
pub(crate) struct Trades<'a> {
    pub instrument: u32,
    pub open: (i64, i64),
    pub high: (i64, i64),
    pub low: (i64, i64),
    pub last: (i64, i64),
    pub qty: i128,
    pub turnover: i128,
    pub buys: (u64, i128),
    pub sells: (u64, i128),
    pub events: Vec<&'a [u8; EVENT_BYTES]>,
}

/// All of it, instruments in the order in which they came.
#[derive(Default)]
pub(crate) struct Digest<'a> {
    pub levels: Vec<Levels>,
    pub trades: Vec<Trades<'a>>,
    /// What an instrument's auction would give: price and quantity.
    pub indicated: Vec<(u32, i64, i64)>,
    /// The last event that is a trade or tells of an auction.
    pub at: Option<Position>,
}

/// Read the events.
pub(crate) fn digest(payload: &[u8]) -> Digest<'_> {
    let mut found = Digest::default();
    let mut level_places: NumberMap<u32, usize> = NumberMap::default();
    let mut levels: NumberMap<(u32, u8, i64), usize> = NumberMap::default();
    let mut trade_places: NumberMap<u32, usize> = NumberMap::default();
    let mut indicated_places: NumberMap<u32, usize> = NumberMap::default();
    for event in events_in(payload) {
        let instrument = event.instrument();
        if event.is(EventKind::LevelChanged) {
            let place = *level_places.entry(instrument).or_insert_with(|| {
                found.levels.push(Levels { instrument, last: (0, 0), last_ts: 0, levels: Vec::new() });
                found.levels.len() - 1
            });
            let of = &mut found.levels[place];
            (of.last, of.last_ts) = (event.position(), event.ts());
            let now = (event.u8(52), event.i64(32), event.i64(40), event.u32(48));
            let at = *levels.entry((instrument, now.0, now.1)).or_insert_with(|| {
                of.levels.push(now);
                of.levels.len() - 1
            });
            of.levels[at] = now;
        } else if event.is(EventKind::Trade) {
            found.at = Some(event.position());
            let place = *trade_places.entry(instrument).or_insert_with(|| {
                found.trades.push(Trades::beginning_with(event));
                found.trades.len() - 1
            });
            found.trades[place].add(event);
        } else if event.is(EventKind::AuctionIndicated) {
            found.at = Some(event.position());
            let now = (instrument, event.i64(32), event.i64(40));
            let place = *indicated_places.entry(instrument).or_insert_with(|| {
                found.indicated.push(now);
                found.indicated.len() - 1
            });
            found.indicated[place] = now;
        }
    }
    found
}

impl<'a> Trades<'a> {
    fn beginning_with(event: EventView<'a>) -> Self {
        let first = (event.i64(40), event.ts());
        Self {
            instrument: event.instrument(),
            open: first,
            high: first,
            low: first,
            last: first,
            qty: 0,
            turnover: 0,
            buys: (0, 0),
            sells: (0, 0),
            events: Vec::new(),
        }
    }

    fn add(&mut self, event: EventView<'a>) {
        let (price, qty, ts) = (event.i64(40), event.i64(48), event.ts());
        if price > self.high.0 {
            self.high = (price, ts);
        }
        if price < self.low.0 {
            self.low = (price, ts);
        }
        self.last = (price, ts);
        self.qty += i128::from(qty);
        self.turnover += i128::from(price) * i128::from(qty);
        let taker = event.u8(72);
        if taker == Side::Buy as u8 {
            self.buys = (self.buys.0 + 1, self.buys.1 + i128::from(qty));
        } else if taker == Side::Sell as u8 {
            self.sells = (self.sells.0 + 1, self.sells.1 + i128::from(qty));
        }
        self.events.push(event.bytes());
    }
}
