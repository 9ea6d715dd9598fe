//! A day's client ids: 38 bytes each however many there are, and never a pause to make the table anew.
//!
//! What is kept of an id stands in the order of use, in chunks that nothing moves any more. It is found by linear hashing:
//! the table of chains grows by one chain with every second id, and only the chain that the new one is split from is looked
//! through.

use std::hash::Hasher;

use crate::hashing::Mixer;
use crate::repeats::{FirstUse, Key};
use crate::slab::NONE;

const CHUNK_BITS: u32 = 10;
const CHUNK: usize = 1 << CHUNK_BITS;

/// How many ids a chain has on average. More of them make the table smaller, and the way to an id longer.
const CHAIN: usize = 2;

/// One id. Its fields are aligned to four bytes, so that nothing is lost between them, and what the way along a chain reads
/// stands first, so that it mostly lies in one line of the cache.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
struct Kept {
    /// The next of its chain, or `NONE`.
    next: u32,
    account: u32,
    client_id: [u8; 16],
    body_hash: [u8; 8],
    /// Counted from its chunk's `first_seq`.
    seq: u32,
}

impl Kept {
    fn key(&self) -> Key {
        Key { account: self.account, client_id: self.client_id }
    }
}

/// Ids that were used one after the other.
#[derive(Clone, Debug)]
struct Chunk {
    first_seq: u64,
    ids: Vec<Kept>,
}

/// Client ids of one day, and what each was first used for.
#[derive(Clone, Debug, Default)]
pub(crate) struct KeptIds {
    chunks: Vec<Chunk>,
    len: usize,
    /// The first id of each chain, or `NONE`.
    chains: Vec<Vec<u32>>,
    chain_count: usize,
}

impl KeptIds {
    /// What an id was used for.
    pub fn get(&self, key: &Key) -> Option<FirstUse> {
        if self.len == 0 {
            return None;
        }
        let mut place = self.chain(self.chain_of(key));
        while place != NONE {
            let (chunk, kept) = self.at(place);
            if kept.key() == *key {
                return Some(chunk.first_use(kept));
            }
            place = kept.next;
        }
        None
    }

    /// Keep an id that is not there yet.
    pub fn add(&mut self, key: Key, first_use: FirstUse) {
        if self.len >= CHAIN * self.chain_count {
            self.split();
        }
        let seq = self.offset_of(first_use.seq);
        let number = self.chunks.len() - 1;
        let ids = &mut self.chunks[number].ids;
        assert!(number < (NONE >> CHUNK_BITS) as usize, "four billion client ids in a day");
        let place = (number << CHUNK_BITS | ids.len()) as u32;
        ids.push(Kept {
            client_id: key.client_id,
            body_hash: first_use.body_hash,
            account: key.account,
            seq,
            next: NONE,
        });
        self.len += 1;
        self.link(place, self.chain_of(&key));
    }

    /// All of them, in the order of use.
    pub fn iter(&self) -> impl Iterator<Item = (Key, FirstUse)> {
        self.chunks.iter().flat_map(|chunk| chunk.ids.iter().map(|kept| (kept.key(), chunk.first_use(kept))))
    }

    /// Bytes that ids and table hold.
    #[cfg(test)]
    fn resident_bytes(&self) -> usize {
        let ids: usize = self.chunks.iter().map(|chunk| chunk.ids.capacity() * size_of::<Kept>()).sum();
        let chains: usize = self.chains.iter().map(|chains| chains.capacity() * size_of::<u32>()).sum();
        ids + chains + self.chunks.capacity() * size_of::<Chunk>() + self.chains.capacity() * size_of::<Vec<u32>>()
    }

    /// The number of a command within the chunk that the next id goes into, which is a new one if need be.
    fn offset_of(&mut self, seq: u64) -> u32 {
        if let Some(chunk) = self.chunks.last().filter(|chunk| chunk.ids.len() < CHUNK)
            && let Some(offset) = seq.checked_sub(chunk.first_seq).and_then(|offset| u32::try_from(offset).ok())
        {
            return offset;
        }
        self.chunks.push(Chunk { first_seq: seq, ids: room(self.chunks.is_empty()) });
        0
    }

    fn at(&self, place: u32) -> (&Chunk, &Kept) {
        let chunk = &self.chunks[(place >> CHUNK_BITS) as usize];
        (chunk, &chunk.ids[place as usize % CHUNK])
    }

    /// The chain that an id belongs to: by as many bits of its hash as there are chains for, or by one less.
    fn chain_of(&self, key: &Key) -> usize {
        let [low, high] = halves(key.client_id);
        let mut mixer = Mixer::default();
        mixer.write_u64(low ^ u64::from(key.account).rotate_left(32));
        mixer.write_u64(high);
        let span = self.chain_count.next_power_of_two();
        let chain = mixer.finish() as usize & (span - 1);
        if chain < self.chain_count { chain } else { chain - span / 2 }
    }

    fn chain(&self, chain: usize) -> u32 {
        self.chains[chain >> CHUNK_BITS][chain % CHUNK]
    }

    fn link(&mut self, place: u32, chain: usize) {
        let first = &mut self.chains[chain >> CHUNK_BITS][chain % CHUNK];
        let next = std::mem::replace(first, place);
        self.chunks[(place >> CHUNK_BITS) as usize].ids[place as usize % CHUNK].next = next;
    }

    /// One chain more: it takes its ids out of the one that they were in for lack of it.
    fn split(&mut self) {
        let new = self.chain_count;
        if new.is_multiple_of(CHUNK) {
            self.chains.push(room(new == 0));
        }
        self.chains[new >> CHUNK_BITS].push(NONE);
        self.chain_count += 1;
        if new == 0 {
            return;
        }
        let old = new - self.chain_count.next_power_of_two() / 2;
        let mut place = std::mem::replace(&mut self.chains[old >> CHUNK_BITS][old % CHUNK], NONE);
        while place != NONE {
            let (_, kept) = self.at(place);
            let (next, chain) = (kept.next, self.chain_of(&kept.key()));
            self.link(place, chain);
            place = next;
        }
    }
}

impl Chunk {
    fn first_use(&self, kept: &Kept) -> FirstUse {
        FirstUse { body_hash: kept.body_hash, seq: self.first_seq + u64::from(kept.seq) }
    }
}

/// Room for a chunk; the first one grows as it is needed, since a venue may have few ids.
fn room<T>(is_first: bool) -> Vec<T> {
    Vec::with_capacity(if is_first { 0 } else { CHUNK })
}

fn halves(hash: [u8; 16]) -> [u64; 2] {
    let whole = u128::from_le_bytes(hash);
    [whole as u64, (whole >> 64) as u64]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(number: u64) -> Key {
        let spread = u128::from(number).wrapping_mul(0x9E37_79B9_7F4A_7C15_F39C_C060_5CED_C835);
        Key { account: (number % 7) as u32, client_id: spread.to_le_bytes() }
    }

    fn first_use(number: u64) -> FirstUse {
        FirstUse { body_hash: number.wrapping_mul(77).to_le_bytes(), seq: number }
    }

    fn filled(count: u64) -> KeptIds {
        let mut ids = KeptIds::default();
        (0..count).for_each(|number| ids.add(key(number), first_use(number)));
        ids
    }

    #[test]
    fn every_id_is_found_however_many_there_are() {
        let mut ids = KeptIds::default();
        assert_eq!(ids.get(&key(0)), None);
        for number in 0..5_000 {
            ids.add(key(number), first_use(number));
            if number % 100 == 0 || number < 40 {
                let found = (0..=number).all(|number| ids.get(&key(number)) == Some(first_use(number)));
                assert!(found && ids.get(&key(number + 1)).is_none(), "{number} ids");
            }
        }
        let Key { account, client_id } = key(4);
        assert_eq!(ids.get(&Key { account: account + 1, client_id }), None);
        assert!(ids.iter().eq((0..5_000).map(|number| (key(number), first_use(number)))));
    }

    #[test]
    fn numbers_of_commands_may_lie_far_apart_and_come_in_any_order() {
        let seqs = [5, 6, 5 + (1 << 32), u64::MAX, 3, 4, 3 + u64::from(u32::MAX), 0];
        let mut ids = KeptIds::default();
        for (number, seq) in seqs.into_iter().enumerate() {
            ids.add(key(number as u64), FirstUse { body_hash: [9; 8], seq });
        }
        let found: Vec<_> = (0..seqs.len() as u64).filter_map(|number| ids.get(&key(number))).collect();
        assert!(found.iter().map(|first_use| first_use.seq).eq(seqs), "{found:?}");
    }

    #[test]
    fn an_id_takes_at_most_40_bytes_and_its_chain_stays_short() {
        for count in [50_000, 65_536, 65_537, 100_000, 130_000] {
            let ids = filled(count);
            let bytes = ids.resident_bytes() as u64;
            assert!(bytes < 40 * count, "{bytes} bytes for {count} ids");
            let longest = (0..ids.chain_count).map(|chain| {
                let mut place = ids.chain(chain);
                let mut length = 0;
                while place != NONE {
                    (place, length) = (ids.at(place).1.next, length + 1);
                }
                length
            });
            assert!(longest.max() <= Some(20), "a long chain among {count} ids");
        }
    }
}
