-- Changes the context.
-- expect: error
return {
  summary = "attack",
  decide = function(flag, ctx, env)
    ctx.country = 'xx'
  end,
}
