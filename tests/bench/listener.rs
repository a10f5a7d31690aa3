//! A client that hears everything and counts it. What it is told that it missed, it asks for, as
//! the wire says; that is how it hears of every saga's end whatever its pace.

use std::collections::VecDeque;
use std::io;
use std::time::Instant;

use serde::Deserialize;

use crate::house::{Peer, number};
use crate::measure::ms;

/// What the bus tells of an order: its trigger, its bracket, three answers.
const OF_AN_ORDER: [&str; 6] = [
    "order_placed",
    "saga_started",
    "stock_reserved",
    "card_charged",
    "parcel_sent",
    "saga_completed",
];

/// What a client that hears everything heard.
#[derive(Debug)]
pub struct Heard {
    /// Events that came by themselves.
    live: u64,
    /// Events that it asked for, because it was told `lagged`.
    fetched: u64,
    /// How often it was told so.
    lagged: u64,
    /// When it had heard all.
    pub over: Instant,
}

impl Heard {
    /// One line about it; `accepted`: when the last answer was.
    pub fn print(&self, accepted: Instant) {
        let Heard { live, fetched, lagged, over } = self;
        let late = match over.checked_duration_since(accepted) {
            Some(late) => format!("{:.0} ms after", ms(late)),
            None => format!("{:.0} ms before", ms(accepted - *over)),
        };
        println!(
            "    a subscriber: {live} events live, lagged {lagged} times, {fetched} events asked \
             for; all heard {late} the last answer was accepted"
        );
    }
}

/// Listens until every saga has completed and every event was heard.
///
/// # Errors
/// A saga failed or completed twice, events came out of order, or what was missed is lost.
pub fn listen(mut peer: Peer, sagas: u64) -> io::Result<Heard> {
    let mut tally = Tally::new(sagas);
    let (mut live, mut lagged, mut newest) = (0, 0, 0);
    let mut gaps: VecDeque<(u64, u64)> = VecDeque::new();
    while !tally.is_full() {
        let line = peer.next()?;
        let word = |name| number(line, name).ok_or_else(|| odd(line));
        let name = line.strip_prefix(r#"{"event":""#).and_then(|rest| rest.split('"').next());
        let name = name.ok_or_else(|| odd(line))?;
        let ask = match name {
            "lagged" if line.contains(r#""id":"#) => return Err(odd(line)),
            "lagged" => {
                lagged += 1;
                gaps.push_back((word("missed_from")? - 1, word("missed_to")?));
                gaps.len() == 1
            }
            "event_list" => {
                fetch(line, &mut gaps, &mut tally)?;
                !gaps.is_empty()
            }
            _ => {
                let version = word("version")?;
                if version <= newest {
                    return Err(odd(line));
                }
                newest = version;
                live += u64::from(tally.take(name, number(line, "saga_id"))?);
                false
            }
        };
        if let Some((since, _)) = gaps.front().filter(|_| ask) {
            peer.send(&format!(r#"{{"cmd":"get_events","id":1,"since":{since}}}"#))?;
        }
    }
    Ok(Heard { live, fetched: tally.events - live, lagged, over: Instant::now() })
}

fn odd(line: &str) -> io::Error {
    io::Error::other(format!("not expected: {line}"))
}

#[derive(Deserialize)]
struct Page {
    events: Vec<Event>,
    more: bool,
}

#[derive(Deserialize)]
struct Event {
    event: String,
    saga_id: Option<u64>,
    version: u64,
}

/// Counts a page of what was missed; what came after that is heard live.
fn fetch(line: &str, gaps: &mut VecDeque<(u64, u64)>, tally: &mut Tally) -> io::Result<()> {
    let page: Page = serde_json::from_str(line)?;
    let (since, to) = gaps.pop_front().ok_or_else(|| odd(line))?;
    let missed = page.events.iter().take_while(|event| event.version <= to);
    for event in missed {
        tally.take(&event.event, event.saga_id)?;
    }
    let last = page.events.last().map_or(since, |event| event.version);
    if page.more && last < to {
        gaps.push_front((last, to));
    }
    Ok(())
}

/// How many sagas have ended, each once.
struct Tally {
    ended: Vec<bool>,
    completed: u64,
    events: u64,
}

impl Tally {
    fn new(sagas: u64) -> Tally {
        Tally { ended: vec![false; sagas as usize], completed: 0, events: 0 }
    }

    fn is_full(&self) -> bool {
        let sagas = self.ended.len() as u64;
        self.completed == sagas && self.events == OF_AN_ORDER.len() as u64 * sagas
    }

    /// Counts an event, if it is one of an order.
    fn take(&mut self, name: &str, saga: Option<u64>) -> io::Result<bool> {
        if name == "saga_failed" {
            return Err(io::Error::other(format!("saga {saga:?} failed")));
        }
        let counts = OF_AN_ORDER.contains(&name);
        self.events += u64::from(counts);
        if name == "saga_completed" {
            let ended = saga.and_then(|id| self.ended.get_mut(id.checked_sub(1)? as usize));
            match ended.map(|ended| std::mem::replace(ended, true)) {
                Some(false) => self.completed += 1,
                Some(true) => return Err(io::Error::other(format!("{saga:?} completed twice"))),
                None => return Err(io::Error::other(format!("{saga:?} is none of ours"))),
            }
        }
        Ok(counts)
    }
}
