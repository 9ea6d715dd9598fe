//! Stop orders: they sleep outside the book until the last price reaches their stop (KRX 3.9; `plain` stops as well).

use crate::book::Queue;
use crate::engine::Engine;
use crate::events::EventKind;
use crate::orders::Orders;
use crate::reasons::Reason;
use crate::words::{OrderType, Side, StopElection};

impl Engine {
    /// Wake all whose stop the last price has reached, wave after wave, until none is left.
    ///
    /// Called when a command has finished matching. What one check wakes is one wave: these stay awake whatever the trades
    /// of the first of them do to the price. What those trades wake in turn is the next wave. A woken order is a limit or
    /// market order whose time is now.
    #[inline]
    pub(crate) fn wake_stops(&mut self, instrument: usize) {
        let [buys, sells] = &self.state.instruments[instrument].book.sides;
        if !(buys.stops.is_empty() && sells.stops.is_empty()) {
            self.wake_waves(instrument);
        }
    }

    fn wake_waves(&mut self, instrument: usize) {
        loop {
            let wave = self.elect(instrument);
            if wave.is_empty() {
                return;
            }
            for place in wave {
                let priority = self.state.next_priority();
                let order = &mut self.state.orders[place];
                order.order_type = match order.order_type {
                    OrderType::StopLimit => OrderType::Limit,
                    _ => OrderType::Market,
                };
                order.priority = priority;
                self.write_open_order(EventKind::OrderTriggered, Reason::None, place);
                self.carry_out(place, instrument);
            }
        }
    }

    /// Take those to be woken out of their sleep, in the order in which they act.
    fn elect(&mut self, instrument: usize) -> Vec<u32> {
        let found = &mut self.state.instruments[instrument];
        let (last, election) = (found.last_price, found.rules.stop_election);
        if last == 0 {
            return Vec::new();
        }
        let orders = &mut self.state.orders;
        let stops = &mut found.book.side_mut(Side::Buy).stops;
        let mut buys = Vec::new();
        while let Some((stop_price, queue)) = stops.first_key_value()
            && *stop_price <= last
        {
            let stop_price = *stop_price;
            empty(queue, orders, &mut buys);
            stops.remove(&stop_price);
        }
        let stops = &mut found.book.side_mut(Side::Sell).stops;
        let mut sells = Vec::new();
        while let Some((stop_price, queue)) = stops.last_key_value()
            && *stop_price >= last
        {
            let stop_price = *stop_price;
            empty(queue, orders, &mut sells);
            stops.remove(&stop_price);
        }
        let wave = match election {
            // Both come out of their queues nearest stop first; between a buy and a sell, time decides.
            StopElection::Nearest => merge_by_time(orders, &buys, &sells),
            StopElection::Distance => {
                let mut wave = [buys, sells].concat();
                wave.sort_by_key(|place| {
                    let distance = (i128::from(orders.stop_price(*place)) - i128::from(last)).abs();
                    (-distance, orders[*place].priority)
                });
                wave
            }
            StopElection::Time => {
                let mut wave = [buys, sells].concat();
                wave.sort_by_key(|place| orders[*place].priority);
                wave
            }
        };
        for place in &wave {
            self.hash_without_order(*place);
        }
        wave
    }
}

fn empty(queue: &Queue, orders: &Orders, woken: &mut Vec<u32>) {
    woken.extend(queue.iter(orders.slab()));
}

/// Two queues become one: of their first orders the one with the earlier time goes first.
fn merge_by_time(orders: &Orders, buys: &[u32], sells: &[u32]) -> Vec<u32> {
    let mut wave = Vec::with_capacity(buys.len() + sells.len());
    let (mut buys, mut sells) = (buys, sells);
    while let (Some((buy, later_buys)), Some((sell, later_sells))) = (buys.split_first(), sells.split_first()) {
        if orders[*buy].priority <= orders[*sell].priority {
            wave.push(*buy);
            buys = later_buys;
        } else {
            wave.push(*sell);
            sells = later_sells;
        }
    }
    wave.extend_from_slice(buys);
    wave.extend_from_slice(sells);
    wave
}
