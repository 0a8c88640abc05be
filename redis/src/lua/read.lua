-- read, version 1. KEYS: accounts. ARGV: the lease, then the window of each account.
-- Returns for each: nothing if it does not exist; else settled, reserved and overrun (two parts each), the time,
-- and when nothing of a rolling window is spent any more, else 0.
local now, lease = now_millis(), tonumber(ARGV[1])
local all = {}
for index, key in ipairs(KEYS) do
    all[index] = {}
    if redis.call('EXISTS', key) == 1 then
        local start, ends, length = window(ARGV[index + 1], now)
        local a = load(key, start, ends, length)
        sweep(key, a, now)
        save(key, a, ends, lease)
        all[index] = {text(a.sd), text(a.sp), text(a.rd), text(a.rp), text(a.od), text(a.op), text(now), text(full_again(a))}
    end
end
return all
