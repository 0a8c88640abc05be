-- Exact money: whole dollars and pico-dollars, since a Lua number holds no more than 53 bits.
local ONE = 1000000000000

local function add(ad, ap, bd, bp)
    local p = ap + bp
    if p >= ONE then return ad + bd + 1, p - ONE end
    return ad + bd, p
end

local function sub(ad, ap, bd, bp)
    local p = ap - bp
    if p < 0 then return ad - bd - 1, p + ONE end
    return ad - bd, p
end

local function less(ad, ap, bd, bp)
    return ad < bd or (ad == bd and ap < bp)
end

local function text(number)
    return string.format('%.0f', number)
end

local function now_millis()
    local time = redis.call('TIME')
    return tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
end

local DAY = 86400000

-- The start and the end of the window that a time lies in; the end of one that lasts for ever is 0.
local function window(kind, at)
    local days = math.floor(at / DAY)
    if kind == 'day' then return days * DAY, (days + 1) * DAY end
    if kind == 'week' then
        local first = math.max(days - (days + 3) % 7, 0)
        return first * DAY, (days - (days + 3) % 7 + 7) * DAY
    end
    if kind == 'month' then
        local function first_of_month(day_number)
            local days_since = day_number + 719468
            local era = math.floor(days_since / 146097)
            local doe = days_since - era * 146097
            local yoe = math.floor((doe - math.floor(doe / 1460) + math.floor(doe / 36524) - math.floor(doe / 146096)) / 365)
            local doy = doe - (365 * yoe + math.floor(yoe / 4) - math.floor(yoe / 100))
            local shifted = math.floor((5 * doy + 2) / 153)
            local day = doy - math.floor((153 * shifted + 2) / 5) + 1
            return day_number - day + 1
        end
        local first = first_of_month(days)
        -- No month is longer than 31 days.
        return first * DAY, first_of_month(first + 31) * DAY
    end
    return 0, 0
end

-- An account: settled, reserved, overrun, each in two parts, and the window they are of.
local function load(key, start)
    local had = redis.call('HMGET', key, 'w', 'sd', 'sp', 'rd', 'rp', 'od', 'op')
    local function number(index) return tonumber(had[index] or '0') or 0 end
    local a = {
        w = number(1), sd = number(2), sp = number(3),
        rd = number(4), rp = number(5), od = number(6), op = number(7),
    }
    if start > a.w then
        a.w, a.sd, a.sp, a.od, a.op = start, 0, 0, 0, 0
    end
    return a
end

local function save(key, a, ends, lease)
    redis.call('HSET', key, 'w', text(a.w), 'sd', text(a.sd), 'sp', text(a.sp), 'rd', text(a.rd), 'rp', text(a.rp),
        'od', text(a.od), 'op', text(a.op))
    -- Past its window an account is only kept while something may be held on it.
    if ends > 0 then redis.call('PEXPIREAT', key, text(ends + lease * 2 + DAY)) end
end

local function release(a, d, p)
    a.rd, a.rp = sub(a.rd, a.rp, d, p)
    if a.rd < 0 then a.rd, a.rp = 0, 0 end
end

-- Frees what processes held that are gone, a hundred at a time.
local function sweep(key, a, now)
    local holds = key .. ':holds'
    local dead = redis.call('ZRANGEBYSCORE', holds, '-inf', text(now), 'LIMIT', 0, 100)
    for _, id in ipairs(dead) do
        local had = redis.call('HGET', key .. ':amounts', id)
        if had then
            local d, p = had:match('^(%d+):(%d+)$')
            release(a, tonumber(d), tonumber(p))
            redis.call('HDEL', key .. ':amounts', id)
        end
        redis.call('ZREM', holds, id)
    end
end

local function available(a, cd, cp)
    local td, tp = add(a.sd, a.sp, a.rd, a.rp)
    td, tp = add(td, tp, a.od, a.op)
    local d, p = sub(cd, cp, td, tp)
    if d < 0 then return 0, 0 end
    return d, p
end

-- Spends under the cap as far as that goes; the rest is overrun.
local function spend(a, d, p, cd, cp, soft)
    local rd, rp = d, p
    if not soft then
        local td, tp = add(a.sd, a.sp, a.rd, a.rp)
        rd, rp = sub(cd, cp, td, tp)
        if rd < 0 then rd, rp = 0, 0 end
    end
    if less(d, p, rd, rp) then rd, rp = d, p end
    a.sd, a.sp = add(a.sd, a.sp, rd, rp)
    local od, op = sub(d, p, rd, rp)
    a.od, a.op = add(a.od, a.op, od, op)
end

-- Takes back what was spent too much: the overrun first.
local function unspend(a, d, p)
    local bd, bp = d, p
    if less(a.od, a.op, bd, bp) then bd, bp = a.od, a.op end
    a.od, a.op = sub(a.od, a.op, bd, bp)
    d, p = sub(d, p, bd, bp)
    a.sd, a.sp = sub(a.sd, a.sp, d, p)
    if a.sd < 0 then a.sd, a.sp = 0, 0 end
end
