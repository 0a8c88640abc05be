-- settle, version 1. KEYS: the mark of this hold's end, then the accounts.
-- ARGV: the hold, its lease, what was spent (two parts), then for each account: cap (two parts), window, soft.
-- Gives 1, or 0 where it was told before.
local id, lease = ARGV[1], tonumber(ARGV[2])
if not redis.call('SET', KEYS[1], '1', 'NX', 'PX', text(lease * 4 + DAY)) then return 0 end
local now = now_millis()
local d, p = tonumber(ARGV[3]), tonumber(ARGV[4])
for index = 2, #KEYS do
    local base = 5 + (index - 2) * 4
    local start, ends = window(ARGV[base + 2], now)
    local a = load(KEYS[index], start)
    local had = redis.call('HGET', KEYS[index] .. ':amounts', id)
    if had then
        local hd, hp = had:match('^(%d+):(%d+)$')
        release(a, tonumber(hd), tonumber(hp))
        redis.call('HDEL', KEYS[index] .. ':amounts', id)
        redis.call('ZREM', KEYS[index] .. ':holds', id)
    end
    spend(a, d, p, tonumber(ARGV[base]), tonumber(ARGV[base + 1]), ARGV[base + 3] == '1')
    save(KEYS[index], a, ends, lease)
end
return 1
