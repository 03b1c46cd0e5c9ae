-- A million results.
-- expect: error
return {
  summary = "attack",
  decide = function(flag, ctx, env)
    return table.unpack({}, 1, 999000)
  end,
}
