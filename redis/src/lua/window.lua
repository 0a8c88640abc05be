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
