//! `cargo +nightly fuzz run snapshots`: any bytes as a snapshot; it is refused, or taken up and given again.
#![no_main]

use onseju_core::Engine;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    if let Ok(engine) = Engine::restore(bytes) {
        assert_eq!(engine.snapshot(), bytes);
    }
});
