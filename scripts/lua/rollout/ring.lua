-- Rings, from the inside out: staff first, then friends, then a few per cent, then everybody.
--
-- `rings` lists them; each is a segment, or a percentage of all units. `open` says how many rings
-- are open, counted from the first. Opening one more lets people in and puts nobody out.
--
--   { "open": 2, "rings": [ { "segment": "staff" }, { "segment": "friends" }, { "percent": 5 } ] }

local function inside(ring, unit, env)
  if ring.segment then
    return env.in_segment(ring.segment, unit)
  end
  return env.bucket(unit) < (ring.percent or 0)
end

return {
  summary = "Opens ring after ring: segments first, then shares of all units.",

  params = {
    rings = { type = "list", required = true, doc = 'from the inside: {"segment"} or {"percent"}' },
    open = { type = "integer", min = 0, max = 100, default = 1, doc = "rings that are open" },
    variant = { type = "string", default = "on", doc = "what those inside get" },
  },

  decide = function(flag, ctx, env)
    local params = flag.params
    for i, ring in ipairs(params.rings) do
      if i > params.open then
        break
      end
      if inside(ring, ctx.targetingKey, env) then
        return params.variant, ring.segment and "TARGETING_MATCH" or "SPLIT"
      end
    end
    return flag.default_variant, "DEFAULT"
  end,
}
