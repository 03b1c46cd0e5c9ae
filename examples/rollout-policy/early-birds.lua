-- Who gets the new odds: everybody who works on them, and a share of the others.
return {
  summary = "The odds team, and a share of everybody else.",
  params = { percent = { type = "number", min = 0, max = 100, default = 10, doc = "of the others" } },
  decide = function(flag, ctx, env)
    if ctx.team == "odds" then
      return "on", "TARGETING_MATCH"
    end
    if env.bucket(ctx.targetingKey) < flag.params.percent then
      return "on", "SPLIT"
    end
    return flag.default_variant, "DEFAULT"
  end,
}
