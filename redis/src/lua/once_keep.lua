-- once_keep, version 1. KEYS: an idempotency key. ARGV: its request, the claim, milliseconds to keep it, 1 if there is an answer, and that.
-- Gives 1; or 0 if the lease had ended, and another call has the key since.
local known = redis.call('HMGET', KEYS[1], 'request', 'claim')
if known[1] and known[2] ~= ARGV[2] then return 0 end
redis.call('DEL', KEYS[1])
redis.call('HSET', KEYS[1], 'request', ARGV[1])
if ARGV[4] == '1' then redis.call('HSET', KEYS[1], 'answer', ARGV[5]) end
redis.call('PEXPIRE', KEYS[1], ARGV[3])
return 1
