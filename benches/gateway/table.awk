# The results as Markdown: calls, streams, open loop with first tokens, memory with start. Input: lines of server, figure, value.
#
# `servers` has the names in their order, `streams` and `rate` are what the run was made with.
BEGIN { FS = "\t" }
{ value[$1, $2] = $3 }
$2 ~ /\.void$/ { voids[++void_count] = $1 ", " substr($2, 1, length($2) - 5) ": " $3 }

# of SERVER FIGURE SCALE FORMAT: a dash if it was not measured.
function of(server, figure, scale, format) {
    if ((server, "start.void") in value) { return "void" }
    if (!((server, figure) in value)) { return "–" }
    return sprintf(format, value[server, figure] / scale)
}

# times SERVER MEASUREMENT: calls/s, mean, p50, p99 and CPU of a measurement.
function calls(server, name) {
    if ((server, name ".void") in value) { return " void | | | | |" }
    return sprintf(" %s | %s | %s | %s | %s |", of(server, name ".rate", 1, "%.0f"), of(server, name ".mean", 1000, "%.2f"), \
        of(server, name ".p50", 1000, "%.2f"), of(server, name ".p99", 1000, "%.2f"), of(server, name ".cpu", 1, "%.0f"))
}

function title(server) {
    if (server == "ours") { return "**openrouter-gateway**" }
    if (server == "passthrough") { return "axum and reqwest, bare" }
    if (server == "litellm") { return "LiteLLM" }
    if (server == "portkey") { return "Portkey" }
    return server
}

# row SERVER CELLS: only of servers that ran.
function row(server, cells) {
    if (!((server, "missing") in value)) { print "| " title(server) " |" cells }
}

function head(columns,    cells, i, count, line) {
    count = split(columns, cells, ",")
    line = "| --- |"
    for (i = 2; i <= count; i++) { line = line " ---: |" }
    gsub(",", " | ", columns)
    print "\n| " columns " |\n" line
}

# grown SERVER: memory that the open streams take, by stream.
function grown(server) {
    if (!((server, "open.held") in value)) { return "–" }
    return sprintf("%.1f", (value[server, "open.held"] - value[server, "open.idle"]) / value[server, "open.streams"])
}

END {
    count = split(servers, names, " ")

    print "\nShort plain answers, 16 connections. Times in ms, CPU of the server alone."
    head("server,version,calls/s,mean,p50,p99,CPU µs a call")
    for (i = 1; i <= count; i++) { row(names[i], " " value[names[i], "version"] " |" calls(names[i], "plain-16")) }

    print "\nStreams of 100 chunks, 16 connections."
    head("server,streams/s,mean,p50,p99,CPU µs a stream")
    for (i = 1; i <= count; i++) { row(names[i], calls(names[i], "stream-16")) }

    print "\nOpen loop: " rate " plain calls a second are begun, and times count from when each should have begun."
    print "First tokens: of 128 streams at once, as fast as they are answered. In ms."
    head("server,answered/s,mean,p50,p99,first token p50,first token p99")
    for (i = 1; i <= count; i++) {
        open = "rate-" rate
        cells = sprintf(" %s | %s | %s | %s |", of(names[i], open ".rate", 1, "%.0f"), of(names[i], open ".mean", 1000, "%.2f"), \
            of(names[i], open ".p50", 1000, "%.2f"), of(names[i], open ".p99", 1000, "%.2f"))
        if ((names[i], open ".void") in value) { cells = " void | | | |" }
        first = sprintf(" %s | %s |", of(names[i], "stream-128.first50", 1000, "%.2f"), of(names[i], "stream-128.first99", 1000, "%.2f"))
        if ((names[i], "stream-128.void") in value) { first = " void | |" }
        row(names[i], cells first)
    }

    print "\nStart until the first plain answer, memory of all processes of the server: resident, and proportional (a shared page counts in parts)."
    head("server,start ms,idle resident MiB,idle MiB,MiB with " streams " open streams,KiB a stream")
    for (i = 1; i <= count; i++) {
        held = of(names[i], "open.held", 1024, "%.1f") " | " grown(names[i])
        if ((names[i], "open.void") in value) { held = "void |" }
        row(names[i], sprintf(" %s | %s | %s | %s |", of(names[i], "ready", 1, "%.0f"), of(names[i], "idle.resident", 1024, "%.1f"), \
            of(names[i], "idle.proportional", 1024, "%.1f"), held))
    }

    for (i = 1; i <= count; i++) {
        if ((names[i], "missing") in value) { print "\nLeft out: " title(names[i]) ", " value[names[i], "missing"] "." }
    }
    for (i = 1; i <= void_count; i++) { print "\nVoid: " voids[i] "." }
}
