-- read, version 1. Writes nothing. KEYS: accounts. ARGV: the window of each account.
-- Returns for each: nothing if it does not exist; else settled, reserved and overrun (two parts each), the time,
-- and when nothing of a rolling window is spent any more, else 0.

-- Reservations of dead processes that one call leaves out at most. The rest counts as reserved until decisions sweep it.
local MOST_DEAD = 5000

local now, all, left = now_millis(), {}, MOST_DEAD
for index, key in ipairs(KEYS) do
    all[index] = {}
    if redis.call('EXISTS', key) == 1 then
        local a = load(key, ARGV[index], now)
        local skipped = 0
        while left > 0 do
            local dead = #free_dead(key, a, now, skipped)
            skipped, left = skipped + dead, left - dead
            if dead < SWEEP then break end
        end
        all[index] = {text(a.sd), text(a.sp), text(a.rd), text(a.rp), text(a.od), text(a.op), text(now), text(full_again(a))}
    end
end
return all
