-- Processes.
-- expect: error
return {
  summary = "attack",
  decide = function(flag, ctx, env)
    return os.execute('true')
  end,
}
