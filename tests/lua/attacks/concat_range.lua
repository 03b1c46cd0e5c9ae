-- A range that does not exist; only the list is joined.
-- expect: ok
return {
  summary = "attack",
  decide = function(flag, ctx, env)
    table.concat({}, '', 1, 1000000000000) return 'on'
  end,
}
