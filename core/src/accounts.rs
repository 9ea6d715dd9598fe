//! Accounts: cash and shares, the part of each that open orders reserve, and what the shares cost.

use crate::hashing::NumberMap;
use crate::money::{MAX_AMOUNT, mul_div};
use crate::orders::OWN;
use crate::slab::{Fifo, NONE};
use crate::words::AccountKind;

/// Numbers up to this are low in any case.
const LOW_MOST: u32 = 65_536;

/// An account's shares of one instrument. Cost and profit are statistics: they stop at ±`MAX_AMOUNT` and decide nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Shares {
    pub qty: i64,
    pub reserved_qty: i64,
    pub cost_amount: i64,
    pub realized_profit: i64,
}

impl Shares {
    /// Take in shares that cost `amount` in all.
    #[inline]
    pub fn buy(&mut self, qty: i64, amount: i64) {
        self.qty += qty;
        self.cost_amount = self.cost_amount.saturating_add(amount).min(MAX_AMOUNT);
    }

    /// Give away shares for `amount`: their part of the cost goes with them, the rest of the amount is profit.
    #[inline]
    pub fn sell(&mut self, qty: i64, amount: i64) {
        let cost = mul_div(self.cost_amount, qty, self.qty);
        self.qty -= qty;
        self.cost_amount -= cost;
        self.realized_profit = self.realized_profit.saturating_add(amount - cost).clamp(-MAX_AMOUNT, MAX_AMOUNT);
    }
}

/// A position: whose, of what, and how many shares.
#[derive(Clone, Debug)]
pub(crate) struct Position {
    /// The account's number.
    pub account: u32,
    /// The instrument's number.
    pub instrument: u32,
    pub shares: Shares,
    /// Whether the command at work has noted what it was before.
    pub is_noted: bool,
}

/// An account's money: what a balance event tells.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Balance {
    pub cash: i64,
    pub reserved_cash: i64,
    /// The part of the cash that arrives, or where negative leaves, on the next trading day.
    pub unsettled_d1: i64,
    /// The part of the day after that.
    pub unsettled_d2: i64,
}

impl Balance {
    /// Cash that a new buy may reserve.
    #[inline]
    pub fn available(&self) -> i64 {
        self.cash - self.reserved_cash
    }

    /// Cash that may leave the venue: neither reserved nor still to arrive, and no more than is left on D+1.
    pub fn withdrawable(&self) -> i64 {
        let settled = self.cash - self.unsettled_d1 - self.unsettled_d2;
        self.available().min(settled).min(settled + self.unsettled_d1).max(0)
    }
}

/// An account.
#[derive(Clone, Debug)]
pub(crate) struct Account {
    pub number: u32,
    pub kind: AccountKind,
    pub owner: [u8; 16],
    pub opened_seq: u64,
    pub balance: Balance,
    /// Its open orders, oldest first.
    pub orders: Fifo<OWN>,
    /// Whether the command at work has noted what its balance was before.
    pub is_noted: bool,
    /// The instrument that it came to last, and the place of its position there: most come to the same again.
    pub latest: Option<(u32, u32)>,
}

/// All accounts and their positions.
///
/// The places of low numbers are in a vector, for as a rule accounts are numbered one after the other.
#[derive(Clone, Debug, Default)]
pub(crate) struct Accounts {
    pub list: Vec<Account>,
    low_places: Vec<u32>,
    high_places: NumberMap<u32, u32>,
    pub positions: Vec<Position>,
    position_places: NumberMap<u64, u32>,
}

impl Accounts {
    /// The place of the account with this number.
    #[inline]
    pub fn find(&self, number: u32) -> Option<u32> {
        match self.low_places.get(number as usize) {
            Some(place) => (*place != NONE).then_some(*place),
            None => self.high_places.get(&number).copied(),
        }
    }

    /// The account at a place.
    #[inline]
    pub fn at(&self, place: u32) -> &Account {
        &self.list[place as usize]
    }

    /// The same, to be changed.
    #[inline]
    pub fn at_mut(&mut self, place: u32) -> &mut Account {
        &mut self.list[place as usize]
    }

    /// Open an account.
    pub fn insert(&mut self, account: Account) -> u32 {
        let place = self.list.len() as u32;
        let number = account.number;
        if number <= LOW_MOST.max(place.saturating_mul(4)) {
            let needed = number as usize + 1;
            if needed > self.low_places.len() {
                self.low_places.resize(needed.max(self.low_places.len() * 2), NONE);
                let (low, places) = (self.low_places.len(), &mut self.low_places);
                self.high_places.retain(|number, place| {
                    let is_high = *number as usize >= low;
                    if !is_high {
                        places[*number as usize] = *place;
                    }
                    is_high
                });
            }
            self.low_places[number as usize] = place;
        } else {
            match self.low_places.get_mut(number as usize) {
                Some(low) => *low = place,
                None => {
                    self.high_places.insert(number, place);
                }
            }
        }
        self.list.push(account);
        place
    }

    /// The place of an account's position in an instrument.
    #[inline]
    pub fn find_position(&self, account: u32, instrument: u32) -> Option<u32> {
        match self.at(account).latest {
            Some((latest, place)) if latest == instrument => Some(place),
            _ => self.look_up_position(account, instrument),
        }
    }

    fn look_up_position(&self, account: u32, instrument: u32) -> Option<u32> {
        self.position_places.get(&key(account, instrument)).copied()
    }

    /// The same, made where there is none; and whether it was made. The position's account is the one at a place.
    #[inline]
    pub fn make_position(&mut self, account: u32, instrument: u32) -> (u32, bool) {
        match self.at(account).latest {
            Some((latest, place)) if latest == instrument => (place, false),
            _ => self.make_other_position(account, instrument),
        }
    }

    fn make_other_position(&mut self, account: u32, instrument: u32) -> (u32, bool) {
        let next = self.positions.len() as u32;
        let place = *self.position_places.entry(key(account, instrument)).or_insert(next);
        self.at_mut(account).latest = Some((instrument, place));
        if place == next {
            let account = self.list[account as usize].number;
            self.positions.push(Position { account, instrument, shares: Shares::default(), is_noted: false });
        }
        (place, place == next)
    }

    /// Shares of an instrument that a new sell may offer.
    #[inline]
    pub fn available_shares(&self, account: u32, instrument: u32) -> i64 {
        self.find_position(account, instrument).map_or(0, |place| {
            let shares = &self.positions[place as usize].shares;
            shares.qty - shares.reserved_qty
        })
    }
}

fn key(account: u32, instrument: u32) -> u64 {
    u64::from(account) << 32 | u64::from(instrument)
}
