//! Whether a document is loaded in no time, told before it is.
//!
//! A run of equal operations is as small as one of them: how many bytes a document has says
//! what it costs to fetch, and little about what it costs to load.

use super::{
    bundle::{Body, Bundle},
    weigh,
};

/// Changes, operations, and operations that they replace: 3 µs each (measured), some twenty
/// milliseconds together.
const SUM_MAX: u64 = 1 << 13;

/// Marks times operations: 200 ns each (measured).
const MARKS_TIMES_OPERATIONS_MAX: u64 = 1 << 17;

/// What changes add up to.
#[derive(Default)]
struct Sum {
    changes: u64,
    operations: u64,
    predecessors: u64,
    marks: u64,
}

impl Sum {
    /// Whether it is light with this chunk, too. What has no weight is refused in no time.
    fn add(&mut self, chunk: &[u8]) -> bool {
        let Ok(weight) = weigh::sums(chunk) else { return true };
        // Each summand is capped, and the first sum above the limits is the last one.
        self.changes += weight.changes;
        self.operations += weight.operations;
        self.predecessors += weight.predecessors;
        self.marks += weight.marks;
        self.changes + self.operations + self.predecessors <= SUM_MAX
            && self.marks * self.operations <= MARKS_TIMES_OPERATIONS_MAX
    }
}

/// Whether a document of these bodies is loaded within some ten milliseconds. Looks at no more
/// of them than it takes to say no.
pub(crate) fn is_light(bodies: impl IntoIterator<Item = Body>) -> bool {
    let mut sum = Sum::default();
    bodies.into_iter().all(|body| match body {
        Body::Change(chunk) => sum.add(&chunk),
        Body::Bundle(bytes) => Bundle::decode(&bytes).map_or(true, |bundle| {
            bundle.history.iter().chain(&bundle.changes).all(|chunk| sum.add(chunk))
        }),
    })
}

#[cfg(test)]
mod tests {
    use super::super::crafted;
    use super::*;

    fn list(items: u64) -> Body {
        Body::Change(crafted::list(items))
    }

    #[test]
    fn what_is_many_operations_in_few_bytes_is_not_light() {
        let Body::Change(bytes) = list(1 << 17) else { unreachable!("it is a change") };
        assert!(bytes.len() < 200, "{} bytes", bytes.len());
        assert!(!is_light([Body::Change(bytes)]));
        assert!(is_light([list(1_000)]));
        assert!(!is_light((0..9).map(|_| list(1_000))), "together they are too many");
    }

    #[test]
    fn what_is_refused_at_once_is_light() {
        assert!(is_light([Body::Change(b"no change".to_vec()), Body::Bundle(b"none".to_vec())]));
        assert!(is_light([list(1 << 40)]), "it is too heavy to be taken in");
    }
}
