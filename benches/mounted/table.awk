# Medians over the rounds, and the stack against the pass-through. Input: the lines of `load`, and processor ticks.
BEGIN { FS = "\t" }

{
    key = $2 FS $3
    if (!(key in seen)) { seen[key]; keys[++kinds] = key }
    count[key, $1]++
    for (field = 5; field <= 9; field++) { value[key, $1, field, count[key, $1]] = $field }
    # The warm-up of half a second is on the processor's account, too.
    value[key, $1, 10, count[key, $1]] = $10 / hertz * 1e6 / ($4 * (seconds + 0.5) / seconds)
}

function median(key, name, field,    n, i, j, swap, sorted) {
    n = count[key, name]
    for (i = 1; i <= n; i++) { sorted[i] = value[key, name, field, i] + 0 }
    for (i = 1; i <= n; i++) {
        for (j = i + 1; j <= n; j++) {
            if (sorted[j] < sorted[i]) { swap = sorted[i]; sorted[i] = sorted[j]; sorted[j] = swap }
        }
    }
    return n % 2 ? sorted[(n + 1) / 2] : (sorted[n / 2] + sorted[n / 2 + 1]) / 2
}

END {
    print "| calls | connections | through | calls/s | p50 µs | p99 µs | first token p50 µs | p99 µs | CPU µs a call |"
    print "| --- | --- | --- | --- | --- | --- | --- | --- | --- |"
    split("direct passthrough stack", names, " ")
    for (k = 1; k <= kinds; k++) {
        split(keys[k], parts, FS)
        for (n = 1; n <= 3; n++) {
            line = "| " parts[1] " | " parts[2] " | " names[n] " |"
            for (field = 5; field <= 10; field++) { line = line sprintf(" %.0f |", median(keys[k], names[n], field)) }
            print line
        }
    }
    print ""
    print "| calls | connections | calls/s against the pass-through | first token p50 later by | CPU a call against it |"
    print "| --- | --- | --- | --- | --- |"
    for (k = 1; k <= kinds; k++) {
        split(keys[k], parts, FS)
        printf "| %s | %s | %.2f | %.0f µs | %.2f |\n", parts[1], parts[2], \
            median(keys[k], "stack", 5) / median(keys[k], "passthrough", 5), \
            median(keys[k], "stack", 8) - median(keys[k], "passthrough", 8), \
            median(keys[k], "stack", 10) / median(keys[k], "passthrough", 10)
    }
}
