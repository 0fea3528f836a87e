//! How well somebody knows something, in eight levels after Bloom.

/// A level; the higher one includes the lower ones.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Mastery {
    #[default]
    NotStarted,
    Seen,
    Remember,
    Understand,
    Apply,
    Analyze,
    Evaluate,
    Create,
}

impl Mastery {
    /// All levels, from 0 to 7.
    pub(crate) const ALL: [Self; 8] = [
        Self::NotStarted,
        Self::Seen,
        Self::Remember,
        Self::Understand,
        Self::Apply,
        Self::Analyze,
        Self::Evaluate,
        Self::Create,
    ];

    /// The level of a number; `None` above 7.
    pub(crate) fn of(number: u64) -> Option<Self> {
        Self::ALL.get(usize::try_from(number).ok()?).copied()
    }

    /// Its number, from 0 to 7.
    pub(crate) fn number(self) -> usize {
        self as usize
    }

    /// What it is called.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::NotStarted => "not started",
            Self::Seen => "seen",
            Self::Remember => "remember",
            Self::Understand => "understand",
            Self::Apply => "apply",
            Self::Analyze => "analyze",
            Self::Evaluate => "evaluate",
            Self::Create => "create",
        }
    }

    /// What somebody who is there says.
    pub(crate) fn sentence(self) -> &'static str {
        match self {
            Self::NotStarted => "I have not begun",
            Self::Seen => "I have seen it",
            Self::Remember => "I remember it",
            Self::Understand => "I can explain it",
            Self::Apply => "I can use it",
            Self::Analyze => "I can take it apart",
            Self::Evaluate => "I can judge it",
            Self::Create => "I can make something new with it",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_are_numbered_in_order() {
        for (number, level) in (0..).zip(Mastery::ALL) {
            assert_eq!(Mastery::of(number), Some(level));
            assert_eq!(level.number() as u64, number);
        }
        assert!(Mastery::ALL.is_sorted());
        assert_eq!((Mastery::of(8), Mastery::of(u64::MAX)), (None, None));
    }
}
