//! The file of a workload: a header of 64 bytes, then records of 32 bytes, little-endian.
//!
//! Header: magic `ONSJBK01`, u32 instruments, u32 zero, u64 records that fill the books, u64 measured records, i64 lowest
//! price, i64 highest price, i64 tick, 8 bytes zero. Record: u8 kind, u8 side, u16 zero, u32 instrument (from 0), u64 order
//! id (dense from 1, one for each new order), i64 price, i64 quantity. A cancel carries the order's price and open
//! quantity, a move its new price and its open quantity, so that no harness has to look them up.

use std::fs;
use std::io::{self, Write};
use std::path::Path;

const MAGIC: &[u8; 8] = b"ONSJBK01";
const HEADER_BYTES: usize = 64;
const RECORD_BYTES: usize = 32;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Limit = 1,
    Market = 2,
    Cancel = 3,
    Move = 4,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    Buy = 1,
    Sell = 2,
}

#[derive(Clone, Copy, Debug)]
pub struct Record {
    pub kind: Kind,
    pub side: Side,
    pub instrument: u32,
    pub id: u64,
    pub price: i64,
    pub qty: i64,
}

pub struct Workload {
    pub instruments: u32,
    /// Any of these prices may come.
    pub lowest: i64,
    pub highest: i64,
    pub tick: i64,
    pub filling: Vec<Record>,
    pub measured: Vec<Record>,
}

impl Record {
    fn write(&self, out: &mut impl Write) -> io::Result<()> {
        out.write_all(&[self.kind as u8, self.side as u8, 0, 0])?;
        out.write_all(&self.instrument.to_le_bytes())?;
        out.write_all(&self.id.to_le_bytes())?;
        out.write_all(&self.price.to_le_bytes())?;
        out.write_all(&self.qty.to_le_bytes())
    }

    fn read(bytes: &[u8]) -> Option<Self> {
        let kind = match bytes[0] {
            1 => Kind::Limit,
            2 => Kind::Market,
            3 => Kind::Cancel,
            4 => Kind::Move,
            _ => return None,
        };
        let side = match bytes[1] {
            1 => Side::Buy,
            2 => Side::Sell,
            _ => return None,
        };
        let word = |at: usize| bytes[at..at + 8].try_into().map(u64::from_le_bytes).ok();
        Some(Self {
            kind,
            side,
            instrument: u32::from_le_bytes(bytes[4..8].try_into().ok()?),
            id: word(8)?,
            price: word(16)? as i64,
            qty: word(24)? as i64,
        })
    }
}

impl Workload {
    /// Write the file.
    pub fn write(&self, path: &Path) -> io::Result<()> {
        let mut out = io::BufWriter::new(fs::File::create(path)?);
        out.write_all(MAGIC)?;
        out.write_all(&self.instruments.to_le_bytes())?;
        out.write_all(&[0; 4])?;
        for count in [self.filling.len(), self.measured.len()] {
            out.write_all(&(count as u64).to_le_bytes())?;
        }
        for price in [self.lowest, self.highest, self.tick, 0] {
            out.write_all(&price.to_le_bytes())?;
        }
        for record in self.filling.iter().chain(&self.measured) {
            record.write(&mut out)?;
        }
        out.flush()
    }

    /// Read a file, with no more than so many measured records.
    pub fn read(path: &Path, count: usize) -> io::Result<Self> {
        let bytes = fs::read(path)?;
        let bad = || io::Error::new(io::ErrorKind::InvalidData, format!("{} is no workload", path.display()));
        let (header, records) = bytes.split_at_checked(HEADER_BYTES).ok_or_else(bad)?;
        if &header[..8] != MAGIC || records.len() % RECORD_BYTES != 0 {
            return Err(bad());
        }
        let word = |at: usize| header[at..at + 8].try_into().map_or(0, i64::from_le_bytes);
        let instruments = (word(8) & 0xFFFF_FFFF) as u32;
        let all: Option<Vec<Record>> = records.chunks(RECORD_BYTES).map(Record::read).collect();
        let mut filling = all.ok_or_else(bad)?;
        let mut measured = filling.split_off((word(16) as usize).min(filling.len()));
        measured.truncate(count);
        Ok(Self { instruments, lowest: word(32), highest: word(40), tick: word(48), filling, measured })
    }
}
