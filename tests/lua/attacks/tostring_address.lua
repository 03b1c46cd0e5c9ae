-- An address by way of tostring: there is none.
-- expect: ok
return {
  summary = "attack",
  decide = function(flag, ctx, env)
    return tostring(print) .. tostring({}) .. tostring(pairs) == 'niltablefunction' and 'on' or 'off'
  end,
}
