//! Many definitions are read and checked on all cores: they do not need each other. Nothing of what
//! is found depends on how many there are.

use std::sync::Mutex;
use std::thread;

use crate::definition::spread::{InTurn, Spread};

/// Things that one core takes at a time: fewer than these are done before another has begun.
const SHARE: usize = 16;

/// As many threads as there are cores, for as long as the work takes.
#[derive(Clone, Copy, Debug)]
pub struct Cores;

impl Spread for Cores {
    fn map<'t, T, R>(&self, things: &'t [T], work: impl Fn(&'t T) -> R + Sync) -> Vec<R>
    where
        T: Sync,
        R: Send,
    {
        let shares = things.len().div_ceil(SHARE);
        let cores = thread::available_parallelism().map_or(1, usize::from).min(shares);
        if cores < 2 {
            return InTurn.map(things, work);
        }
        let open = Mutex::new(things.chunks(SHARE).enumerate());
        let take = || open.lock().expect("nobody panics while holding it").next();
        let each = || {
            let mut done = Vec::new();
            while let Some((number, share)) = take() {
                done.push((number, share.iter().map(&work).collect::<Vec<R>>()));
            }
            done
        };
        let mut done = thread::scope(|scope| {
            let threads: Vec<_> = (1..cores).map(|_| scope.spawn(each)).collect();
            let mut done = each();
            for thread in threads {
                match thread.join() {
                    Ok(more) => done.extend(more),
                    Err(panic) => std::panic::resume_unwind(panic),
                }
            }
            done
        });
        done.sort_unstable_by_key(|(number, _)| *number);
        done.into_iter().flat_map(|(_, results)| results).collect()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::definition::read::load;
    use crate::launcher::Loaded;
    use crate::plan::{Plan, compile_library};

    #[test]
    fn what_comes_of_many_things_comes_in_their_order() {
        for count in [0, 1, SHARE, SHARE + 1, 10 * SHARE + 3] {
            let things: Vec<usize> = (0..count).collect();
            let doubled = Cores.map(&things, |thing| thing * 2);
            assert_eq!(doubled, InTurn.map(&things, |thing| thing * 2));
        }
    }

    #[test]
    fn what_is_found_in_many_definitions_is_the_same_on_one_core() {
        let saga = |number: usize| {
            // Every third names nothing that there is, and every fourth is like another one.
            let event = if number.is_multiple_of(3) { "process_exitted" } else { "process_exited" };
            let name = number - usize::from(number.is_multiple_of(4) && number > 0);
            let text = format!(
                "saga: s{name}\ntrigger: {{ event: {event} }}\neviction: {{ policy: parallel }}\n\
                 timeout: 5s\nsteps: [{{ id: rest, delay: {number}s }}]\n"
            );
            (format!("{number}.saga.yaml"), text.into_bytes())
        };
        let files: Vec<_> = (0..5 * SHARE).map(saga).collect();
        let (library, mut found) = load(files.clone());
        let (plans, more) = compile_library(&library);
        found.append(more);
        found.sort();
        let loaded = Loaded::of(files);
        assert!(found.len() > SHARE);
        assert_eq!(format!("{found:?}"), format!("{:?}", loaded.diagnostics));
        let names = |plans: &[Arc<Plan>]| plans.iter().map(|p| p.hash.clone()).collect::<Vec<_>>();
        assert_eq!(names(&plans), names(&loaded.plans));
    }
}
