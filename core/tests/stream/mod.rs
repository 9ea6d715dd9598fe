//! Any bytes as a stream of commands: a venue with some accounts, then what the bytes say. Shared by proptest and fuzzing.

pub mod forgery;

use onseju_core::{COMMAND_BYTES, EVENT_BYTES, Engine};

const KINDS: [u8; 20] = [1, 2, 3, 4, 16, 17, 18, 19, 32, 33, 34, 35, 36, 37, 38, 39, 40, 64, 65, 66];
/// Most commands are orders, cancels, corrections, phases and auctions.
const USUAL: [u8; 16] = [1, 1, 1, 1, 1, 1, 2, 3, 3, 3, 4, 36, 36, 40, 37, 38];
const WIDE: [i64; 8] = [i64::MIN, -1, 1 << 31, 1 << 53, 1 << 62, (1 << 62) + 1, i64::MAX - 1, i64::MAX];
const DAY: u32 = 20_261_123;

/// A command being made.
struct Bytes([u8; COMMAND_BYTES]);

impl Bytes {
    fn new(kind: u8, account: u32, instrument: u32) -> Self {
        let mut command = Self([0; COMMAND_BYTES]);
        command.put(16, &[kind, 1]);
        command.put(20, &account.to_le_bytes());
        command.put(24, &instrument.to_le_bytes());
        command
    }

    fn put(&mut self, at: usize, bytes: &[u8]) -> &mut Self {
        self.0[at..at + bytes.len()].copy_from_slice(bytes);
        self
    }

    fn i64(&mut self, at: usize, number: i64) -> &mut Self {
        self.put(at, &number.to_le_bytes())
    }

    fn u32(&mut self, at: usize, number: u32) -> &mut Self {
        self.put(at, &number.to_le_bytes())
    }
}

/// Reads choices out of the bytes; all are 0 once they are used up.
struct Choices<'a>(&'a [u8]);

impl Choices<'_> {
    fn byte(&mut self) -> u8 {
        match self.0.split_first() {
            Some((byte, rest)) => {
                self.0 = rest;
                *byte
            }
            None => 0,
        }
    }

    fn of<T: Copy>(&mut self, all: &[T]) -> T {
        all[usize::from(self.byte()) % all.len()]
    }

    fn qty(&mut self) -> i64 {
        match self.byte() {
            byte @ 0..=239 => i64::from(byte % 60),
            byte => WIDE[usize::from(byte) % WIDE.len()],
        }
    }

    fn price(&mut self) -> i64 {
        match self.byte() {
            byte @ 0..=99 => 98_000 + i64::from(byte % 12) * 100,
            byte @ 100..=179 => 95 + i64::from(byte % 11),
            180..=229 => 0,
            230 => 128_000,
            231 => 69_000,
            byte => WIDE[usize::from(byte) % WIDE.len()],
        }
    }
}

/// An engine with an open venue of two instruments and three accounts, and the number of its last command.
pub fn venue() -> Engine {
    let mut engine = Engine::new();
    engine.keep_hash(true);
    let mut commands = vec![Bytes::new(32, 0, 0)];
    commands[0].u32(68, DAY);
    for (from, tick) in [(0, 1), (2_000, 5), (5_000, 10), (20_000, 50), (50_000, 100), (200_000, 500)] {
        let mut band = Bytes::new(34, 0, 0);
        band.u32(64, 1).i64(72, from).i64(80, tick);
        commands.push(band);
    }
    for (symbol, base, limit, table) in [(*b"A", 98_500, 300_000, 1), (*b"B", 100, 0, 0)] {
        let mut listing = Bytes::new(35, 0, 0);
        listing.put(64, &symbol).i64(80, base).i64(88, 1_000_000).u32(96, limit).put(108, &[table, 1, 1, 1]);
        commands.push(listing);
    }
    for account in 1..=4 {
        let mut opening = Bytes::new(16, account, 0);
        opening.u32(64, account).put(80, &[if account == 4 { 3 } else { 1 }]);
        let mut cash = Bytes::new(17, account, 0);
        cash.i64(64, 50_000_000);
        commands.extend([opening, cash]);
        for instrument in 1..=2 {
            let mut shares = Bytes::new(19, account, instrument);
            shares.i64(64, 500);
            commands.push(shares);
        }
    }
    for command in &commands {
        feed(&mut engine, &command.0);
    }
    engine
}

/// Apply one command, whatever its number was; gives its events, none where it is refused. Panics where the answer is no
/// whole events.
pub fn feed(engine: &mut Engine, command: &[u8; COMMAND_BYTES]) -> Vec<u8> {
    let mut command = *command;
    let seq = engine.last_seq() + 1;
    command[..8].copy_from_slice(&seq.to_le_bytes());
    if let Ok(events) = engine.apply(&command) {
        assert!(!events.is_empty() && events.len() % EVENT_BYTES == 0, "{} bytes of events", events.len());
        events.to_vec()
    } else {
        assert_eq!(engine.last_seq(), seq - 1);
        Vec::new()
    }
}

/// Apply what the bytes say, and check the state after each command.
pub fn run(bytes: &[u8]) {
    let mut engine = venue();
    let mut choices = Choices(bytes);
    let mut last_id = 0;
    let mut count = 0;
    while !choices.0.is_empty() {
        let command = next(&mut choices, &mut last_id);
        feed(&mut engine, &command);
        count += 1;
        if let Err(words) = engine.check_invariants() {
            panic!("after command {count}: {words}");
        }
    }
    let snapshot = engine.snapshot();
    let Ok(again) = Engine::restore(&snapshot) else { panic!("the snapshot is not taken up") };
    assert_eq!(again.snapshot(), snapshot);
    assert_eq!(again.state_hash(), engine.state_hash());
    if let Err(words) = again.check_invariants() {
        panic!("restored: {words}");
    }
}

/// Apply what the bytes say to one engine, and to a relay of engines, each in the state of the one before: they cannot be
/// told apart.
pub fn hand_over(bytes: &[u8]) {
    if let Ok(engine) = Engine::restore(bytes) {
        assert_eq!(engine.snapshot(), bytes);
    }
    let (mut whole, mut runner) = (venue(), venue());
    let mut choices = Choices(bytes);
    let every = usize::from(choices.byte() % 32) + 1;
    let mut last_id = 0;
    let mut count = 0;
    while !choices.0.is_empty() {
        let command = next(&mut choices, &mut last_id);
        assert_eq!(feed(&mut runner, &command), feed(&mut whole, &command), "after command {count}");
        assert_eq!(runner.state_hash(), whole.state_hash(), "after command {count}");
        count += 1;
        if count % every == 0 {
            let snapshot = runner.snapshot();
            let Ok(next) = Engine::restore(&snapshot) else { panic!("the snapshot is not taken up") };
            assert_eq!(next.snapshot(), snapshot);
            runner = next;
            runner.keep_hash(true);
            if let Err(words) = runner.check_invariants() {
                panic!("restored: {words}");
            }
        }
    }
    assert_eq!(runner.snapshot(), whole.snapshot());
}

fn next(choices: &mut Choices, last_id: &mut i64) -> [u8; COMMAND_BYTES] {
    let roll = choices.byte();
    if roll >= 250 && choices.0.len() >= COMMAND_BYTES {
        // as it comes
        let mut raw = [0; COMMAND_BYTES];
        raw.copy_from_slice(&choices.0[..COMMAND_BYTES]);
        choices.0 = &choices.0[COMMAND_BYTES..];
        return raw;
    }
    let kind = if roll < 210 { choices.of(&USUAL) } else { choices.of(&KINDS) };
    let who = choices.byte();
    let (account, instrument) = (u32::from(who & 7) % 5, u32::from(who >> 3 & 7) % 4);
    let mut command = Bytes::new(kind, account, instrument);
    if who >= 224 {
        let id = choices.byte();
        command.put(32, &[id % 8; 16]).put(48, &[id / 128; 16]);
    }
    match kind {
        1 => {
            *last_id += 1;
            let (qty, limit, stop, words) = (choices.qty(), choices.price(), choices.price(), choices.byte());
            let order_type = choices.byte() % 10;
            let stop = if order_type >= 7 { stop } else { 0 };
            command.i64(64, qty).i64(72, limit).i64(80, stop);
            command.put(88, &[1 + words % 2, order_type, if words < 160 { 1 } else { words / 2 % 4 }]);
        }
        2 | 3 => {
            let id = *last_id - i64::from(choices.byte() % 24);
            command.i64(64, id).i64(72, if kind == 2 { choices.qty() } else { choices.price() });
            if kind == 3 {
                let flags = u16::from(choices.byte() % 33);
                command.put(18, &flags.to_le_bytes()).i64(80, choices.qty()).i64(88, choices.price());
                command.i64(96, choices.qty()).put(104, &[choices.byte() % 10]);
            }
        }
        4 => {
            command.put(64, &[choices.byte() % 4]);
        }
        16 => {
            let owner = choices.byte() % 4;
            command.put(64, &[owner; 16]).put(80, &[choices.byte() % 5]);
        }
        17..=19 => {
            command.i64(64, choices.qty()).i64(72, choices.qty());
        }
        33 => {
            let rule = choices.byte() % 44;
            let value = match choices.byte() {
                byte @ 0..=99 => i64::from(byte % 5),
                byte @ 100..=199 => i64::from(byte) * 2_000,
                byte @ 200..=229 => i64::from(byte) * 2 % 512,
                _ => choices.price(),
            };
            command.u32(64, rule.into()).i64(72, value);
        }
        34 => {
            command.u32(64, (choices.byte() % 4).into()).i64(72, choices.price()).i64(80, choices.qty());
        }
        35 => {
            command.put(64, &[b'A' + choices.byte() % 4]).i64(80, choices.price()).i64(88, choices.price());
            let limit = [0, 300_000, 10_000_000, u32::MAX][usize::from(choices.byte() % 4)];
            command.u32(96, limit).u32(100, limit / 10).u32(104, limit / 3);
            command.put(108, &[choices.byte() % 4, 1, 1, choices.byte()]);
        }
        36 => {
            command.u32(64, DAY + u32::from(choices.byte() % 8 / 7)).put(68, &[choices.byte() % 13]);
            command.put(70, &[choices.byte(), choices.byte()]);
        }
        37 => {
            command.put(18, &[choices.byte() % 8 / 5]).put(64, &[choices.byte() % 6 / 2]);
        }
        38 => {
            command.put(64, &[choices.byte() % 11]);
        }
        32 | 39 => {
            command.u32(64, DAY + u32::from(choices.byte() % 8)).u32(68, DAY);
        }
        _ => {
            command.i64(64, choices.qty());
        }
    }
    command.0
}
