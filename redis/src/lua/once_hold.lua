-- once_hold, version 1. KEYS: an idempotency key. ARGV: the claim, its lease in milliseconds, or 0 to give it up.
-- Gives 1; or 0 if the claim no longer has the key.
if redis.call('HGET', KEYS[1], 'claim') ~= ARGV[1] then return 0 end
if ARGV[2] == '0' then
    redis.call('DEL', KEYS[1])
else
    redis.call('PEXPIRE', KEYS[1], ARGV[2])
end
return 1
