-- Garbage without end, none kept.
-- expect: limit
return {
  summary = "attack",
  decide = function(flag, ctx, env)
    while true do local _ = { {}, {}, {} } end
  end,
}
