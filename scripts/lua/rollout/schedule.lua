-- A ramp by the clock: from one percentage to another between two times, in even steps or smoothly.
-- Before it starts `from` holds, after it has ended `to`. Who came in stays in while it grows.
--
--   { "start": "2026-12-01T08:00:00Z", "end": "2026-12-05T08:00:00Z",
--     "from": 1, "to": 100, "steps": 8 }
--
-- The time is an input: simulate with `at` shows any moment of the ramp before it comes.

local function percent_at(now, params)
  local start, finish = params.start, params["end"]
  if now <= start then
    return params.from
  end
  if now >= finish or finish <= start then
    return params.to
  end
  local passed = (now - start) / (finish - start)
  if params.steps > 0 then
    passed = math.floor(passed * params.steps) / params.steps
  end
  return params.from + (params.to - params.from) * passed
end

return {
  summary = "Ramps the share of units that are in between two times.",

  params = {
    start = { type = "time", required = true, doc = "the ramp begins" },
    ["end"] = { type = "time", required = true, doc = "the ramp has ended" },
    from = { type = "number", min = 0, max = 100, default = 0, doc = "percent before it" },
    to = { type = "number", min = 0, max = 100, default = 100, doc = "percent after it" },
    steps = { type = "integer", min = 0, max = 1000, default = 0, doc = "even steps; 0: smoothly" },
    variant = { type = "string", default = "on", doc = "what those who are in get" },
  },

  decide = function(flag, ctx, env)
    local percent = percent_at(env.now, flag.params)
    if percent >= 100 then
      return flag.params.variant, "STATIC" -- everybody: no unit needed
    end
    if percent > 0 and env.bucket(ctx.targetingKey) < percent then
      return flag.params.variant, "SPLIT", percent / 100
    end
    return flag.default_variant, "DEFAULT", 1 - percent / 100
  end,
}
