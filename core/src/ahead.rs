//! Touching ahead: reads what the next commands of a batch will need, for all of them at once, before the first is applied.
//!
//! A cancel names any order, so it finds nothing of it in the caches: the order's place by its id, then the order, then its
//! neighbours in two queues, its level, its account, its position. One after the other each would wait for memory. Read for
//! several commands in steps, the processor fetches them side by side. Nothing is changed here, and nothing depends on it.

use std::hint::black_box;

use crate::commands::{COMMAND_BYTES, Command, CommandKind};
use crate::engine::Engine;
use crate::orders::{OWN, WAITING};
use crate::slab::{NONE, Node};
use crate::words::Side;

/// So many commands are looked at together: more would not be fetched side by side, and all must stay in the first cache.
pub(crate) const AHEAD: usize = 16;

/// With fewer orders and positions than this all is in the caches already.
const LARGE: usize = 10_000;

/// What a command will come to, as far as it was followed.
#[derive(Clone, Copy)]
struct Trail {
    /// The order that it names or will meet.
    order: u32,
    /// The order at whose end it will queue.
    last: u32,
    account: u32,
    /// The instrument's number; 0 for none.
    instrument: u32,
    is_new: bool,
    side: Side,
    price: i64,
}

const NOWHERE: Trail =
    Trail { order: NONE, last: NONE, account: NONE, instrument: 0, is_new: false, side: Side::Buy, price: 0 };

impl Engine {
    /// Whether touching ahead pays.
    pub(crate) fn is_large(&self) -> bool {
        self.state.orders.len() + self.state.accounts.positions.len() > LARGE
    }

    /// Read what these commands will need, no more of them than `AHEAD`.
    pub(crate) fn touch_ahead(&self, commands: &[[u8; COMMAND_BYTES]]) {
        let mut trails = [NOWHERE; AHEAD];
        let trails = &mut trails[..commands.len().min(AHEAD)];
        for (trail, bytes) in trails.iter_mut().zip(commands) {
            if let Ok(command) = Command::read(bytes) {
                *trail = self.first_step(command);
            }
        }
        let mut sum = 0_u64;
        for trail in trails.iter_mut() {
            sum ^= if trail.is_new { self.see_book(trail) } else { self.see_order(trail) };
        }
        for trail in trails.iter_mut() {
            sum ^= self.see_around(trail);
        }
        for trail in trails.iter() {
            sum ^= self.see_counterparty(trail);
        }
        black_box(sum);
    }

    /// Where the order of a cancel or a correction is; whose a new order is.
    #[inline]
    fn first_step(&self, command: Command) -> Trail {
        match command.kind {
            CommandKind::NewOrder => Trail {
                account: self.state.accounts.find(command.account()).unwrap_or(NONE),
                instrument: self.state.find_instrument(command.instrument()).map_or(0, |place| place as u32 + 1),
                is_new: true,
                side: Side::from_u8(command.u8(88)).unwrap_or(Side::Buy),
                price: command.i64(72),
                ..NOWHERE
            },
            CommandKind::CancelOrder | CommandKind::CorrectOrder => {
                Trail { order: self.state.orders.ids.get(command.order_id() as u64), ..NOWHERE }
            }
            _ => NOWHERE,
        }
    }

    /// A new order: both sides of the book, where it will queue, and whom it will meet.
    #[inline]
    fn see_book(&self, trail: &mut Trail) -> u64 {
        let Some(found) = self.state.instruments.get((trail.instrument as usize).wrapping_sub(1)) else { return 0 };
        let best = found.book.side(trail.side.opposite()).limits.best();
        if let Some(best) = best
            && (trail.price == 0 || trail.side.reaches(trail.price, best.price))
        {
            trail.order = best.queue.head;
            return found.last_price as u64;
        }
        let ladder = &found.book.side(trail.side).limits;
        trail.last = ladder.find(trail.price).map_or(NONE, |place| ladder.at(place).queue.tail);
        found.last_price as u64
    }

    /// An order in the book.
    #[inline]
    fn see_order(&self, trail: &mut Trail) -> u64 {
        let Some(order) = self.state.orders.slab().get(trail.order) else { return 0 };
        trail.account = order.account;
        trail.instrument = order.instrument;
        trail.side = order.side();
        order.priority ^ order.order_id
    }

    /// An order's neighbours in its queues, its level, its account and position.
    #[inline]
    fn see_around(&self, trail: &Trail) -> u64 {
        let orders = self.state.orders.slab();
        let link = |place: u32| orders.get(place).map_or(0, |order| u64::from(order.links(WAITING)[0]));
        let own = |place: u32| orders.get(place).map_or(0, |order| u64::from(order.links(OWN)[0]));
        let mut sum = link(trail.last);
        if trail.account != NONE {
            let account = self.state.accounts.at(trail.account);
            sum ^= account.balance.cash as u64 ^ u64::from(account.is_noted);
            if trail.is_new {
                sum ^= own(account.orders.tail);
            }
            if trail.instrument != 0 && (trail.side == Side::Sell || trail.order != NONE && trail.is_new) {
                sum ^= self.see_position(trail.account, trail.instrument);
            }
        }
        let Some(order) = orders.get(trail.order) else { return sum };
        let ([before, after], [mine_before, mine_after]) = (order.links(WAITING), order.links(OWN));
        sum ^= link(after) ^ own(mine_before) ^ own(mine_after);
        if !trail.is_new {
            sum ^= link(before);
            if let Some(found) = self.state.instruments.get((trail.instrument as usize).wrapping_sub(1)) {
                let level = found.book.side(trail.side).limits.get(order.level);
                sum ^= found.number as u64 ^ level.map_or(0, |level| level.qty as u64);
            }
        }
        sum
    }

    /// The account and position of the order that a new one will meet, and where its id is.
    #[inline]
    fn see_counterparty(&self, trail: &Trail) -> u64 {
        if !trail.is_new {
            return 0;
        }
        let Some(order) = self.state.orders.slab().get(trail.order) else { return 0 };
        let account = self.state.accounts.list.get(order.account as usize);
        let sum = account.map_or(0, |account| account.balance.cash as u64 ^ u64::from(account.is_noted));
        sum ^ u64::from(self.state.orders.ids.get(order.order_id)) ^ self.see_position(order.account, order.instrument)
    }

    #[inline]
    fn see_position(&self, account: u32, instrument: u32) -> u64 {
        let accounts = &self.state.accounts;
        let place = accounts.find_position(account, instrument);
        place.map_or(0, |place| accounts.positions[place as usize].shares.qty as u64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::words::OrderType;

    struct Stream {
        bytes: Vec<u8>,
        random: u64,
    }

    impl Stream {
        fn below(&mut self, n: u64) -> u64 {
            self.random = self.random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (self.random >> 33) % n
        }

        fn push(&mut self, kind: CommandKind, account: u64, instrument: u64, fields: &[(usize, &[u8])]) {
            let mut command = [0; COMMAND_BYTES];
            let seq = (self.bytes.len() / COMMAND_BYTES + 1) as u64;
            command[..8].copy_from_slice(&seq.to_le_bytes());
            command[16..18].copy_from_slice(&[kind as u8, 1]);
            command[20..24].copy_from_slice(&(account as u32).to_le_bytes());
            command[24..28].copy_from_slice(&(instrument as u32).to_le_bytes());
            for (at, bytes) in fields {
                command[*at..*at + bytes.len()].copy_from_slice(bytes);
            }
            self.bytes.extend_from_slice(&command);
        }
    }

    /// A venue, and orders, cancels and corrections, some of accounts, instruments and orders that are not there.
    fn stream() -> Stream {
        let mut stream = Stream { bytes: Vec::new(), random: 1 };
        stream.push(CommandKind::OpenVenue, 0, 0, &[(68, &20_261_123_u32.to_le_bytes())]);
        stream.push(CommandKind::SetTickBand, 0, 0, &[(64, &[1]), (80, &[100])]);
        for number in 1..=3_u8 {
            let (price, limit) = (70_000_i64.to_le_bytes(), 300_000_u32.to_le_bytes());
            let limit: &[u8] = if number == 3 { &[0; 4] } else { &limit };
            let fields: [(usize, &[u8]); 4] = [(64, &[b'A' + number]), (80, &price), (96, limit), (108, &[1, 1, 1, 1])];
            stream.push(CommandKind::ListInstrument, 0, 0, &fields);
        }
        for account in 1..=5_u8 {
            stream.push(CommandKind::OpenAccount, account.into(), 0, &[(64, &[account; 16]), (80, &[1])]);
            stream.push(CommandKind::DepositCash, account.into(), 0, &[(64, &1_000_000_000_000_i64.to_le_bytes())]);
            stream.push(CommandKind::DepositShares, account.into(), 1 + u64::from(account) % 3, &[(64, &[0, 0, 9])]);
        }
        for number in 0..20_000 {
            let (account, instrument, roll) = (stream.below(7), stream.below(5), stream.below(10));
            let (id, qty) = (stream.below(number / 2 + 2).to_le_bytes(), (1 + stream.below(50)).to_le_bytes());
            let price = (68_000 + stream.below(40) * 100).to_le_bytes();
            let side = stream.below(2) as u8 + 1;
            match roll {
                0..6 => {
                    let fields: [(usize, &[u8]); 3] =
                        [(64, &qty), (72, &price), (88, &[side, OrderType::Limit as u8, 1])];
                    stream.push(CommandKind::NewOrder, account, instrument, &fields);
                }
                6 => {
                    let fields: [(usize, &[u8]); 2] = [(64, &qty), (88, &[side, OrderType::Market as u8, 1])];
                    stream.push(CommandKind::NewOrder, account, instrument, &fields);
                }
                7 => stream.push(CommandKind::CorrectOrder, account, 0, &[(18, &[1]), (64, &id), (72, &price)]),
                8 => stream.push(CommandKind::CancelOrder, account, 0, &[(64, &id)]),
                _ if number % 100 == 0 => stream.push(CommandKind::CancelAll, account, 0, &[]),
                _ => stream.push(CommandKind::CancelOrder, account, 0, &[(64, &[255; 8])]),
            }
        }
        stream
    }

    #[test]
    fn nothing_depends_on_it() {
        let bytes = stream().bytes;
        let (mut plain, mut ahead) = (Engine::new(), Engine::new());
        let mut most = 0;
        for group in bytes.chunks(AHEAD * COMMAND_BYTES) {
            ahead.touch_ahead(group.as_chunks().0);
            assert_eq!(plain.apply(group), ahead.apply(group));
            most = most.max(plain.open_orders());
        }
        assert!(most > 100, "{most} orders were open");
        assert_eq!(plain.full_state_hash(), ahead.full_state_hash());
    }
}
