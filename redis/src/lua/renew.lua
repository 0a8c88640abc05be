-- renew, version 1. KEYS: one account, or the places of one key. ARGV: the lease, which of both it is, then the holds on it that
-- are alive. What has ended meanwhile stays so.
local now, lease = now_millis(), tonumber(ARGV[1])
local key, ends = KEYS[1], (now + lease) * 1000
if ARGV[2] == 'account' then
    key, ends = holds_of(key), now + lease
end
for index = 3, #ARGV do redis.call('ZADD', key, 'XX', text(ends), ARGV[index]) end
if ARGV[2] == 'places' then redis.call('PEXPIRE', key, text(lease * 2)) end
return 1
