-- An account: settled, reserved, overrun, each in two parts, and the window they are of; of one that rolls (`r`), the last time that was
-- seen. The rule of that window (`k`) is the one that `ruling` gave last. Beside it, under names that no account can have: when
-- the lease of each reservation ends, how much it is, and what was spent when.
-- An account that is made has a generation (`g`) of its own, and each change a version (`v`): a process that has seen another generation in
-- the same window knows that the server has lost what was spent. What was counted again is kept (`f`) by the generation that was lost, with
-- the version of it that was seen, so that each is counted once, by however many processes it was seen; what was seen before a reset (`z`) is not.
-- A version that is older than one that was seen is an older state that the server has fallen back to: that generation has ended, and is counted as
-- one that was lost. What a ledger has brought back stands under a generation of its own.
local function holds_of(key) return key .. '\30holds' end
local function amounts_of(key) return key .. '\30amounts' end

-- Leases that are ended by one call at most, so that no call is long.
local SWEEP = 500

-- What was spent of a rolling window, by the end of the part of it in which that was.
local function slices_of(key) return key .. '\30slices' end

-- An amount counts up to one part longer than the window.
local PARTS = 30

-- The overrun goes first.
local function unspend(a, d, p)
    local bd, bp = d, p
    if less(a.od, a.op, bd, bp) then bd, bp = a.od, a.op end
    a.od, a.op = sub(a.od, a.op, bd, bp)
    d, p = sub(d, p, bd, bp)
    a.sd, a.sp = sub(a.sd, a.sp, d, p)
    if a.sd < 0 then a.sd, a.sp = 0, 0 end
end

local function add_slice(a, at, d, p)
    if d == 0 and p == 0 then return end
    local part = math.max(math.floor(a.length / PARTS), 1)
    local ends = (math.floor(at / part) + 1) * part
    local slice = a.slices[ends] or {0, 0}
    slice[1], slice[2] = add(slice[1], slice[2], d, p)
    a.slices[ends] = slice
    a.changed[ends] = true
end

-- The ends of the slices, the earliest first.
local function ends_of(a)
    local all = {}
    for ends in pairs(a.slices) do all[#all + 1] = ends end
    table.sort(all)
    return all
end

-- Takes back what was spent too much: first from what was spent then, then from what is free again first.
local function take_slices(a, at, d, p)
    local part = math.max(math.floor(a.length / PARTS), 1)
    local own, order = (math.floor(at / part) + 1) * part, ends_of(a)
    if a.slices[own] then table.insert(order, 1, own) end
    for _, ends in ipairs(order) do
        local slice = a.slices[ends]
        if slice then
            local bd, bp = d, p
            if less(slice[1], slice[2], bd, bp) then bd, bp = slice[1], slice[2] end
            d, p = sub(d, p, bd, bp)
            slice[1], slice[2] = sub(slice[1], slice[2], bd, bp)
            if slice[1] == 0 and slice[2] == 0 then a.slices[ends] = nil end
            a.changed[ends] = true
        end
    end
end

-- Reads what was spent when, and forgets what was spent longer ago than the window.
local function roll(key, a, now, length, rolled)
    a.length, a.slices, a.changed = length, {}, {}
    local before = a.w
    if now >= a.w or a.w - now > length then a.w = now end
    if not rolled then
        -- It had another window: what is spent counts from now on.
        local d, p = add(a.sd, a.sp, a.od, a.op)
        return add_slice(a, now, d, p)
    end
    local all = redis.call('HGETALL', slices_of(key))
    for index = 1, #all, 2 do
        local ends = tonumber(all[index])
        local d, p = all[index + 1]:match('^(%d+):(%d+)$')
        d, p = tonumber(d), tonumber(p)
        if a.w < before then
            -- The clock has gone back behind all of it.
            a.changed[ends] = true
            add_slice(a, now, d, p)
        elseif ends + length <= a.w then
            a.changed[ends] = true
            unspend(a, d, p)
        else
            a.slices[ends] = {d, p}
        end
    end
end

-- Lost generations that one window of an account remembers; those beyond are not counted again.
local MOST_LOST = 8

-- Unlike any other generation of this account: the first key is of this call or this process alone.
local function new_generation()
    local time = redis.call('TIME')
    return time[1] .. '.' .. time[2] .. '.' .. KEYS[1]:match('[^:]*$'):gsub('[^%w]', ''):sub(-16)
end

-- Generations by their names: version, amount (two parts), and when it was seen; of one that has ended as an older state also the least that its amount
-- is from then on (two parts).
local function lost_of(written)
    local lost = {}
    for g, v, d, p, at, fd, fp in written:gmatch('([^,;]+),(%d+),(%-?%d+),(%d+),(%d+),?(%-?%d*),?(%d*)') do
        lost[g] = {tonumber(v), tonumber(d), tonumber(p), tonumber(at), tonumber(fd), tonumber(fp)}
    end
    return lost
end

local function written_of(lost)
    local all = {}
    for g, part in pairs(lost) do
        local one = g .. ',' .. text(part[1]) .. ',' .. text(part[2]) .. ',' .. text(part[3]) .. ',' .. text(part[4])
        if part[6] then one = one .. ',' .. text(part[5]) .. ',' .. text(part[6]) end
        all[#all + 1] = one
    end
    return table.concat(all, ';')
end

-- The account as it is in the window that lasts now; `asked` is the rule of a budget that it is looked at by.
local function load(key, asked, now)
    local had = redis.call('HMGET', key, 'w', 'sd', 'sp', 'rd', 'rp', 'od', 'op', 'r', 'g', 'v', 'f', 'z', 'k')
    local function number(index) return tonumber(had[index] or '0') or 0 end
    local rule = ruling(had[13], asked, now)
    local start, ends, length = window(rule.kind, now)
    local a = {
        rule = rule, start = start, ends = ends,
        w = number(1), sd = number(2), sp = number(3),
        rd = number(4), rp = number(5), od = number(6), op = number(7),
        rolled = had[8] == '1', g = had[9] or new_generation(), v = number(10), lost = lost_of(had[11] or ''), z = number(12),
    }
    if length then
        roll(key, a, start, length, a.rolled)
        for g, part in pairs(a.lost) do
            if part[4] + length <= a.w then a.lost[g], a.relost = nil, true end
        end
    elseif start > a.w then
        -- A clock that goes back begins no window.
        a.w, a.sd, a.sp, a.od, a.op = start, 0, 0, 0, 0
        a.lost, a.relost = {}, next(a.lost) ~= nil
    elseif ends > 0 and a.w > ends then
        -- One that goes back by more than a window takes what is spent with it.
        a.w = start
    end
    return a
end

local function save(key, a, lease)
    local ends = a.ends
    redis.call('HSET', key, 'w', text(a.w), 'sd', text(a.sd), 'sp', text(a.sp), 'rd', text(a.rd), 'rp', text(a.rp),
        'od', text(a.od), 'op', text(a.op), 'g', a.g, 'v', text(a.v + 1), 'k', written_rule(a.rule))
    a.v = a.v + 1
    if a.relost then redis.call('HSET', key, 'f', written_of(a.lost)) end
    if a.reset then redis.call('HSET', key, 'z', text(a.z)) end
    if a.length then
        redis.call('HSET', key, 'r', '1')
        for slice in pairs(a.changed) do
            local amount = a.slices[slice]
            if amount then
                redis.call('HSET', slices_of(key), text(slice), text(amount[1]) .. ':' .. text(amount[2]))
            else
                redis.call('HDEL', slices_of(key), text(slice))
            end
        end
    elseif a.rolled then
        redis.call('HDEL', key, 'r')
        redis.call('DEL', slices_of(key))
    end
    -- What is reserved and its owner are stored together, or what a dead process reserved would stay reserved.
    for _, name in ipairs({key, holds_of(key), amounts_of(key), slices_of(key)}) do
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

-- Frees what processes held that are gone, without the first `skipped` of them, and writes nothing. Returns which reservations those are.
local function free_dead(key, a, now, skipped)
    local ended = redis.call('ZCOUNT', holds_of(key), '-inf', text(now))
    if ended <= skipped then return {} end
    -- By rank: those whose leases have ended are the first.
    local dead = redis.call('ZRANGE', holds_of(key), text(skipped), text(math.min(ended, skipped + SWEEP) - 1))
    for _, amount in ipairs(redis.call('HMGET', amounts_of(key), unpack(dead))) do
        if amount then release(a, amount) end
    end
    return dead
end

-- The same, for good.
local function sweep(key, a, now)
    local dead = free_dead(key, a, now, 0)
    if #dead == 0 then return end
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
local function spend(a, d, p, cd, cp, soft, at)
    if a.length then add_slice(a, math.min(at or a.w, a.w), d, p) end
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

local function take_back(a, d, p, at)
    if a.length then take_slices(a, math.min(at, a.w), d, p) end
    unspend(a, d, p)
end

-- The generation of what a ledger has brought back; its version is a time, so that a later one is newer whatever was lost in between.
local LEDGER = 'ledger'

-- What was spent under the present generation.
local function own_of(a)
    local d, p = add(a.sd, a.sp, a.od, a.op)
    for _, part in pairs(a.lost) do d, p = sub(d, p, part[2], part[3]) end
    return d, p
end

-- What a process has seen of an account: `known` is the window, the last reset, then the generations as `lost_of` reads them. Returns the reset and the
-- generations; nothing if they are of another window.
local function known_of(a, known)
    local w, z, written = known:match('^(%d+):(%d+)(.*)$')
    if w and (a.length or tonumber(w) == a.w) then return tonumber(z), lost_of(written) end
end

-- Whether what was seen at this time counts now.
local function is_of_now(a, at, now)
    return at > a.z and (not a.length or at + a.length > now)
end

-- Merges the two generations that were lost first, if no more are remembered. A ledger's stays by itself.
local function merge_oldest(a)
    local names = {}
    for g in pairs(a.lost) do
        if g ~= LEDGER then names[#names + 1] = g end
    end
    if #names < 2 or #names + (a.lost[LEDGER] and 1 or 0) < MOST_LOST then return end
    table.sort(names, function(one, other)
        local at, than = a.lost[one][4], a.lost[other][4]
        return at < than or (at == than and one < other)
    end)
    local first, second = a.lost[names[1]], a.lost[names[2]]
    local d, p = add(first[2], first[3], second[2], second[3])
    a.lost[names[1]] = nil
    -- What was seen of the second alone is less.
    a.lost[names[2]] = {second[1], d, p, second[4], d, p}
end

-- Ends the generation of an account that is older than what was seen of it. What processes that had not seen more have spent on the older state is part
-- of that generation, and is not taken back: its amount never becomes less.
local function end_older(a, parts, now)
    local part = parts[a.g]
    if not part or part[1] <= a.v or not is_of_now(a, part[4], now) then return end
    local d, p = own_of(a)
    merge_oldest(a)
    a.lost[a.g], a.relost = {a.v, d, p, part[4], d, p}, true
    a.g, a.v = new_generation(), 0
end

-- Of an amount that was seen before the ledger's was put there, the ledger's holds so much already: that is of this generation from now on. Returns
-- the rest.
local function beyond(ledger, d, p, now)
    local bd, bp = d, p
    if less(ledger[2], ledger[3], bd, bp) then bd, bp = ledger[2], ledger[3] end
    ledger[1] = math.max(ledger[1] + 1, now)
    ledger[2], ledger[3] = sub(ledger[2], ledger[3], bd, bp)
    return sub(d, p, bd, bp)
end

-- The names of generations: a ledger's first, since what stands there of a ledger decides on the others; then by the time at which they were seen.
local function in_order(parts)
    local names = {}
    for g in pairs(parts) do names[#names + 1] = g end
    table.sort(names, function(one, other)
        if (one == LEDGER) ~= (other == LEDGER) then return one == LEDGER end
        local at, than = parts[one][4], parts[other][4]
        return at < than or (at == than and one < other)
    end)
    return names
end

-- What a process has seen of generations that the server has lost counts again. Returns how much was added.
local function restore(a, known, cd, cp, soft, now)
    local added_d, added_p, count = 0, 0, 0
    local z, parts = known_of(a, known)
    if not z then return 0, 0 end
    local is_reset = z > a.z
    if is_reset then a.z, a.reset = z, true end
    end_older(a, parts, now)
    for g, part in pairs(a.lost) do
        if part[4] <= a.z then
            -- It was lost with the reset that followed it.
            if part[2] >= 0 then take_back(a, part[2], part[3], part[4]) end
            a.lost[g], a.relost = nil, true
        else
            count = count + 1
        end
    end
    local ledger = a.lost[LEDGER]
    for _, g in ipairs(in_order(parts)) do
        local v, d, p, at = unpack(parts[g], 1, 4)
        local had = a.lost[g]
        -- What was spent on an older state before a reset that the server has lost is forgotten with it.
        local fd, fp
        if had and had[6] and not is_reset then fd, fp = had[5], had[6] end
        if fp and less(d, p, fd, fp) then d, p = fd, fp end
        if g ~= a.g and is_of_now(a, at, now) and (had and v > had[1] or not had and count < MOST_LOST) then
            count = had and count or count + 1
            local dd, dp = sub(d, p, had and had[2] or 0, had and had[3] or 0)
            if dd < 0 then
                dd, dp = sub(0, 0, dd, dp)
                take_back(a, dd, dp, at)
            else
                -- Unless what stands there of a ledger was replaced just now.
                if g ~= LEDGER and ledger and ledger == a.lost[LEDGER] and at < ledger[4] then
                    dd, dp = beyond(ledger, dd, dp, now)
                end
                spend(a, dd, dp, cd, cp, soft, at)
                added_d, added_p = add(added_d, added_p, dd, dp)
            end
            a.lost[g], a.relost = {v, d, p, at, fd, fp}, true
        end
    end
    return added_d, added_p
end

-- What a process is to remember of an account: its window, its generation and version, what was spent under it (two parts), the time, when it was
-- reset, and what was counted again.
local function seen(a, now)
    local d, p = own_of(a)
    return a.length and '0' or text(a.w), a.g, text(a.v), text(d), text(p), text(now), text(a.z), written_of(a.lost)
end

-- Whether what was spent at this time counts in the window that lasts now.
local function counts(a, at, now)
    if a.length then return at + a.length > now end
    return (window(a.rule.kind, at)) == a.start
end

-- How an account stands, to be compared with what it is after a change.
local function standing(a)
    return {sd = a.sd, sp = a.sp, od = a.od, op = a.op}
end

-- What a change has done: spent before and after, beyond the cap too, overrun by it (two parts each), and what the process is to remember of
-- the account.
local function changed(a, before, now)
    local bd, bp = add(before.sd, before.sp, before.od, before.op)
    local ad, ap = add(a.sd, a.sp, a.od, a.op)
    local od, op = sub(a.od, a.op, before.od, before.op)
    return {text(bd), text(bp), text(ad), text(ap), text(od), text(op), seen(a, now)}
end

-- When an attempt that needs so much fits into a rolling window: beside what is held, if it would fit without that, else in its place. 0 if
-- nothing that is spent stands in its way, or if the window is none that rolls.
local function frees(a, cd, cp, nd, np)
    if not a.length then return 0 end
    local wd, wp = add(a.sd, a.sp, a.od, a.op)
    wd, wp = add(wd, wp, nd, np)
    if not less(cd, cp, wd, wp) then wd, wp = add(wd, wp, a.rd, a.rp) end
    local d, p = sub(wd, wp, cd, cp)
    local fd, fp = 0, 0
    for _, ends in ipairs(ends_of(a)) do
        fd, fp = add(fd, fp, a.slices[ends][1], a.slices[ends][2])
        if not less(fd, fp, d, p) then return ends + a.length end
    end
    return 0
end

-- When nothing of a rolling window is spent any more; 0 if that is now, or if the window is none that rolls.
local function full_again(a)
    if not a.length then return 0 end
    local all = ends_of(a)
    return #all > 0 and all[#all] + a.length or 0
end
