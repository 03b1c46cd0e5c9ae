-- Many results of the greatest size allowed.
-- expect: limit
return {
  summary = "attack",
  decide = function(flag, ctx, env)
    while true do pcall(string.rep, 'a', 65000) end
  end,
}
