-- A reason that is no UTF-8.
-- expect: error
return {
  summary = "attack",
  decide = function(flag, ctx, env)
    return 'on', '\xff\xfe'
  end,
}
