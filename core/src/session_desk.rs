//! Answers the commands about time: phases, auctions, halts, and the trading day.

use crate::commands::Command;
use crate::engine::Engine;
use crate::events::EventKind;
use crate::instruments::Instrument;
use crate::orders::{coverable_qty, whole_lots};
use crate::reasons::Reason;
use crate::words::{Board, OrderStatus, OrderType, Phase, Side};

/// The circuit breaker's stage that closes the market for the day (KRX BR 25).
pub(crate) const LAST_STAGE: u8 = 3;

impl Engine {
    // Phases

    /// Move an instrument, or all that are not halted, to a phase; each (trading day, phase, occurrence) takes effect once.
    ///
    /// It matches nothing that an auction collected: into continuous trading, and into a session at the close, only
    /// those move whose auction has been uncrossed, or left nothing that crosses.
    pub(crate) fn change_phase(&mut self, command: Command) {
        let Some(known) = self.meant(command) else { return self.refuse(command, Reason::UnknownSymbol) };
        let (day, occurrence) = (command.u32(64), command.u16(70));
        let phase = match Phase::from_u8(command.u8(68)) {
            Some(phase) if day == self.state.counters.trading_day => phase,
            _ => return self.refuse(command, Reason::InvalidCommand),
        };
        let key = (phase as u8, occurrence);
        let is_for_all = command.instrument() == 0;
        let due = self.those(&known, |instrument| {
            !instrument.phases_done.contains(&key)
                && (instrument.breaker_stage < LAST_STAGE || phase == Phase::Closed)
                && !(is_for_all && instrument.phase == Phase::Halted)
        });
        let meant = self.those(&due, |instrument| !is_pending(instrument, phase));
        if meant.is_empty() {
            self.refuse(command, if due.is_empty() { Reason::InvalidCommand } else { Reason::AuctionPending });
        }
        for instrument in meant {
            self.state.instruments[instrument].phases_done.insert(key);
            self.hash_phase_done(instrument as u32 + 1, key);
            self.move_to(instrument, phase, occurrence, Reason::None);
        }
    }

    /// Halt what is not halted: cancels only (KRX BR 25, 26). A circuit breaker's stages each take effect once a day, in
    /// ascending order; the third closes for the day.
    pub(crate) fn halt(&mut self, command: Command) {
        let (stage, flags) = (command.u8(64), command.flags());
        let known = self.meant(command);
        let is_board = u8::try_from(flags).ok().and_then(Board::from_u8).is_some();
        if stage > LAST_STAGE || (flags != 0 && (!is_board || command.instrument() != 0)) {
            return self.refuse(command, Reason::InvalidCommand);
        }
        let meant = self.those(known.as_deref().unwrap_or(&[]), |instrument| {
            let is_new = if stage != 0 { instrument.breaker_stage < stage } else { instrument.phase != Phase::Halted };
            (flags == 0 || flags == u16::from(instrument.listing.board))
                && is_new
                && instrument.breaker_stage < LAST_STAGE
        });
        if meant.is_empty() {
            self.refuse(command, if known.is_none() { Reason::UnknownSymbol } else { Reason::InvalidCommand });
        }
        for instrument in meant {
            self.touch(instrument);
            let found = &mut self.state.instruments[instrument];
            found.breaker_stage = found.breaker_stage.max(stage);
            let phase = if stage == LAST_STAGE { Phase::Closed } else { Phase::Halted };
            let reason = if stage != 0 { Reason::CircuitBreaker } else { Reason::None };
            self.move_to(instrument, phase, 0, reason);
        }
    }

    /// End a halt: into an auction, or into continuous trading where no collected orders cross.
    pub(crate) fn resume(&mut self, command: Command) {
        let known = self.meant(command);
        let phase = match Phase::from_u8(command.u8(64)) {
            Some(phase) if phase != Phase::Halted => phase,
            _ => return self.refuse(command, Reason::InvalidCommand),
        };
        let due = self.those(known.as_deref().unwrap_or(&[]), |instrument| instrument.phase == Phase::Halted);
        let meant = self.those(&due, |instrument| !is_pending(instrument, phase));
        if meant.is_empty() {
            let reason = if !due.is_empty() {
                Reason::AuctionPending
            } else if known.is_none() {
                Reason::UnknownSymbol
            } else {
                Reason::InvalidCommand
            };
            self.refuse(command, reason);
        }
        for instrument in meant {
            self.move_to(instrument, phase, 0, Reason::None);
        }
    }

    /// Match the auction of an instrument, or of all that are in one; the phase stays.
    pub(crate) fn uncross(&mut self, command: Command) {
        let known = self.meant(command);
        let meant = self.those(known.as_deref().unwrap_or(&[]), |instrument| instrument.phase.is_auction());
        if meant.is_empty() {
            self.refuse(command, if known.is_none() { Reason::UnknownSymbol } else { Reason::InvalidCommand });
        }
        for instrument in meant {
            self.uncross_auction(instrument);
            self.wake_stops(instrument);
            // What the auction's own price woke rests there now, though nobody entered it: it need not be uncrossed again.
            let found = &mut self.state.instruments[instrument];
            found.awaits_uncross = found.is_extended;
        }
    }

    /// Change an instrument's phase, with what that does to its orders.
    fn move_to(&mut self, instrument: usize, phase: Phase, occurrence: u16, reason: Reason) {
        self.touch(instrument);
        let found = &mut self.state.instruments[instrument];
        if phase.off_hours() != found.phase.off_hours() {
            if phase != Phase::PreviousClose && found.phase != Phase::PreviousClose {
                found.close_price = found.closing_price();
            }
            self.expire_all(instrument, Reason::MarketSessionEnded);
        }
        let found = &mut self.state.instruments[instrument];
        found.phase = phase;
        if !phase.is_auction() {
            found.indicated = (0, 0);
        }
        found.is_extended = false;
        found.awaits_uncross = phase.is_auction() || (found.awaits_uncross && !phase.ends_auctions());
        self.out.events.phase_changed(found, self.state.counters.trading_day, occurrence, reason);
        if phase == Phase::ClosingAuction {
            self.prepare_closing(instrument);
        }
        self.settle_crossed(instrument);
        if phase.is_continuous() {
            self.end_market_remainders(instrument);
            self.wake_stops(instrument);
        }
    }

    /// The closing auction begins: midpoint orders are void, conditional limit orders (조건부) become market orders.
    ///
    /// These are received now, the better limit price first, then by time (KRX ER 15). A converted buy reserves the upper
    /// limit; where the cash is short, the whole lots that it covers are converted and the rest canceled.
    fn prepare_closing(&mut self, instrument: usize) {
        for side in Side::BOTH {
            let orders = &self.state.orders;
            let own = self.state.instruments[instrument].book.side(side);
            let midpoints: Vec<u32> = own.midpoints.iter(orders.slab()).collect();
            for place in midpoints {
                self.end_resting(place, instrument, Reason::MidpointVoid);
            }
            let orders = &self.state.orders;
            let limits = self.state.instruments[instrument].book.side(side).limits_in_order(orders);
            let conditional: Vec<u32> =
                limits.filter(|place| orders[*place].order_type == OrderType::ConditionalLimit).collect();
            for place in conditional {
                self.convert(place, instrument);
            }
        }
    }

    fn convert(&mut self, place: u32, instrument: usize) {
        let upper = self.state.instruments[instrument].limits.upper;
        let order = &self.state.orders[place];
        let leaves_qty = order.leaves_qty;
        let mut qty = leaves_qty;
        if order.is_buy() && upper != 0 {
            let orders = &self.state.orders;
            let cash = self.state.accounts.at(order.account).balance.available() + orders.reserved(place, upper);
            let covered = coverable_qty(cash, upper, orders.commission_ppm(place));
            qty = qty.min(whole_lots(covered, self.state.instruments[instrument].rules.lot));
        }
        if qty == 0 {
            return self.end_resting(place, instrument, Reason::CashRanOut);
        }
        if qty < leaves_qty {
            self.reduce(place, instrument, leaves_qty - qty);
            self.write_open_order(EventKind::OrderCanceled, Reason::CashRanOut, place);
        }
        self.withdraw(place, instrument);
        let was = self.state.orders.reserved(place, upper);
        let priority = self.state.next_priority();
        let order = &mut self.state.orders[place];
        order.order_type = OrderType::Market;
        order.limit_price = 0;
        order.priority = priority;
        if order.is_buy() {
            self.resize_buy(place, qty, was);
        } else {
            self.resize(place, qty);
        }
        self.write_open_order(EventKind::OrderTriggered, Reason::None, place);
        self.rest(place, instrument);
    }

    // Days

    /// Begin a trading day: open orders expire, the close becomes the base price, limits follow, cash of earlier trades
    /// comes a day nearer, client ids of the day before the ending one are free again.
    pub(crate) fn roll_day(&mut self, command: Command) {
        let day = command.u32(64);
        if !is_day(day) || day <= self.state.counters.trading_day {
            return self.out.events.request_rejected(command, Reason::InvalidCommand, 0);
        }
        let closes: Vec<i64> = self.state.instruments.iter().map(Instrument::closing_price).collect();
        let orders = &self.state.orders;
        let accounts = self.state.accounts.list.iter();
        let open = accounts.flat_map(|account| account.orders.iter(orders.slab())).collect();
        self.expire(open, Reason::DayEnded);
        for (instrument, close) in closes.into_iter().enumerate() {
            self.touch(instrument);
            self.hash_without_day(instrument);
            self.state.instruments[instrument].begin_day(close);
            self.out.events.price_limits_set(&self.state.instruments[instrument]);
        }
        for place in 0..self.state.accounts.list.len() as u32 {
            let balance = self.state.accounts.at(place).balance;
            if balance.unsettled_d1 != 0 || balance.unsettled_d2 != 0 {
                self.note_balance(place);
                let balance = &mut self.state.accounts.at_mut(place).balance;
                (balance.unsettled_d1, balance.unsettled_d2) = (balance.unsettled_d2, 0);
            }
        }
        self.hash_roll_repeats();
        self.state.repeats.roll();
        self.state.counters.trading_day = day;
        self.out.events.day_rolled(day);
    }

    /// End all open orders of an instrument, oldest first.
    fn expire_all(&mut self, instrument: usize, reason: Reason) {
        let orders = &self.state.orders;
        let sides = self.state.instruments[instrument].book.sides.iter();
        let open = sides.flat_map(|side| side.awake(orders).chain(side.asleep(orders))).collect();
        self.expire(open, reason);
    }

    fn expire(&mut self, mut open: Vec<u32>, reason: Reason) {
        open.sort_unstable_by_key(|place| self.state.orders[*place].order_id);
        for place in open {
            self.withdraw(place, self.state.orders[place].instrument as usize - 1);
            self.end_as(place, reason, EventKind::OrderExpired, OrderStatus::Expired);
        }
    }

    // Shared

    /// The last price changed without a trade: let what depends on it follow.
    pub(crate) fn price_moved(&mut self, instrument: usize) {
        self.settle_crossed(instrument);
        self.wake_stops(instrument);
    }

    /// The places of the instruments that a command means: one, or all by 0; none where there is no such one.
    fn meant(&self, command: Command) -> Option<Vec<usize>> {
        match command.instrument() {
            0 => Some((0..self.state.instruments.len()).collect()),
            number => self.state.find_instrument(number).map(|place| vec![place]),
        }
    }

    fn those(&self, places: &[usize], are_meant: impl Fn(&Instrument) -> bool) -> Vec<usize> {
        places.iter().copied().filter(|place| are_meant(&self.state.instruments[*place])).collect()
    }

    fn refuse(&mut self, command: Command, reason: Reason) {
        let number = command.instrument();
        let number = self.state.find_instrument(number).map_or(0, |_| number);
        self.out.events.request_rejected(command, reason, number);
    }
}

/// Whether orders that an auction collected and that cross would begin continuous trading, or be lost to it.
fn is_pending(instrument: &Instrument, phase: Phase) -> bool {
    phase.ends_auctions() && instrument.awaits_uncross && instrument.find_auction_price().1 > 0
}

/// Whether a number can be a trading day, YYYYMMDD.
pub(crate) fn is_day(day: u32) -> bool {
    (19_000_101..=99_991_231).contains(&day) && (1..=12).contains(&(day / 100 % 100)) && (1..=31).contains(&(day % 100))
}
