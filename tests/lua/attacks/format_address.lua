-- Shows an address of the process.
-- expect: error
return {
  summary = "attack",
  decide = function(flag, ctx, env)
    return string.format('%p', {})
  end,
}
