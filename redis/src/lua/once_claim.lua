-- once_claim, version 1. KEYS: an idempotency key. ARGV: its request, the claim, its lease in milliseconds.
-- Gives 0 if it is claimed; 1 if the same request is in flight; 2 and the answer; 3 if the answer was too large; 4 for another request.
local known = redis.call('HMGET', KEYS[1], 'request', 'claim', 'answer')
if not known[1] then
    redis.call('HSET', KEYS[1], 'request', ARGV[1], 'claim', ARGV[2])
    redis.call('PEXPIRE', KEYS[1], ARGV[3])
    return {0, ''}
end
if known[1] ~= ARGV[1] then return {4, ''} end
if known[2] then return {1, ''} end
if known[3] then return {2, known[3]} end
return {3, ''}
