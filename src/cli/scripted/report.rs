//! What a pod tells its parent: one connection a report, its prelude read before a word is said.
//! Tries nothing again.

use std::io;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::UnixStream;
use tokio::time::timeout;

/// How long a parent may take for all of it.
const PATIENCE: Duration = Duration::from_secs(5);

/// Tells a parent; where there is none, nothing. A failure is a line on stderr.
pub async fn tell(parent: &str, event: Value) {
    if parent.is_empty() {
        return;
    }
    let told = timeout(PATIENCE, send(parent, &event)).await;
    if let Err(error) = told.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into())) {
        eprintln!("warning: {} was not told to {parent}: {error}", event["kind"]);
    }
}

async fn send(parent: &str, event: &Value) -> io::Result<()> {
    let (read, mut write) = UnixStream::connect(parent).await?.into_split();
    let mut lines = BufReader::new(read).lines();
    // Else its server may block on its snapshot, or fail, and never read what is said to it.
    while let Some(line) = lines.next_line().await? {
        let frame: Value = serde_json::from_str(&line).unwrap_or_default();
        if frame["event"] == "snapshot" {
            break;
        }
    }
    let line = json!({"method": "pod_event", "params": event});
    write.write_all(format!("{line}\n").as_bytes()).await?;
    write.shutdown().await
}
