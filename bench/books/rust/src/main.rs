//! `books generate FILE NAME COMMANDS` makes a workload; `books run BOOK FILE COMMANDS` measures a book on it and prints one
//! line of JSON; `books churn BOOK ORDERS` sends orders that come and go and prints how much memory they take.

mod churn;
mod crowd;
mod measure;
mod model;
mod peers;
mod record;
mod tape;

use std::error::Error;
use std::fs;
use std::path::Path;
use std::process::ExitCode;

use crowd::Plan;
use peers::onseju::{AnyPrice, Limited};
use record::Workload;

const SEED: u64 = 20_261_123;

type Outcome = Result<(), Box<dyn Error>>;

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let outcome = match words[..] {
        ["generate", file, name, commands] => generate(file, name, commands),
        ["run", book, file, commands] => run(book, file, commands),
        ["churn", orders] => churn::churn(orders.parse().unwrap_or(0)),
        ["list"] => {
            println!("{}", BOOKS.map(|(name, _)| name).join(" "));
            Ok(())
        }
        _ => Err("books generate FILE NAME COMMANDS | run BOOK FILE COMMANDS | churn ORDERS | list".into()),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("books: {error}");
            ExitCode::FAILURE
        }
    }
}

/// `base`, `deep`, `multi`; `resting-N`: one symbol with N resting orders; `symbols-N`: N symbols with 40 each.
fn plan(name: &str, commands: usize) -> Result<Plan, Box<dyn Error>> {
    let (instruments, resting, far) = match name.split_once('-') {
        None if name == "base" => (1, 3_000, 8),
        None if name == "deep" => (1, 100_000, 150),
        None if name == "multi" => (1_000, 40_000, 8),
        Some(("resting", count)) => (1, count.parse()?, 150),
        Some(("symbols", count)) => (count.parse()?, 40 * count.parse::<usize>()?, 8),
        _ => return Err(format!("no workload has the name {name}").into()),
    };
    Ok(Plan { instruments, resting, far, commands })
}

fn generate(file: &str, name: &str, commands: &str) -> Outcome {
    let (workload, checkpoints) = crowd::workload(plan(name, commands.parse()?)?, SEED);
    workload.write(Path::new(file))?;
    let lines = checkpoints.iter().map(|point| {
        let (sums, hash) = (point.tape.sums, point.tape.hash);
        format!(
            "\"{}\":{{\"trades\":{},\"volume\":{},\"hash\":\"{hash:016x}\",\"resting\":{}}}",
            point.commands, sums.trades, sums.volume, point.resting
        )
    });
    let lines: Vec<String> = lines.collect();
    let filling = workload.filling.len();
    fs::write(
        Path::new(file).with_extension("json"),
        format!("{{\"name\":\"{name}\",\"filling\":{filling},\"after\":{{{}}}}}\n", lines.join(",")),
    )?;
    Ok(())
}

type Run = fn(&Workload) -> String;

const BOOKS: [(&str, Run);
    2 + cfg!(feature = "lobster") as usize
        + cfg!(feature = "orderbook-rs") as usize
        + cfg!(feature = "matchcore") as usize] = [
    ("onseju", measure::measure::<Limited>),
    ("onseju-any-price", measure::measure::<AnyPrice>),
    #[cfg(feature = "lobster")]
    ("lobster", measure::measure::<peers::lobster::Lobster>),
    #[cfg(feature = "orderbook-rs")]
    ("orderbook-rs", measure::measure::<peers::orderbook_rs::OrderbookRs>),
    #[cfg(feature = "matchcore")]
    ("matchcore", measure::measure::<peers::matchcore::Matchcore>),
];

fn run(book: &str, file: &str, commands: &str) -> Outcome {
    let (_, measure) = BOOKS.iter().find(|(name, _)| *name == book).ok_or_else(|| format!("no book {book} here"))?;
    let workload = Workload::read(Path::new(file), commands.parse()?)?;
    println!("{}", measure(&workload));
    Ok(())
}
