//! All that a launcher says on its way to stderr: a bounded queue and a thread of its own, so that
//! a stderr that nobody reads, or that is gone, delays and ends nothing \[R7\]. Whoever wrote to
//! stderr beside it would wait for it. Chooses no words.

use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, Sender, SyncSender, TrySendError, channel, sync_channel};
use std::time::Duration;

use crate::view::text::Tone;

use super::out;

/// Lines that wait for whoever reads stderr. Beyond: they are counted and left out.
const LINES_MAX: usize = 1_024;
/// How long the last lines are waited for at the end.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// What the thread is given.
enum Piece {
    Line(Vec<u8>),
    /// All that came before is written: say so.
    Done(Sender<()>),
}

/// A way to stderr that never waits. Lines come whole: each is one `write`.
#[derive(Clone)]
pub(super) struct Talk {
    queue: SyncSender<Piece>,
    lost: Arc<AtomicU64>,
}

impl Talk {
    /// A way to `out`, with its thread.
    pub(super) fn to(out: impl Write + Send + 'static) -> Talk {
        let (queue, pieces) = sync_channel(LINES_MAX);
        let lost = Arc::new(AtomicU64::new(0));
        let (talk, counted) = (Talk { queue, lost: Arc::clone(&lost) }, lost);
        std::thread::spawn(move || write_all(out, &pieces, &counted));
        talk
    }

    /// A way to stderr, which keeps colours only where a terminal wants them.
    pub(super) fn to_stderr() -> Talk {
        Talk::to(anstream::stderr())
    }

    /// Says something; lines come whole.
    pub(super) fn say(&self, tone: Tone, words: &str) {
        let mut line = Vec::new();
        out::say_to(&mut line, tone, words).expect("memory takes all");
        self.put(line);
    }

    /// Says what went wrong.
    pub(super) fn complain(&self, message: &str) {
        let mut line = Vec::new();
        out::complain_to(&mut line, message).expect("memory takes all");
        self.put(line);
    }

    /// What finds no room is counted and left out.
    fn put(&self, line: Vec<u8>) {
        if self.queue.try_send(Piece::Line(line)).is_err() {
            self.lost.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Waits until everything is written, but not for long; false: nobody reads.
    pub(super) fn finish(&self) -> bool {
        let (done, heard) = channel();
        match self.queue.try_send(Piece::Done(done)) {
            Ok(()) => heard.recv_timeout(LAST_WORDS).is_ok(),
            Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) => false,
        }
    }
}

impl Write for Talk {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.put(line.to_vec());
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Nobody listening is no failure: what cannot be written is left out.
fn write_all(mut out: impl Write, pieces: &Receiver<Piece>, lost: &AtomicU64) {
    for piece in pieces {
        match piece {
            Piece::Line(line) => {
                out.write_all(&line).ok();
                let missing = lost.swap(0, Ordering::Relaxed);
                if missing > 0 {
                    writeln!(out, "… {missing} lines were left out: nobody read them in time").ok();
                }
            }
            Piece::Done(done) => {
                out.flush().ok();
                done.send(()).ok();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Condvar, Mutex};

    use super::*;

    type Held = (bool, Vec<u8>);

    /// What was written, by a reader that may keep its writer waiting.
    #[derive(Clone, Default)]
    struct Page(Arc<(Mutex<Held>, Condvar)>);

    impl Page {
        fn hold(&self, held: bool) {
            self.0.0.lock().expect("no test panics under it").0 = held;
            self.0.1.notify_all();
        }

        fn text(&self) -> String {
            let page = self.0.0.lock().expect("no test panics under it");
            String::from_utf8_lossy(&page.1).into_owned()
        }
    }

    impl Write for Page {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let page = self.0.0.lock().expect("no test panics under it");
            let mut page = self.0.1.wait_while(page, |page| page.0).expect("as above");
            page.1.extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_stderr_that_nobody_reads_delays_nothing_and_what_is_lost_is_counted() {
        let page = Page::default();
        page.hold(true);
        let mut talk = Talk::to(page.clone());
        for _ in 0..LINES_MAX + 10 {
            talk.write_all(b"line\n").expect("it never fails");
        }
        assert!(!talk.finish());
        page.hold(false);
        while !talk.finish() {}
        let text = page.text();
        let lines = text.lines().filter(|line| *line == "line").count();
        assert!((LINES_MAX..LINES_MAX + 10).contains(&lines), "{lines}");
        assert!(text.contains("lines were left out"), "{text}");
    }

    #[test]
    fn a_stderr_that_is_gone_is_no_failure() {
        let (read, write) = io::pipe().expect("a pipe");
        drop(read);
        let mut talk = Talk::to(write);
        talk.write_all(b"line\n").expect("it never fails");
        assert!(talk.finish());
    }
}
