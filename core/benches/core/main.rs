//! Measures the bare book and the whole machine: `cargo bench -- base deep multi` (or `rest-1000`, `rest-1000000`);
//! `--bare` and `--engine` measure only the one or the other, in batches; with
//! `ONSEJU_STREAMS` set to a folder, the commands are written there.

#![allow(clippy::float_arithmetic, reason = "measuring is not the machine")]

mod commands;
mod workload;

use std::hint::black_box;
use std::time::Instant;

use onseju_core::{Books, COMMAND_BYTES, Engine, Trade};
use workload::{Op, PRICES, Workload};

const ROUNDS: usize = 7;
const COUNT: usize = 1_000_000;

/// Time that this thread has run, in seconds: on a shared machine a truer measure than the clock on the wall, which stands
/// in where the system does not tell.
fn now(began: Instant) -> f64 {
    let told = std::fs::read_to_string("/proc/thread-self/schedstat").ok();
    let nanos = told.and_then(|text| text.split(' ').next().and_then(|number| number.parse::<u64>().ok()));
    nanos.map_or_else(|| began.elapsed().as_secs_f64(), |nanos| nanos as f64 / 1e9)
}

/// FNV-1a over the trades' bytes: two books that traded alike have the same.
#[derive(Clone, Copy)]
struct Tape {
    hash: u64,
    trades: u64,
    volume: i64,
}

impl Tape {
    fn new() -> Self {
        Self { hash: 0xCBF2_9CE4_8422_2325, trades: 0, volume: 0 }
    }

    fn note(&mut self, trade: Trade) {
        for word in [trade.maker, trade.taker, trade.price as u64, trade.qty as u64] {
            self.hash = (self.hash ^ word).wrapping_mul(0x0000_0100_0000_01B3);
        }
        self.trades += 1;
        self.volume += trade.qty;
    }
}

#[inline]
fn run(books: &mut Books, op: &Op, mut on_trade: impl FnMut(Trade)) {
    match *op {
        Op::Limit { instrument, side, price, qty } => {
            black_box(books.limit(instrument, side, price, qty, &mut on_trade));
        }
        Op::Market { instrument, side, qty } => {
            black_box(books.market(instrument, side, qty, &mut on_trade));
        }
        Op::Cancel { id } => {
            black_box(books.cancel(id));
        }
        Op::Move { id, price, qty } => {
            black_box(books.correct(id, price, qty, &mut on_trade));
        }
    }
}

fn filled(workload: &Workload) -> Books {
    let mut books = Books::new();
    (0..workload.instruments).for_each(|_| {
        books.add(PRICES);
    });
    workload.filling.iter().for_each(|op| run(&mut books, op, |_| ()));
    books
}

fn median(mut numbers: Vec<f64>) -> f64 {
    numbers.sort_by(f64::total_cmp);
    numbers[numbers.len() / 2]
}

fn spread(name: &str, rates: &[f64]) {
    let (low, high) = (rates.iter().copied().fold(f64::MAX, f64::min), rates.iter().copied().fold(0.0, f64::max));
    println!("  {name:<28} {:6.2} M/s  (lowest {low:.2}, highest {high:.2})", median(rates.to_vec()));
}

fn percentiles(name: &str, mut nanos: Vec<u32>) {
    nanos.sort_unstable();
    let at = |share: f64| nanos[((nanos.len() - 1) as f64 * share) as usize];
    println!("  {name:<28} p50 {} p99 {} p99.9 {} p99.99 {} ns", at(0.5), at(0.99), at(0.999), at(0.9999));
}

fn bare(workload: &Workload) {
    let mut rates = Vec::new();
    let mut last = Tape::new();
    for _ in 0..ROUNDS {
        let mut books = filled(workload);
        let mut tape = Tape::new();
        let (clock, began) = (Instant::now(), now(Instant::now()));
        workload.ops.iter().for_each(|op| run(&mut books, op, |trade| tape.note(trade)));
        rates.push(workload.ops.len() as f64 / (now(clock) - began) / 1e6);
        last = tape;
        black_box(&books);
    }
    spread("bare book", &rates);
    let mut books = filled(workload);
    let mut nanos = Vec::with_capacity(workload.ops.len());
    for op in &workload.ops {
        let began = Instant::now();
        run(&mut books, op, |trade| {
            black_box(trade);
        });
        nanos.push(began.elapsed().as_nanos() as u32);
    }
    percentiles("bare book, clock included", nanos);
    let resting = books.open_orders();
    println!(
        "  {} trades, volume {}, tape {:016x}; {resting} rest, {} bytes each",
        last.trades,
        last.volume,
        last.hash,
        books.order_bytes() / resting.max(1)
    );
}

fn whole(workload: &Workload, keep_hash: bool, batch: usize) {
    let stream = commands::stream(workload);
    let (setup, measured) = stream.bytes.split_at(stream.setup * COMMAND_BYTES);
    let mut rates = Vec::new();
    let mut told = String::new();
    for _ in 0..ROUNDS {
        let mut engine = Engine::new();
        apply(&mut engine, setup);
        engine.keep_hash(keep_hash);
        let mut events = 0;
        let (clock, began) = (Instant::now(), now(Instant::now()));
        for piece in measured.chunks(batch * COMMAND_BYTES) {
            events += apply(&mut engine, piece);
        }
        rates.push(workload.ops.len() as f64 / (now(clock) - began) / 1e6);
        let resting = engine.open_orders();
        told = format!(
            "  {:.2} events a command; {resting} rest, {} bytes each",
            events as f64 / 128.0 / workload.ops.len() as f64,
            engine.order_bytes() / resting.max(1)
        );
    }
    let name = format!("engine, {}batch {batch}", if keep_hash { "hash kept, " } else { "" });
    spread(&name, &rates);
    if batch == 1 {
        println!("{told}");
        let mut engine = Engine::new();
        apply(&mut engine, setup);
        let mut nanos = Vec::with_capacity(workload.ops.len());
        for piece in measured.chunks(COMMAND_BYTES) {
            let began = Instant::now();
            black_box(apply(&mut engine, piece));
            nanos.push(began.elapsed().as_nanos() as u32);
        }
        percentiles("engine, clock included", nanos);
    }
}

fn apply(engine: &mut Engine, commands: &[u8]) -> usize {
    match engine.apply(commands) {
        Ok(events) => black_box(events).len(),
        Err(error) => panic!("{error}"),
    }
}

/// Write the workload's commands, and how many of them make the venue, for measurements from elsewhere.
fn write_stream(workload: &Workload, folder: &str) {
    let stream = commands::stream(workload);
    let at = |ending: &str| format!("{folder}/{}.{ending}", workload.name);
    let written =
        std::fs::write(at("bin"), &stream.bytes).and_then(|()| std::fs::write(at("setup"), stream.setup.to_string()));
    if let Err(error) = written {
        panic!("{folder}: {error}");
    }
}

fn has(option: &str) -> bool {
    std::env::args().any(|argument| argument == option)
}

fn main() {
    let (only_engine, only_bare) = (has("--engine"), has("--bare"));
    let asked: Vec<String> = std::env::args().skip(1).filter(|name| !name.starts_with("--")).collect();
    let names = if asked.is_empty() { ["base", "deep", "multi"].map(String::from).to_vec() } else { asked };
    for name in names {
        let workload = workload::workload(name.leak(), COUNT);
        println!("{} ({} commands after {} that fill the book)", workload.name, COUNT, workload.filling.len());
        if let Ok(folder) = std::env::var("ONSEJU_STREAMS") {
            write_stream(&workload, &folder);
        }
        if !only_engine {
            bare(&workload);
        }
        if !only_bare {
            let batch = std::env::var("ONSEJU_BATCH").ok().and_then(|n| n.parse().ok()).unwrap_or(256);
            whole(&workload, false, batch);
        }
        if !only_engine && !only_bare {
            whole(&workload, false, 1);
            whole(&workload, true, 256);
        }
    }
}
