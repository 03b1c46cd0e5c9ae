-- Finalizers run with the hook off.
-- expect: error
return {
  summary = "attack",
  decide = function(flag, ctx, env)
    return setmetatable({}, { __gc = function() while true do end end })
  end,
}
