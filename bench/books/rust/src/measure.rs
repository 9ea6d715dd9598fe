//! One book on one workload: a pass that hashes, a pass that is timed as a whole, a pass that times each command.
//!
//! The whole pass is stated in processor time of this thread, so that other work on the machine does not count; in wall time
//! too.

use std::hint::black_box;
use std::time::Instant;

use cpu_time::ThreadTime;

use crate::peers::{Peer, apply_all};
use crate::record::Workload;
use crate::tape::{Sums, Tape};

/// The memory that this process has, in bytes; 0 where the system does not tell.
pub fn resident_bytes() -> u64 {
    let status = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    status.split(' ').nth(1).and_then(|pages| pages.parse::<u64>().ok()).map_or(0, |pages| pages * 4096)
}

fn filled<P: Peer>(workload: &Workload) -> P {
    let mut book = P::new(workload);
    let mut sums = Sums::default();
    workload.filling.iter().for_each(|record| book.apply(record, &mut sums));
    book
}

/// The figures as a JSON object.
pub fn measure<P: Peer>(workload: &Workload) -> String {
    let commands = workload.measured.len();
    let mut nanos = vec![0_u32; commands];
    let before = resident_bytes();
    let mut book = filled::<P>(workload);
    let bytes = resident_bytes().saturating_sub(before);
    let mut tape = Tape::default();
    apply_all(&mut book, &workload.measured, &mut tape);
    drop(book);

    let mut book = filled::<P>(workload);
    let mut sums = Sums::default();
    let (began, began_wall) = (ThreadTime::now(), Instant::now());
    apply_all(&mut book, &workload.measured, &mut sums);
    let (seconds, wall) = (began.elapsed().as_secs_f64(), began_wall.elapsed().as_secs_f64());
    drop(book);
    let is_same = sums == tape.sums;

    let mut book = filled::<P>(workload);
    let mut sums = Sums::default();
    for (record, nanos) in workload.measured.iter().zip(&mut nanos) {
        let began = Instant::now();
        book.apply(record, &mut sums);
        *nanos = u32::try_from(began.elapsed().as_nanos()).unwrap_or(u32::MAX);
    }
    black_box(&book);
    nanos.sort_unstable();
    let at = |share: f64| nanos[((commands.max(1) - 1) as f64 * share) as usize];
    format!(
        "{{\"commands\":{commands},\"seconds\":{seconds},\"wall_seconds\":{wall},\"p50_ns\":{},\"p99_ns\":{},\"p999_ns\":{},\"trades\":{},\
         \"volume\":{},\"hash\":\"{:016x}\",\"is_same\":{is_same},\"filling\":{},\"filling_bytes\":{bytes}}}",
        at(0.5),
        at(0.99),
        at(0.999),
        tape.sums.trades,
        tape.sums.volume,
        tape.hash,
        workload.filling.len(),
    )
}
