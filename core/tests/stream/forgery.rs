//! Snapshots that somebody changed and gave the right hash again.

use onseju_core::Engine;

use super::{Choices, WIDE, feed, next, venue};

const HEAD: usize = 40;
/// How wide a record is by its tag; see `records.rs`.
const WIDTHS: [usize; 11] = [0, 59, 62, 41, 160, 129, 8, 17, 21, 38, 42];

/// Let a venue live for a while, change its snapshot as the bytes say, give it the hash of what it says now, and take it up.
/// It is refused, or it is a state that goes on: no panic, and no invariant broken, whatever is asked of it. Gives whether it
/// was taken up.
pub fn forged(bytes: &[u8]) -> bool {
    let (life, rest) = bytes.split_at(bytes.len() / 2);
    let mut engine = venue();
    let (mut choices, mut last_id) = (Choices(life), 0);
    while !choices.0.is_empty() {
        let command = next(&mut choices, &mut last_id);
        feed(&mut engine, &command);
    }
    let mut choices = Choices(rest);
    let whole = engine.snapshot();
    let mut records = records_of(&whole);
    for _ in 0..=choices.byte() % 3 {
        change(&mut records, &mut choices);
    }
    let forged = sealed(&whole, &mut records);
    let Ok(mut engine) = Engine::restore(&forged) else { return false };
    engine.keep_hash(true);
    assert_eq!(engine.snapshot(), forged);
    while !choices.0.is_empty() {
        let command = next(&mut choices, &mut last_id);
        feed(&mut engine, &command);
        if let Err(words) = engine.check_invariants() {
            panic!("after a forged snapshot: {words}");
        }
    }
    true
}

fn records_of(snapshot: &[u8]) -> Vec<Vec<u8>> {
    let mut rest = &snapshot[HEAD..];
    let mut records = Vec::new();
    while let Some(tag) = rest.first() {
        let (record, after) = rest.split_at(WIDTHS[usize::from(*tag)]);
        records.push(record.to_vec());
        rest = after;
    }
    records
}

fn change(records: &mut Vec<Vec<u8>>, choices: &mut Choices) {
    let number = usize::from(choices.byte()) | usize::from(choices.byte()) << 8;
    if records.is_empty() {
        return;
    }
    let at = number % records.len();
    match choices.byte() % 16 {
        0 => drop(records.remove(at)),
        1 => {
            let twin = records[at].clone();
            records.push(twin);
            let last = records.len() - 1;
            overwrite(&mut records[last], choices);
        }
        _ => overwrite(&mut records[at], choices),
    }
}

/// Put a number of 1, 4 or 8 bytes somewhere into a record, its tag aside.
fn overwrite(record: &mut [u8], choices: &mut Choices) {
    let width = choices.of(&[1, 1, 4, 8, 8]);
    let at = 1 + usize::from(choices.byte()) % (record.len() - 1);
    let field = &mut record[at..];
    let width = width.min(field.len());
    let mut was = [0; 8];
    was[..width].copy_from_slice(&field[..width]);
    let was = i64::from_le_bytes(was);
    let is = match choices.byte() {
        byte @ 0..=99 => was.wrapping_add(i64::from(byte) - 50),
        byte @ 100..=149 => i64::from(byte - 100),
        byte @ 150..=199 => was ^ 1 << (byte % 64),
        byte => WIDE[usize::from(byte) % WIDE.len()],
    };
    field[..width].copy_from_slice(&is.to_le_bytes()[..width]);
}

fn sealed(whole: &[u8], records: &mut [Vec<u8>]) -> Vec<u8> {
    records.sort();
    let hash = records.iter().fold(0_u128, |sum, record| sum.wrapping_add(xxhash_rust::xxh3::xxh3_128(record)));
    let mut bytes = whole[..16].to_vec();
    bytes.extend((records.len() as u64).to_le_bytes());
    bytes.extend(hash.to_le_bytes());
    records.iter().for_each(|record| bytes.extend(record));
    bytes
}
