-- Moves the whole list with each insert.
-- expect: limit
return {
  summary = "attack",
  decide = function(flag, ctx, env)
    local t = {} while true do table.insert(t, 1, 0) end
  end,
}
