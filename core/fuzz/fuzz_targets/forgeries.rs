//! Snapshots with the right hash of wrong records: refused, or a state that goes on; see `make fuzz`.
#![no_main]

#[allow(dead_code)]
#[path = "../../tests/stream/mod.rs"]
mod stream;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    stream::forgery::forged(bytes);
});
