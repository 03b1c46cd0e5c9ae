-- Formats for ever.
-- expect: limit
return {
  summary = "attack",
  decide = function(flag, ctx, env)
    while true do string.format('%99.99f %99.99f %99.99f', 1e308, 1e308, 1e308) end
  end,
}
