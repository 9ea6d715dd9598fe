//! Any bytes in: never a panic, never a broken invariant.

mod stream;

use onseju_core::{COMMAND_BYTES, Engine};
use proptest::prelude::*;

proptest! {
    #[test]
    fn whatever_the_bytes_say_the_state_holds_together(bytes in proptest::collection::vec(any::<u8>(), 0..4_000)) {
        stream::run(&bytes);
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
