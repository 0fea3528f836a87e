# Short names for what tests/run does; see CONTRIBUTING.md. `just` is optional.

# Every check of every commit.
check:
    tests/run

# Some stages: just stage fmt clippy
stage +names:
    tests/run {{names}}

# What the continuous integration runs.
ci:
    .ci/run

# Format everything.
fmt:
    cargo fmt --all

# Replay one simulated run: just seed 42
seed number:
    KITH_SIM_SEED={{number}} cargo nextest run -p sim --no-capture

# Two nodes and a doorway, from nothing.
demo:
    cargo run --release --locked -- demo

# Accept the present sizes; the review sees the difference.
bless:
    TIDY_BLESS=1 cargo nextest run -p tidy sizes
