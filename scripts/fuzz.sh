#!/usr/bin/env bash
# Fuzzes every decoder of foreign bytes: fuzz.sh [SECONDS for each] [TARGET...]. libFuzzer and the compiler's own coverage
# passes are enough; `cargo fuzz run TARGET` works as well. What was found lies in fuzz/artifacts.
set -euo pipefail
cd "$(dirname "$0")/../fuzz"
seconds=${1:-60}
shift || true
flags="--cfg fuzzing -Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4"
flags+=" -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table"
flags+=" -Cllvm-args=-sanitizer-coverage-trace-compares"
export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-../target/fuzz}
if ! cargo fetch >/dev/null 2>&1; then
    echo "skipped: libfuzzer-sys cannot be fetched; cargo test -p eksile-tests --test decoders runs the same decoders for a moment"
    exit 0
fi
host=$(rustc -vV | sed -n 's/^host: //p')
# With a target named, build scripts and macros are left as they are.
RUSTFLAGS=$flags cargo build --release --target "$host" --bins
targets=("$@")
[ ${#targets[@]} -gt 0 ] || mapfile -t targets < <(ls fuzz_targets | sed 's/\.rs$//')
for target in "${targets[@]}"; do
    mkdir -p "corpus/$target" "artifacts/$target"
    echo "== $target, $seconds s"
    "$CARGO_TARGET_DIR/$host/release/$target" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=2048 -max_len=65536 \
        -print_final_stats=1 -artifact_prefix="artifacts/$target/" "corpus/$target" 2>&1 | tail -n 8
done
