-- adjust, version 1. KEYS: the mark of this change, then the accounts.
-- ARGV: '+' or '-', the lease, by how much (two parts), the time it is of, then for each account: cap (two parts), window, soft.
-- Gives 1, or 0 where it was told before.
local lease = tonumber(ARGV[2])
if not redis.call('SET', KEYS[1], '1', 'NX', 'PX', text(lease * 4 + DAY)) then return 0 end
local now, at = now_millis(), tonumber(ARGV[5])
local d, p = tonumber(ARGV[3]), tonumber(ARGV[4])
for index = 2, #KEYS do
    local base = 6 + (index - 2) * 4
    local start, ends = window(ARGV[base + 2], now)
    if window(ARGV[base + 2], at) == start then
        local a = load(KEYS[index], start)
        if ARGV[1] == '-' then
            unspend(a, d, p)
        else
            spend(a, d, p, tonumber(ARGV[base]), tonumber(ARGV[base + 1]), ARGV[base + 3] == '1')
        end
        save(KEYS[index], a, ends, lease)
    end
end
return 1
