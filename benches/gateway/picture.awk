# The picture of the calls a second, as SVG: a bar for each server, once for plain calls and once for streams. Input: lines of server, figure, value.
#
# Text has the colour of the reader's scheme, light or dark; bars have one that is read on both. `servers` has the names in their order.
BEGIN { FS = "\t" }
{ value[$1, $2] = $3 }

function title(server) {
    if (server == "ours") { return "openrouter-gateway" }
    if (server == "passthrough") { return "axum and reqwest, bare" }
    if (server == "litellm") { return "LiteLLM" }
    if (server == "portkey") { return "Portkey" }
    return server
}

# thousands NUMBER: 12 345, with narrow spaces.
function thousands(number,    text) {
    text = sprintf("%.0f", number)
    return length(text) > 3 ? substr(text, 1, length(text) - 3) "&#8239;" substr(text, length(text) - 2) : text
}

# bars HEADING FIGURE TOP: prints the group, and returns where it ends.
function bars(heading, figure, top,    i, most, width, y, number, version) {
    printf("<text class=\"head\" x=\"0\" y=\"%d\">%s</text>\n", top + 16, heading)
    most = 1
    for (i = 1; i <= count; i++) { if (value[names[i], figure] + 0 > most) { most = value[names[i], figure] + 0 } }
    y = top + 28
    for (i = 1; i <= count; i++) {
        if ((names[i], "missing") in value) { continue }
        version = names[i] == "passthrough" || names[i] == "ours" ? "" : " " value[names[i], "version"]
        printf("<text class=\"name%s\" x=\"%d\" y=\"%d\">%s</text>\n", names[i] == "ours" ? " ours" : "", left - 10, y + 15, title(names[i]) version)
        if ((names[i], figure) in value) {
            number = value[names[i], figure] + 0
            width = number / most * room
            if (width < 1) { width = 1 }
            printf("<rect class=\"%s\" x=\"%d\" y=\"%d\" width=\"%.1f\" height=\"20\" rx=\"2\"/>\n", names[i] == "ours" ? "own" : "bar", left, y, width)
            printf("<text class=\"number\" x=\"%.1f\" y=\"%d\">%s</text>\n", left + width + 8, y + 15, thousands(number))
        } else {
            printf("<text class=\"number\" x=\"%d\" y=\"%d\">not measured</text>\n", left, y + 15)
        }
        y += 28
    }
    return y
}

END {
    count = split(servers, names, " ")
    shown = 0
    for (i = 1; i <= count; i++) { if (!((names[i], "missing") in value)) { shown++ } }
    left = 190
    room = 440
    height = 2 * (28 + 28 * shown) + 24
    printf("<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"-12 -6 744 %d\" width=\"744\" height=\"%d\" role=\"img\" ", height + 12, height + 12)
    print "aria-label=\"Calls a second through each gateway: plain calls, and streams of 100 chunks\">"
    print "<style>"
    print "text { font: 13px system-ui, -apple-system, 'Segoe UI', Helvetica, Arial, sans-serif; fill: #24292f; }"
    print ".head, .ours { font-weight: 600; } .name { text-anchor: end; }"
    print ".bar { fill: #8c959f; } .own { fill: #2f81f7; }"
    print "@media (prefers-color-scheme: dark) { text { fill: #e6edf3; } .bar { fill: #6e7681; } }"
    print "</style>"
    next_top = bars("Plain calls a second, 16 connections", "plain-16.rate", 0)
    bars("Streams of 100 chunks a second, 16 connections", "stream-16.rate", next_top + 16)
    print "</svg>"
}
