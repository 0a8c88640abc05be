# A profile of callgrind as one line: instructions, clock readings, allocations.
# A name stands in brackets and is written out where it occurs first.

/^c?fn=/ {
    id = $0
    sub(/^c?fn=\(/, "", id)
    sub(/\).*/, "", id)
    name = $0
    if (sub(/^c?fn=\([0-9]+\) /, "", name)) { names[id] = name }
    if ($0 ~ /^cfn=/) { callee = names[id] }
}

/^calls=/ {
    calls = $1
    sub(/^calls=/, "", calls)
    if (callee ~ /^clock_gettime/) { readings += calls }
    if (callee ~ /^(malloc|calloc|realloc|posix_memalign|aligned_alloc|memalign)$/) { allocations += calls }
}

/^(summary|totals): / { instructions = $2 }

END { printf "%d\t%d\t%d\n", instructions, readings, allocations }
