-- A handler runs with the hook off.
-- expect: error
return {
  summary = "attack",
  decide = function(flag, ctx, env)
    return xpcall(error, function() while true do end end)
  end,
}
