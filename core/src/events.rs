//! Events in their canonical bytes, 128 each, written straight into the buffer that leaves the machine.
//!
//! The layout is that of `onseju/contract/events.py`.

use crate::accounts::{Balance, Shares};
use crate::commands::Command;
use crate::instruments::{Instrument, Listing};
use crate::orders::{Order, Orders};
use crate::reasons::Reason;
use crate::words::{Liquidity, OrderStatus, Side};

/// How wide an event is.
pub const EVENT_BYTES: usize = 128;
const EVENT_VERSION: u8 = 1;

/// An event's kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
#[allow(missing_docs)]
pub enum EventKind {
    OrderAccepted = 1,
    OrderRejected = 2,
    OrderCorrected = 3,
    OrderCanceled = 4,
    OrderExpired = 5,
    OrderTriggered = 6,
    OrderFilled = 7,
    RequestRejected = 12,
    RequestRepeated = 13,
    AllCanceled = 14,
    AccountOpened = 16,
    BalanceChanged = 17,
    PositionChanged = 18,
    Trade = 32,
    LevelChanged = 33,
    InstrumentListed = 34,
    PriceLimitsSet = 35,
    PhaseChanged = 36,
    AuctionIndicated = 37,
    AuctionUncrossed = 38,
    DayRolled = 39,
    AuctionExtended = 40,
    VenueOpened = 64,
    RuleSet = 65,
    TickBandSet = 66,
    EpochStarted = 67,
    GatewayGapClosed = 68,
    AdminNoted = 69,
}

/// One event's bytes, all zero where nothing was put.
struct Record<'a>(&'a mut [u8; EVENT_BYTES]);

impl Record<'_> {
    #[inline]
    fn put<const N: usize>(&mut self, at: usize, bytes: [u8; N]) -> &mut Self {
        self.0[at..at + N].copy_from_slice(&bytes);
        self
    }

    #[inline]
    fn i64s<const N: usize>(&mut self, at: usize, numbers: [i64; N]) -> &mut Self {
        for (index, number) in numbers.into_iter().enumerate() {
            self.put(at + index * 8, number.to_le_bytes());
        }
        self
    }

    #[inline]
    fn u32(&mut self, at: usize, number: u32) -> &mut Self {
        self.put(at, number.to_le_bytes())
    }
}

/// The buffer of events, and the place of the next one.
#[derive(Debug, Default)]
pub(crate) struct Events {
    pub bytes: Vec<u8>,
    seq: u64,
    ts: i64,
    idx: u32,
}

impl Events {
    /// A command's events follow.
    #[inline]
    pub fn begin(&mut self, seq: u64, ts: i64) {
        (self.seq, self.ts, self.idx) = (seq, ts, 0);
    }

    #[inline]
    fn write(&mut self, kind: EventKind, reason: Reason, account: u32, instrument: u32) -> Record<'_> {
        let at = self.bytes.len();
        self.bytes.extend_from_slice(&[0; EVENT_BYTES]);
        let Some((_, bytes)) = self.bytes.split_last_chunk_mut::<EVENT_BYTES>() else {
            unreachable!("{at} and {EVENT_BYTES} bytes are there")
        };
        let mut record = Record(bytes);
        record
            .put(0, self.seq.to_le_bytes())
            .put(8, self.ts.to_le_bytes())
            .u32(16, self.idx)
            .u32(20, account)
            .u32(24, instrument)
            .put(28, [kind as u8, EVENT_VERSION])
            .put(30, (reason as u16).to_le_bytes());
        self.idx += 1;
        record
    }

    /// An order as it stands now. `account` is the account's number.
    #[inline]
    pub fn order(
        &mut self,
        kind: EventKind,
        reason: Reason,
        account: u32,
        orders: &Orders,
        place: u32,
        status: OrderStatus,
    ) {
        let order = &orders[place];
        let mut record = self.write(kind, reason, account, order.instrument);
        record
            .put(32, order.order_id.to_le_bytes())
            .i64s(48, [order.qty, order.limit_price])
            .i64s(72, [order.leaves_qty, order.filled_qty, order.canceled_qty(), order.filled_amount])
            .put(120, [order.side() as u8, order.order_type as u8, order.time_in_force() as u8, status as u8]);
        if let Some(more) = orders.more(place) {
            record
                .put(40, more.parent_order_id.to_le_bytes())
                .put(64, more.stop_price.to_le_bytes())
                .put(104, more.client_id);
        }
    }

    /// A new order was refused. An instrument that does not exist is not repeated.
    pub fn order_rejected(&mut self, command: Command, order_id: u64, instrument: u32, reason: Reason) {
        let qty = command.i64(64);
        self.write(EventKind::OrderRejected, reason, command.account(), instrument)
            .put(32, order_id.to_le_bytes())
            .i64s(48, [qty, command.i64(72), command.i64(80)])
            .put(88, qty.max(0).to_le_bytes())
            .put(104, command.client_id())
            .put(120, [command.u8(88), command.u8(89), command.u8(90), OrderStatus::Rejected as u8]);
    }

    /// A fill: one account's side of a trade.
    #[inline]
    pub fn filled(
        &mut self,
        account: u32,
        orders: &Orders,
        place: u32,
        trade: (u64, i64, i64),
        liquidity: Liquidity,
        status: OrderStatus,
    ) {
        let order: &Order = &orders[place];
        let (trade_id, price, qty) = trade;
        let mut record = self.write(EventKind::OrderFilled, Reason::None, account, order.instrument);
        record
            .put(32, order.order_id.to_le_bytes())
            .put(40, trade_id.to_le_bytes())
            .i64s(48, [price, qty, order.leaves_qty, order.filled_qty, order.canceled_qty(), order.filled_amount])
            .put(120, [order.side() as u8, liquidity as u8, status as u8]);
        if let Some(more) = orders.more(place) {
            record.i64s(96, [more.commission, more.transaction_tax, more.rural_tax]);
        }
    }

    /// A request other than a new order was refused.
    pub fn request_rejected(&mut self, command: Command, reason: Reason, instrument: u32) {
        self.write(EventKind::RequestRejected, reason, command.account(), instrument)
            .put(32, command.order_id().to_le_bytes())
            .put(40, command.client_id())
            .put(56, [command.kind as u8]);
    }

    /// A request came again.
    pub fn request_repeated(&mut self, command: Command, reason: Reason, original_seq: u64) {
        self.write(EventKind::RequestRepeated, reason, command.account(), 0)
            .put(32, original_seq.to_le_bytes())
            .put(40, command.client_id())
            .put(56, [command.kind as u8]);
    }

    /// A cancel-all took effect.
    pub fn all_canceled(&mut self, account: u32, instrument: u32, order_count: u32, side: u8) {
        self.write(EventKind::AllCanceled, Reason::None, account, instrument).u32(32, order_count).put(36, [side]);
    }

    /// An account exists now.
    pub fn account_opened(&mut self, account: u32, owner: [u8; 16], kind: u8) {
        self.write(EventKind::AccountOpened, Reason::None, account, 0).put(32, owner).put(48, [kind]);
    }

    /// An account's money.
    #[inline]
    pub fn balance_changed(&mut self, account: u32, balance: &Balance) {
        self.write(EventKind::BalanceChanged, Reason::None, account, 0)
            .i64s(32, [balance.cash, balance.reserved_cash, balance.unsettled_d1, balance.unsettled_d2]);
    }

    /// An account's shares of an instrument.
    #[inline]
    pub fn position_changed(&mut self, account: u32, instrument: u32, shares: &Shares) {
        self.write(EventKind::PositionChanged, Reason::None, account, instrument)
            .i64s(32, [shares.qty, shares.reserved_qty, shares.cost_amount, shares.realized_profit]);
    }

    /// A match. `taker` is the incoming order's side, 0 in an auction.
    #[inline]
    pub fn trade(&mut self, instrument: u32, trade: (u64, i64, i64), buy: u64, sell: u64, taker: u8) {
        let (trade_id, price, qty) = trade;
        self.write(EventKind::Trade, Reason::None, 0, instrument)
            .put(32, trade_id.to_le_bytes())
            .i64s(40, [price, qty])
            .put(56, buy.to_le_bytes())
            .put(64, sell.to_le_bytes())
            .put(72, [taker]);
    }

    /// A price level of the book.
    #[inline]
    pub fn level_changed(&mut self, instrument: u32, side: Side, price: i64, qty: i64, order_count: u32) {
        self.write(EventKind::LevelChanged, Reason::None, 0, instrument)
            .i64s(32, [price, qty])
            .u32(48, order_count)
            .put(52, [side as u8]);
    }

    /// An instrument exists now.
    pub fn instrument_listed(&mut self, number: u32, listing: &Listing) {
        self.write(EventKind::InstrumentListed, Reason::None, 0, number)
            .put(32, listing.symbol)
            .i64s(48, [listing.listed_shares])
            .u32(56, listing.limit_ppm)
            .u32(60, listing.vi_dynamic_ppm)
            .u32(64, listing.vi_static_ppm)
            .put(68, [listing.tick_table, listing.board, listing.security])
            .put(71, listing.leverage.to_le_bytes());
    }

    /// An instrument's base price and limits.
    pub fn price_limits_set(&mut self, instrument: &Instrument) {
        let limits = instrument.limits;
        self.write(EventKind::PriceLimitsSet, Reason::None, 0, instrument.number)
            .i64s(32, [instrument.base_price, limits.upper, limits.lower]);
    }

    /// An instrument's phase.
    pub fn phase_changed(&mut self, instrument: &Instrument, trading_day: u32, occurrence: u16, reason: Reason) {
        self.write(EventKind::PhaseChanged, reason, 0, instrument.number)
            .u32(32, trading_day)
            .put(36, [instrument.phase as u8])
            .put(38, occurrence.to_le_bytes());
    }

    /// What an auction would give, gave, or why it goes on.
    pub fn auction(&mut self, kind: EventKind, reason: Reason, instrument: u32, price: i64, qty: i64) {
        self.write(kind, reason, 0, instrument).i64s(32, [price, qty]);
    }

    /// A trading day has begun.
    pub fn day_rolled(&mut self, trading_day: u32) {
        self.write(EventKind::DayRolled, Reason::None, 0, 0).u32(32, trading_day);
    }

    /// The venue exists.
    pub fn venue_opened(&mut self, price_scale: u8, trading_day: u32) {
        self.write(EventKind::VenueOpened, Reason::None, 0, 0).put(32, [price_scale]).u32(36, trading_day);
    }

    /// A rule has this value now.
    pub fn rule_set(&mut self, instrument: u32, rule: u32, value: i64) {
        self.write(EventKind::RuleSet, Reason::None, 0, instrument).u32(32, rule).i64s(40, [value]);
    }

    /// A tick table has this band now.
    pub fn tick_band_set(&mut self, table: u32, from_price: i64, tick: i64) {
        self.write(EventKind::TickBandSet, Reason::None, 0, 0).u32(32, table).i64s(40, [from_price, tick]);
    }

    /// A leader began.
    pub fn epoch_started(&mut self, epoch: u64) {
        self.write(EventKind::EpochStarted, Reason::None, 0, 0).put(32, epoch.to_le_bytes());
    }

    /// A gateway's commands through `through_seq` are not waited for any more.
    pub fn gateway_gap_closed(&mut self, gateway: u32, gateway_epoch: u32, through_seq: u64) {
        self.write(EventKind::GatewayGapClosed, Reason::None, 0, 0)
            .u32(32, gateway)
            .u32(36, gateway_epoch)
            .put(40, through_seq.to_le_bytes());
    }

    /// A host did something: who, by what, about which account, instrument and command.
    pub fn admin_noted(&mut self, instrument: u32, actor: u32, account: u32, about_seq: u64, via: u8) {
        self.write(EventKind::AdminNoted, Reason::None, 0, instrument)
            .u32(32, actor)
            .u32(36, account)
            .put(40, about_seq.to_le_bytes())
            .put(48, [via]);
    }
}
