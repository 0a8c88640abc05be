-- deliver, version 1. What a process sends without waiting, in order, each once: a word that was delivered before is known by its
-- number, however often it is sent.
-- KEYS: the last number of this process, then those of each word. ARGV: the lease, the number of the first word, then for each
-- word: its kind, how many keys, how many arguments, the arguments.
-- Returns a reply for each word.

-- How long the last number of a process that is silent is kept: longer than any outage.
local KEEP = 7 * DAY

local lease = tonumber(ARGV[1])
local words = {}

-- Keys: the mark of the reservation's end, accounts. Arguments: the reservation, whether the store may not know it, what was spent (two
-- parts), then for each account: cap (two parts), window, soft; then how long ago it ended, in milliseconds, then for each account what the process
-- has seen of it: now and nothing, if an older version leaves them out. What ended in a window that is over is spent there, and not in the one that
-- lasts now. Returns for each account what `changed` says.
function words.settle(keys, args)
    local id, now, replies = args[1], now_millis(), {}
    local first_known = 6 + (#keys - 1) * 4
    local at = now - math.max(tonumber(args[first_known - 1] or '') or 0, 0)
    if args[2] == '1' then redis.call('SET', keys[1], '1', 'PX', text(lease * 2)) end
    local d, p = tonumber(args[3]), tonumber(args[4])
    for index = 2, #keys do
        local base, key = 5 + (index - 2) * 4, keys[index]
        local a = load(key, args[base + 2], now)
        local _, parts = known_of(a, args[first_known + index - 2] or '')
        if parts then end_older(a, parts, now) end
        local amount = redis.call('HGET', amounts_of(key), id)
        if amount then
            release(a, amount)
            redis.call('HDEL', amounts_of(key), id)
            redis.call('ZREM', holds_of(key), id)
        end
        local spends = (d > 0 or p > 0) and counts(a, at, now)
        if amount or spends then
            local before = standing(a)
            if spends then spend(a, d, p, tonumber(args[base]), tonumber(args[base + 1]), args[base + 3] == '1', at) end
            save(key, a, lease)
            replies[index - 1] = changed(a, before, now)
        else
            replies[index - 1] = {}
        end
    end
    return replies
end

-- Keys: accounts. Arguments: '+' or '-', by how much (two parts), the time it is of, then for each account as above. Less of what was spent before
-- a reset changes nothing: it is forgotten already. Returns for each account what `changed` says, or nothing.
function words.adjust(keys, args)
    local now, at, replies = now_millis(), tonumber(args[4]), {}
    local d, p = tonumber(args[2]), tonumber(args[3])
    for index, key in ipairs(keys) do
        local base = 5 + (index - 1) * 4
        local a = load(key, args[base + 2], now)
        replies[index] = {}
        if counts(a, at, now) then
            local before = standing(a)
            if args[1] == '+' then
                spend(a, d, p, tonumber(args[base]), tonumber(args[base + 1]), args[base + 3] == '1', at)
            elseif at > a.z then
                take_back(a, d, p, at)
            end
            save(key, a, lease)
            replies[index] = changed(a, before, now)
        end
    end
    return replies
end

-- Keys: an account. Arguments: for it as above, then what a ledger says was spent on it: times, the earliest first, each with an amount (two parts).
-- What is spent becomes at least that, so that it counts once, by however many processes; what was missing is the earliest of it. An account that was
-- reset in the window that lasts now stays as it is. Returns for the account what the process is to remember of it, or nothing.
function words.refill(keys, args)
    local key, now = keys[1], now_millis()
    local a = load(key, args[3], now)
    if a.z > 0 and counts(a, a.z, now) then return {{}} end
    local d, p, amounts = 0, 0, {}
    for index = 5, #args, 3 do
        local amount = {tonumber(args[index]), tonumber(args[index + 1]), tonumber(args[index + 2])}
        if counts(a, amount[1], now) then
            amounts[#amounts + 1] = amount
            d, p = add(d, p, amount[2], amount[3])
        end
    end
    d, p = sub(d, p, add(a.sd, a.sp, a.od, a.op))
    if d < 0 or (d == 0 and p == 0) then return {{}} end
    local part = a.lost[LEDGER] or {0, 0, 0}
    local ld, lp = add(part[2], part[3], d, p)
    a.lost[LEDGER], a.relost = {math.max(part[1] + 1, now), ld, lp, now}, true
    for _, amount in ipairs(amounts) do
        local bd, bp = amount[2], amount[3]
        if less(d, p, bd, bp) then bd, bp = d, p end
        spend(a, bd, bp, tonumber(args[1]), tonumber(args[2]), args[4] == '1', amount[1])
        d, p = sub(d, p, bd, bp)
    end
    save(key, a, lease)
    return {{seen(a, now)}}
end

-- Keys: accounts. Arguments: for each account as above. What is spent is forgotten, what is reserved stays. Returns for each account what the
-- process is to remember of it.
function words.reset(keys, args)
    local now, replies = now_millis(), {}
    for index, key in ipairs(keys) do
        -- Also of one that does not exist: what it was before the server lost it is not counted again.
        local a = load(key, args[(index - 1) * 4 + 3], now)
        a.sd, a.sp, a.od, a.op = 0, 0, 0, 0
        a.lost, a.relost, a.z, a.reset = {}, true, now, true
        if a.length then
            a.slices, a.changed = {}, {}
            redis.call('DEL', slices_of(key))
        end
        save(key, a, lease)
        replies[index] = {seen(a, now)}
    end
    return replies
end

-- Keys as in admit. Arguments: the call, whether the store may not have heard of it, requests and tokens beyond those taken, then
-- for requests and for tokens: micro-seconds, units in them, burst.
function words.true_up(keys, args)
    local now = now_micros()
    local taken = redis.call('DEL', keys[2]) == 1
    redis.call('ZREM', keys[5], args[1])
    if args[2] == '1' and not taken then
        redis.call('SET', keys[1], '1', 'PX', text(lease * 2))
        return {}
    end
    correct(limit_of(keys[3], args[5], args[6], args[7]), tonumber(args[3]), now)
    correct(limit_of(keys[4], args[8], args[9], args[10]), tonumber(args[4]), now)
    return {}
end

local last = tonumber(redis.call('GET', KEYS[1]) or '0')
local number, key, arg = tonumber(ARGV[2]), 2, 3
local replies = {}
local function remember() redis.call('SET', KEYS[1], text(last), 'PX', text(KEEP)) end
while arg <= #ARGV do
    local kind, keys, args = words[ARGV[arg]], {}, {}
    local key_count, arg_count = tonumber(ARGV[arg + 1]), tonumber(ARGV[arg + 2])
    for index = 1, key_count do keys[index] = KEYS[key + index - 1] end
    for index = 1, arg_count do args[index] = ARGV[arg + 2 + index] end
    key, arg = key + key_count, arg + 3 + arg_count
    replies[#replies + 1] = {}
    if number > last then
        local done, said = pcall(kind, keys, args)
        if not done then
            -- What was delivered so far stays delivered.
            if #replies > 1 then remember() end
            -- A version of the server gives a text, another a table.
            local reason = type(said) == 'table' and said.err or tostring(said)
            -- Servers before version 7 put the place in the script before what went wrong.
            local code = reason:match('%-(%u%u%u+ .*)') or reason:match('^%u+ .*') or reason:match(': (WRONGTYPE .*)')
            return redis.error_reply(code or ('ERR ' .. reason))
        end
        replies[#replies], last = said, number
    end
    number = number + 1
end
remember()
return replies
