//! What must hold of the state after every command. Used by tests and fuzzing; each finding says in words what is wrong.

use std::collections::BTreeMap;

use crate::engine::Engine;
use crate::instruments::Instrument;
use crate::money::MAX_AMOUNT;
use crate::slab::NONE;
use crate::words::Side;

type Finding = Result<(), String>;

fn expect(holds: bool, words: impl FnOnce() -> String) -> Finding {
    if holds { Ok(()) } else { Err(words()) }
}

/// Price, open quantity, number of orders.
pub type Shown = (i64, i128, u32);

impl Engine {
    /// An instrument's bids and asks as the events show them, best first.
    pub fn depth(&self, number: u32) -> Option<[Vec<Shown>; 2]> {
        let instrument = &self.state.instruments[self.state.find_instrument(number)?];
        let markets = instrument.market_levels();
        Some(Side::BOTH.map(|side| {
            let market = markets[side.index()];
            let limits = instrument.book.side(side).limits.iter();
            let mut levels: Vec<Shown> =
                limits.map(|level| (level.price, level.qty.into(), level.queue.count)).collect();
            if market.price != 0 {
                match levels.iter_mut().find(|level| level.0 == market.price) {
                    Some(level) => (level.1, level.2) = (level.1 + market.qty, level.2 + market.order_count),
                    None => levels.push((market.price, market.qty, market.order_count)),
                }
                levels.sort_unstable_by_key(|level| side.sign() * level.0);
            }
            levels
        }))
    }

    /// The first contradiction found, in words.
    pub fn check_invariants(&self) -> Result<(), String> {
        self.check_money()?;
        self.check_reservations()?;
        self.state.instruments.iter().try_for_each(|instrument| self.check_book(instrument))?;
        if self.hash.is_kept() {
            expect(self.state_hash() == self.full_state_hash(), || "the running hash is not the full one".into())?;
        }
        Ok(())
    }

    /// Cash and shares are conserved: accounts together hold what was deposited less what was withdrawn.
    fn check_money(&self) -> Finding {
        let accounts = &self.state.accounts;
        let sum = |part: fn(&crate::accounts::Balance) -> i64| -> i128 {
            accounts.list.iter().map(|account| i128::from(part(&account.balance))).sum()
        };
        let (cash, total) = (sum(|balance| balance.cash), self.state.counters.total_cash);
        expect(cash == i128::from(total), || format!("the accounts hold {cash} of cash, {total} was deposited"))?;
        expect(sum(|balance| balance.unsettled_d1) == 0, || "what arrives on D+1 is not what leaves".into())?;
        expect(sum(|balance| balance.unsettled_d2) == 0, || "what arrives on D+2 is not what leaves".into())?;
        let mut held: BTreeMap<u32, i128> = BTreeMap::new();
        for position in &accounts.positions {
            *held.entry(position.instrument).or_default() += i128::from(position.shares.qty);
        }
        for instrument in &self.state.instruments {
            let (number, given) = (instrument.number, instrument.total_shares);
            let held = held.get(&number).copied().unwrap_or(0);
            expect(held == i128::from(given), || {
                format!("the accounts hold {held} shares of instrument {number}, {given} were deposited")
            })?;
        }
        Ok(())
    }

    /// An account reserves what its open orders need, no more and no less, and never more than it has.
    fn check_reservations(&self) -> Finding {
        let (accounts, orders) = (&self.state.accounts, &self.state.orders);
        let mut shares: BTreeMap<(u32, u32), i128> = BTreeMap::new();
        let mut open = 0;
        for account in &accounts.list {
            let mut cash = 0_i128;
            let mut last_id = 0;
            for place in account.orders.iter(orders.slab()) {
                let order = &orders[place];
                let (id, canceled) = (order.order_id, order.canceled_qty());
                expect(last_id < id, || format!("order {id} comes after {last_id}"))?;
                last_id = id;
                open += 1;
                expect(orders.ids.get(id) == place, || format!("order {id} is not found by its id"))?;
                let sound = order.leaves_qty > 0 && order.filled_qty >= 0 && canceled >= 0;
                expect(sound && order.qty <= MAX_AMOUNT, || format!("order {id} does not add up: {order:?}"))?;
                expect(!order.is_dirty(), || format!("order {id} is not in the hash"))?;
                if order.is_buy() {
                    cash += i128::from(orders.reserved(place, self.upper_limit(order.instrument)));
                } else {
                    *shares.entry((account.number, order.instrument)).or_default() += i128::from(order.leaves_qty);
                }
            }
            let (number, balance) = (account.number, account.balance);
            let reserved = balance.reserved_cash;
            expect(cash == i128::from(reserved), || format!("account {number} reserves {reserved}, needs {cash}"))?;
            expect((0..=balance.cash).contains(&reserved), || format!("account {number} reserves more than it has"))?;
        }
        expect(open == orders.len(), || format!("{} orders are stored, {open} are open", orders.len()))?;
        for position in &accounts.positions {
            let (account, instrument, has) = (position.account, position.instrument, position.shares);
            let needed = shares.remove(&(account, instrument)).unwrap_or(0);
            let is_kept = needed == i128::from(has.reserved_qty) && has.reserved_qty <= has.qty;
            expect(is_kept, || format!("account {account}, instrument {instrument}: {has:?}, orders need {needed}"))?;
        }
        expect(shares.is_empty(), || format!("shares are reserved without a position: {shares:?}"))
    }

    /// The book holds exactly the live orders, its levels are their sums, and it is not crossed while trading goes on.
    fn check_book(&self, instrument: &Instrument) -> Finding {
        let (orders, number) = (&self.state.orders, instrument.number);
        let mut resting = 0;
        for side in &instrument.book.sides {
            let mut last = None;
            for level in side.limits.iter() {
                let key = side.side.sign() * level.price;
                expect(last.is_none_or(|last| last < key), || format!("levels of instrument {number} are not sorted"))?;
                last = Some(key);
                let places: Vec<u32> = level.queue.iter(orders.slab()).collect();
                let qty: i128 = places.iter().map(|place| i128::from(orders[*place].leaves_qty)).sum();
                let is_sum = qty == i128::from(level.qty) && places.len() == level.queue.count as usize && qty > 0;
                let price = level.price;
                expect(is_sum, || format!("the level {price} of instrument {number} does not add up"))?;
                let in_time = places.windows(2).all(|pair| orders[pair[0]].priority < orders[pair[1]].priority);
                let at_price = places.iter().all(|place| orders[*place].limit_price == price);
                expect(in_time && at_price, || format!("the queue at {price} of instrument {number} is out of order"))?;
            }
            let markets: i128 =
                side.markets.iter(orders.slab()).map(|place| i128::from(orders[place].leaves_qty)).sum();
            expect(markets == side.market_qty, || format!("instrument {number} counts its market orders wrong"))?;
            for place in side.awake(orders).chain(side.asleep(orders)) {
                let order = &orders[place];
                let is_here = order.instrument == number && order.side() == side.side && place != NONE;
                expect(is_here, || format!("order {} is in a foreign book", order.order_id))?;
                resting += 1;
            }
        }
        let accounts = self.state.accounts.list.iter();
        let live = accounts
            .flat_map(|account| account.orders.iter(orders.slab()))
            .filter(|place| orders[*place].instrument == number)
            .count();
        expect(live == resting, || format!("instrument {number} holds {resting} orders, {live} are live"))?;
        let crossing = if instrument.phase.is_continuous() { instrument.crossing(orders) } else { None };
        expect(crossing.is_none(), || format!("the book of instrument {number} is crossed: {crossing:?}"))
    }
}
