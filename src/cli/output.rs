//! `sagaflow output`: what a block's turns wrote, from the files beside the log, of a launcher that
//! runs or a dead one. Changes nothing.

use std::io::{self, IsTerminal as _, Write as _};
use std::path::PathBuf;
use std::time::Duration;

use serde_json::{Value, json};

use super::exit::{Exit, Failure, Outcome};
use super::link::block_on;
use super::out::Shape;
use super::place::Where;
use crate::launcher::can_be;
use crate::targets::subprocess::store::{OUTPUT, Reader, Stretch};
use crate::view::text::visible;

/// How often who follows looks for more.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// Arguments of `output`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The block
    #[arg(value_name = "BLOCK")]
    block_id: String,
    /// From this offset on, as turn_output tells it; what is no longer kept is passed over
    #[arg(long, value_name = "OFFSET", default_value_t = 0)]
    from: u64,
    /// Then what comes, until nobody reads any more
    #[arg(long)]
    follow: bool,
    /// The launcher's data directory [env: SAGAFLOW_DATA] [default: the nearest .sagaflow, here or
    /// above]
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    #[command(flatten)]
    shape: Shape,
}

/// Prints the lines as they were written; a terminal gets no signs that act on it.
pub(super) fn run(args: &Args) -> Outcome {
    let data = Where { data: args.data.clone(), socket: None }.data();
    can_be(&data)?;
    let mut reader = Reader::new(&data.join(OUTPUT), &args.block_id, args.from);
    if !args.follow && !reader.is_there() {
        let words = format!(
            "nothing is stored of the block `{}`; `sagaflow blocks` lists those that are known",
            args.block_id
        );
        return Err(Failure::new(Exit::No, words));
    }
    block_on(async {
        loop {
            while let Some(stretch) = reader.more().map_err(|error| unreadable(&error))? {
                print(args, &stretch)?;
            }
            if !args.follow {
                return Ok(Exit::Fine);
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    })
}

fn unreadable(error: &io::Error) -> Failure {
    Failure::new(Exit::Log, format!("the stored output cannot be read: {error}"))
}

fn print(args: &Args, stretch: &Stretch) -> io::Result<()> {
    let mut out = io::stdout().lock();
    if !args.shape.is_json() && !out.is_terminal() {
        out.write_all(&stretch.bytes)?;
        return out.flush();
    }
    let mut offset = stretch.offset;
    for line in stretch.bytes.split_inclusive(|byte| *byte == b'\n') {
        let text = String::from_utf8_lossy(line);
        let text = text.trim_end_matches('\n');
        if args.shape.is_json() {
            let line: Value = json!({"offset": offset, "line": text});
            writeln!(out, "{line}")?;
        } else {
            writeln!(out, "{}", visible(text))?;
        }
        offset += line.len() as u64;
    }
    out.flush()
}
