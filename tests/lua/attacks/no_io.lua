-- Files.
-- expect: error
return {
  summary = "attack",
  decide = function(flag, ctx, env)
    return io.open('/etc/passwd')
  end,
}
