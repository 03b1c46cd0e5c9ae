-- An error that is no text.
-- expect: error
return {
  summary = "attack",
  decide = function(flag, ctx, env)
    error({ 'on' })
  end,
}
