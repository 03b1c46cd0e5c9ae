-- Doubles a text until memory ends.
-- expect: limit
return {
  summary = "attack",
  decide = function(flag, ctx, env)
    local s = 'x' while true do s = s .. s end
  end,
}
