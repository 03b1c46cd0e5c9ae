-- Code from text.
-- expect: error
return {
  summary = "attack",
  decide = function(flag, ctx, env)
    return load('return 1')()
  end,
}
