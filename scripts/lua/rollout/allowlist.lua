-- Named units, and stored segments of them: nobody else. Who is denied stays out whatever else is
-- said, which is how one customer is taken out in a hurry.
--
--   { "units": [ "user-1", "user-2" ], "segments": [ "staff" ], "denied": [ "user-9" ] }

local function listed(list, unit)
  for _, entry in ipairs(list) do
    if entry == unit then
      return true
    end
  end
  return false
end

local function in_any(segments, unit, env)
  for _, segment in ipairs(segments) do
    if env.in_segment(segment, unit) then
      return true
    end
  end
  return false
end

return {
  summary = "Only the units that are listed, one by one or as segments.",

  params = {
    units = { type = "strings", default = {}, doc = "units that are in" },
    segments = { type = "strings", default = {}, doc = "segments that are in" },
    denied = { type = "strings", default = {}, doc = "units that are out in any case" },
    variant = { type = "string", default = "on", doc = "what those who are in get" },
  },

  decide = function(flag, ctx, env)
    local unit, params = ctx.targetingKey, flag.params
    if unit == nil then
      return flag.default_variant, "DEFAULT" -- nobody in particular is on no list
    end
    if listed(params.denied, unit) then
      env.note("denied")
      return flag.default_variant, "TARGETING_MATCH"
    end
    if listed(params.units, unit) or in_any(params.segments, unit, env) then
      return params.variant, "TARGETING_MATCH"
    end
    return flag.default_variant, "DEFAULT"
  end,
}
