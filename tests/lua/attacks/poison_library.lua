-- Changes a library for whoever comes next.
-- expect: error
return {
  summary = "attack",
  decide = function(flag, ctx, env)
    string.upper = function() return 'on' end
  end,
}
