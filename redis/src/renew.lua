-- renew, version 1. KEYS: one account, or the places of one key. ARGV: the lease, which of both it is, then the holds on it that are alive.
local now, lease = now_millis(), tonumber(ARGV[1])
if ARGV[2] == 'places' then
    for index = 3, #ARGV do redis.call('ZADD', KEYS[1], 'XX', text((now + lease) * 1000), ARGV[index]) end
    redis.call('PEXPIRE', KEYS[1], text(lease * 2))
    return 1
end
for index = 3, #ARGV do redis.call('ZADD', KEYS[1] .. ':holds', 'XX', text(now + lease), ARGV[index]) end
redis.call('PEXPIRE', KEYS[1] .. ':holds', text(lease * 4 + DAY))
redis.call('PEXPIRE', KEYS[1] .. ':amounts', text(lease * 4 + DAY))
return 1
