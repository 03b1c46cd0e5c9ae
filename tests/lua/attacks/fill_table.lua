-- A table without end.
-- expect: limit
return {
  summary = "attack",
  decide = function(flag, ctx, env)
    local t = {} while true do t[#t + 1] = 1 end
  end,
}
