-- Stopping the collector.
-- expect: error
return {
  summary = "attack",
  decide = function(flag, ctx, env)
    return collectgarbage('stop')
  end,
}
