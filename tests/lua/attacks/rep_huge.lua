-- A result of a gigabyte in one C call.
-- expect: error
return {
  summary = "attack",
  decide = function(flag, ctx, env)
    return string.rep('a', 1000000000)
  end,
}
