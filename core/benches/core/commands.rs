//! A workload as commands of the exchange: a venue with fees and accounts that can pay for everything, then the orders, as
//! in `bench/books/workload.py`.

use onseju_core::{COMMAND_BYTES, CommandKind, OrderType, Rule};

use crate::record::{self, Kind, Record, Workload};

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

    /// An order's account follows from its id, so that cancels and moves know it.
    fn order(&mut self, record: &Record, accounts: u32) {
        let Record { kind, side, instrument, id, price, qty } = *record;
        let account = (id.wrapping_mul(0x9E37_79B9_7F4A_7C15) as u32) % accounts + 1;
        let (price, qty, id) = (price.to_le_bytes(), qty.to_le_bytes(), id.to_le_bytes());
        let side = if side == record::Side::Buy { 1 } else { 2 };
        let new = |order_type: OrderType, time_in_force: u8| [side, order_type as u8, time_in_force];
        match kind {
            Kind::Limit => {
                let fields: [(usize, &[u8]); 3] = [(64, &qty), (72, &price), (88, &new(OrderType::Limit, 1))];
                self.push(CommandKind::NewOrder, account, instrument + 1, &fields);
            }
            Kind::Market => {
                let fields: [(usize, &[u8]); 2] = [(64, &qty), (88, &new(OrderType::Market, 2))];
                self.push(CommandKind::NewOrder, account, instrument + 1, &fields);
            }
            Kind::Cancel => self.push(CommandKind::CancelOrder, account, 0, &[(64, &id)]),
            Kind::Move => {
                let fields: [(usize, &[u8]); 3] = [(18, &1_u16.to_le_bytes()), (64, &id), (72, &price)];
                self.push(CommandKind::CorrectOrder, account, 0, &fields);
            }
        }
    }
}

/// The whole workload.
pub fn stream(workload: &Workload) -> Stream {
    let count = workload.filling.len() + workload.measured.len();
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
    let accounts = if workload.instruments == 1 { 1_000 } else { 100 };
    for account in 1..=accounts {
        stream.push(CommandKind::OpenAccount, account, 0, &[(64, &account.to_le_bytes()), (80, &[1])]);
        stream.push(CommandKind::DepositCash, account, 0, &[(64, &1_000_000_000_000_000_i64.to_le_bytes())]);
        for instrument in 1..=workload.instruments {
            let qty = 10_000_000_i64.to_le_bytes();
            stream.push(CommandKind::DepositShares, account, instrument, &[(64, &qty)]);
        }
    }
    // The fees go to the venue's own account.
    stream.push(CommandKind::OpenAccount, accounts + 1, 0, &[(64, &(accounts + 1).to_le_bytes()), (80, &[3])]);
    for (rule, value) in [(Rule::CommissionPpm, 150), (Rule::TransactionTaxPpm, 500), (Rule::RuralTaxPpm, 1_500)] {
        stream.push(CommandKind::SetRule, 0, 0, &[(64, &(rule as u32).to_le_bytes()), (72, &i64::to_le_bytes(value))]);
    }
    workload.filling.iter().for_each(|record| stream.order(record, accounts));
    stream.setup = stream.seq as usize;
    workload.measured.iter().for_each(|record| stream.order(record, accounts));
    stream
}
