//! Records of the journal and the event log, many at once: the bytes of `onseju/contract/journal_records.py`.
//!
//! Reading gives only what is whole and as expected, and stops before anything else: the Python form says what is wrong
//! with it.

use crate::commands::COMMAND_BYTES;
use crate::events::EVENT_BYTES;
use crate::server::runs::{u16_at, u32_at, u64_at};

/// Length, checksum and chain.
const FRAME_BYTES: usize = 24;
const CHAIN_BYTES: usize = 16;
/// Format to origin, the same in both kinds of record.
pub(crate) const HEAD_BYTES: usize = 32;
const HEAD_END: usize = FRAME_BYTES + HEAD_BYTES;
const ORIGIN: usize = 40;
const FORMAT: u16 = 1;
const COMMAND_AT: usize = HEAD_END + 8;
const COMMAND_RECORD_BYTES: usize = COMMAND_AT + COMMAND_BYTES;
const EVENTS_AT: usize = HEAD_END + 32;

pub(crate) type Chain = [u8; CHAIN_BYTES];
pub(crate) type Head = [u8; HEAD_BYTES];

fn next_chain(before: &Chain, content: &[u8]) -> Chain {
    let mut hash = blake2b_simd::Params::new().hash_length(CHAIN_BYTES).to_state();
    hash.update(before).update(content);
    let mut chain = Chain::default();
    chain.copy_from_slice(hash.finalize().as_bytes());
    chain
}

/// Records that follow each other, as bytes, and the byte behind each.
pub(crate) struct Frames {
    pub bytes: Vec<u8>,
    pub ends: Vec<u64>,
    pub chain: Chain,
}

impl Frames {
    /// `room` is an empty buffer, which may have memory already.
    fn new(mut room: Vec<u8>, chain: Chain, count: usize, bytes: usize) -> Self {
        room.reserve(bytes);
        Self { bytes: room, ends: Vec::with_capacity(count), chain }
    }

    /// Begin a record: what is put before `close` is its content.
    fn open(&mut self) -> usize {
        let start = self.bytes.len();
        self.bytes.extend_from_slice(&[0; FRAME_BYTES]);
        start
    }

    /// End the record that began at `start`. None where it is longer than a record can say.
    fn close(&mut self, start: usize) -> Option<()> {
        let record = self.bytes.get_mut(start..)?;
        let length = u32::try_from(record.len()).ok()?;
        self.chain = next_chain(&self.chain, record.get(FRAME_BYTES..)?);
        record.get_mut(8..FRAME_BYTES)?.copy_from_slice(&self.chain);
        let checksum = crc32c::crc32c(record.get(8..)?);
        record.get_mut(..4)?.copy_from_slice(&length.to_le_bytes());
        record.get_mut(4..8)?.copy_from_slice(&checksum.to_le_bytes());
        self.ends.push(self.bytes.len() as u64);
        Some(())
    }
}

/// The next text where it belongs to the record at `place`, else none.
fn text_at<'a>(texts: &mut std::slice::Iter<'a, (u64, &'a str)>, place: usize) -> &'a str {
    match texts.as_slice().first() {
        Some((at, text)) if *at == place as u64 => {
            texts.next();
            text
        }
        _ => "",
    }
}

/// Journal records of commands; `texts` are those of some, by place and in its order. None where a text is too long.
pub(crate) fn frame_commands(
    room: Vec<u8>,
    head: &Head,
    commands: &[u8],
    texts: &[(u64, &str)],
    chain: Chain,
) -> Option<Frames> {
    let commands = commands.as_chunks::<COMMAND_BYTES>().0;
    let mut frames = Frames::new(room, chain, commands.len(), commands.len() * COMMAND_RECORD_BYTES + texts.len() * 32);
    let mut texts = texts.iter();
    for (place, command) in commands.iter().enumerate() {
        let text = text_at(&mut texts, place);
        let start = frames.open();
        frames.bytes.extend_from_slice(head);
        frames.bytes.extend_from_slice(&u16::try_from(text.len()).ok()?.to_le_bytes());
        frames.bytes.extend_from_slice(&[0; 6]);
        frames.bytes.extend_from_slice(command);
        frames.bytes.extend_from_slice(text.as_bytes());
        frames.close(start)?;
    }
    Some(frames)
}

/// The events of commands that follow each other: kind and time of each, and the byte of `events` behind its own.
pub(crate) struct Blocks<'a> {
    pub first_seq: u64,
    pub kinds: &'a [u8],
    pub timestamps: &'a [i64],
    pub events: &'a [u8],
    pub ends: &'a [u64],
}

/// Event blocks. None where the parts do not fit each other, or one is too long.
pub(crate) fn frame_blocks(
    room: Vec<u8>,
    head: &Head,
    blocks: &Blocks,
    texts: &[(u64, &str)],
    chain: Chain,
) -> Option<Frames> {
    let count = blocks.ends.len();
    if blocks.kinds.len() != count || blocks.timestamps.len() != count {
        return None;
    }
    let mut frames = Frames::new(room, chain, count, blocks.events.len() + count * EVENTS_AT + texts.len() * 64);
    let mut texts = texts.iter();
    let mut from = 0;
    for place in 0..count {
        let to = usize::try_from(blocks.ends[place]).ok()?;
        let events = blocks.events.get(from..to)?;
        let text = text_at(&mut texts, place);
        let start = frames.open();
        frames.bytes.extend_from_slice(head);
        frames.bytes.extend_from_slice(&blocks.first_seq.checked_add(place as u64)?.to_le_bytes());
        frames.bytes.extend_from_slice(&blocks.timestamps[place].to_le_bytes());
        frames.bytes.extend_from_slice(&u32::try_from(events.len() / EVENT_BYTES).ok()?.to_le_bytes());
        frames.bytes.extend_from_slice(&u32::try_from(text.len()).ok()?.to_le_bytes());
        frames.bytes.extend_from_slice(&[blocks.kinds[place], 0, 0, 0, 0, 0, 0, 0]);
        frames.bytes.extend_from_slice(events);
        frames.bytes.extend_from_slice(text.as_bytes());
        frames.close(start)?;
        from = to;
    }
    Some(frames)
}

/// What records of one kind were found to hold, as far as they are whole, follow each other, and come from one leader.
pub(crate) struct Found<'a> {
    pub head: Head,
    /// The chain of the last record.
    pub chain: Chain,
    /// The byte behind the last record.
    pub end: usize,
    /// The byte behind each record.
    pub ends: Vec<u64>,
    /// The commands, or all events.
    pub body: Vec<u8>,
    /// Of event blocks: the byte of `body` behind each one's events.
    pub body_ends: Vec<u64>,
    pub kinds: Vec<u8>,
    pub timestamps: Vec<i64>,
    pub texts: Vec<(usize, &'a str)>,
}

/// The records that `bytes` begin with at `start`, at most `limit`, numbered from `first_seq` on.
///
/// `chain` is that of the record before the first; without one its own is believed. A record that a gateway numbered is
/// left to others.
pub(crate) fn scan<'a>(
    bytes: &'a [u8],
    start: usize,
    first_seq: u64,
    limit: usize,
    chain: Option<Chain>,
    are_blocks: bool,
) -> Found<'a> {
    let mut found = Found {
        head: [0; HEAD_BYTES],
        chain: chain.unwrap_or_default(),
        end: start,
        ends: Vec::new(),
        body: Vec::new(),
        body_ends: Vec::new(),
        kinds: Vec::new(),
        timestamps: Vec::new(),
        texts: Vec::new(),
    };
    let mut before = chain;
    for (place, seq) in (0..limit).zip(first_seq..) {
        let Some(next) = found.take(bytes, place, seq, before, are_blocks) else { break };
        found.chain = next;
        before = Some(next);
    }
    found
}

impl<'a> Found<'a> {
    /// Take in the record at `end`, and give its chain; None where it is not as expected.
    fn take(
        &mut self,
        bytes: &'a [u8],
        place: usize,
        seq: u64,
        before: Option<Chain>,
        are_blocks: bool,
    ) -> Option<Chain> {
        let rest = bytes.get(self.end..)?;
        let length = u32_at(rest.get(..4)?, 0) as usize;
        let body_at = if are_blocks { EVENTS_AT } else { COMMAND_AT };
        if length < body_at {
            return None;
        }
        let record = rest.get(..length)?;
        if crc32c::crc32c(&record[8..]) != u32_at(record, 4) {
            return None;
        }
        let mut chain = Chain::default();
        chain.copy_from_slice(&record[8..FRAME_BYTES]);
        if before.is_some_and(|before| next_chain(&before, &record[FRAME_BYTES..]) != chain) {
            return None;
        }
        let head = &record[FRAME_BYTES..HEAD_END];
        let is_expected = u16_at(head, 0) == FORMAT && record[ORIGIN..HEAD_END].iter().all(|byte| *byte == 0);
        if !is_expected || (place > 0 && head != self.head) {
            return None;
        }
        let (seq_found, body_end, text_bytes) = if are_blocks {
            let body = (u32_at(record, HEAD_END + 16) as usize).checked_mul(EVENT_BYTES)?;
            (u64_at(record, HEAD_END), EVENTS_AT.checked_add(body)?, u32_at(record, HEAD_END + 20) as usize)
        } else {
            (u64_at(record, COMMAND_AT), COMMAND_RECORD_BYTES, u16_at(record, HEAD_END).into())
        };
        if seq_found != seq || body_end.checked_add(text_bytes)? != length {
            return None;
        }
        let text = std::str::from_utf8(&record[body_end..]).ok()?;
        self.head.copy_from_slice(head);
        self.body.extend_from_slice(&record[body_at..body_end]);
        if are_blocks {
            self.body_ends.push(self.body.len() as u64);
            self.timestamps.push(u64_at(record, HEAD_END + 8) as i64);
            self.kinds.push(record[HEAD_END + 24]);
        }
        if !text.is_empty() {
            self.texts.push((place, text));
        }
        self.end += length;
        self.ends.push(self.end as u64);
        Some(chain)
    }
}
