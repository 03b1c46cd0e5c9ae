-- Lives just below the limit, so that each allocation collects everything.
-- expect: limit
return {
  summary = "attack",
  decide = function(flag, ctx, env)
    local keep = {} for i = 1, 9000 do keep[i] = { i } end while true do local _ = string.rep('x', 60000) end
  end,
}
