//! Where a random query takes its decisions from.

/// A tape of numbers, each for one decision. At its end every decision is 0, the plainest: so a shorter tape
/// of smaller numbers is a plainer query, and shrinking the tape shrinks the query.
#[derive(Debug)]
pub struct Choices<'a> {
    tape: &'a [u16],
    at: usize,
}

impl<'a> Choices<'a> {
    pub fn new(tape: &'a [u16]) -> Self {
        Self { tape, at: 0 }
    }

    /// A number below `end`.
    pub fn below(&mut self, end: usize) -> usize {
        let number = self.tape.get(self.at).copied().unwrap_or_default();
        self.at += 1;
        usize::from(number) % end
    }

    /// Whether what happens in so many of a hundred cases does.
    pub fn chance(&mut self, percent: usize) -> bool {
        self.below(100) >= 100 - percent
    }

    /// One of some.
    pub fn of<'b, T: ?Sized>(&mut self, some: &[&'b T]) -> &'b T {
        some[self.below(some.len())]
    }
}
