-- Changes the context further down.
-- expect: error
return {
  summary = "attack",
  decide = function(flag, ctx, env)
    ctx.nested.deep.value = 1
  end,
}
