//! Any bytes in: never a panic, never a broken invariant.

mod stream;

use std::fs;
use std::path::Path;

use onseju_core::{COMMAND_BYTES, Engine};
use proptest::prelude::*;

proptest! {
    #[test]
    fn whatever_the_bytes_say_the_state_holds_together(bytes in proptest::collection::vec(any::<u8>(), 0..4_000)) {
        stream::run(&bytes);
    }

    #[test]
    fn engines_hand_over_to_each_other(bytes in proptest::collection::vec(any::<u8>(), 0..2_000)) {
        stream::hand_over(&bytes);
    }

    #[test]
    fn a_forged_snapshot_is_refused_or_goes_on(bytes in proptest::collection::vec(any::<u8>(), 200..1_200)) {
        stream::forgery::forged(&bytes);
    }

    #[test]
    fn raw_commands_are_answered_or_refused_whole(bytes in proptest::collection::vec(any::<u8>(), 0..COMMAND_BYTES * 4)) {
        let mut engine = stream::venue();
        let before = engine.state_hash();
        if engine.apply(&bytes).is_err() {
            prop_assert_eq!(engine.state_hash(), before);
        }
    }

    #[test]
    fn bytes_that_are_no_snapshot_are_refused(
        at in any::<prop::sample::Index>(),
        bit in 0..8_u8,
        end in any::<prop::sample::Index>(),
    ) {
        let mut snapshot = stream::venue().snapshot();
        prop_assert!(Engine::restore(&snapshot).is_ok());
        prop_assert!(Engine::restore(&snapshot[..end.index(snapshot.len())]).is_err());
        let at = at.index(snapshot.len());
        snapshot[at] ^= 1 << bit;
        prop_assert!(Engine::restore(&snapshot).is_err());
    }
}

/// Forgeries that say little else than before are taken up: the checks refuse no more than they must.
#[test]
fn some_forged_snapshots_are_taken_up_and_most_are_refused() {
    let mut seed = 1_u64;
    let mut taken_up = 0;
    for _ in 0..1_000 {
        let bytes: Vec<u8> = (0..600)
            .map(|_| {
                seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                (seed >> 56) as u8
            })
            .collect();
        taken_up += u32::from(stream::forgery::forged(&bytes));
    }
    assert!((50..700).contains(&taken_up), "{taken_up} of 1,000");
}

/// What fuzzing found worth keeping; see `make fuzz`.
#[test]
fn the_corpus_holds() {
    for (name, play) in [("commands", stream::run as fn(&[u8])), ("snapshots", stream::hand_over)] {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus").join(name);
        let mut count = 0;
        for entry in fs::read_dir(&folder).expect("there is a corpus") {
            let path = entry.expect("it can be read").path();
            println!("{}", path.display()); // shown where it fails
            play(&fs::read(path).expect("it can be read"));
            count += 1;
        }
        assert!(count > 100, "{count} files in {}", folder.display());
    }
}
