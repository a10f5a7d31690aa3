//! Sets of small numbers, one bit each. Knows not what the numbers mean.

/// A set of numbers from zero on; one that was never inserted costs nothing beyond the largest.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Bits(Vec<u64>);

impl Bits {
    /// Whether the number is in the set.
    #[must_use]
    pub fn has(&self, number: usize) -> bool {
        self.0.get(number / 64).is_some_and(|word| word >> (number % 64) & 1 == 1)
    }

    /// Puts the number in; whether it was not there.
    pub fn insert(&mut self, number: usize) -> bool {
        if self.0.len() <= number / 64 {
            self.0.resize(number / 64 + 1, 0);
        }
        let word = &mut self.0[number / 64];
        let is_new = *word >> (number % 64) & 1 == 0;
        *word |= 1 << (number % 64);
        is_new
    }

    /// Takes the number out.
    pub fn remove(&mut self, number: usize) {
        if let Some(word) = self.0.get_mut(number / 64) {
            *word &= !(1 << (number % 64));
        }
    }

    /// Puts in all that the other has.
    pub fn add(&mut self, other: &Bits) {
        if self.0.len() < other.0.len() {
            self.0.resize(other.0.len(), 0);
        }
        for (word, other) in self.0.iter_mut().zip(&other.0) {
            *word |= other;
        }
    }

    /// What both have.
    #[must_use]
    pub fn both(&self, other: &Bits) -> Bits {
        Bits(self.0.iter().zip(&other.0).map(|(one, other)| one & other).collect())
    }

    /// What this one has and the other does not.
    #[must_use]
    pub fn without(&self, other: &Bits) -> Bits {
        let others = other.0.iter().chain(std::iter::repeat(&0));
        Bits(self.0.iter().zip(others).map(|(one, other)| one & !other).collect())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    fn bits(set: &BTreeSet<usize>) -> Bits {
        let mut bits = Bits::default();
        for number in set {
            assert!(bits.insert(*number));
        }
        bits
    }

    fn set(bits: &Bits) -> BTreeSet<usize> {
        (0..300).filter(|number| bits.has(*number)).collect()
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn they_are_what_a_tree_of_numbers_would_be(
            one in proptest::collection::btree_set(0..300_usize, 0..9),
            other in proptest::collection::btree_set(0..300_usize, 0..9),
        ) {
            let (a, b) = (bits(&one), bits(&other));
            prop_assert_eq!(set(&a), one.clone());
            prop_assert_eq!(set(&a.both(&b)), &one & &other);
            prop_assert_eq!(set(&a.without(&b)), &one - &other);
            let mut all = a.clone();
            all.add(&b);
            prop_assert_eq!(set(&all), &one | &other);
            for number in &one {
                prop_assert!(!all.insert(*number));
                all.remove(*number);
            }
            prop_assert_eq!(set(&all), &other - &one);
        }
    }
}
