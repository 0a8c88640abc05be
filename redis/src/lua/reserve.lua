-- reserve, version 1. KEYS: the mark of this reservation's end, then the accounts.
-- ARGV: the reservation, its lease, want (two parts), at least (two parts), then for each account: cap (two parts), window, soft.
-- Returns 1 and what is reserved (two parts); 0, the account's place, settled and reserved (two parts each) and the time; or 2 if the
-- reservation has ended already.
local id, lease = ARGV[1], tonumber(ARGV[2])
if redis.call('EXISTS', KEYS[1]) == 1 then return {2} end
local now = now_millis()
local gd, gp = tonumber(ARGV[3]), tonumber(ARGV[4])
local ld, lp = tonumber(ARGV[5]), tonumber(ARGV[6])
local accounts = {}
for index = 2, #KEYS do
    local base = 7 + (index - 2) * 4
    local start, ends = window(ARGV[base + 2], now)
    local a = load(KEYS[index], start, now)
    a.ends = ends
    sweep(KEYS[index], a, now)
    accounts[index] = a
    if ARGV[base + 3] ~= '1' then
        local d, p = available(a, tonumber(ARGV[base]), tonumber(ARGV[base + 1]))
        if less(d, p, ld, lp) then
            -- What was swept stays swept.
            for done = 2, index do save(KEYS[done], accounts[done], accounts[done].ends, lease) end
            local sd, sp = add(a.sd, a.sp, a.od, a.op)
            return {0, index - 2, text(sd), text(sp), text(a.rd), text(a.rp), text(now)}
        end
        if less(d, p, gd, gp) then gd, gp = d, p end
    end
end
for index = 2, #KEYS do
    local key, a = KEYS[index], accounts[index]
    a.rd, a.rp = add(a.rd, a.rp, gd, gp)
    redis.call('ZADD', holds_of(key), text(now + lease), id)
    redis.call('HSET', amounts_of(key), id, text(gd) .. ':' .. text(gp))
    save(key, a, a.ends, lease)
end
return {1, text(gd), text(gp)}
