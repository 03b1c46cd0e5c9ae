-- A width that fills memory.
-- expect: error
return {
  summary = "attack",
  decide = function(flag, ctx, env)
    return string.format('%99999999s', 'x')
  end,
}
