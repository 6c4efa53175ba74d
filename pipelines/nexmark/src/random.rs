//! The random draws of one event.

const LETTERS: &[u8; 26] = b"abcdefghijklmnopqrstuvwxyz";

/// SplitMix64, one stream per seed.
#[derive(Debug)]
pub(crate) struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0xd134_2543_de82_ef95))
    }

    fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = self.0;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        bits ^ (bits >> 31)
    }

    /// From 0 up to and without `end`.
    pub fn below(&mut self, end: i64) -> i64 {
        ((u128::from(self.bits()) * end as u128) >> 64) as i64
    }

    /// One of `choices`.
    pub fn pick<'a>(&mut self, choices: &[&'a str]) -> &'a str {
        choices[self.below(choices.len() as i64) as usize]
    }

    /// Lower case letters.
    pub fn letters(&mut self, length: i64) -> String {
        (0..length).map(|_| char::from(LETTERS[self.below(26) as usize])).collect()
    }

    /// 1 to 1,000,000 currency units in cents; each power of ten as likely as the next.
    pub fn price(&mut self) -> i64 {
        let fraction = (self.bits() >> 11) as f64 / (1_u64 << 53) as f64;
        (10_f64.powf(fraction * 6.0) * 100.0).round() as i64
    }

    /// Letters that bring an event of `size` bytes to `average` bytes, give or take a fifth of what is added.
    pub fn padding(&mut self, size: usize, average: i64) -> String {
        let missing = average - size as i64;
        if missing < 0 {
            return String::new();
        }
        let spread = (missing + 2) / 5;
        let more = if spread == 0 { 0 } else { self.below(2 * spread) };
        self.letters(missing - spread + more)
    }
}
