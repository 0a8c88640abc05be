-- read, version 1. Writes nothing. KEYS: accounts. ARGV: the window of each account.
-- Returns for each: nothing if it does not exist; else settled, reserved and overrun (two parts each), the time,
-- and when nothing of a rolling window is spent any more, else 0.
local now, all = now_millis(), {}
for index, key in ipairs(KEYS) do
    all[index] = {}
    if redis.call('EXISTS', key) == 1 then
        local a = load(key, window(ARGV[index], now))
        local skipped = 0
        repeat
            local dead = #free_dead(key, a, now, skipped)
            skipped = skipped + dead
        until dead < SWEEP
        all[index] = {text(a.sd), text(a.sp), text(a.rd), text(a.rp), text(a.od), text(a.op), text(now), text(full_again(a))}
    end
end
return all
