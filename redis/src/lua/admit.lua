-- admit, version 1. KEYS: the mark of this call's end, what it took, requests, tokens and places of its key.
-- ARGV: the call, its lease, its tokens, most places (0 if there is no limit), then for requests and for tokens: micro-seconds,
-- units in them (0 if there is no limit), burst.
-- Gives 0; or which limit is in the way (1 requests, 2 tokens, 3 places) and micro-seconds until it may pass; or 4 if the call
-- has ended already.
local id, lease = ARGV[1], tonumber(ARGV[2])
local tokens, most = tonumber(ARGV[3]), tonumber(ARGV[4])
if redis.call('EXISTS', KEYS[1]) == 1 then return {4, '0'} end
local now = now_micros()
local request_unit, token_unit = unit_of(ARGV[5], ARGV[6]), unit_of(ARGV[8], ARGV[9])
local requests_at, tokens_at, wait
if request_unit > 0 then
    requests_at, wait = take(KEYS[3], request_unit, tonumber(ARGV[7]), 1, now)
    if not requests_at then return {1, text(wait)} end
end
if token_unit > 0 then
    tokens_at, wait = take(KEYS[4], token_unit, tonumber(ARGV[10]), tokens, now)
    if not tokens_at then return {2, text(wait)} end
end
if most > 0 then
    redis.call('ZREMRANGEBYSCORE', KEYS[5], '-inf', text(now))
    if redis.call('ZCARD', KEYS[5]) >= most then return {3, '0'} end
    redis.call('ZADD', KEYS[5], text(now + lease * 1000), id)
    redis.call('PEXPIRE', KEYS[5], text(lease * 2))
end
if requests_at then set_full_at(KEYS[3], requests_at, now) end
if tokens_at then set_full_at(KEYS[4], tokens_at, now) end
redis.call('SET', KEYS[2], '1', 'PX', text(lease * 2))
return {0, '0'}
