//! Measures the bare book and the whole machine: `cargo bench -- base deep multi` (or `resting-1000`, `symbols-100`);
//! the workloads are those of `python -m bench.books`, made by the same code. `--bare` and `--engine` measure only the one or the other, in batches; with
//! `ONSEJU_STREAMS` set to a folder, the commands are written there.

#![allow(clippy::float_arithmetic, reason = "measuring is not the machine")]

mod commands;
#[allow(dead_code, reason = "one checkpoint is enough here")]
#[path = "../../../bench/books/rust/src/crowd.rs"]
mod crowd;
#[path = "../../../bench/books/rust/src/model.rs"]
mod model;
#[allow(dead_code, reason = "no files here")]
#[path = "../../../bench/books/rust/src/record.rs"]
mod record;
#[path = "../../../bench/books/rust/src/tape.rs"]
mod tape;

use std::hint::black_box;
use std::time::Instant;

use onseju_core::{Books, COMMAND_BYTES, Engine, Prices, Side, Soon};
use record::{Kind, Record, Workload};
use tape::{Sink, Sums, Tape};

const ROUNDS: usize = 7;
const COUNT: usize = 1_000_000;

/// Time that this thread has run, in seconds: on a shared machine a truer measure than the clock on the wall, which stands
/// in where the system does not tell.
fn now(began: Instant) -> f64 {
    let told = std::fs::read_to_string("/proc/thread-self/schedstat").ok();
    let nanos = told.and_then(|text| text.split(' ').next().and_then(|number| number.parse::<u64>().ok()));
    nanos.map_or_else(|| began.elapsed().as_secs_f64(), |nanos| nanos as f64 / 1e9)
}

#[inline]
fn run(books: &mut Books, record: &Record, sink: &mut impl Sink) {
    let side = if record.side == record::Side::Buy { Side::Buy } else { Side::Sell };
    let mut on_trade = |trade: onseju_core::Trade| sink.trade(trade.maker, trade.taker, trade.price, trade.qty);
    match record.kind {
        Kind::Limit => {
            black_box(books.limit(record.instrument, side, record.price, record.qty, &mut on_trade));
        }
        Kind::Market => {
            black_box(books.market(record.instrument, side, record.qty, &mut on_trade));
        }
        Kind::Cancel => {
            black_box(books.cancel(record.id));
        }
        Kind::Move => {
            black_box(books.correct(record.id, record.price, record.qty, &mut on_trade));
        }
    }
}

/// What a record will soon do.
fn soon(record: &Record) -> Soon {
    let side = if record.side == record::Side::Buy { Side::Buy } else { Side::Sell };
    match record.kind {
        Kind::Cancel | Kind::Move => Soon::Order(record.id),
        Kind::Limit => Soon::New { instrument: record.instrument, side, price: record.price },
        Kind::Market => Soon::New { instrument: record.instrument, side, price: 0 },
    }
}

fn filled(workload: &Workload) -> Books {
    let mut books = Books::new();
    let Workload { lowest, highest, tick, .. } = *workload;
    (0..workload.instruments).for_each(|_| {
        books.add(Prices::Between { lowest, highest, tick });
    });
    workload.filling.iter().for_each(|record| run(&mut books, record, &mut Sums::default()));
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

fn bare(workload: &Workload, right: Tape) {
    for ahead in [0, 16] {
        let mut rates = Vec::new();
        for _ in 0..ROUNDS {
            let mut books = filled(workload);
            let mut sums = Sums::default();
            let (clock, began) = (Instant::now(), now(Instant::now()));
            if ahead == 0 {
                workload.measured.iter().for_each(|record| run(&mut books, record, &mut sums));
            } else {
                for group in workload.measured.chunks(ahead) {
                    let known: Vec<Soon> = group.iter().map(soon).collect();
                    books.touch(&known);
                    group.iter().for_each(|record| run(&mut books, record, &mut sums));
                }
            }
            rates.push(workload.measured.len() as f64 / (now(clock) - began) / 1e6);
            assert_eq!(sums, right.sums, "the book's trades are those of the model");
        }
        spread(if ahead == 0 { "bare book" } else { "bare book, touched ahead" }, &rates);
    }
    let mut books = filled(workload);
    let mut tape = Tape::default();
    let mut nanos = Vec::with_capacity(workload.measured.len());
    for record in &workload.measured {
        let began = Instant::now();
        run(&mut books, record, &mut tape);
        nanos.push(began.elapsed().as_nanos() as u32);
    }
    assert_eq!(tape.hash, right.hash, "the book's trades are those of the model");
    percentiles("bare book, clock included", nanos);
    let resting = books.open_orders();
    println!("  {} trades; {resting} rest, {} bytes each", tape.sums.trades, books.order_bytes() / resting.max(1));
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
        rates.push(workload.measured.len() as f64 / (now(clock) - began) / 1e6);
        let resting = engine.open_orders();
        told = format!(
            "  {:.2} events a command; {resting} rest, {} bytes each",
            events as f64 / 128.0 / workload.measured.len() as f64,
            engine.order_bytes() / resting.max(1)
        );
    }
    let name = format!("engine, {}batch {batch}", if keep_hash { "hash kept, " } else { "" });
    spread(&name, &rates);
    if batch == 1 {
        println!("{told}");
        let mut engine = Engine::new();
        apply(&mut engine, setup);
        let mut nanos = Vec::with_capacity(workload.measured.len());
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
fn write_stream(workload: &Workload, name: &str, folder: &str) {
    let stream = commands::stream(workload);
    let at = |ending: &str| format!("{folder}/{}.{ending}", name);
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
        let Some(plan) = crowd::Plan::of(&name, COUNT) else { panic!("no workload has the name {name}") };
        let (workload, checkpoints) = crowd::workload(plan, crowd::SEED);
        println!("{name} ({COUNT} commands after {} that fill the book)", workload.filling.len());
        if let Ok(folder) = std::env::var("ONSEJU_STREAMS") {
            write_stream(&workload, &name, &folder);
        }
        if !only_engine {
            bare(&workload, checkpoints[checkpoints.len() - 1].tape);
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
