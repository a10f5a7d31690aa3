//! One connection at work: its reader and its writer. Moves bytes and lines; what they mean is
//! decided elsewhere.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Semaphore, mpsc};
use tokio::time::{Instant, sleep_until, timeout};

use super::frames::Line;
use super::inbox::{Inbox, InboxClosed, Lane};
use super::lines::{Lines, Next};
use super::outbox::{self, Outbox};
use super::protocol::{ClientFrame, parse_line};
use super::server::{Asked, CloseWhy, Inbound};
use super::transport::{ReadHalf, Stream, WriteHalf};
use super::{ErrorCode, ProtocolError};
use crate::ids::ConnId;
use crate::limits::{
    FRAME_BYTES_MAX, LINGER, READ_BATCH_BYTES, READ_BATCH_FRAMES, WRITE_BATCH_BYTES,
};

/// What both halves of a connection share.
#[derive(Debug)]
pub(super) struct Connection<M> {
    pub conn: ConnId,
    pub outbox: Arc<Outbox>,
    pub inbox: Arc<Inbox<M>>,
    /// One permit, which a question holds until it is answered.
    pub questions: Arc<Semaphore>,
}

impl<M> Clone for Connection<M> {
    fn clone(&self) -> Self {
        Self {
            conn: self.conn,
            outbox: Arc::clone(&self.outbox),
            inbox: Arc::clone(&self.inbox),
            questions: Arc::clone(&self.questions),
        }
    }
}

/// Why the reader stopped of itself.
#[derive(Debug)]
enum ReaderEnd {
    /// The peer sends no more.
    Closed(CloseWhy),
    /// The peer said its last word, or none that follows can be understood: the launcher closes.
    LastLine,
    /// The launcher takes no more.
    InboxClosed,
}

impl From<InboxClosed> for ReaderEnd {
    fn from(InboxClosed: InboxClosed) -> Self {
        Self::InboxClosed
    }
}

/// Why the writer stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum WriterEnd {
    /// Everything that was queued is written.
    Flushed,
    /// It was told to end at once.
    Aborted,
    Failed(io::ErrorKind),
    NotReading,
}

impl<M: From<Inbound> + Send + 'static> Connection<M> {
    /// Serves the connection to its end.
    pub async fn run(self, stream: Stream, write_timeout: Duration) {
        let (read, write) = stream.split();
        let opened = Inbound::Opened { conn: self.conn, outbox: Arc::clone(&self.outbox) };
        if self.inbox.push(Lane::Other, opened.into()).await.is_err() {
            return;
        }
        let writer = Writer { socket: write, shared: self.clone(), write_timeout };
        let mut writer = tokio::spawn(writer.run());
        let mut reader = Reader {
            socket: read,
            shared: self.clone(),
            lines: Lines::new(FRAME_BYTES_MAX),
            batch: Vec::new(),
            batch_bytes: 0,
        };
        let reader_end = tokio::select! {
            biased;
            end = reader.run() => Some(end),
            // A peer that is silent would else never learn that there is nobody to ask.
            () = self.inbox.closed() => Some(ReaderEnd::InboxClosed),
            end = &mut writer => {
                self.closed_by_us(&mut reader, end.unwrap_or(WriterEnd::Aborted)).await;
                None
            }
        };
        match reader_end {
            None => {}
            Some(ReaderEnd::InboxClosed) => {
                // Nobody decides any more; what was decided is still told.
                self.outbox.close_after_flush();
                writer.await.ok();
            }
            Some(ReaderEnd::Closed(why)) => {
                if self.outbox.lane() == Lane::Target {
                    // The session must be over before its end is told: nothing may still be on its
                    // way \[R20\].
                    self.outbox.close_now(None);
                    writer.await.ok();
                    self.tell_closed(why).await;
                } else {
                    self.tell_closed(why).await;
                    writer.await.ok();
                }
            }
            Some(ReaderEnd::LastLine) => {
                let end = tokio::select! {
                    end = &mut writer => end.unwrap_or(WriterEnd::Aborted),
                    () = reader.discard() => writer.await.unwrap_or(WriterEnd::Aborted),
                };
                self.tell_closed(why_of(end)).await;
                reader.linger(end).await;
            }
        }
    }

    /// The writer ended first: by order, or because the peer is gone or does not read.
    async fn closed_by_us(&self, reader: &mut Reader<M>, end: WriterEnd) {
        if self.outbox.lane() == Lane::Target {
            // What an older target had sent by now is taken before its successor's \[W12\].
            reader.take_what_is_here().await.ok();
        }
        self.tell_closed(why_of(end)).await;
        reader.linger(end).await;
    }

    async fn tell_closed(&self, why: CloseWhy) {
        let closed = Inbound::Closed { conn: self.conn, why };
        // An inbox that is closed has nobody to tell.
        self.inbox.push(self.outbox.lane(), closed.into()).await.ok();
    }
}

fn why_of(end: WriterEnd) -> CloseWhy {
    match end {
        WriterEnd::Flushed | WriterEnd::Aborted => CloseWhy::Asked,
        WriterEnd::Failed(kind) => CloseWhy::WriteFailed(kind),
        WriterEnd::NotReading => CloseWhy::NotReading,
    }
}

/// The half that reads. Dropping a future of it loses nothing: lines and messages wait in here.
struct Reader<M> {
    socket: ReadHalf,
    shared: Connection<M>,
    lines: Lines,
    batch: Vec<M>,
    /// Bytes of the lines in `batch`.
    batch_bytes: usize,
}

impl<M: From<Inbound>> Reader<M> {
    async fn run(&mut self) -> ReaderEnd {
        match self.read_lines().await {
            Ok(end) | Err(end) => end,
        }
    }

    async fn read_lines(&mut self) -> Result<ReaderEnd, ReaderEnd> {
        loop {
            self.shared.inbox.may_push(self.shared.outbox.lane()).await?;
            self.shared.outbox.wait_for_room().await;
            let buffer = self.lines.buffer();
            match self.socket.read(buffer).await {
                // A half line without its end is no line.
                Ok(0) => return Ok(ReaderEnd::Closed(CloseWhy::Eof)),
                Ok(_) => self.hand_over().await?,
                Err(error) => return Ok(ReaderEnd::Closed(CloseWhy::ReadFailed(error.kind()))),
            }
        }
    }

    /// Gives all whole lines to the inbox.
    async fn hand_over(&mut self) -> Result<(), ReaderEnd> {
        self.flush().await?;
        loop {
            self.answered().await?;
            let (message, last) = match self.lines.next_line() {
                Next::Line(line) => {
                    self.batch_bytes += line.len();
                    self.shared.read_line(line)
                }
                Next::More => return self.flush().await,
                Next::TooLarge => (self.shared.too_large(), true),
            };
            self.batch.push(message.into());
            let full =
                self.batch.len() >= READ_BATCH_FRAMES || self.batch_bytes >= READ_BATCH_BYTES;
            if last || full {
                self.flush().await?;
            }
            if last {
                return Err(ReaderEnd::LastLine);
            }
        }
    }

    /// Waits until the last question is answered and there is room for another answer.
    async fn answered(&mut self) -> Result<(), ReaderEnd> {
        if self.shared.questions.available_permits() == 0 {
            self.flush().await?;
            tokio::select! {
                // The semaphore is never closed; it only has to be free.
                _ = self.shared.questions.acquire() => {}
                // Nobody will answer any more.
                () = self.shared.inbox.closed() => return Err(ReaderEnd::InboxClosed),
            }
            self.shared.outbox.wait_for_room().await;
        }
        Ok(())
    }

    async fn flush(&mut self) -> Result<(), ReaderEnd> {
        let lane = self.shared.outbox.lane();
        self.shared.inbox.push_all(lane, &mut self.batch, self.batch_bytes).await?;
        self.batch_bytes = 0;
        Ok(())
    }

    /// Hands over what the socket holds now, and waits for nothing more of it.
    async fn take_what_is_here(&mut self) -> Result<(), ReaderEnd> {
        self.hand_over().await?;
        // A peer that sends without end sends more than what is here now.
        self.socket.read_now(self.lines.buffer(), FRAME_BYTES_MAX as u64);
        self.hand_over().await
    }

    /// Reads and forgets until the peer ends.
    async fn discard(&mut self) {
        let mut bytes = Vec::with_capacity(WRITE_BATCH_BYTES);
        while self.socket.read(&mut bytes).await.is_ok_and(|count| count > 0) {
            bytes.clear();
        }
    }

    /// Lets the peer read its last line: a socket that is closed with unread bytes is reset under
    /// some systems.
    async fn linger(&mut self, end: WriterEnd) {
        match end {
            WriterEnd::Flushed | WriterEnd::Aborted => {
                timeout(Duration::from_millis(LINGER.0), self.discard()).await.ok();
            }
            WriterEnd::Failed(_) | WriterEnd::NotReading => {}
        }
    }
}

impl<M> Connection<M> {
    /// The message that a line is, and whether it is the connection's last.
    fn read_line(&self, line: &[u8]) -> (Inbound, bool) {
        match parse_line(line) {
            Ok(frame) => {
                let last = matches!(frame, ClientFrame::Goodbye);
                let asked = frame.is_question().then(|| self.asked()).flatten();
                (Inbound::Frame { conn: self.conn, frame, asked }, last)
            }
            Err(error) => (Inbound::Bad { conn: self.conn, error }, false),
        }
    }

    /// It is free: the reader has waited for the last answer.
    fn asked(&self) -> Option<Asked> {
        Arc::clone(&self.questions).try_acquire_owned().ok().map(Asked::new)
    }

    fn too_large(&self) -> Inbound {
        let message = format!("a line may be {FRAME_BYTES_MAX} bytes long, and this one is longer");
        let error = ProtocolError::fatal(ErrorCode::FrameTooLarge, message);
        Inbound::Bad { conn: self.conn, error }
    }
}

/// The half that writes.
struct Writer<M> {
    socket: WriteHalf,
    shared: Connection<M>,
    write_timeout: Duration,
}

impl<M: From<Inbound>> Writer<M> {
    async fn run(mut self) -> WriterEnd {
        let end = match self.write_lines().await {
            Ok(end) | Err(end) => end,
        };
        self.shared.outbox.over();
        end
    }

    async fn write_lines(&mut self) -> Result<WriterEnd, WriterEnd> {
        let (mut bytes, mut sent) = (Vec::new(), Vec::new());
        loop {
            let next = self.shared.outbox.take(&mut bytes, &mut sent);
            match next {
                outbox::Next::Wait => self.shared.outbox.changed().await,
                outbox::Next::Write => {
                    self.write(&bytes).await?;
                    bytes.clear();
                    bytes.shrink_to(WRITE_BATCH_BYTES);
                    self.tell_sent(std::mem::take(&mut sent)).await;
                }
                outbox::Next::Replay(lines) => self.replay(lines).await?,
                outbox::Next::Finish => return Ok(WriterEnd::Flushed),
                outbox::Next::Abort(last) => {
                    if let Some(line) = last {
                        /// Longer than one line needs, shorter than anybody waits.
                        const LAST_WORD: Duration = Duration::from_millis(100);
                        timeout(LAST_WORD, self.socket.write_all(line.as_bytes())).await.ok();
                    }
                    return Ok(WriterEnd::Aborted);
                }
            }
        }
    }

    async fn replay(&mut self, mut lines: mpsc::Receiver<Line>) -> Result<(), WriterEnd> {
        let mut bytes = Vec::new();
        loop {
            if self.shared.outbox.is_aborting() {
                return Ok(());
            }
            let line = tokio::select! {
                biased;
                line = lines.recv() => line,
                () = self.shared.outbox.changed() => continue,
            };
            let Some(line) = line else { return Ok(()) };
            bytes.clear();
            bytes.extend_from_slice(line.as_bytes());
            while let Ok(line) = lines.try_recv() {
                bytes.extend_from_slice(line.as_bytes());
                if bytes.len() >= WRITE_BATCH_BYTES {
                    break;
                }
            }
            self.write(&bytes).await?;
        }
    }

    /// Writes all of `bytes`, or none that counts: after an error the peer discards the torn line
    /// \[P7\].
    async fn write(&mut self, bytes: &[u8]) -> Result<(), WriterEnd> {
        let mut rest = bytes;
        let mut deadline = Instant::now() + self.write_timeout;
        while !rest.is_empty() {
            tokio::select! {
                biased;
                written = self.socket.write(rest) => match written {
                    Ok(0) => return Err(WriterEnd::Failed(io::ErrorKind::WriteZero)),
                    Ok(count) => {
                        rest = &rest[count..];
                        deadline = Instant::now() + self.write_timeout;
                    }
                    Err(error) => return Err(WriterEnd::Failed(error.kind())),
                },
                () = self.shared.outbox.changed() => {
                    if self.shared.outbox.is_aborting() {
                        return Err(WriterEnd::Aborted);
                    }
                }
                () = sleep_until(deadline) => {
                    if self.shared.outbox.is_impatient() {
                        return Err(WriterEnd::NotReading);
                    }
                    deadline = Instant::now() + self.write_timeout;
                }
            }
        }
        Ok(())
    }

    async fn tell_sent(&self, command_ids: Vec<Arc<str>>) {
        if !command_ids.is_empty() {
            let sent = Inbound::Sent { conn: self.shared.conn, command_ids };
            // An inbox that is closed has nobody to tell.
            self.shared.inbox.push(self.shared.outbox.lane(), sent.into()).await.ok();
        }
    }
}
