-- reserve, version 1. KEYS: the mark of this reservation's end, then the accounts.
-- ARGV: the reservation, its lease, want (two parts), at least (two parts), then for each account: cap (two parts), window, soft; then for
-- each account what the process has seen of it, as `restore` takes it, or nothing.
-- Returns 1 and what is reserved (two parts); 0, the account's place, settled and reserved (two parts each), the time, and when enough of a
-- rolling window is free again, else 0; or 2 if the
-- reservation has ended already. At the end of both: for each account that was looked at, how much was restored (two parts), and what the
-- process is to remember of it.
local id, lease = ARGV[1], tonumber(ARGV[2])
if redis.call('EXISTS', KEYS[1]) == 1 then return {2} end
local now = now_millis()
local gd, gp = tonumber(ARGV[3]), tonumber(ARGV[4])
local ld, lp = tonumber(ARGV[5]), tonumber(ARGV[6])
local accounts, first_known = {}, 7 + (#KEYS - 1) * 4
local function report(count)
    local all = {}
    for index = 2, count do
        local a = accounts[index]
        all[index - 1] = {text(a.added_d), text(a.added_p), seen(a, now)}
    end
    return all
end
for index = 2, #KEYS do
    local base = 7 + (index - 2) * 4
    local a = load(KEYS[index], ARGV[base + 2], now)
    sweep(KEYS[index], a, now)
    local known = ARGV[first_known + index - 2] or ''
    a.added_d, a.added_p = restore(a, known, tonumber(ARGV[base]), tonumber(ARGV[base + 1]), ARGV[base + 3] == '1', now)
    accounts[index] = a
    if ARGV[base + 3] ~= '1' then
        local d, p = available(a, tonumber(ARGV[base]), tonumber(ARGV[base + 1]))
        if less(d, p, ld, lp) then
            -- What was swept stays swept.
            for done = 2, index do save(KEYS[done], accounts[done], lease) end
            local sd, sp = add(a.sd, a.sp, a.od, a.op)
            local free = frees(a, tonumber(ARGV[base]), tonumber(ARGV[base + 1]), ld, lp)
            return {0, index - 2, text(sd), text(sp), text(a.rd), text(a.rp), text(now), text(free), report(index)}
        end
        if less(d, p, gd, gp) then gd, gp = d, p end
    end
end
for index = 2, #KEYS do
    local key, a = KEYS[index], accounts[index]
    a.rd, a.rp = add(a.rd, a.rp, gd, gp)
    redis.call('ZADD', holds_of(key), text(now + lease), id)
    redis.call('HSET', amounts_of(key), id, text(gd) .. ':' .. text(gp))
    save(key, a, lease)
end
return {1, text(gd), text(gp), report(#KEYS)}
