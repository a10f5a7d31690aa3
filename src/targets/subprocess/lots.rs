//! Lines of a pipe, as many at a time as are there. Nobody waits for a line that is not there yet,
//! and whoever writes faster than its lines are taken waits.

use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;

use tokio::io::AsyncRead;
use tokio::sync::mpsc;
use tracing::debug;

use crate::targets::process::{Line, Lines};

/// Lines that are taken at once.
const LOT_LINES: usize = 256;
/// Bytes that are taken at once; one line may go beyond.
const LOT_BYTES: usize = 256 * 1024;

/// Lines that came together.
pub type Lot = Vec<Line>;

/// Reads a pipe to its end in a task of its own. One lot waits, and one more is being read; beyond
/// that the writer waits. The task ends when nobody takes its lots any more.
pub fn read(source: impl AsyncRead + Unpin + Send + 'static) -> mpsc::Receiver<Lot> {
    let (give, take) = mpsc::channel(1);
    tokio::spawn(async move {
        let mut lines = Lines::new(source);
        loop {
            let lot = tokio::select! {
                lot = next(&mut lines) => lot,
                () = give.closed() => return,
            };
            let Some(lot) = lot else { return };
            if give.send(lot).await.is_err() {
                return;
            }
        }
    });
    take
}

/// The next lines; nothing: there are no more.
async fn next(lines: &mut Lines<impl AsyncRead + Unpin>) -> Option<Lot> {
    let mut lot = vec![one(lines).await?];
    let mut bytes = lot[0].text.len();
    while lot.len() < LOT_LINES && bytes < LOT_BYTES {
        let ready = poll_fn(|context| {
            let mut line = pin!(one(lines));
            Poll::Ready(match line.as_mut().poll(context) {
                Poll::Ready(line) => line,
                Poll::Pending => None,
            })
        });
        // At the end of all lines the next call finds it again.
        let Some(line) = ready.await else { break };
        bytes += line.text.len();
        lot.push(line);
    }
    Some(lot)
}

async fn one(lines: &mut Lines<impl AsyncRead + Unpin>) -> Option<Line> {
    match lines.next().await {
        Ok(line) => line,
        Err(error) => {
            debug!(%error, "a turn's pipe cannot be read");
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(bytes: Vec<u8>) -> Vec<Lot> {
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        runtime.block_on(async {
            let mut lots = read(std::io::Cursor::new(bytes));
            let mut taken = Vec::new();
            while let Some(lot) = lots.recv().await {
                taken.push(lot);
            }
            taken
        })
    }

    #[test]
    fn a_flood_comes_in_lots_and_none_of_it_is_lost() {
        assert!(all(Vec::new()).is_empty());
        let lines: Vec<String> = (0..1_000).map(|n| n.to_string()).collect();
        let lots = all(lines.join("\n").into_bytes());
        assert!(lots.iter().all(|lot| lot.len() <= LOT_LINES));
        let texts = lots.concat().into_iter().map(|line| line.text);
        assert_eq!(texts.collect::<Vec<_>>(), lines);
        let long = "x".repeat(200_000);
        let lots = all([&*long, &long, &long].join("\n").into_bytes());
        assert_eq!(lots.iter().map(Vec::len).collect::<Vec<_>>(), [2, 1]);
    }
}
