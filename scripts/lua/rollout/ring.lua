-- Rings, from the inside out: staff first, then friends, then a few per cent, then everybody.
--
-- `rings` lists them; each is a segment, or a percentage of all units. `open` says how many rings
-- are open, counted from the first. Opening one more lets people in and puts nobody out.
--
--   { "open": 2, "rings": [ { "segment": "staff" }, { "segment": "friends" }, { "percent": 5 } ] }

-- The widest share of all units that is open; true in its place: a segment lets the unit in.
local function opened(params, unit, env)
  local widest
  for i, ring in ipairs(params.rings) do
    if i > params.open then
      break
    end
    if not ring.segment then
      widest = math.max(widest or 0, ring.percent or 0)
    elseif env.in_segment(ring.segment, unit) then
      return true
    end
  end
  return widest
end

return {
  summary = "Opens ring after ring: segments first, then shares of all units.",

  params = {
    rings = { type = "list", required = true, doc = 'from the inside: {"segment"} or {"percent"}' },
    open = { type = "integer", min = 0, max = 100, default = 1, doc = "rings that are open" },
    variant = { type = "string", default = "on", doc = "what those inside get" },
  },

  decide = function(flag, ctx, env)
    local params, unit = flag.params, ctx.targetingKey
    local percent = opened(params, unit, env)
    if percent == true then
      return params.variant, "TARGETING_MATCH"
    end
    if percent and env.bucket(unit) < percent then
      return params.variant, "SPLIT", percent / 100
    end
    return flag.default_variant, "DEFAULT", 1 - (percent or 0) / 100
  end,
}
