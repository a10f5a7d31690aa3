//! Messages in and out of the two streams, each with its length before it. Bounded: nothing is
//! taken into memory before its length is known to be fair.

use std::io::{self, BufRead, Read, Write};

use serde_json::Value;

use crate::limits::{LSP_HEADER_BYTES_MAX, LSP_MESSAGE_BYTES_MAX};

/// What came in.
#[derive(Debug, PartialEq)]
pub enum Frame {
    /// A message.
    Message(Value),
    /// What was sent is no message; the next one can still be read.
    Bad(String),
    /// The stream has ended, or nothing behind this place can be trusted.
    End,
}

/// Reads one message.
///
/// # Errors
/// The stream cannot be read.
pub fn read(input: &mut impl BufRead) -> io::Result<Frame> {
    let length = match header(input)? {
        Header::Length(length) => length,
        Header::None => return Ok(Frame::End),
        Header::Bad(why) => return Ok(Frame::Bad(why.to_owned())),
        Header::Endless => return Ok(Frame::End),
    };
    if length > LSP_MESSAGE_BYTES_MAX as u64 {
        let skipped = io::copy(&mut input.by_ref().take(length), &mut io::sink())?;
        if skipped < length {
            return Ok(Frame::End);
        }
        return Ok(Frame::Bad(format!(
            "a message of {length} bytes is larger than {LSP_MESSAGE_BYTES_MAX}"
        )));
    }
    let mut bytes = Vec::new();
    input.by_ref().take(length).read_to_end(&mut bytes)?;
    if (bytes.len() as u64) < length {
        return Ok(Frame::End);
    }
    Ok(match serde_json::from_slice(&bytes) {
        Ok(value) => Frame::Message(value),
        Err(error) => Frame::Bad(format!("a message is no JSON: {error}")),
    })
}

enum Header {
    Length(u64),
    /// The stream has ended.
    None,
    Bad(&'static str),
    /// Longer than any header.
    Endless,
}

fn header(input: &mut impl BufRead) -> io::Result<Header> {
    let mut length = None;
    let mut wrong = None;
    let mut read = 0;
    loop {
        let mut line = Vec::new();
        let room = LSP_HEADER_BYTES_MAX - read;
        let got = input.by_ref().take(room as u64 + 1).read_until(b'\n', &mut line)?;
        read += got;
        if got == 0 {
            return Ok(Header::None);
        }
        if read > LSP_HEADER_BYTES_MAX {
            return Ok(Header::Endless);
        }
        let line = String::from_utf8_lossy(&line);
        let line = line.trim_end();
        if line.is_empty() {
            return Ok(match (wrong, length) {
                (Some(why), _) => Header::Bad(why),
                (None, Some(length)) => Header::Length(length),
                (None, None) => Header::Bad("a header without a Content-Length"),
            });
        }
        let Some((name, value)) = line.split_once(':') else {
            wrong = Some("a header line without a colon");
            continue;
        };
        if name.eq_ignore_ascii_case("content-length") {
            match value.trim().parse() {
                Ok(number) => length = Some(number),
                Err(_) => wrong = Some("a Content-Length that is no number"),
            }
        }
    }
}

/// Writes one message.
///
/// # Errors
/// Nobody reads it.
pub fn write(out: &mut impl Write, message: &Value) -> io::Result<()> {
    let text = message.to_string();
    write!(out, "Content-Length: {}\r\n\r\n{text}", text.len())?;
    out.flush()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn frames(bytes: &[u8]) -> Vec<Frame> {
        let mut input = io::BufReader::new(bytes);
        let mut found = Vec::new();
        loop {
            let frame = read(&mut input).expect("bytes can be read");
            if frame == Frame::End {
                return found;
            }
            found.push(frame);
        }
    }

    #[test]
    fn messages_come_one_after_the_other() {
        let found = frames(b"Content-Length: 2\r\n\r\n{}content-length:4\nX: y\n\nnull");
        assert_eq!(found, [Frame::Message(json!({})), Frame::Message(json!(null))]);
    }

    #[test]
    fn what_is_no_message_is_told_and_the_next_one_is_read() {
        let good = "Content-Length: 2\r\n\r\n{}";
        for bad in [
            "Content-Length: x\r\n\r\n",
            "Content-Length: -1\r\n\r\n",
            "nonsense\r\n\r\n",
            "\r\n",
            "Content-Length: 3\r\n\r\n{,}",
            "Content-Length: 2\r\n\r\n\u{1}\u{2}",
        ] {
            let found = frames(format!("{bad}{good}").as_bytes());
            assert!(
                matches!(found.as_slice(), [Frame::Bad(_), Frame::Message(_)]),
                "{bad:?}: {found:?}"
            );
        }
    }

    #[test]
    fn what_is_too_large_is_passed_over_without_memory() {
        let large = LSP_MESSAGE_BYTES_MAX + 1;
        let mut bytes = format!("Content-Length: {large}\r\n\r\n").into_bytes();
        bytes.resize(bytes.len() + large, b' ');
        bytes.extend_from_slice(b"Content-Length: 2\r\n\r\n{}");
        assert!(matches!(frames(&bytes).as_slice(), [Frame::Bad(_), Frame::Message(_)]));
        assert_eq!(frames(b"Content-Length: 18446744073709551615\r\n\r\n{}"), []);
        assert_eq!(frames(&[b'a'; 2 * LSP_HEADER_BYTES_MAX]), []);
        assert_eq!(frames(b"Content-Length: 9\r\n\r\n{}"), []);
    }
}
