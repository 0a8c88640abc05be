-- read, version 1. KEYS: accounts. ARGV: the lease, then the window of each account.
-- Returns for each: nothing if it does not exist; else settled, reserved and overrun (two parts each) and the time.
local now, lease = now_millis(), tonumber(ARGV[1])
local all = {}
for index, key in ipairs(KEYS) do
    all[index] = {}
    if redis.call('EXISTS', key) == 1 then
        local start, ends = window(ARGV[index + 1], now)
        local a = load(key, start, now)
        sweep(key, a, now)
        save(key, a, ends, lease)
        all[index] = {text(a.sd), text(a.sp), text(a.rd), text(a.rp), text(a.od), text(a.op), text(now)}
    end
end
return all
