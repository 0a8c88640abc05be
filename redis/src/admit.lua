-- admit, version 1. KEYS: requests, tokens, places of one key.
-- ARGV: the hold, its lease, then for requests and for tokens: micro-seconds a unit (0 where there is no limit), burst; the tokens; most places (0 where
-- there is no limit).
-- Gives 0; or which limit is in the way (1 requests, 2 tokens, 3 places) and micro-seconds until it may pass.
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000000 + tonumber(time[2])
local id, lease = ARGV[1], tonumber(ARGV[2])
local request_unit, request_burst = tonumber(ARGV[3]), tonumber(ARGV[4])
local token_unit, token_burst = tonumber(ARGV[5]), tonumber(ARGV[6])
local tokens, most = tonumber(ARGV[7]), tonumber(ARGV[8])

-- The time at which a bucket is full again after so many units more, or how long that is too early. What is larger than the
-- burst passes once the bucket is full.
local function take(key, unit, burst, count)
    local full_at = math.max(tonumber(redis.call('GET', key) or '0'), now)
    local room = now + math.max(burst - count, 0) * unit
    if full_at > room then return nil, full_at - room end
    return full_at + count * unit
end

local requests_at, tokens_at, wait
if request_unit > 0 then
    requests_at, wait = take(KEYS[1], request_unit, request_burst, 1)
    if not requests_at then return {1, text(wait)} end
end
if token_unit > 0 then
    tokens_at, wait = take(KEYS[2], token_unit, token_burst, tokens)
    if not tokens_at then return {2, text(wait)} end
end
if most > 0 then
    redis.call('ZREMRANGEBYSCORE', KEYS[3], '-inf', text(now))
    if redis.call('ZCARD', KEYS[3]) >= most then return {3, '0'} end
    redis.call('ZADD', KEYS[3], text(now + lease * 1000), id)
    redis.call('PEXPIRE', KEYS[3], text(lease * 2))
end
if requests_at then redis.call('SET', KEYS[1], text(requests_at), 'PX', text(math.ceil((requests_at - now) / 1000) + 1)) end
if tokens_at then redis.call('SET', KEYS[2], text(tokens_at), 'PX', text(math.max(math.ceil((tokens_at - now) / 1000), 0) + 1)) end
return {0, '0'}
