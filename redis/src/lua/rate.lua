-- A rate by GCRA: kept is the micro-second at which its bucket is full again. A unit takes `per / amount` micro-seconds, which need
-- not be whole.
local function now_micros()
    local time = redis.call('TIME')
    return tonumber(time[1]) * 1000000 + tonumber(time[2])
end

local function full_at(key, now)
    return math.max(tonumber(redis.call('GET', key) or '0'), now)
end

local function set_full_at(key, at, now)
    if at > now then
        redis.call('SET', key, string.format('%.17g', at), 'PX', text(math.ceil((at - now) / 1000) + 1))
    else
        redis.call('DEL', key)
    end
end

-- When it is full again after so many units more, or how long that is too early. What is larger than the burst passes once the
-- bucket is full. A micro-second is forgiven, since so late a time is kept to a quarter of one.
local function take(key, unit, burst, count, now)
    local at = full_at(key, now)
    local room = now + math.max(burst - count, 0) * unit
    if at > room + 1 then return nil, math.ceil(at - room) end
    return at + count * unit
end

-- Takes so many units more; below zero it gives back. What is used beyond the limit is paid back within a day, or within the time of the rate
-- if that is longer, so that the refusals end whatever an upstream says was used.
local function correct(key, unit, more, now, per)
    if unit == 0 or more == 0 then return end
    local at = full_at(key, now)
    local longest = math.max(at, now + math.max(86400000000, tonumber(per)))
    set_full_at(key, math.min(at + more * unit, longest), now)
end

-- Microseconds of a unit; 0 if there is no limit.
local function unit_of(per, amount)
    local amount = tonumber(amount)
    if amount == 0 then return 0 end
    return tonumber(per) / amount
end
