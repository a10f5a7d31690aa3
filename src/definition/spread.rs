//! Work on many things of which none needs another. Says that it may be shared out, not who does
//! it.

/// Who does a piece of work for each of many things.
pub trait Spread {
    /// What came of each thing, in the order of the things.
    fn map<'t, T, R>(&self, things: &'t [T], work: impl Fn(&'t T) -> R + Sync) -> Vec<R>
    where
        T: Sync,
        R: Send;
}

/// One after the other.
#[derive(Clone, Copy, Debug)]
pub struct InTurn;

impl Spread for InTurn {
    fn map<'t, T, R>(&self, things: &'t [T], work: impl Fn(&'t T) -> R + Sync) -> Vec<R>
    where
        T: Sync,
        R: Send,
    {
        things.iter().map(work).collect()
    }
}
