-- Closures without end, all kept.
-- expect: limit
return {
  summary = "attack",
  decide = function(flag, ctx, env)
    local f = function() end while true do local g = f f = function() return g end end
  end,
}
