-- Long texts through C functions.
-- expect: limit
return {
  summary = "attack",
  decide = function(flag, ctx, env)
    local s = string.rep('a', 60000) s = s .. s .. s .. s while true do s:upper() end
  end,
}
