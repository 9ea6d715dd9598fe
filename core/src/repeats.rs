//! Idempotency: which client ids were used, today and on the trading day before.

use std::hash::{Hash, Hasher};

use crate::hashing::NumberMap;

/// Account number and the hash of the client's id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Key {
    pub account: u32,
    pub client_id: [u8; 16],
}

impl Hash for Key {
    fn hash<H: Hasher>(&self, state: &mut H) {
        let [low, high] = halves(self.client_id);
        state.write_u64(low ^ u64::from(self.account).rotate_left(32));
        state.write_u64(high);
    }
}

fn halves(hash: [u8; 16]) -> [u64; 2] {
    let whole = u128::from_le_bytes(hash);
    [whole as u64, (whole >> 64) as u64]
}

/// The request that used a client id first: its meaning's hash, and its command's number.
#[derive(Clone, Copy, Debug)]
pub(crate) struct FirstUse {
    pub body_hash: [u8; 16],
    pub seq: u64,
}

/// Client ids and what they were first used for. An id is free again after two rolls of the day.
#[derive(Clone, Debug, Default)]
pub(crate) struct Repeats {
    pub days: [NumberMap<Key, FirstUse>; 2],
}

impl Repeats {
    /// What the id was used for; none when it is free.
    pub fn first_use(&self, key: &Key) -> Option<FirstUse> {
        self.days.iter().find_map(|day| day.get(key)).copied()
    }

    /// Use an id up.
    pub fn remember(&mut self, key: Key, first_use: FirstUse) {
        self.days[0].insert(key, first_use);
    }

    /// A trading day begins: the ending one's ids are kept, those of the day before it are dropped.
    pub fn roll(&mut self) {
        self.days[1] = std::mem::take(&mut self.days[0]);
    }
}
