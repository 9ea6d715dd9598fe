//! A set of small numbers that finds its next ones: a bit for each, and above the words a summary with a bit for each word
//! that is not empty.

/// The set. Words and summary are in one piece, the words first.
#[derive(Clone, Debug)]
pub(crate) struct Bits {
    cells: Box<[u64]>,
    words: u32,
}

impl Bits {
    /// An empty set of numbers below `count`.
    pub fn new(count: usize) -> Self {
        let words = count.div_ceil(64);
        Self { cells: vec![0; words + words.div_ceil(64)].into_boxed_slice(), words: words as u32 }
    }

    fn halves(&self) -> (&[u64], &[u64]) {
        self.cells.split_at(self.words as usize)
    }

    /// Put a number in.
    #[inline]
    pub fn set(&mut self, number: u32) {
        let number = number as usize;
        let (words, summary) = self.cells.split_at_mut(self.words as usize);
        words[number / 64] |= 1 << (number % 64);
        summary[number / 4096] |= 1 << (number / 64 % 64);
    }

    /// Take a number out.
    #[inline]
    pub fn clear(&mut self, number: u32) {
        let number = number as usize;
        let (words, summary) = self.cells.split_at_mut(self.words as usize);
        words[number / 64] &= !(1 << (number % 64));
        if words[number / 64] == 0 {
            summary[number / 4096] &= !(1 << (number / 64 % 64));
        }
    }

    /// The lowest number from `number` on that is in.
    pub fn at_or_above(&self, number: u32) -> Option<u32> {
        let (words, summary) = self.halves();
        let (word, bit) = (number as usize / 64, number % 64);
        let here = words.get(word)? & (u64::MAX << bit);
        if here != 0 {
            return Some(word as u32 * 64 + here.trailing_zeros());
        }
        let next = word + 1;
        let mut group = next / 64;
        let mut bits = summary.get(group)? & (u64::MAX << (next % 64));
        while bits == 0 {
            group += 1;
            bits = *summary.get(group)?;
        }
        let word = group * 64 + bits.trailing_zeros() as usize;
        Some(word as u32 * 64 + words[word].trailing_zeros())
    }

    /// The highest number below `number` that is in.
    pub fn below(&self, number: u32) -> Option<u32> {
        let (words, summary) = self.halves();
        let (word, bit) = (number as usize / 64, number % 64);
        let here = words.get(word).map_or(0, |bits| bits & ((1 << bit) - 1));
        if here != 0 {
            return Some(word as u32 * 64 + 63 - here.leading_zeros());
        }
        let mut group = word / 64;
        let mut bits = summary.get(group).map_or(0, |bits| bits & ((1 << (word % 64)) - 1));
        while bits == 0 {
            group = group.checked_sub(1)?;
            bits = summary[group];
        }
        let word = group * 64 + 63 - bits.leading_zeros() as usize;
        Some(word as u32 * 64 + 63 - words[word].leading_zeros())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_next_numbers() {
        for count in [1, 64, 65, 421, 4096, 4097, 32_768] {
            let mut bits = Bits::new(count);
            assert_eq!((bits.at_or_above(0), bits.below(count as u32)), (None, None));
            let mut numbers = vec![0, count as u32 / 3, count as u32 / 2, count as u32 - 1];
            numbers.dedup();
            numbers.iter().for_each(|number| bits.set(*number));
            let up: Vec<u32> =
                std::iter::successors(bits.at_or_above(0), |number| bits.at_or_above(number + 1)).collect();
            assert_eq!(up, numbers);
            let down: Vec<u32> =
                std::iter::successors(bits.below(count as u32), |number| bits.below(*number)).collect();
            assert_eq!(down, numbers.iter().rev().copied().collect::<Vec<_>>());
            numbers.iter().for_each(|number| bits.clear(*number));
            assert_eq!((bits.at_or_above(0), bits.below(count as u32)), (None, None));
        }
    }
}
