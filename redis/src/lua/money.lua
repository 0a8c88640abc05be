-- Exact money: whole dollars and pico-dollars, since a Lua number holds no more than 53 bits. Below zero the dollars alone are
-- negative: minus one pico-dollar is (-1, ONE - 1).
local ONE = 1000000000000

local function add(ad, ap, bd, bp)
    local p = ap + bp
    if p >= ONE then return ad + bd + 1, p - ONE end
    return ad + bd, p
end

local function sub(ad, ap, bd, bp)
    local p = ap - bp
    if p < 0 then return ad - bd - 1, p + ONE end
    return ad - bd, p
end

local function less(ad, ap, bd, bp)
    return ad < bd or (ad == bd and ap < bp)
end

local function text(number)
    return string.format('%.0f', number)
end
