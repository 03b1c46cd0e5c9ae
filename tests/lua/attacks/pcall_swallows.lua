-- Catches the limit's error, for ever.
-- expect: limit
return {
  summary = "attack",
  decide = function(flag, ctx, env)
    while true do pcall(function() while true do end end) end
  end,
}
