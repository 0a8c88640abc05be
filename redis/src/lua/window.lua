-- The window of a budget that a time lies in: its start and its end.

local DAY = 86400000
local HOUR = 3600000

local function now_millis()
    local time = redis.call('TIME')
    return tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
end

local function first_of_month(day)
    -- Days since 0000-03-01, in years that begin in March: the leap day is then the last one.
    local since = day + 719468
    local doe = since - math.floor(since / 146097) * 146097
    local yoe = math.floor((doe - math.floor(doe / 1460) + math.floor(doe / 36524) - math.floor(doe / 146096)) / 365)
    local doy = doe - (365 * yoe + math.floor(yoe / 4) - math.floor(yoe / 100))
    local shifted = math.floor((5 * doy + 2) / 153)
    return day - (doy - math.floor((153 * shifted + 2) / 5))
end

-- The beginnings of windows, ascending, as a process has computed them by its calendar: `at:1,2,3`. Before the first there is none; after the
-- last they follow each other as the last two do.
local function of_calendar(times, at)
    local before, start, ends
    for time in times:gmatch('%d+') do
        time = tonumber(time)
        if time > at then
            ends = time
            break
        end
        before, start = start, time
    end
    if not start then return 0, ends or 0 end
    if ends then return start, ends end
    local step = math.max(start - (before or 0), 1)
    start = start + math.floor((at - start) / step) * step
    return start, start + step
end

-- The start and the end of the window that a time lies in; the end of one without end is 0. Of one that rolls (`rolling:` and its
-- milliseconds) also its length.
local function window(kind, at)
    local day = math.floor(at / DAY)
    if kind == 'hour' then
        local hour = math.floor(at / HOUR)
        return hour * HOUR, (hour + 1) * HOUR
    end
    if kind == 'day' then return day * DAY, (day + 1) * DAY end
    if kind == 'week' then
        local first = math.max(day - (day + 3) % 7, 0)
        return first * DAY, (first + 7) * DAY
    end
    if kind == 'month' then
        local first = first_of_month(day)
        -- No month is longer than 31 days.
        return first * DAY, first_of_month(first + 31) * DAY
    end
    local length = kind:match('^rolling:(%d+)$')
    if length then return at, at + tonumber(length), tonumber(length) end
    local times = kind:match('^at:(.+)$')
    if times then return of_calendar(times, at) end
    return 0, 0
end

-- A rule that no process has sent for so long is no longer in force: the processes that had it are gone.
local IN_FORCE = HOUR

-- The rule of a budget, as a process sends it: its window, since when it is in force there, and a name for a window that is given by times:
-- `window;since;name`. A rule without a time is the oldest. An account keeps beside the time when the rule was last sent:
-- `window;since,sent;name`.
local function rule_of(written)
    local kind, since, sent, name = written:match('^([^;]*);?(%d*),?(%d*);?(.*)$')
    return {kind = kind, since = tonumber(since) or 0, sent = tonumber(sent) or 0, name = name ~= '' and name or kind}
end

local function written_rule(rule)
    return rule.kind .. ';' .. text(rule.since) .. ',' .. text(rule.sent) .. ';' .. (rule.name ~= rule.kind and rule.name or '')
end

-- The rule of an account that had this one: of two different windows, that of the budget that came into force later, if a process has sent it within
-- the last hour. What a call settles that began under the budget before, and what a process with older settings decides, moves no window; nor does a
-- process for long that is gone. A time that is ahead of the server's clock counts as now.
local function ruling(had, asked, now)
    local rule = rule_of(asked)
    rule.since, rule.sent = math.min(rule.since, now), now
    if not had then return rule end
    local before = rule_of(had)
    before.since, before.sent = math.min(before.since, now), math.min(before.sent, now)
    if before.since > rule.since then
        if before.name == rule.name then
            rule.since = before.since
        elseif now - before.sent < IN_FORCE then
            return before
        end
    end
    return rule
end
