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

use crowd::{Plan, SEED};
use peers::onseju::{Ahead, AnyPrice, Limited};
use record::Workload;

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

fn generate(file: &str, name: &str, commands: &str) -> Outcome {
    let plan = Plan::of(name, commands.parse()?).ok_or_else(|| format!("no workload has the name {name}"))?;
    let (workload, checkpoints) = crowd::workload(plan, SEED);
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
    3 + cfg!(feature = "lobster") as usize
        + cfg!(feature = "orderbook-rs") as usize
        + cfg!(feature = "matchcore") as usize] = [
    ("onseju", measure::measure::<Limited>),
    ("onseju-ahead", measure::measure::<Ahead>),
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
