-- Raises and catches for ever.
-- expect: limit
return {
  summary = "attack",
  decide = function(flag, ctx, env)
    while true do pcall(error, 'x') end
  end,
}
