-- A search that is quadratic when naive.
-- expect: limit
return {
  summary = "attack",
  decide = function(flag, ctx, env)
    local s = string.rep('a', 60000) local p = string.rep('a', 30000) .. 'b' while true do s:find(p) end
  end,
}
