-- An account: settled, reserved, overrun, each in two parts, and the window they are of. Beside it, under names that no account
-- can have: when the lease of each reservation ends, and how much it is.
local function holds_of(key) return key .. '\30holds' end
local function amounts_of(key) return key .. '\30amounts' end

-- How far the start of a window may lie ahead of the clock.
local FURTHEST_AHEAD = 3600000

-- Leases that are ended by one call at most, so that no call is long.
local SWEEP = 500

local function load(key, start, now)
    local had = redis.call('HMGET', key, 'w', 'sd', 'sp', 'rd', 'rp', 'od', 'op')
    local function number(index) return tonumber(had[index] or '0') or 0 end
    local a = {
        w = number(1), sd = number(2), sp = number(3),
        rd = number(4), rp = number(5), od = number(6), op = number(7),
    }
    -- A clock that goes back begins no window.
    if start > a.w then
        a.w, a.sd, a.sp, a.od, a.op = start, 0, 0, 0, 0
    elseif a.w > now + FURTHEST_AHEAD then
        -- A clock that was wrong began it: what was spent in it is of the present window.
        a.w = start
    end
    return a
end

local function save(key, a, ends, lease)
    redis.call('HSET', key, 'w', text(a.w), 'sd', text(a.sd), 'sp', text(a.sp), 'rd', text(a.rd), 'rp', text(a.rp),
        'od', text(a.od), 'op', text(a.op))
    -- What is reserved and its owner are stored together, or what a dead process reserved would stay reserved.
    for _, name in ipairs({key, holds_of(key), amounts_of(key)}) do
        if ends > 0 then
            redis.call('PEXPIREAT', name, text(ends + lease * 2 + DAY))
        else
            redis.call('PERSIST', name)
        end
    end
end

local function release(a, amount)
    local d, p = amount:match('^(%d+):(%d+)$')
    a.rd, a.rp = sub(a.rd, a.rp, tonumber(d), tonumber(p))
    if a.rd < 0 then a.rd, a.rp = 0, 0 end
end

-- Frees what processes held that are gone.
local function sweep(key, a, now)
    local dead = redis.call('ZRANGEBYSCORE', holds_of(key), '-inf', text(now), 'LIMIT', 0, SWEEP)
    if #dead == 0 then return end
    for _, amount in ipairs(redis.call('HMGET', amounts_of(key), unpack(dead))) do
        if amount then release(a, amount) end
    end
    redis.call('HDEL', amounts_of(key), unpack(dead))
    redis.call('ZREM', holds_of(key), unpack(dead))
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
