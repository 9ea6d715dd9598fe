//! Many commands in one piece of bytes: numbered, and their events told apart.

use crate::commands::COMMAND_BYTES;
use crate::events::EVENT_BYTES;

/// Where a command's kind stands in its bytes.
pub(crate) const COMMAND_KIND: usize = 16;

/// The number that stands at `at`; 0 where the bytes end before.
#[inline]
pub(crate) fn u64_at(bytes: &[u8], at: usize) -> u64 {
    bytes.get(at..).and_then(|rest| rest.first_chunk()).copied().map_or(0, u64::from_le_bytes)
}

/// The number that stands at `at`; 0 where the bytes end before.
#[inline]
pub(crate) fn u32_at(bytes: &[u8], at: usize) -> u32 {
    bytes.get(at..).and_then(|rest| rest.first_chunk()).copied().map_or(0, u32::from_le_bytes)
}

/// The number that stands at `at`; 0 where the bytes end before.
#[inline]
pub(crate) fn u16_at(bytes: &[u8], at: usize) -> u16 {
    bytes.get(at..).and_then(|rest| rest.first_chunk()).copied().map_or(0, u16::from_le_bytes)
}

/// Give whole commands the numbers from `first_seq` on, and one time.
pub(crate) fn number(commands: &mut [u8], first_seq: u64, ts: i64) {
    for (command, seq) in commands.as_chunks_mut::<COMMAND_BYTES>().0.iter_mut().zip(first_seq..) {
        command[..8].copy_from_slice(&seq.to_le_bytes());
        command[8..16].copy_from_slice(&ts.to_le_bytes());
    }
}

/// The byte behind each command's events, the commands numbered from `first_seq` on; as far as the events are so.
pub(crate) fn ends(events: &[u8], first_seq: u64) -> Vec<u64> {
    let (mut expected, mut at) = (first_seq, 0u64);
    let mut ends = Vec::new();
    for event in events.as_chunks::<EVENT_BYTES>().0 {
        let seq = u64_at(event, 0);
        if seq != expected {
            if at == 0 || Some(seq) != expected.checked_add(1) {
                return ends;
            }
            ends.push(at);
            expected = seq;
        }
        at += EVENT_BYTES as u64;
    }
    ends.push(at);
    ends
}
