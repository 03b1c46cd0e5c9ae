-- Recursion that is no tail call.
-- expect: limit
return {
  summary = "attack",
  decide = function(flag, ctx, env)
    local function f(n) return 1 + f(n + 1) end return f(1)
  end,
}
