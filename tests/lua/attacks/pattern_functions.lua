-- There is no match, gmatch or gsub.
-- expect: error
return {
  summary = "attack",
  decide = function(flag, ctx, env)
    return ('a'):gsub('a', 'b')
  end,
}
