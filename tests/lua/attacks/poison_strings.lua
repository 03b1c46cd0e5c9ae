-- Changes what every text can do.
-- expect: error
return {
  summary = "attack",
  decide = function(flag, ctx, env)
    getmetatable('').__index = function() return 'on' end
  end,
}
