//! A snapshot at any point and the rest of the commands are the whole, whatever the commands; see `make fuzz`.
#![no_main]

#[allow(dead_code)]
#[path = "../../tests/stream/mod.rs"]
mod stream;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| stream::hand_over(bytes));
