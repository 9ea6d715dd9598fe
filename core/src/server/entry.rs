//! Order entry in records, at the gateway's side: what clients send is checked and stamped, what they get is cut out.
//!
//! It knows no state. The twin is `onseju/gateway/order_records.py`, whose plain form gives the same, one by one; only what
//! needs more than the records themselves is left to it.

use crate::commands::{
    COMMAND_BYTES, CORRECT_LEAVES_QTY, CORRECT_LIMIT_PRICE, CORRECT_PART, CORRECT_STOP_PRICE, CORRECT_TYPE, CommandKind,
};
use crate::events::{EVENT_BYTES, EventKind};
use crate::reasons::{Checked, Reason};
use crate::words::{OrderType, Side, TimeInForce};

/// The largest number that a client may send: what a JSON reader keeps exactly.
const MAX_INPUT: i64 = (1 << 53) - 1;
/// The gateway's own reason for what is no command of a client's (`reasons.py`, `MALFORMED`).
pub(crate) const MALFORMED: u16 = 256;
const VERSION: u8 = 1;

/// An answer's head: u64 seq · u32 events · u16 status · u16 reason · u8 flags · 7 zero bytes.
pub(crate) const ANSWER_BYTES: usize = 24;

const KIND: usize = 16;
const ACCOUNT: usize = 20;
const ACTOR: usize = 28;
const CLIENT_ID: usize = 32;
const BODY_HASH: usize = 48;
const BODY: usize = 64;
const NO_HASH: [u8; 16] = [0; 16];

pub(crate) type CommandBytes = [u8; COMMAND_BYTES];
pub(crate) type EventBytes = [u8; EVENT_BYTES];

/// The commands of one request.
#[derive(Debug, Default)]
pub(crate) struct Records {
    /// Those that may be entered, stamped with their account.
    pub good: Vec<u8>,
    /// One for each record: why it may not be entered, 0 where it may.
    pub reasons: Vec<u16>,
    /// How many of all records are cancels.
    pub cancels: usize,
    /// The places in `good` of the commands that have an id: their bodies' hashes are still to be set.
    pub named: Vec<usize>,
}

/// Check records as their caller `account` sent them to a venue with so many instruments.
pub(crate) fn check(records: &[CommandBytes], account: u32, instruments: u32, needs_id: bool) -> Records {
    let mut found = Records {
        good: Vec::with_capacity(records.len() * COMMAND_BYTES),
        reasons: Vec::with_capacity(records.len()),
        ..Records::default()
    };
    for record in records {
        found.cancels +=
            usize::from(record[KIND] == CommandKind::CancelOrder as u8 || record[KIND] == CommandKind::CancelAll as u8);
        match check_one(record, instruments, needs_id) {
            Err(reason) => found.reasons.push(reason),
            Ok(()) => {
                found.reasons.push(0);
                let at = found.good.len();
                found.good.extend_from_slice(record);
                found.good[at + ACCOUNT..at + ACCOUNT + 4].copy_from_slice(&account.to_le_bytes());
                found.good[at + ACTOR..at + ACTOR + 4].copy_from_slice(&account.to_le_bytes());
                if record[CLIENT_ID..BODY_HASH] != NO_HASH {
                    found.named.push(at / COMMAND_BYTES);
                }
            }
        }
    }
    found
}

/// The answers to commands, and which of them are left to the plain form: nothing stands for those yet.
#[derive(Debug, Default)]
pub(crate) struct Answers {
    pub bytes: Vec<u8>,
    /// For each left out: its place among the commands, and the byte of `bytes` where its answer belongs.
    pub left: Vec<(usize, usize)>,
}

/// Answer commands with what the exchange gave for the good ones: `ends[n]` is the byte of `payload` behind the events of
/// the n-th of these. `statuses` are those of HTTP by the reason's number.
pub(crate) fn answer(
    reasons: &[u16],
    first_seq: u64,
    kinds: &[u8],
    payload: &[EventBytes],
    ends: &[usize],
    account: u32,
    statuses: &[u16],
) -> Answers {
    let mut found = Answers::default();
    found.bytes.reserve(reasons.len() * ANSWER_BYTES + size_of_val(payload) / 2);
    let status_of = |reason: u16| statuses.get(usize::from(reason)).copied().unwrap_or(500);
    let own = account.to_le_bytes();
    let mut taken = 0;
    for (place, &reason) in reasons.iter().enumerate() {
        if reason != 0 {
            head(&mut found.bytes, 0, 0, status_of(reason), reason);
            continue;
        }
        let start = if taken == 0 { 0 } else { ends[taken - 1] / EVENT_BYTES };
        let events = &payload[start..ends[taken] / EVENT_BYTES];
        let (seq, kind) = (first_seq + taken as u64, kinds[taken]);
        taken += 1;
        let first = events.first();
        let refused = first.map_or(0, refusal);
        let is_repeat = first.is_some_and(|event| event[28] == EventKind::RequestRepeated as u8);
        if (is_repeat && refused == 0) || refused == Reason::OrderDone as u16 {
            found.left.push((place, found.bytes.len()));
            continue;
        }
        let status = match (refused, kind == CommandKind::NewOrder as u8) {
            (0, true) => 201,
            (0, false) => 200,
            _ => status_of(refused),
        };
        let at = found.bytes.len();
        head(&mut found.bytes, seq, 0, status, refused);
        let mut count = 0_u32;
        for event in events.iter().filter(|event| event[ACCOUNT..ACCOUNT + 4] == own && is_streamed(event[28])) {
            found.bytes.extend_from_slice(event);
            count += 1;
        }
        found.bytes[at + 8..at + 12].copy_from_slice(&count.to_le_bytes());
    }
    found
}

fn head(bytes: &mut Vec<u8>, seq: u64, events: u32, status: u16, reason: u16) {
    bytes.extend_from_slice(&seq.to_le_bytes());
    bytes.extend_from_slice(&events.to_le_bytes());
    bytes.extend_from_slice(&status.to_le_bytes());
    bytes.extend_from_slice(&reason.to_le_bytes());
    bytes.extend_from_slice(&[0; 8]);
}

/// Whether an event of this kind belongs in its account's stream (`push/frames.py`, `STREAMED`).
fn is_streamed(kind: u8) -> bool {
    matches!(kind, 1..=7 | 12 | 13 | 17 | 18)
}

/// Why the exchange refused a command, by its first event; 0 where it did not.
fn refusal(event: &EventBytes) -> u16 {
    const REFUSALS: [u8; 3] =
        [EventKind::OrderRejected as u8, EventKind::RequestRejected as u8, EventKind::RequestRepeated as u8];
    if REFUSALS.contains(&event[28]) { u16::from_le_bytes([event[30], event[31]]) } else { 0 }
}

fn check_one(record: &CommandBytes, instruments: u32, needs_id: bool) -> Result<(), u16> {
    const MALFORMED_: Result<(), u16> = Err(MALFORMED);
    let is_zero = |from: usize, to: usize| record[from..to].iter().all(|&byte| byte == 0);
    // seq, ts; version; account; actor; body hash
    if !is_zero(0, KIND) || record[17] != VERSION || !is_zero(20, 24) || !is_zero(28, 32) || !is_zero(BODY_HASH, BODY) {
        return MALFORMED_;
    }
    if needs_id && is_zero(CLIENT_ID, BODY_HASH) {
        return MALFORMED_;
    }
    let instrument = u32_at(record, 24);
    if instrument > instruments {
        return Err(Reason::UnknownSymbol as u16);
    }
    let flags = u16::from_le_bytes([record[18], record[19]]);
    const NEW: u8 = CommandKind::NewOrder as u8;
    const CANCEL: u8 = CommandKind::CancelOrder as u8;
    const CORRECT: u8 = CommandKind::CorrectOrder as u8;
    const ALL: u8 = CommandKind::CancelAll as u8;
    let checked = match record[KIND] {
        NEW if flags == 0 && is_zero(91, 112) => check_new(record, instrument),
        CANCEL if flags == 0 && instrument == 0 && is_zero(80, 112) => check_cancel(record),
        CORRECT if instrument == 0 && is_zero(105, 112) && is_correction(record, flags) => check_correct(record, flags),
        ALL if flags == 0 && is_zero(65, 112) => match record[64] {
            0..=2 => Ok(()),
            _ => Err(Reason::InvalidSide),
        },
        _ => return MALFORMED_,
    };
    checked.map_err(|reason| reason as u16)
}

fn check_new(record: &CommandBytes, instrument: u32) -> Checked {
    refuse(instrument == 0, Reason::UnknownSymbol)?;
    refuse(!is_positive(i64_at(record, 64)), Reason::InvalidQty)?;
    refuse(Side::from_u8(record[88]).is_none(), Reason::InvalidSide)?;
    let order_type = OrderType::from_u8(record[89]).ok_or(Reason::InvalidOrderType)?;
    refuse(TimeInForce::from_u8(record[90]).is_none(), Reason::InvalidTimeInForce)?;
    let (limit, stop) = (i64_at(record, 72), i64_at(record, 80));
    let is_right = |price: i64, has_one: bool| if has_one { is_positive(price) } else { price == 0 };
    refuse(!is_right(limit, is_priced(order_type)), Reason::InvalidPrice)?;
    refuse(!is_right(stop, is_stopped(order_type)), Reason::InvalidStopPrice)
}

fn check_cancel(record: &CommandBytes) -> Checked {
    refuse(!is_positive(i64_at(record, 64)), Reason::OrderNotFound)?;
    let qty = i64_at(record, 72);
    refuse(qty != 0 && !is_positive(qty), Reason::InvalidQty)
}

/// Whether the flags of a correction are such, and nothing is given that they do not name.
fn is_correction(record: &CommandBytes, flags: u16) -> bool {
    const TERMS: u16 = CORRECT_LIMIT_PRICE | CORRECT_STOP_PRICE | CORRECT_LEAVES_QTY | CORRECT_TYPE;
    let strange = [(CORRECT_LIMIT_PRICE, 72), (CORRECT_LEAVES_QTY, 80), (CORRECT_STOP_PRICE, 88), (CORRECT_PART, 96)]
        .iter()
        .any(|&(bit, at)| flags & bit == 0 && i64_at(record, at) != 0)
        || (flags & CORRECT_TYPE == 0 && record[104] != 0);
    !strange && flags & !(TERMS | CORRECT_PART) == 0 && flags & TERMS != 0
}

fn check_correct(record: &CommandBytes, flags: u16) -> Checked {
    let has = |bit: u16| flags & bit != 0;
    refuse(!is_positive(i64_at(record, 64)), Reason::OrderNotFound)?;
    let leaves = i64_at(record, 80);
    refuse(leaves != 0 && !is_positive(leaves), Reason::InvalidQty)?;
    let is_part = is_positive(i64_at(record, 96)) && !has(CORRECT_LEAVES_QTY);
    refuse(has(CORRECT_PART) && !is_part, Reason::InvalidQty)?;
    let order_type = OrderType::from_u8(record[104]);
    refuse(has(CORRECT_TYPE) && order_type.is_none(), Reason::InvalidOrderType)?;
    let may_limit = !has(CORRECT_TYPE) || order_type.is_some_and(is_priced);
    let is_limit = may_limit && is_positive(i64_at(record, 72));
    refuse(has(CORRECT_LIMIT_PRICE) && !is_limit, Reason::InvalidPrice)?;
    let may_stop = !has(CORRECT_TYPE) || order_type.is_some_and(is_stopped);
    let is_stop = may_stop && is_positive(i64_at(record, 88));
    refuse(has(CORRECT_STOP_PRICE) && !is_stop, Reason::InvalidStopPrice)
}

fn refuse(is_wrong: bool, reason: Reason) -> Checked {
    if is_wrong { Err(reason) } else { Ok(()) }
}

fn is_positive(number: i64) -> bool {
    (1..=MAX_INPUT).contains(&number)
}

fn is_priced(order_type: OrderType) -> bool {
    matches!(order_type, OrderType::Limit | OrderType::ConditionalLimit | OrderType::StopLimit)
}

fn is_stopped(order_type: OrderType) -> bool {
    matches!(order_type, OrderType::StopLimit | OrderType::Stop)
}

pub(crate) fn u32_at(bytes: &[u8], at: usize) -> u32 {
    let mut word = [0; 4];
    word.copy_from_slice(&bytes[at..at + 4]);
    u32::from_le_bytes(word)
}

pub(crate) fn i64_at(bytes: &[u8], at: usize) -> i64 {
    let mut word = [0; 8];
    word.copy_from_slice(&bytes[at..at + 8]);
    i64::from_le_bytes(word)
}
