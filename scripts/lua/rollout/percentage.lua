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
    local percent, default = flag.params.percent, flag.default_variant
    local out = 1 - percent / 100 -- what of all units does not take part
    if percent < 100 and env.bucket(ctx.targetingKey) >= percent then
      return default, "DEFAULT", out + (1 - out) * env.share(default)
    end
    local variant = env.split(ctx.targetingKey)
    return variant, "SPLIT", (1 - out) * env.share(variant) + (variant == default and out or 0)
  end,
}
