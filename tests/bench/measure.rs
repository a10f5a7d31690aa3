//! What a bench measures of one run, and how it prints it. Knows nothing of what ran.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

/// What one program did in one run.
#[derive(Debug)]
pub struct Run {
    /// Sagas that it took from start to end.
    pub sagas: u64,
    /// Time on the clock.
    pub time: Duration,
    /// Time on a processor.
    pub cpu: Duration,
    /// What each turn took.
    pub turns: Vec<Duration>,
    /// Size of what it wrote.
    pub bytes: u64,
}

impl Run {
    /// Sagas a second.
    pub fn rate(&self) -> f64 {
        self.sagas as f64 / self.time.as_secs_f64()
    }

    /// Microseconds of a processor that a saga costs.
    pub fn cpu_us(&self) -> f64 {
        self.cpu.as_secs_f64() * 1e6 / self.sagas as f64
    }

    /// One line about it.
    pub fn print(&self, name: &str) {
        let mut turns = self.turns.clone();
        turns.sort();
        println!(
            "  {name:<22} {:>8.0} sagas/s  {:>6.1} us CPU  turn p50 {:.2} p99 {:.2} max {:.2} ms  \
             {} B",
            self.rate(),
            self.cpu_us(),
            ms(turns[turns.len() / 2]),
            ms(turns[turns.len() * 99 / 100]),
            ms(turns[turns.len() - 1]),
            self.bytes / self.sagas,
        );
    }
}

/// A stop-watch of this thread: on the clock and on a processor.
#[derive(Debug)]
pub struct Watch {
    cpu: Duration,
    from: Instant,
}

impl Watch {
    /// Starts it.
    pub fn start() -> Watch {
        Watch { cpu: cpu(), from: Instant::now() }
    }

    /// Time on the clock and on a processor since its start.
    pub fn read(&self) -> (Duration, Duration) {
        (self.from.elapsed(), cpu().saturating_sub(self.cpu))
    }
}

/// Time that this thread has spent on a processor.
fn cpu() -> Duration {
    let text = fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    let first = text.split(' ').next().and_then(|word| word.parse().ok());
    Duration::from_nanos(first.unwrap_or(0))
}

/// A time in milliseconds.
pub fn ms(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

/// Size of a file, zero where there is none.
pub fn size(path: &Path) -> u64 {
    fs::metadata(path).map_or(0, |file| file.len())
}

/// The one in the middle, and the ends of the middle half.
pub fn median(values: &mut [f64]) -> String {
    values.sort_by(f64::total_cmp);
    let (low, high) = (values[values.len() / 4], values[values.len() * 3 / 4]);
    format!("{:.2} (half of them {low:.2} to {high:.2})", values[values.len() / 2])
}
