use bao_tree::{ChunkNum, ChunkRanges};

/// Most boundaries that a request may carry: more means that starting the range
/// anew is cheaper than describing it.
const BOUNDARIES_MAX: usize = 512;

/// Which parts of a blob, in BLAKE3 chunks of 1,024 bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ranges(pub(crate) ChunkRanges);

impl Ranges {
    /// All of a blob.
    #[must_use]
    pub fn all() -> Self {
        Self(ChunkRanges::all())
    }

    /// Whether they hold nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Where they begin and end, alternately, ascending; an odd number of
    /// boundaries means up to the end of the blob.
    #[must_use]
    pub fn boundaries(&self) -> Vec<u64> {
        self.0.boundaries().iter().map(|boundary| boundary.0).collect()
    }

    /// From [`Self::boundaries`]; `None` when they do not ascend or are too many.
    #[must_use]
    pub fn from_boundaries(boundaries: Vec<u64>) -> Option<Self> {
        if boundaries.len() > BOUNDARIES_MAX || !boundaries.is_sorted_by(|a, b| a < b) {
            return None;
        }
        let boundaries = boundaries.into_iter().map(ChunkNum).collect();
        ChunkRanges::new(boundaries).map(Self)
    }

    /// At most as many boundaries as a request may carry, and nothing less.
    pub(crate) fn widened(ranges: ChunkRanges) -> Self {
        if ranges.boundaries().len() > BOUNDARIES_MAX { Self::all() } else { Self(ranges) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn boundaries_read_back() {
        for boundaries in [vec![], vec![0], vec![3, 7], vec![0, 16, 32]] {
            let ranges = Ranges::from_boundaries(boundaries.clone()).expect("ascending");
            assert_eq!(ranges.boundaries(), boundaries);
        }
    }

    #[test]
    fn boundaries_that_do_not_ascend_are_refused() {
        assert_eq!(Ranges::from_boundaries(vec![7, 3]), None);
        assert_eq!(Ranges::from_boundaries(vec![3, 3]), None);
        assert_eq!(Ranges::from_boundaries((0..1_000).collect()), None);
    }
}
