-- Joins a long list again and again.
-- expect: limit
return {
  summary = "attack",
  decide = function(flag, ctx, env)
    local t = {} for i = 1, 4000 do t[i] = 'xxxxxxxx' end while true do table.concat(t) end
  end,
}
