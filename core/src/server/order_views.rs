//! A command's events as the JSON that its sender gets: the order as it stands, and its fills.
//!
//! The twin of `onseju/gateway/replies.py` and `onseju/contract/views.py` for orders that were taken; what is refused, and
//! cancels of all, are left to them.

use std::io::Write;

use crate::events::EventKind;
use crate::server::entry::{EventBytes, i64_at, u32_at};

const KIND: usize = 28;
const REASON: usize = 30;
const DAY_US: i64 = 86_400_000_000;

const ACCEPTED: u8 = EventKind::OrderAccepted as u8;
const REJECTED: u8 = EventKind::OrderRejected as u8;
const FILLED: u8 = EventKind::OrderFilled as u8;
const TRIGGERED: u8 = EventKind::OrderTriggered as u8;

const SIDES: [&str; 3] = ["", "buy", "sell"];
const TYPES: [&str; 9] =
    ["", "limit", "market", "conditional_limit", "best_opposite", "best_same", "midpoint", "stop_limit", "stop"];
const TIMES: [&str; 4] = ["", "day", "ioc", "fok"];
const STATUSES: [&str; 7] = ["", "new", "partially_filled", "filled", "canceled", "rejected", "expired"];
const CANCELED: u8 = 4;
const REFUSED: u8 = 5;
const EXPIRED: u8 = 6;
const LIQUIDITIES: [&str; 4] = ["", "maker", "taker", "auction"];

/// What the JSON needs beside the events.
#[derive(Debug, Default)]
pub(crate) struct Words {
    /// The instruments' symbols as JSON strings, by number; the first stands for none.
    pub symbols: Vec<String>,
    /// The reasons' codes, by number; empty where there is none.
    pub reasons: Vec<String>,
}

/// The last time that was written, and how: all events of a command, and many commands, have the same.
#[derive(Debug, Default)]
pub(crate) struct Clock {
    day: i64,
    date: String,
}

/// The order that a command was about, after all its events. None where the events give another answer (a refusal), or
/// hold a word that is not known here: then the plain form answers.
pub(crate) fn order(
    out: &mut Vec<u8>,
    events: &[EventBytes],
    text: &str,
    words: &Words,
    clock: &mut Clock,
) -> Option<()> {
    let is_order = |event: &&EventBytes| (ACCEPTED..=TRIGGERED).contains(&event[KIND]);
    let told = events.iter().find(|event| matches!(event[KIND], 1..=7 | 12 | 13))?;
    if !is_order(&told) && told[KIND] != FILLED || told[KIND] == REJECTED {
        return None;
    }
    let accepted = events.iter().find(|event| event[KIND] == ACCEPTED);
    let mut order = accepted.or_else(|| events.iter().find(is_order))?;
    let number = i64_at(order, 32);
    let mut filled: Option<&EventBytes> = None;
    for event in
        events.iter().filter(|event| (ACCEPTED..=FILLED).contains(&event[KIND]) && i64_at(*event, 32) == number)
    {
        if event[KIND] == FILLED {
            filled = Some(event);
        } else {
            (order, filled) = (event, None);
        }
    }
    if order[123] == REFUSED {
        return None;
    }
    let id = client_id(text, number)?;
    // Of a fill behind the order's own last event, the sums count.
    let (sums, status) = match filled {
        Some(fill) => ([i64_at(fill, 64), i64_at(fill, 72), i64_at(fill, 80), i64_at(fill, 88)], fill[122]),
        None => ([i64_at(order, 72), i64_at(order, 80), i64_at(order, 88), i64_at(order, 96)], order[123]),
    };
    put_order(out, order, sums, status, id, words.symbols.get(u32_at(order, 24) as usize)?, &words.reasons, clock)?;
    put(out, ",\"fills\":[");
    let mut is_first = true;
    for fill in events.iter().filter(|event| event[KIND] == FILLED && i64_at(*event, 32) == number) {
        if !is_first {
            out.push(b',');
        }
        is_first = false;
        put_fill(out, fill, id, words.symbols.get(u32_at(fill, 24) as usize)?, clock)?;
    }
    put(out, "]}");
    Some(())
}

/// An order's fields, of `order_id` to `ts`, without the end of its object. `sums` are its open, filled and canceled shares
/// and the amount filled; `symbol` is JSON.
#[allow(clippy::too_many_arguments)] // what an order is told of is all of it
pub(crate) fn put_order(
    out: &mut Vec<u8>,
    order: &EventBytes,
    sums: [i64; 4],
    status: u8,
    id: Option<&str>,
    symbol: &str,
    reasons: &[String],
    clock: &mut Clock,
) -> Option<()> {
    let reason = u16::from_le_bytes([order[REASON], order[REASON + 1]]);
    let reason = Some(reasons.get(usize::from(reason))?.as_str()).filter(|reason| !reason.is_empty());
    let refusal = if status == REFUSED { Some(reason?) } else { None };
    let end = reason.filter(|_| status == CANCELED || status == EXPIRED);
    out.extend_from_slice(b"{\"order_id\":");
    put_number(out, i64_at(order, 32));
    put(out, ",\"client_order_id\":");
    put_word(out, id);
    put(out, ",\"parent_order_id\":");
    put_unless_zero(out, i64_at(order, 40));
    put(out, ",\"account_id\":");
    put_number(out, u32_at(order, 20).into());
    put(out, ",\"symbol\":");
    put(out, symbol);
    put_named(out, ",\"side\":\"", word(&SIDES, order[120])?);
    put_named(out, ",\"type\":\"", word(&TYPES, order[121])?);
    put_named(out, ",\"time_in_force\":\"", word(&TIMES, order[122])?);
    put(out, ",\"qty\":");
    put_number(out, i64_at(order, 48));
    put(out, ",\"limit_price\":");
    put_unless_zero(out, i64_at(order, 56));
    put(out, ",\"stop_price\":");
    put_unless_zero(out, i64_at(order, 64));
    put_sums(out, sums);
    put_named(out, ",\"status\":\"", word(&STATUSES, status)?);
    put(out, ",\"reject_reason\":");
    put_word(out, refusal);
    put(out, ",\"end_reason\":");
    put_word(out, end);
    put_place(out, order, clock)
}

/// A fill with the order as it stood after it; `symbol` is JSON.
pub(crate) fn put_fill(
    out: &mut Vec<u8>,
    fill: &EventBytes,
    id: Option<&str>,
    symbol: &str,
    clock: &mut Clock,
) -> Option<()> {
    let (price, qty) = (i64_at(fill, 48), i64_at(fill, 56));
    put(out, "{\"trade_id\":");
    put_number(out, i64_at(fill, 40));
    put(out, ",\"order_id\":");
    put_number(out, i64_at(fill, 32));
    put(out, ",\"client_order_id\":");
    put_word(out, id);
    put(out, ",\"account_id\":");
    put_number(out, u32_at(fill, 20).into());
    put(out, ",\"symbol\":");
    put(out, symbol);
    put_named(out, ",\"side\":\"", word(&SIDES, fill[120])?);
    put(out, ",\"price\":");
    put_number(out, price);
    put(out, ",\"qty\":");
    put_number(out, qty);
    put(out, ",\"amount\":");
    put_number(out, price.checked_mul(qty)?);
    put_named(out, ",\"liquidity\":\"", word(&LIQUIDITIES, fill[121])?);
    put_sums(out, [i64_at(fill, 64), i64_at(fill, 72), i64_at(fill, 80), i64_at(fill, 88)]);
    put(out, ",\"commission\":");
    put_number(out, i64_at(fill, 96));
    put(out, ",\"tax\":");
    put_number(out, i64_at(fill, 104).checked_add(i64_at(fill, 112))?);
    put_named(out, ",\"status\":\"", word(&STATUSES, fill[122])?);
    put_place(out, fill, clock)?;
    out.push(b'}');
    Some(())
}

/// `leaves_qty` to `avg_fill_price`.
fn put_sums(out: &mut Vec<u8>, [leaves, done, canceled, amount]: [i64; 4]) {
    put(out, ",\"leaves_qty\":");
    put_number(out, leaves);
    put(out, ",\"filled_qty\":");
    put_number(out, done);
    put(out, ",\"canceled_qty\":");
    put_number(out, canceled);
    put(out, ",\"filled_amount\":");
    put_number(out, amount);
    put(out, ",\"avg_fill_price\":");
    put_average(out, amount, done);
}

/// `seq` and `ts`.
pub(crate) fn put_place(out: &mut Vec<u8>, event: &EventBytes, clock: &mut Clock) -> Option<()> {
    put(out, ",\"seq\":");
    put_number(out, i64_at(event, 0));
    put(out, ",\"ts\":\"");
    put_time(out, i64_at(event, 8), clock)?;
    out.push(b'"');
    Some(())
}

/// `amount / qty` with at most 4 decimals, cut off; null without quantity.
pub(crate) fn put_average(out: &mut Vec<u8>, amount: i64, qty: i64) {
    if qty == 0 {
        return put(out, "null");
    }
    let (amount, qty) = (i128::from(amount), i128::from(qty));
    out.push(b'"');
    let (whole, rest) = (amount.div_euclid(qty), amount.rem_euclid(qty));
    put_number(out, whole as i64);
    let decimals = rest * 10_000 / qty;
    if decimals != 0 {
        let digits = [1000, 100, 10, 1].map(|unit| b'0' + (decimals / unit % 10) as u8);
        let count = digits.iter().rposition(|&digit| digit != b'0').map_or(0, |last| last + 1);
        out.push(b'.');
        out.extend_from_slice(&digits[..count]);
    }
    out.push(b'"');
}

/// RFC 3339 in UTC with six decimals.
pub(crate) fn put_time(out: &mut Vec<u8>, ts: i64, clock: &mut Clock) -> Option<()> {
    let (day, us) = (ts.div_euclid(DAY_US), ts.rem_euclid(DAY_US));
    if clock.date.is_empty() || clock.day != day {
        *clock = Clock { day, date: date(day)? };
    }
    put(out, &clock.date);
    let seconds = us / 1_000_000;
    for (mark, part) in [(b'T', seconds / 3600), (b':', seconds / 60 % 60), (b':', seconds % 60)] {
        out.extend_from_slice(&[mark, b'0' + (part / 10) as u8, b'0' + (part % 10) as u8]);
    }
    out.push(b'.');
    let rest = us % 1_000_000;
    for unit in [100_000, 10_000, 1000, 100, 10, 1] {
        out.push(b'0' + (rest / unit % 10) as u8);
    }
    out.push(b'Z');
    Some(())
}

/// The date of a day counted from 1970, in the proleptic Gregorian calendar; none outside of the years 1 to 9999.
fn date(day: i64) -> Option<String> {
    let mut year = 1970 + day.div_euclid(366);
    if !(1..=9999).contains(&year) {
        return None;
    }
    let is_leap = |year: i64| (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    let before = |year: i64| {
        let past = year - 1;
        past * 365 + past / 4 - past / 100 + past / 400 - 719_162
    };
    while before(year + 1) <= day {
        year += 1;
    }
    let mut rest = day - before(year);
    let february = if is_leap(year) { 29 } else { 28 };
    for (month, length) in (1..).zip([31, february, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]) {
        if rest < length {
            return (year <= 9999).then(|| format!("{year:04}-{month:02}-{:02}", rest + 1));
        }
        rest -= length;
    }
    None
}

/// The client's own id of an order by the block's text (a line for each order: id, tab, text). None where it holds what
/// JSON would escape: then the plain form answers.
pub(crate) fn client_id(text: &str, number: i64) -> Option<Option<&str>> {
    for line in text.split('\n') {
        let Some((order, id)) = line.split_once('\t') else { continue };
        if order.parse() == Ok(number) {
            return is_plain(id).then_some(Some(id));
        }
    }
    Some(None)
}

/// Whether JSON has the text as it is.
pub(crate) fn is_plain(text: &str) -> bool {
    text.bytes().all(|byte| matches!(byte, b' '..=b'~') && byte != b'"' && byte != b'\\')
}

fn word<'a>(words: &[&'a str], number: u8) -> Option<&'a str> {
    words.get(usize::from(number)).copied().filter(|word| !word.is_empty())
}

pub(crate) fn put(out: &mut Vec<u8>, text: &str) {
    out.extend_from_slice(text.as_bytes());
}

fn put_named(out: &mut Vec<u8>, name: &str, word: &str) {
    put(out, name);
    put(out, word);
    out.push(b'"');
}

pub(crate) fn put_word(out: &mut Vec<u8>, word: Option<&str>) {
    match word {
        None => put(out, "null"),
        Some(word) => put_named(out, "\"", word),
    }
}

fn put_unless_zero(out: &mut Vec<u8>, number: i64) {
    if number == 0 { put(out, "null") } else { put_number(out, number) }
}

pub(crate) fn put_number(out: &mut Vec<u8>, number: i64) {
    if (0..10).contains(&number) {
        out.push(b'0' + number as u8);
    } else {
        // a vector takes whatever is written
        let _ = write!(out, "{number}");
    }
}
