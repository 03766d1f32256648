# Shortcuts; `just --list` shows them. Each is a plain command that works without just.

# Everything that CI checks.
test *ARGS:
    tests/run {{ARGS}}

# Only the lints, as CI has them.
lint:
    cargo fmt --all --check
    cargo clippy --locked --workspace --all-targets -- -D warnings

# Every fault of listing and transfer, at two rates, with several seeds; prints a table.
faults:
    GZETTE_FAULTS=all cargo test --locked --test it faults:: -- --nocapture

# Every kind of local file, rotten in every way; prints a table.
rot:
    GZETTE_ROT=all cargo test --locked --test it rot:: -- --nocapture

# A week of made-up logs through the real pipeline.
demo:
    cargo run --release --locked -- demo

# The comparison of docs/performance.md.
bench corpus='/tmp/gzette-corpus' rounds='5':
    cargo build --release --locked
    cargo bench --bench corpus -- {{corpus}}
    python3 benches/compare.py target/release/gzette {{corpus}} {{rounds}}

# Licences, duplicates and sources of the dependencies (offline; `cargo install cargo-deny`).
deny:
    cargo deny --offline check bans licenses sources

# A crash at every call that changes a file, and kills at random moments; see docs/reliability.md.
crash points='all':
    GZETTE_CRASH_POINTS={{points}} cargo test --locked --test it crash_points -- --nocapture

# Objects in any order, spread over any number of runs: more cases than the tests try.
order cases='300':
    GZETTE_ORDER={{cases}} cargo test --locked --test it order::

# Every fuzz target for so many seconds (`cargo install cargo-fuzz`, a nightly toolchain); see docs/reliability.md.
fuzz seconds='900':
    for target in $(cargo +nightly fuzz list); do \
        mkdir -p fuzz/corpus/$target && \
        cargo +nightly fuzz run $target fuzz/corpus/$target fuzz/seeds/$target -- \
            -max_total_time={{seconds}} -rss_limit_mb=2048 -timeout=10 || exit 1; \
    done
