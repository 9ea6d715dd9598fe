//! Answers the commands about the venue: its rules, instruments and accounts.

use crate::accounts::{Account, Balance};
use crate::commands::Command;
use crate::engine::Engine;
use crate::instruments::{Instrument, Listing};
use crate::money::{MAX_AMOUNT, PPM, fits};
use crate::reasons::{Checked, Reason};
use crate::rulebook::{Values, is_rate, rule_with_value};
use crate::session_desk::is_day;
use crate::slab::Fifo;
use crate::ticks::{FIRST_DAY_RISE, ceil_to_grid};
use crate::words::{AccountKind, Board, Phase, Rule, Security};

/// A daily price limit of ten times the base price is the widest.
const MAX_LIMIT_PPM: u32 = 10_000_000;

/// A tick table has no more bands.
pub(crate) const MAX_TICK_BANDS: usize = 64;

impl Engine {
    // The venue

    /// Open the venue; once.
    pub(crate) fn open_venue(&mut self, command: Command) {
        let day = command.u32(68);
        let counters = &mut self.state.counters;
        if counters.is_open || !is_day(day) {
            return self.out.events.request_rejected(command, Reason::InvalidCommand, 0);
        }
        counters.is_open = true;
        counters.price_scale = command.u8(64);
        counters.trading_day = day;
        self.out.events.venue_opened(command.u8(64), day);
    }

    /// Set a rule for the venue or one instrument. A fee needs an account of kind `venue` to go to.
    pub(crate) fn set_rule(&mut self, command: Command) {
        let number = command.instrument();
        let instrument = self.state.find_instrument(number);
        if instrument.is_none() && number != 0 {
            return self.out.events.request_rejected(command, Reason::UnknownSymbol, 0);
        }
        let (rule, value) = (command.u32(64), command.i64(72));
        if rule == Rule::PreviousPrice as u32 {
            return self.set_previous_price(command, instrument, value);
        }
        if rule == Rule::NewListing as u32 {
            return self.set_new_listing(command, instrument, value);
        }
        let is_homeless_fee = is_rate(rule) && value > 0 && self.state.counters.venue_account == 0;
        if is_homeless_fee || rule_with_value(rule, value, instrument.is_some()).is_none() {
            return self.out.events.request_rejected(command, Reason::InvalidCommand, number);
        }
        let (first, last) = instrument.map_or((0, self.state.instruments.len()), |place| (place, place + 1));
        (first..last).for_each(|place| self.touch(place));
        let values = match instrument {
            Some(place) => &mut self.state.instruments[place].own_rules,
            None => &mut self.state.rules.values,
        };
        let was = values.insert(rule, value);
        self.hash_rule(number, rule, was, value);
        (first..last).for_each(|place| self.refresh_rules(place));
        self.refresh_venue_rules();
        self.out.events.rule_set(number, rule, value);
    }

    /// Bring what holds for an instrument up to date with the rules.
    pub(crate) fn refresh_rules(&mut self, place: usize) {
        let state = &mut self.state;
        let found = &mut state.instruments[place];
        found.rules = state.rules.rules(&found.own_rules, &found.listing);
        found.rules.rates_number = state.orders.number_of_rates(found.rules.rates);
    }

    /// The same for the rules that only the venue has.
    pub(crate) fn refresh_venue_rules(&mut self) {
        self.state.settlement_days = self.state.rules.venue_value(Rule::SettlementDays) as u8;
        self.state.max_open_orders = self.state.rules.venue_value(Rule::MaxOpenOrders);
        self.state.max_client_ids = self.state.rules.venue_value(Rule::MaxClientIds);
    }

    /// Set the previous price of KRX rules 1.4 on a day when it is not the base price, before the first trade.
    fn set_previous_price(&mut self, command: Command, instrument: Option<usize>, value: i64) {
        let number = command.instrument();
        let is_price = 0 < value && value <= MAX_AMOUNT;
        let place = match instrument {
            Some(place) if is_price && self.state.instruments[place].close_price == 0 => place,
            _ => return self.out.events.request_rejected(command, Reason::InvalidCommand, number),
        };
        self.touch(place);
        self.state.instruments[place].last_price = value;
        self.out.events.rule_set(number, command.u32(64), value);
        self.price_moved(place);
    }

    /// Say that an instrument is in the first day of its listing, or that it is not: before its first trade and while it has
    /// no open orders, whose reservations may hang on the limits.
    fn set_new_listing(&mut self, command: Command, instrument: Option<usize>, value: i64) {
        let number = command.instrument();
        let may_be = |place: &usize| {
            let found = &self.state.instruments[*place];
            found.has_limits() && found.close_price == 0 && (0..=1).contains(&value) && found.book.is_empty()
        };
        let Some(place) = instrument.filter(may_be) else {
            return self.out.events.request_rejected(command, Reason::InvalidCommand, number);
        };
        let found = &self.state.instruments[place];
        if value != 0 && i128::from(found.base_price) * i128::from(1 + FIRST_DAY_RISE) > MAX_AMOUNT.into() {
            return self.out.events.request_rejected(command, Reason::AmountTooLarge, number);
        }
        let rule = command.u32(64);
        self.hash_without_instrument(place);
        let found = &mut self.state.instruments[place];
        let was = found.own_rules.insert(rule, value);
        found.rules.is_new = value == 1;
        found.set_limits();
        self.hash_with_instrument(place);
        self.hash_rule(number, rule, was, value);
        self.out.events.rule_set(number, rule, value);
        self.out.events.price_limits_set(&self.state.instruments[place]);
    }

    /// Set a band of a tick table that no instrument uses yet: open orders would not be on the new grid.
    pub(crate) fn set_tick_band(&mut self, command: Command) {
        let (table, from_price, tick) = (command.u32(64), command.i64(72), command.i64(80));
        let is_in_use =
            self.state.instruments.iter().any(|instrument| u32::from(instrument.listing.tick_table) == table);
        let bands = self.state.rules.tick_tables.get(&table);
        let is_full = bands.is_some_and(|bands| bands.len() >= MAX_TICK_BANDS);
        if is_in_use || is_full || !fits(from_price.into()) || !(0 < tick && tick <= MAX_AMOUNT) {
            return self.out.events.request_rejected(command, Reason::InvalidCommand, 0);
        }
        let same = bands.and_then(|bands| bands.iter().find(|band| band.0 == from_price));
        let was = same.map(|band| band.1);
        self.state.rules.set_band(table, from_price, tick);
        self.hash_tick_band(table, from_price, was, tick);
        self.out.events.tick_band_set(table, from_price, tick);
    }

    /// List an instrument. It trades at once, until a phase command says otherwise.
    pub(crate) fn list_instrument(&mut self, command: Command) {
        let listing = Listing {
            symbol: command.hash(64),
            listed_shares: command.i64(88),
            limit_ppm: command.u32(96),
            vi_dynamic_ppm: command.u32(100),
            vi_static_ppm: command.u32(104),
            tick_table: command.u8(108),
            board: command.u8(109),
            security: command.u8(110),
            leverage: i8::from_le_bytes([command.u8(111)]),
        };
        let base_price = command.i64(80);
        if let Err(reason) = self.check_listing(&listing, base_price) {
            return self.out.events.request_rejected(command, reason, 0);
        }
        let state = &mut self.state;
        let number = state.instruments.len() as u32 + 1;
        let bands = state.rules.tick_tables.get(&u32::from(listing.tick_table)).cloned().unwrap_or_default();
        let rules = state.rules.rules(&Values::new(), &listing);
        let place = state.instruments.len();
        state.instruments.push(Instrument::new(number, listing, bands, base_price, rules));
        self.refresh_rules(place);
        self.hash_with_instrument(place);
        let found = &self.state.instruments[place];
        self.out.events.instrument_listed(number, &found.listing);
        self.out.events.price_limits_set(found);
        debug_assert_eq!(found.phase, Phase::Continuous);
        self.out.events.phase_changed(found, self.state.counters.trading_day, 0, Reason::None);
    }

    /// What an instrument is listed as, its price aside.
    pub(crate) fn check_listed_as(&self, listing: &Listing) -> Checked {
        let symbol = without_padding(&listing.symbol);
        let is_known = !symbol.is_empty()
            && symbol.iter().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(byte))
            && Board::from_u8(listing.board).is_some()
            && Security::from_u8(listing.security).is_some()
            && listing.leverage != 0
            && listing.limit_ppm <= MAX_LIMIT_PPM
            && fits(listing.listed_shares.into())
            && self.state.rules.is_whole(listing.tick_table.into());
        if !is_known {
            return Err(Reason::InvalidCommand);
        }
        let is_same = |instrument: &Instrument| without_padding(&instrument.listing.symbol) == symbol;
        if self.state.instruments.iter().any(is_same) {
            return Err(Reason::SymbolExists);
        }
        Ok(())
    }

    fn check_listing(&self, listing: &Listing, base_price: i64) -> Checked {
        self.check_listed_as(listing)?;
        if base_price < 0 || (listing.limit_ppm != 0 && base_price == 0) {
            return Err(Reason::InvalidPrice);
        }
        let bands = self.state.rules.tick_tables.get(&u32::from(listing.tick_table));
        let base = bands.filter(|_| base_price != 0).map_or(0, |bands| ceil_to_grid(bands, base_price));
        let base = i128::from(base);
        let band = base * i128::from(listing.limit_ppm) / i128::from(PPM);
        let widest = base + band * i128::from(listing.leverage.unsigned_abs());
        if widest <= MAX_AMOUNT.into() { Ok(()) } else { Err(Reason::AmountTooLarge) }
    }

    // Accounts

    /// Open an account. The same owner's second try is answered as a repeat, so that a lost answer can be asked for again;
    /// a venue has one account of kind `venue`.
    pub(crate) fn open_account(&mut self, command: Command) {
        let (number, owner) = (command.account(), command.hash(64));
        if let Some(place) = self.state.accounts.find(number) {
            let present = self.state.accounts.at(place);
            if present.owner == owner {
                let opened_seq = present.opened_seq;
                return self.out.events.request_repeated(command, Reason::None, opened_seq);
            }
            return self.out.events.request_rejected(command, Reason::AccountExists, 0);
        }
        let has_venue = self.state.counters.venue_account != 0;
        let kind = match AccountKind::from_u8(command.u8(80)) {
            Some(kind) if number != 0 && !(kind == AccountKind::Venue && has_venue) => kind,
            _ => return self.out.events.request_rejected(command, Reason::InvalidCommand, 0),
        };
        let place = self.state.accounts.insert(Account {
            number,
            kind,
            owner,
            opened_seq: command.seq(),
            balance: Balance::default(),
            orders: Fifo::default(),
            is_noted: false,
            latest: None,
        });
        if kind == AccountKind::Venue {
            self.state.counters.venue_account = number;
            self.state.venue_place = Some(place);
        }
        self.hash_with_account(place);
        self.out.events.account_opened(number, owner, kind as u8);
    }

    /// Bring cash into the venue. All cash together stays within `MAX_AMOUNT`.
    pub(crate) fn deposit_cash(&mut self, command: Command) {
        let amount = command.i64(64);
        let total = i128::from(self.state.counters.total_cash) + i128::from(amount);
        let checked = match self.state.accounts.find(command.account()) {
            None => Err(Reason::UnknownAccount),
            Some(_) if amount <= 0 => Err(Reason::InvalidQty),
            Some(_) if !fits(total) => Err(Reason::AmountTooLarge),
            Some(place) => Ok(place),
        };
        match checked {
            Ok(place) => self.change_cash(place, amount),
            Err(reason) => self.out.events.request_rejected(command, reason, 0),
        }
    }

    /// Take cash out of the venue that no order has reserved and that is settled (KRX rules 7.3).
    pub(crate) fn withdraw_cash(&mut self, command: Command) {
        let amount = command.i64(64);
        let found = self.state.accounts.find(command.account());
        let balance = found.map_or(Balance::default(), |place| self.state.accounts.at(place).balance);
        let checked = match found {
            None => Err(Reason::UnknownAccount),
            Some(_) if amount <= 0 => Err(Reason::InvalidQty),
            Some(_) if amount > balance.available() => Err(Reason::InsufficientCash),
            Some(_) if amount > balance.withdrawable() => Err(Reason::CashNotSettled),
            Some(place) => Ok(place),
        };
        match checked {
            Ok(place) => self.change_cash(place, -amount),
            Err(reason) => self.out.events.request_rejected(command, reason, 0),
        }
    }

    fn change_cash(&mut self, place: u32, amount: i64) {
        self.note_balance(place);
        self.state.accounts.at_mut(place).balance.cash += amount;
        self.state.counters.total_cash += amount;
    }

    /// Bring shares into the venue. All shares of an instrument together stay within `MAX_AMOUNT`.
    pub(crate) fn deposit_shares(&mut self, command: Command) {
        let (qty, cost_amount) = (command.i64(64), command.i64(72));
        let account = self.state.accounts.find(command.account());
        let instrument = self.state.find_instrument(command.instrument());
        let number = instrument.map_or(0, |_| command.instrument());
        let checked = match (account, instrument) {
            (None, _) => Err(Reason::UnknownAccount),
            (_, None) => Err(Reason::UnknownSymbol),
            _ if qty <= 0 || cost_amount < 0 => Err(Reason::InvalidQty),
            (Some(account), Some(place)) => {
                let total = i128::from(self.state.instruments[place].total_shares) + i128::from(qty);
                if fits(total) && fits(cost_amount.into()) { Ok((account, place)) } else { Err(Reason::AmountTooLarge) }
            }
        };
        let (account, place) = match checked {
            Ok(found) => found,
            Err(reason) => return self.out.events.request_rejected(command, reason, number),
        };
        let position = self.note_position(account, number);
        self.state.accounts.positions[position].shares.buy(qty, cost_amount);
        self.hash_without_instrument(place);
        self.state.instruments[place].total_shares += qty;
        self.hash_with_instrument(place);
    }

    // The machinery

    /// A leader begins; its epoch is above every earlier one.
    pub(crate) fn start_epoch(&mut self, command: Command) {
        let epoch = command.u64(64);
        if epoch <= self.state.counters.epoch {
            return self.out.events.request_rejected(command, Reason::InvalidCommand, 0);
        }
        self.state.counters.epoch = epoch;
        self.out.events.epoch_started(epoch);
    }

    /// Record that a gateway's missing commands are not waited for any more.
    pub(crate) fn close_gateway_gap(&mut self, command: Command) {
        self.out.events.gateway_gap_closed(command.u32(64), command.u32(68), command.u64(72));
    }

    /// Record what a host did. Nothing changes.
    pub(crate) fn note_admin(&mut self, command: Command) {
        let (instrument, actor) = (command.instrument(), command.actor());
        self.out.events.admin_noted(instrument, actor, command.account(), command.u64(64), command.u8(72));
    }
}

/// A symbol without the zeros that pad it.
fn without_padding(symbol: &[u8; 16]) -> &[u8] {
    let end = symbol.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
    &symbol[..end]
}
