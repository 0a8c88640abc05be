-- admit, version 1. KEYS: the mark of this call's end, what it took, requests, tokens and places of its key.
-- ARGV: the call, its lease, its tokens, most places (0 if there is no limit), then for requests and for tokens: micro-seconds,
-- units in them (0 if there is no limit), burst.
-- Gives 0; or which limit is in the way (1 requests, 2 tokens, 3 places) and micro-seconds until all rates let it pass; or 4 if the call
-- has ended already. Then what is used: micro-seconds until the requests and the tokens are refilled, and calls in flight.
local id, lease = ARGV[1], tonumber(ARGV[2])
local tokens, most = tonumber(ARGV[3]), tonumber(ARGV[4])
if redis.call('EXISTS', KEYS[1]) == 1 then return {4, '0', '0', '0', '0'} end
local now = now_micros()
local blocked, longest, in_flight = 0, 0, 0

local of_requests = limit_of(KEYS[3], ARGV[5], ARGV[6], ARGV[7])
local of_tokens = limit_of(KEYS[4], ARGV[8], ARGV[9], ARGV[10])

-- When the rate is full again with so many more, or without them if it is in the way.
local function pass(which, limit, count)
    if limit.unit == 0 then return now end
    local at, wait = take(limit, count, now)
    if at then return at end
    if wait >= longest then blocked, longest = which, wait end
    return full_at(limit, now)
end
local requests_at = pass(1, of_requests, 1)
local tokens_at = pass(2, of_tokens, tokens)
if most > 0 then
    redis.call('ZREMRANGEBYSCORE', KEYS[5], '-inf', text(now))
    in_flight = redis.call('ZCARD', KEYS[5])
    if in_flight >= most then blocked = 3 end
end
if blocked > 0 then
    requests_at, tokens_at = full_at(of_requests, now), full_at(of_tokens, now)
else
    if most > 0 then
        in_flight = in_flight + 1
        redis.call('ZADD', KEYS[5], text(now + lease * 1000), id)
        redis.call('PEXPIRE', KEYS[5], text(lease * 2))
    end
    if requests_at > now then set_full_at(of_requests, requests_at, now) end
    if tokens_at > now then set_full_at(of_tokens, tokens_at, now) end
    redis.call('SET', KEYS[2], '1', 'PX', text(lease * 2))
end
return {blocked, text(longest), text(math.ceil(requests_at - now)), text(math.ceil(tokens_at - now)), text(in_flight)}
