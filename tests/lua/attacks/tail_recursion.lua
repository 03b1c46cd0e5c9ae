-- Tail calls without end.
-- expect: limit
return {
  summary = "attack",
  decide = function(flag, ctx, env)
    local function f() return f() end return f()
  end,
}
