-- Percentages, stickily: the plainest way to roll something out or to split traffic.
--
-- `percent` says who takes part at all; raising it lets more in and puts nobody out. `weights` says
-- how those who take part are shared among the variants; changing them moves as few as can be.
-- The two are independent draws, so 10 % at 50/50 is 5 % each. Whoever is out gets the default.
--
--   { "percent": 10, "weights": { "on": 50, "off": 50 } }

return {
  summary = "A share of the units takes part, split among the variants by weights.",

  params = {
    percent = { type = "number", min = 0, max = 100, default = 100, doc = "who takes part" },
    weights = { type = "weights", required = true, doc = "percent of each variant, sum 100" },
  },

  decide = function(flag, ctx, env)
    local percent = flag.params.percent
    if percent >= 100 then -- the common case: everybody takes part
      local variant = env.split(ctx.targetingKey)
      return variant, "SPLIT", env.share(variant)
    end
    local default = flag.default_variant
    local part = percent / 100 -- of all units takes part
    if env.bucket(ctx.targetingKey) >= percent then
      return default, "DEFAULT", 1 - part + part * env.share(default)
    end
    local variant = env.split(ctx.targetingKey)
    return variant, "SPLIT", part * env.share(variant) + (variant == default and 1 - part or 0)
  end,
}
