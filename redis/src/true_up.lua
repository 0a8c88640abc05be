-- true_up, version 1. KEYS: requests, tokens, places of one key.
-- ARGV: the hold, micro-seconds a token (0 where there is no limit), tokens beyond those that were thought; below zero where it was fewer.
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000000 + tonumber(time[2])
redis.call('ZREM', KEYS[3], ARGV[1])
local unit, more = tonumber(ARGV[2]), tonumber(ARGV[3])
if unit > 0 and more ~= 0 then
    local full_at = math.max(tonumber(redis.call('GET', KEYS[2]) or '0'), now) + more * unit
    if full_at > now then
        redis.call('SET', KEYS[2], text(full_at), 'PX', text(math.ceil((full_at - now) / 1000) + 1))
    else
        redis.call('DEL', KEYS[2])
    end
end
return 1
