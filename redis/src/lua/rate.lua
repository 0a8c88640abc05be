-- A rate by GCRA: kept is the micro-second at which its bucket is full again. A unit takes `per / amount` micro-seconds, which need
-- not be whole. Kept beside it, together with that time, is the limit that it was counted by, since limits are changed: an older version
-- of this script writes the time alone. With that limit goes what is used and has no place in its burst (`cut`): those units do not count by
-- this limit, and count again by one with a larger burst, as two processes with different limits may take turns. They are refilled last, and
-- forgotten after a day without a call.

local LONGEST_DEBT = 86400000000

local function now_micros()
    local time = redis.call('TIME')
    return tonumber(time[1]) * 1000000 + tonumber(time[2])
end

-- A limit of what is counted under this key; its unit is 0 if there is none.
local function limit_of(key, per, amount, burst)
    local micros, units = tonumber(per), tonumber(amount)
    return {key = key, per = micros, unit = units == 0 and 0 or micros / units, burst = tonumber(burst), cut = 0}
end

local function counted_of(key) return key .. '\30counted' end

-- When the bucket is full again, and the limit that this was counted by: `own` if no other is known.
local function kept(own, now)
    local at = redis.call('GET', own.key)
    if not at then return now, own end
    local counted, unit, burst, cut = string.match(redis.call('GET', counted_of(own.key)) or '', '^(%S+) (%S+) (%S+) ?(%S*)$')
    if counted ~= at then return math.max(tonumber(at), now), own end
    local by = {key = own.key, unit = tonumber(unit), burst = tonumber(burst), cut = tonumber(cut) or 0}
    at = tonumber(at)
    if at < now then
        at, by.cut = now, math.max(by.cut - (now - at) / by.unit, 0)
    end
    if at == now and by.cut == 0 then return now, own end
    return at, by
end

-- What is used beyond the limit is paid back within a day, or within the time of the rate if that is longer, so that the refusals end
-- whatever an upstream says was used.
local function longest_debt(own)
    return math.max(LONGEST_DEBT, own.per, own.burst * own.unit)
end

local function set_full_at(by, at, now)
    local left = at - now + math.min(by.cut * by.unit, LONGEST_DEBT)
    if left > 0 then
        local written, keep = string.format('%.17g', at), text(math.ceil(left / 1000) + 1)
        redis.call('SET', by.key, written, 'PX', keep)
        redis.call('SET', counted_of(by.key), string.format('%s %.17g %.17g %.17g', written, by.unit, by.burst, by.cut), 'PX', keep)
    else
        redis.call('DEL', by.key, counted_of(by.key))
    end
end

-- When the bucket is full again by this limit. After a change of the limit, the units that were taken count, and not their time: as many of
-- the old burst are used of the new one, as far as that goes, the rest is cut off, and what was taken beyond the old burst is still owed.
local function full_at(own, now)
    if own.unit == 0 then return now end
    local at, by = kept(own, now)
    if by.unit == own.unit and by.burst == own.burst then
        own.cut = by.cut
        return at
    end
    local taken = (at - now) / by.unit
    local owed = math.max(taken - by.burst, 0)
    local used = taken - owed + by.cut
    local fits = math.min(used, own.burst)
    own.cut = used - fits
    at = now + math.min((fits + owed) * own.unit, longest_debt(own))
    -- Also if the call does not pass: from now on it is refilled by this limit.
    set_full_at(own, at, now)
    return at
end

-- When it is full again after so many units more, or how long that is too early. What is larger than the burst passes once the
-- bucket is full. A micro-second is forgiven, since so late a time is kept to a quarter of one.
local function take(own, count, now)
    local at = full_at(own, now)
    local room = now + math.max(own.burst - count, 0) * own.unit
    if at > room + 1 then return nil, math.ceil(at - room) end
    return at + count * own.unit
end

-- Takes so many units more of the limit that is in force; below zero it gives back.
local function correct(own, more, now)
    if own.unit == 0 or more == 0 then return end
    local at, by = kept(own, now)
    local longest = math.max(at, now + longest_debt(own))
    set_full_at(by, math.min(at + more * by.unit, longest), now)
end
