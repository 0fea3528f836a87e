//! House rules that neither the compiler nor clippy can check.
//!
//! Each module is one rule book and holds its own tests; a failure says how to mend it.
//! Non-goal: anything that `clippy.toml` or `deny.toml` can express.

#[cfg(test)]
mod arrows;
#[cfg(test)]
mod docs;
#[cfg(test)]
mod evidence;
#[cfg(test)]
mod ledger;
#[cfg(test)]
mod privacy;
#[cfg(test)]
mod scan;
#[cfg(test)]
mod sizes;
#[cfg(test)]
mod source;
#[cfg(test)]
mod words;
#[cfg(test)]
mod workspace;
