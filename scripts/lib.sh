# shellcheck shell=bash
# What the scripts share: their help, steps with their times, a closing line, the pinned tools. Sourced, not run.

cd "$(dirname "${BASH_SOURCE[0]}")/.."
export GIT_TERMINAL_PROMPT=0 # nothing here may wait for an answer

# help: prints the comment at the head of the script that runs.
help() {
    awk 'NR == 1 || /^# shellcheck/ { next } !/^#/ { exit } { sub(/^# ?/, ""); print }' "scripts/${0##*/}"
    exit
}

steps=0
failures=()
last_lines=() # of each failure's output
notices=()

# step WHAT COMMAND...: runs the command, prints its time, and continues after a failure, so that one run shows all failures.
step() {
    local what=$1 begin=$SECONDS status log
    shift
    steps=$((steps + 1))
    log=$(mktemp)
    printf '\n==> %s\n' "$what"
    set +e # only so does `set -e` hold inside the subshell
    if [[ -t 1 ]]; then # cargo and nextest draw their progress on a terminal only
        (
            set -e
            "$@"
        )
        status=$?
    else
        (
            set -e
            "$@"
        ) 2>&1 | tee "$log"
        status=${PIPESTATUS[0]}
    fi
    set -e
    if [[ $status -eq 0 ]]; then
        printf '    ok: %s (%d s)\n' "$what" "$((SECONDS - begin))"
    else
        failures+=("$what")
        last_lines+=("$(tail -n 60 "$log")")
        printf '    FAILED: %s (%d s)\n' "$what" "$((SECONDS - begin))"
    fi
    rm -f "$log"
}

# finish: the closing line, and the exit code. In a log, what a failed step printed last is repeated: its place may be far above.
finish() {
    local name=scripts/${0##*/} notice i
    printf '\n'
    for i in "${!failures[@]}"; do
        [[ -n ${last_lines[i]} ]] || continue
        printf 'the last lines of "%s":\n' "${failures[i]}"
        sed 's/^/    | /' <<<"${last_lines[i]}"
        printf '\n'
    done
    for notice in "${notices[@]}"; do
        printf '!!! %s\n' "$notice"
    done
    if [[ ${#failures[@]} -eq 0 ]]; then
        printf '%s: all %d steps ok, %d s\n' "$name" "$steps" "$SECONDS"
        exit 0
    fi
    printf '%s: %d of %d steps FAILED, %d s:\n' "$name" "${#failures[@]}" "$steps" "$SECONDS"
    printf '    %s\n' "${failures[@]}"
    exit 1
}

# use_tools NAME...: makes sure of the pinned versions and puts them first in PATH.
# Call them by their own name (`cargo-deny`, not `cargo deny`): cargo looks in its own folder first and may find another version.
use_tools() {
    step "tools" scripts/tools "$@"
    PATH=$(realpath "${TOOLS_DIR:-.tools}")/bin:$PATH
    export PATH
}

# The toolchain is the one thing that no script here installs.
need_rust() {
    command -v cargo >/dev/null && return
    echo "cargo is missing. Install Rust (https://rustup.rs), then run this again." >&2
    exit 1
}

# need_component NAME CARGO-COMMAND
need_component() {
    cargo "$2" --version >/dev/null 2>&1 && return
    echo "$1 is missing. Run: rustup component add $1" >&2
    exit 1
}

# rustdoc_json [FLAGS OF RUSTDOC...]: rustdoc's JSON of every library here, in one build, into the folder that `rustdoc_folder` names.
rustdoc_json() {
    RUSTDOC=$PWD/scripts/rustdoc-unstable RUSTDOCFLAGS="--cap-lints allow -Z unstable-options --output-format json $*" \
        cargo doc --quiet --workspace --lib --no-deps --all-features
}

rustdoc_folder() {
    echo "$(cargo metadata --format-version 1 --no-deps | jq -r .target_directory)/doc"
}
