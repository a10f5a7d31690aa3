//! The signals that ask a process to end. What is done about them is for whoever listens.

use std::io;
use std::sync::Arc;

use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::ipc::inbox::Inbox;

use super::turns::Message;

/// A terminal that closes, heard unless whoever started this process wants it to outlive that, as
/// `nohup` does: listening would undo it.
#[derive(Debug)]
pub struct Hangup(Option<Signal>);

impl Hangup {
    /// Begins to listen; to be called inside the runtime.
    ///
    /// # Errors
    /// The system does not let us.
    pub fn listen() -> io::Result<Hangup> {
        let listens = (!hangup_is_ignored()).then(|| signal(SignalKind::hangup()));
        Ok(Hangup(listens.transpose()?))
    }

    /// The next one; never comes where they are ignored.
    pub async fn recv(&mut self) {
        match &mut self.0 {
            Some(signal) => {
                signal.recv().await;
            }
            None => std::future::pending().await,
        }
    }
}

/// Whether who started this process wants it to outlive its terminal. Only Linux tells without
/// `unsafe`; elsewhere nobody is taken to want it.
#[must_use]
pub fn hangup_is_ignored() -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    ignores_hangup(&status)
}

fn ignores_hangup(status: &str) -> bool {
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    // SIGHUP is signal 1, and the mask's lowest bit is signal 1.
    mask.is_some_and(|mask| mask & 1 == 1)
}

/// The first of SIGTERM, SIGINT and SIGHUP stops cleanly, a second SIGTERM or SIGINT at once
/// \[L8\]. A second SIGHUP says nothing new: a closing terminal sends it from two sides. To be
/// called inside the runtime.
pub(super) fn watch(inbox: Arc<Inbox<Message>>) -> io::Result<()> {
    let mut term = signal(SignalKind::terminate())?;
    let mut int = signal(SignalKind::interrupt())?;
    let mut hangup = Hangup::listen()?;
    #[expect(clippy::disallowed_methods, reason = "a second signal exits at once [L8]")]
    let at_once = || std::process::exit(130);
    tokio::spawn(async move {
        let mut asked = false;
        loop {
            let insists = tokio::select! {
                _ = term.recv() => true,
                _ = int.recv() => true,
                () = hangup.recv() => false,
            };
            if asked && insists {
                at_once();
            }
            if !asked {
                asked = true;
                inbox.post(Message::Stop);
            }
        }
    });
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::ignores_hangup;

    #[test]
    fn the_systems_mask_is_read() {
        let status = |mask: &str| format!("SigBlk:\t0000000000000001\nSigIgn:\t{mask}\n");
        assert!(ignores_hangup(&status("0000000000000001")));
        assert!(ignores_hangup(&status("0000000000001007")));
        assert!(!ignores_hangup(&status("0000000000001006")));
        assert!(!ignores_hangup("nothing of the kind"));
    }
}
