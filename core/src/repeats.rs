//! Idempotency: which client ids were used, today and on the trading day before.

use crate::hashing::NumberMap;
use crate::kept_ids::KeptIds;

/// Account number and the hash of the client's id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Key {
    pub account: u32,
    pub client_id: [u8; 16],
}

/// The request that used a client id first: its meaning's hash, of which the first half is kept, and its command's number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FirstUse {
    pub body_hash: [u8; 8],
    pub seq: u64,
}

/// Client ids and what they were first used for. An id is free again after two rolls of the day.
///
/// How many each account used today is not part of the state: it follows from the ids.
#[derive(Clone, Debug, Default)]
pub(crate) struct Repeats {
    days: [KeptIds; 2],
    used: NumberMap<u32, i64>,
}

impl Repeats {
    /// What the id was used for; none when it is free.
    pub fn first_use(&self, key: &Key) -> Option<FirstUse> {
        self.days.iter().find_map(|day| day.get(key))
    }

    /// Today's ids and those of the trading day before.
    pub fn days(&self) -> &[KeptIds; 2] {
        &self.days
    }

    /// Use an id up that is free.
    pub fn remember(&mut self, key: Key, first_use: FirstUse) {
        *self.used.entry(key.account).or_default() += 1;
        self.days[0].add(key, first_use);
    }

    /// Take up an id, free till now, that was used on the trading day before.
    pub fn remember_of_yesterday(&mut self, key: Key, first_use: FirstUse) {
        self.days[1].add(key, first_use);
    }

    /// How many ids an account has used on this trading day.
    pub fn used_today(&self, account: u32) -> i64 {
        self.used.get(&account).copied().unwrap_or(0)
    }

    /// A trading day begins: the ending one's ids are kept, those of the day before it are dropped.
    pub fn roll(&mut self) {
        self.days[1] = std::mem::take(&mut self.days[0]);
        self.used = NumberMap::default();
    }
}
