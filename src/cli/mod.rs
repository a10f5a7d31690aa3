//! The command line: one file a command, all of them clients of what lies below. Decides nothing
//! about sagas.

mod cancel;
mod cases;
mod catalog;
mod check;
mod completions;
mod config;
mod demo;
mod diff;
mod emit;
mod exit;
mod explain;
mod fmt;
mod graph;
mod host;
mod init;
mod known;
mod link;
mod load;
mod lsp;
mod named;
mod new;
mod operate;
mod out;
mod output;
mod pairs;
mod place;
mod plan;
mod processes;
mod ps;
mod resolve;
mod retry;
mod rewrite;
mod run;
mod schema;
mod scripted;
mod show;
mod signal;
mod source;
mod start;
mod talk;
mod test;
mod validate;
mod watch;

use std::process::ExitCode;

use clap::{CommandFactory as _, Parser, Subcommand};

use exit::{Exit, Failure, Outcome};

use crate::targets::process;

/// Sagas in YAML: checked before they run, durable in one SQLite file
#[derive(Debug, Parser)]
#[command(name = "sagaflow", version, max_term_width = 100, after_help = AFTER)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

const AFTER: &str = "\
Exit codes: 0 fine; 1 the data says no; 2 wrong usage; 3 no launcher can be reached; \
4 another launcher holds the data directory; 5 the log cannot be opened, read or written.";

#[derive(Debug, Subcommand)]
enum Command {
    /// See it work: three sagas with real processes, one of them through a kill -9
    Demo(demo::Args),
    /// Run the launcher: check the definitions, open the log, resume, serve
    Run(run::Args),
    /// Play a target: answer commands as a script says, over the real socket
    Host(host::Args),
    /// Report an event
    Emit(emit::Args),
    /// Start a saga by name, and with --wait print how it ended
    Start(start::Args),
    /// Print events as they happen
    Watch(watch::Args),
    /// List sagas: what needs a person first, then the newest
    Ps(ps::Args),
    /// Show one saga: every step with times, attempts and payloads, and why it failed
    Show(show::Args),
    /// List blocks: which turn runs, in which process, and what a next one resumes
    Blocks(known::Args),
    /// List pods: who they are, below whom, and what they may write
    Pods(known::Args),
    /// Print what a block's turns wrote, from the files beside the log
    Output(output::Args),
    /// List the processes that run beside the launcher, and how its services ended
    Processes(known::Args),
    /// Cancel a saga that goes forward: what it did is undone
    Cancel(cancel::Args),
    /// Say something to a saga that it awaits, in the words of its definition
    Signal(signal::Args),
    /// Try an incident's failed steps again
    Retry(retry::Args),
    /// Settle an incident that was mended by hand
    Resolve(resolve::Args),
    /// Make this directory ready: definitions, schemas, a host to play, and what to type next
    Init(init::Args),
    /// Write the first text of a saga, made of what the catalog has
    New(new::Args),
    /// Check definitions: every mistake at once, with its place and its cure
    Validate(validate::Args),
    /// Play the scenarios beside the sagas in virtual time, and say what they do not reach
    Test(test::Args),
    /// Lay definitions out: keys in order, even white space, comments where they belong
    Fmt(fmt::Args),
    /// Explore every history of each saga, and show the shortest one that breaks a promise
    Check(check::Args),
    /// Print what a saga may cost, path by path: time, time to undo, commands, records
    Plan(plan::Args),
    /// Explain a diagnostic: what it means, a failing example, its cure
    Explain(explain::Args),
    /// Draw a definition, or with --saga-id one saga's way through it
    Graph(graph::Args),
    /// Print the vocabulary: targets, commands and events, the built-in ones included
    Catalog(catalog::Args),
    /// Print the JSON Schemas for editors, or write them, or check that they are fresh
    Schema(schema::Args),
    /// Serve an editor: mistakes as you type, meanings, completions, rename (Language Server
    /// Protocol on stdin and stdout)
    Lsp(lsp::Args),
    /// Print completions for a shell
    Completions(completions::Args),
}

/// Runs the command that the arguments name.
#[must_use]
pub fn main() -> ExitCode {
    // How a launcher starts its processes, and what plays an agent: no commands of people, so they
    // are not in their help.
    let hidden = process::hidden(std::env::args_os());
    if let Some(exit) = hidden.or_else(|| scripted::hidden(std::env::args_os())) {
        return exit;
    }
    match dispatch(Cli::parse().command) {
        Ok(exit) => exit.into(),
        Err(Failure::PipeClosed) => Exit::Fine.into(),
        Err(Failure::Said { exit, message }) => {
            out::complain(&message);
            exit.into()
        }
    }
}

/// The commands as clap knows them, for completions and for the reference.
#[must_use]
pub fn command() -> clap::Command {
    Cli::command()
}

fn dispatch(command: Command) -> Outcome {
    match command {
        Command::Demo(args) => demo::run(&args),
        Command::Run(args) => run::run(&args),
        Command::Host(args) => host::run(&args),
        Command::Emit(args) => emit::run(&args),
        Command::Start(args) => start::run(&args),
        Command::Watch(args) => watch::run(&args),
        Command::Ps(args) => ps::run(&args),
        Command::Show(args) => show::run(&args),
        Command::Blocks(args) => known::blocks(&args),
        Command::Pods(args) => known::pods(&args),
        Command::Output(args) => output::run(&args),
        Command::Processes(args) => processes::run(&args),
        Command::Cancel(args) => cancel::run(&args),
        Command::Signal(args) => signal::run(&args),
        Command::Retry(args) => retry::run(&args),
        Command::Resolve(args) => resolve::run(&args),
        Command::Init(args) => init::run(&args),
        Command::New(args) => new::run(&args),
        Command::Validate(args) => validate::run(&args),
        Command::Test(args) => test::run(&args),
        Command::Fmt(args) => fmt::run(&args),
        Command::Check(args) => check::run(&args),
        Command::Plan(args) => plan::run(&args),
        Command::Explain(args) => explain::run(&args),
        Command::Graph(args) => graph::run(&args),
        Command::Catalog(args) => catalog::run(&args),
        Command::Schema(args) => schema::run(&args),
        Command::Lsp(args) => lsp::run(&args),
        Command::Completions(args) => completions::run(&args),
    }
}
