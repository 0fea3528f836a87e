//! What stands behind the name of a trial.

use std::path::PathBuf;

/// `--name value` pairs of a command line.
pub struct Options(Vec<(String, String)>);

impl Options {
    /// Reads them; only these names are known.
    ///
    /// # Errors
    /// What is wrong, in words.
    pub fn read(arguments: &[String], known: &[&str]) -> Result<Self, String> {
        let mut pairs = Vec::new();
        let mut rest = arguments.iter();
        while let Some(name) = rest.next() {
            if !known.contains(&name.as_str()) {
                return Err(format!("{name}: not one of {}", known.join(" ")));
            }
            let value = rest.next().ok_or_else(|| format!("{name}: no value"))?;
            pairs.push((name.clone(), value.clone()));
        }
        Ok(Self(pairs))
    }

    /// The last value of a name.
    #[must_use]
    pub fn text(&self, name: &str) -> Option<&str> {
        let of_name = self.0.iter().rev().find(|(it, _)| it == name);
        of_name.map(|(_, value)| value.as_str())
    }

    /// A number, or what it is unless said.
    ///
    /// # Errors
    /// When it is no number.
    pub fn number(&self, name: &str, unless_said: u64) -> Result<u64, String> {
        let Some(text) = self.text(name) else { return Ok(unless_said) };
        text.parse().map_err(|error| format!("{name} {text}: {error}"))
    }

    /// The binary to try, if it is another one than beside this program.
    #[must_use]
    pub fn binary(&self) -> Option<PathBuf> {
        self.text("--kith").map(PathBuf::from)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(line: &str) -> Result<Options, String> {
        let arguments: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
        Options::read(&arguments, &["--loops", "--kith"])
    }

    #[test]
    fn the_last_one_counts_and_what_is_unknown_is_refused() {
        let options = read("--loops 3 --loops 4").expect("they are known");
        assert_eq!(options.number("--loops", 200), Ok(4));
        assert_eq!(options.number("--seed", 1), Ok(1));
        assert_eq!(options.binary(), None);
        for bad in ["--lops 3", "--loops", "200"] {
            assert!(read(bad).is_err(), "{bad}");
        }
        assert!(read("--loops many").expect("it is known").number("--loops", 1).is_err());
    }
}
