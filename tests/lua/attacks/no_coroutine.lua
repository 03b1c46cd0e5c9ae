-- A coroutine has a count of its own.
-- expect: error
return {
  summary = "attack",
  decide = function(flag, ctx, env)
    return coroutine.wrap(function() while true do end end)()
  end,
}
