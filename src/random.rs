//! A small random generator whose draws are the same on every machine.

/// SplitMix64 (Steele, Lea and Flood 2014).
#[derive(Debug, Clone)]
pub struct SplitMix(u64);

impl SplitMix {
    /// A generator with this seed.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// A generator for the stream number `stream` of a seed.
    #[must_use]
    pub fn stream(seed: u64, stream: u64) -> Self {
        Self(Self(seed).draw() ^ stream.wrapping_mul(0x9E37_79B9_7F4A_7C15))
    }

    /// A generator for something with a name, such as an item: what it draws does not hang on what else is drawn.
    #[must_use]
    pub fn named(seed: u64, name: &str) -> Self {
        // FNV-1a (Fowler, Noll and Vo).
        let hash = name.bytes().fold(0xCBF2_9CE4_8422_2325u64, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01B3)
        });
        Self::stream(seed, Self(hash).draw())
    }

    /// The next 64 bits.
    pub fn draw(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// A number below `bound`; the bias of a 64-bit draw is far below what a resampling can see.
    pub fn below(&mut self, bound: usize) -> usize {
        ((u128::from(self.draw()) * bound as u128) >> 64) as usize
    }

    /// A number from 0 up to but without 1.
    pub fn unit(&mut self) -> f64 {
        (self.draw() >> 11) as f64 / (1u64 << 53) as f64
    }

    /// Puts items in a random order (Fisher and Yates).
    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        (1..items.len()).rev().for_each(|last| items.swap(last, self.below(last + 1)));
    }

    /// Two independent draws from the normal distribution of mean 0 and variance 1 (Box and Muller 1958). None is
    /// further from 0 than 6.7.
    pub fn normals(&mut self) -> [f32; 2] {
        const RANGE: f32 = (1u64 << 32) as f32;
        let bits = self.draw();
        // Above 0, so that its logarithm is finite.
        let unit = ((bits >> 32) + 1) as f32 / RANGE;
        let radius = (-2.0 * unit.ln()).sqrt();
        let (sine, cosine) = (std::f32::consts::TAU * ((bits & 0xFFFF_FFFF) as f32 / RANGE)).sin_cos();
        [radius * cosine, radius * sine]
    }
}
