-- Catches it at every level.
-- expect: limit
return {
  summary = "attack",
  decide = function(flag, ctx, env)
    local function f() pcall(f) while true do pcall(f) end end f()
  end,
}
