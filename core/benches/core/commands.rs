//! A workload as commands of the exchange: a venue with accounts that can pay for everything, then the orders.

use onseju_core::{COMMAND_BYTES, CommandKind, OrderType, Side};

use crate::workload::{ACCOUNTS, Op, Random, Workload};

/// Commands in bytes; the first `setup` of them make the venue and fill its books.
pub struct Stream {
    pub bytes: Vec<u8>,
    pub setup: usize,
    seq: u64,
}

impl Stream {
    fn push(&mut self, kind: CommandKind, account: u32, instrument: u32, fields: &[(usize, &[u8])]) {
        self.seq += 1;
        let mut command = [0; COMMAND_BYTES];
        command[..8].copy_from_slice(&self.seq.to_le_bytes());
        command[8..16].copy_from_slice(&self.seq.to_le_bytes());
        command[16..18].copy_from_slice(&[kind as u8, 1]);
        command[20..24].copy_from_slice(&account.to_le_bytes());
        command[24..28].copy_from_slice(&instrument.to_le_bytes());
        for (at, bytes) in fields {
            command[*at..*at + bytes.len()].copy_from_slice(bytes);
        }
        self.bytes.extend_from_slice(&command);
    }
}

/// The whole workload.
pub fn stream(workload: &Workload) -> Stream {
    let count = workload.filling.len() + workload.ops.len();
    let mut stream = Stream { bytes: Vec::with_capacity((count + 10_000) * COMMAND_BYTES), setup: 0, seq: 0 };
    stream.push(CommandKind::OpenVenue, 0, 0, &[(68, &20_261_123_u32.to_le_bytes())]);
    stream.push(
        CommandKind::SetTickBand,
        0,
        0,
        &[(64, &1_u32.to_le_bytes()), (72, &0_i64.to_le_bytes()), (80, &100_i64.to_le_bytes())],
    );
    for number in 1..=workload.instruments {
        let mut symbol = [0; 16];
        let name = format!("S{number}");
        symbol[..name.len()].copy_from_slice(name.as_bytes());
        stream.push(
            CommandKind::ListInstrument,
            0,
            0,
            &[(64, &symbol), (80, &70_000_i64.to_le_bytes()), (96, &300_000_u32.to_le_bytes()), (108, &[1, 1, 1, 1])],
        );
    }
    for account in 1..=ACCOUNTS {
        stream.push(CommandKind::OpenAccount, account, 0, &[(64, &account.to_le_bytes()), (80, &[1])]);
        stream.push(CommandKind::DepositCash, account, 0, &[(64, &1_000_000_000_000_000_i64.to_le_bytes())]);
        for instrument in 1..=workload.instruments {
            let qty = 10_000_000_i64.to_le_bytes();
            stream.push(CommandKind::DepositShares, account, instrument, &[(64, &qty)]);
        }
    }
    // The account of an order follows from its id, so that cancels and moves know it.
    let account_of = |id: u64| 1 + Random(id).below(ACCOUNTS.into()) as u32;
    let mut last_id = 0;
    for (number, op) in workload.filling.iter().chain(&workload.ops).enumerate() {
        if number == workload.filling.len() {
            stream.setup = stream.seq as usize;
        }
        match *op {
            Op::Limit { instrument, side, price, qty } => {
                last_id += 1;
                new_order(&mut stream, account_of(last_id), instrument + 1, side, price, qty, OrderType::Limit);
            }
            Op::Market { instrument, side, qty } => {
                last_id += 1;
                new_order(&mut stream, account_of(last_id), instrument + 1, side, 0, qty, OrderType::Market);
            }
            Op::Cancel { id } => {
                stream.push(CommandKind::CancelOrder, account_of(id), 0, &[(64, &id.to_le_bytes())]);
            }
            Op::Move { id, price, qty } => stream.push(
                CommandKind::CorrectOrder,
                account_of(id),
                0,
                &[
                    (18, &3_u16.to_le_bytes()),
                    (64, &id.to_le_bytes()),
                    (72, &price.to_le_bytes()),
                    (80, &qty.to_le_bytes()),
                ],
            ),
        }
    }
    stream
}

fn new_order(stream: &mut Stream, account: u32, instrument: u32, side: Side, price: i64, qty: i64, word: OrderType) {
    stream.push(
        CommandKind::NewOrder,
        account,
        instrument,
        &[(64, &qty.to_le_bytes()), (72, &price.to_le_bytes()), (88, &[side as u8, word as u8, 1])],
    );
}
