-- Small tables without end, all kept.
-- expect: limit
return {
  summary = "attack",
  decide = function(flag, ctx, env)
    local t = {} while true do t = { t } end
  end,
}
