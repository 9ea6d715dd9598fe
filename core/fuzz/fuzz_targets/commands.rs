//! Any bytes as commands: never a panic, never a broken invariant; see `make fuzz`.
#![no_main]

#[allow(dead_code)]
#[path = "../../tests/stream/mod.rs"]
mod stream;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| stream::run(bytes));
