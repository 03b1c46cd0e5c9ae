-- A canary for accounts instead of users: all who share a field of the context see the same, from
-- the first request to the last, while the canary only grows.
--
-- `unit` names the field that must not be torn apart (account, household, device). Who has none is
-- never in the canary, and neither is whoever is in one of the `protect` segments: the customers
-- one does not experiment with.
--
--   { "percent": 5, "unit": "account", "protect": [ "key-accounts" ] }

local function protected(segments, unit, env)
  for _, segment in ipairs(segments) do
    if env.in_segment(segment, unit) then
      return true
    end
  end
  return false
end

return {
  summary = "A growing share of whole accounts gets the canary, some never do.",

  params = {
    percent = { type = "number", min = 0, max = 100, default = 0, doc = "accounts in the canary" },
    unit = { type = "string", default = "targetingKey", doc = "the field that stays together" },
    protect = { type = "strings", default = {}, doc = "segments that stay out" },
    variant = { type = "string", default = "canary", doc = "what the canary is called" },
  },

  decide = function(flag, ctx, env)
    local params = flag.params
    local unit = ctx[params.unit]
    if unit == nil then
      env.note("the context has no " .. params.unit)
      return flag.default_variant, "DEFAULT"
    end
    if params.protect[1] and protected(params.protect, unit, env) then
      return flag.default_variant, "TARGETING_MATCH"
    end
    if env.bucket(unit) < params.percent then
      return params.variant, "SPLIT", params.percent / 100
    end
    return flag.default_variant, "DEFAULT", 1 - params.percent / 100
  end,
}
