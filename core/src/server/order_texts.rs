//! The texts of event blocks: `onseju/exchange/annotations.py` for many commands at once.

use crate::commands::{COMMAND_BYTES, CommandKind};
use crate::events::{EVENT_BYTES, EventKind};
use crate::hashing::NumberMap;
use crate::server::runs::{COMMAND_KIND, u32_at, u64_at};
use crate::words::OrderStatus;

const EVENT_KIND: usize = 28;
const INSTRUMENT: usize = 24;
const ORDER_ID: usize = 32;

/// Where the order's status stands, in an event that tells of an order.
#[inline]
fn status_at(kind: u8) -> Option<usize> {
    const FIRST: u8 = EventKind::OrderAccepted as u8;
    const LAST: u8 = EventKind::OrderTriggered as u8;
    match kind {
        FIRST..=LAST => Some(123),
        _ if kind == EventKind::OrderFilled as u8 => Some(122),
        _ => None,
    }
}

/// The texts of the open orders, by order id.
#[derive(Default)]
pub(crate) struct OrderTexts {
    pub by_order: NumberMap<u64, Box<str>>,
}

impl OrderTexts {
    /// The text of each command's block that has one, by the command's place. `given` are those that came beside the
    /// commands, by place and in its order; `ends` the bytes of `events` behind each command's events.
    pub fn annotate(
        &mut self,
        commands: &[u8],
        given: &[(u64, &str)],
        events: &[u8],
        ends: &[u64],
    ) -> Vec<(usize, String)> {
        let mut found = Vec::new();
        if given.is_empty() && self.by_order.is_empty() {
            return found;
        }
        let mut given = given.iter().peekable();
        let mut start = 0;
        for (place, (command, end)) in commands.as_chunks::<COMMAND_BYTES>().0.iter().zip(ends).enumerate() {
            let text = given.next_if(|(at, _)| *at == place as u64).map_or("", |(_, text)| *text);
            let end = *end as usize;
            let text = self.annotate_one(command, text, events.get(start..end).unwrap_or_default());
            if !text.is_empty() {
                found.push((place, text));
            }
            start = end;
        }
        found
    }

    fn annotate_one(&mut self, command: &[u8; COMMAND_BYTES], text: &str, events: &[u8]) -> String {
        let kind = command[COMMAND_KIND];
        let first = events.get(EVENT_KIND).copied().unwrap_or_default();
        let line = |number: u32| if text.is_empty() { String::new() } else { format!("{number}\t{text}") };
        if kind == CommandKind::ListInstrument as u8 {
            let is_listed = first == EventKind::InstrumentListed as u8;
            return if is_listed { line(u32_at(events, INSTRUMENT)) } else { String::new() };
        }
        if kind == CommandKind::OpenVenue as u8 {
            return if first == EventKind::VenueOpened as u8 { line(0) } else { String::new() };
        }
        if kind == CommandKind::NoteAdmin as u8 {
            return line(0);
        }
        let is_entered = first == EventKind::OrderAccepted as u8 || first == EventKind::OrderRejected as u8;
        if !text.is_empty() && kind == CommandKind::NewOrder as u8 && is_entered {
            self.by_order.insert(u64_at(events, ORDER_ID), text.into());
        }
        if self.by_order.is_empty() { String::new() } else { self.mentioned(events) }
    }

    /// A line for each order with a text that the events tell of; those that are done are forgotten.
    fn mentioned(&mut self, events: &[u8]) -> String {
        let mut orders: Vec<u64> = Vec::new();
        let mut done: Vec<u64> = Vec::new();
        for event in events.as_chunks::<EVENT_BYTES>().0 {
            let Some(at) = status_at(event[EVENT_KIND]) else { continue };
            let order = u64_at(event, ORDER_ID);
            if !self.by_order.contains_key(&order) {
                continue;
            }
            if !orders.contains(&order) {
                orders.push(order);
            }
            let is_open = event[at] == OrderStatus::New as u8 || event[at] == OrderStatus::PartiallyFilled as u8;
            if !is_open && !done.contains(&order) {
                done.push(order);
            }
        }
        orders.sort_unstable();
        let mut lines = String::new();
        for order in orders {
            if let Some(text) = self.by_order.get(&order) {
                if !lines.is_empty() {
                    lines.push('\n');
                }
                lines.push_str(&format!("{order}\t{text}"));
            }
        }
        for order in done {
            self.by_order.remove(&order);
        }
        lines
    }
}
