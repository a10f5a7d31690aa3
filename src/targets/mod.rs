//! The targets that are served inside of the launcher, and the processes that they start. What they
//! know is folded elsewhere (`builtin`); here is what they do.

pub mod pods;
pub mod process;

use crate::ipc::local::Port;

/// Refuses whatever is asked.
pub async fn serve_nothing(mut port: Port) {
    while let Some(command) = port.next().await {
        let reason = format!("`{}` is not served", command.cmd);
        if port.speaker().failed(command.echo(), &reason).await.is_err() {
            return;
        }
    }
}
