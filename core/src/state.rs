//! Everything the state machine knows: the live records and the counters.

use crate::accounts::Accounts;
use crate::instruments::Instrument;
use crate::orders::Orders;
use crate::repeats::Repeats;
use crate::rulebook::RuleBook;

/// The venue. Dense numbers count from 1; `last_…` is the one given last.
#[derive(Clone, Debug, Default)]
pub(crate) struct State {
    pub accounts: Accounts,
    pub instruments: Vec<Instrument>,
    pub orders: Orders,
    pub rules: RuleBook,
    pub repeats: Repeats,
    pub counters: Counters,
    /// The rule `SETTLEMENT_DAYS`, at hand.
    pub settlement_days: u8,
    /// The rule `MAX_OPEN_ORDERS`, at hand.
    pub max_open_orders: i64,
    /// The rule `MAX_CLIENT_IDS`, at hand.
    pub max_client_ids: i64,
    /// The place of the account that takes commissions and taxes.
    pub venue_place: Option<u32>,
}

/// What the machine counts.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Counters {
    /// Whether the command that opens the venue came.
    pub is_open: bool,
    pub price_scale: u8,
    pub trading_day: u32,
    pub epoch: u64,
    pub last_seq: u64,
    pub last_order_id: u64,
    pub last_trade_id: u64,
    pub last_priority: u64,
    /// Cash of all accounts together: what was deposited less what was withdrawn.
    pub total_cash: i64,
    /// The number of the account that takes commissions and taxes; 0 = none.
    pub venue_account: u32,
}

impl State {
    /// The place of the instrument with this number.
    #[inline]
    pub fn find_instrument(&self, number: u32) -> Option<usize> {
        let place = (number as usize).wrapping_sub(1);
        (place < self.instruments.len()).then_some(place)
    }

    #[inline]
    pub fn next_order_id(&mut self) -> u64 {
        self.counters.last_order_id += 1;
        self.counters.last_order_id
    }

    #[inline]
    pub fn next_trade_id(&mut self) -> u64 {
        self.counters.last_trade_id += 1;
        self.counters.last_trade_id
    }

    #[inline]
    pub fn next_priority(&mut self) -> u64 {
        self.counters.last_priority += 1;
        self.counters.last_priority
    }
}
