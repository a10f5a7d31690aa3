//! A command's line to the launcher: connect, register as a tool, ask. Knows no command.

use std::future::Future;
use std::path::Path;

use serde_json::{Map, Value};

use super::exit::{Exit, Failure, Outcome};
use crate::ids::Seq;
use crate::ipc::client::{Client, ClientError, Event, Identity};

/// Runs a command that waits for sockets.
///
/// # Errors
/// What the command says, or the system has no room for it.
pub fn block_on(command: impl Future<Output = Outcome>) -> Outcome {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::new(Exit::No, format!("cannot wait for sockets: {error}")))?;
    runtime.block_on(command)
}

/// A registered connection.
#[derive(Debug)]
pub struct Link {
    client: Client,
}

impl Link {
    /// Connects and registers as a tool that hears nothing but its own answers.
    ///
    /// # Errors
    /// Nobody listens, or the launcher says no.
    pub async fn open(socket: &Path) -> Result<Link, ClientError> {
        Link::subscribed(socket, &[], None).await
    }

    /// Connects and registers as a tool that hears these events.
    ///
    /// # Errors
    /// Nobody listens, or the launcher says no.
    pub async fn subscribed(
        socket: &Path,
        globs: &[&str],
        resume_from: Option<Seq>,
    ) -> Result<Link, ClientError> {
        let mut client = Client::connect(socket).await?;
        let identity = Identity {
            kind: "tool",
            name: "sagaflow",
            version: env!("CARGO_PKG_VERSION"),
            subscribe: Some(globs),
            resume_from,
        };
        client.register(&identity).await?;
        Ok(Link { client })
    }

    /// The connection itself.
    pub fn client(&mut self) -> &mut Client {
        &mut self.client
    }

    /// Asks, and waits for the answer.
    ///
    /// # Errors
    /// The launcher says no, or is gone.
    pub async fn ask(&mut self, cmd: &str, fields: Value) -> Result<Event, ClientError> {
        self.client.ask(cmd, &object(fields)).await
    }

    /// Ends cleanly. The launcher may be gone already, which is as good.
    pub async fn close(mut self) {
        drop(self.client.tell("goodbye", &Map::new()).await);
    }
}

/// The object that a `json!` literal is.
#[must_use]
pub fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(fields) => fields,
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => {
            Map::new()
        }
    }
}
