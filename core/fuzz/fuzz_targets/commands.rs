//! `cargo +nightly fuzz run commands`: any bytes as commands; never a panic, never a broken invariant.
#![no_main]

#[path = "../../tests/stream/mod.rs"]
mod stream;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| stream::run(bytes));
