-- Targeting rules over the context. The first rule all of whose conditions hold decides; it gives a
-- variant, to all who match or to a `percent` of them. If none holds, the default.
--
--   { "rules": [ { "name": "swiss pros", "variant": "on", "percent": 20,
--                  "when": [ { "field": "country", "op": "in", "values": [ "ch", "li" ] },
--                            { "field": "app", "op": "semver_ge", "value": "2.4.0" } ] } ] }
--
-- Ask for an explanation to see why a rule did not hold: each refusal is noted with its value.

local function one_of(value, values)
  for _, candidate in ipairs(values or {}) do
    if value == candidate then
      return true
    end
  end
  return false
end

-- Numbers with numbers, texts with texts; anything else has no order.
local function ordered(a, b)
  return type(a) == type(b) and (type(a) == "number" or type(a) == "string")
end

local function version(a, b, env)
  return env.semver(tostring(a), tostring(b))
end

local OPERATORS = {
  eq = function(a, c) return a == c.value end,
  ne = function(a, c) return a ~= c.value end,
  ["in"] = function(a, c) return one_of(a, c.values) end,
  not_in = function(a, c) return not one_of(a, c.values) end,
  exists = function(a) return a ~= nil end,
  missing = function(a) return a == nil end,
  lt = function(a, c) return ordered(a, c.value) and a < c.value end,
  le = function(a, c) return ordered(a, c.value) and a <= c.value end,
  gt = function(a, c) return ordered(a, c.value) and a > c.value end,
  ge = function(a, c) return ordered(a, c.value) and a >= c.value end,
  contains = function(a, c, env) return env.contains(a, c.value) end,
  starts_with = function(a, c, env) return env.starts_with(a, c.value) end,
  ends_with = function(a, c, env) return env.ends_with(a, c.value) end,
  glob = function(a, c, env) return env.glob(a, c.value) end,
  semver_lt = function(a, c, env) return version(a, c.value, env) == -1 end,
  semver_eq = function(a, c, env) return version(a, c.value, env) == 0 end,
  semver_ge = function(a, c, env) return (version(a, c.value, env) or -1) >= 0 end,
  segment = function(a, c, env) return a ~= nil and env.in_segment(c.value, a) end,
}

local function holds(condition, ctx, env)
  local operator = OPERATORS[condition.op]
  if not operator then
    error("rule with an unknown op '" .. tostring(condition.op) .. "'")
  end
  local value = ctx[condition.field]
  local texts = condition.op == "contains" or condition.op == "glob"
    or condition.op == "starts_with" or condition.op == "ends_with"
  if texts and type(value) ~= "string" then
    return false, value -- a number is no text that could start with something
  end
  return operator(value, condition, env), value
end

local function matches(rule, number, ctx, env)
  for _, condition in ipairs(rule.when or {}) do
    local good, value = holds(condition, ctx, env)
    if not good then
      env.note(string.format("rule %s: %s is %s, not %s %s", rule.name or number,
        tostring(condition.field), tostring(value), condition.op, tostring(condition.value)))
      return false
    end
  end
  return true
end

-- A rule of a `percent` takes those units that the rules before it, which hold as well, have left.
-- So where there is one, those after it are looked at too: all that gives the variant is its share.
local function draw(flag, from, ctx, env)
  local default, place, past, shares, variant, reason = flag.default_variant, nil, 0, {}, nil, nil
  for number = from, #flag.params.rules do
    local rule = flag.params.rules[number]
    local percent, gives = rule.percent or 100, rule.variant or default
    if percent > past and matches(rule, number, ctx, env) then
      if not rule.percent and past == 0 then
        return gives, "TARGETING_MATCH" -- everybody: no unit needed
      end
      place = place or env.bucket(ctx.targetingKey)
      shares[gives] = (shares[gives] or 0) + percent - past
      past = percent
      if not variant and place < percent then
        variant, reason = gives, rule.percent and "SPLIT" or "TARGETING_MATCH"
      elseif not variant then
        env.note(string.format("rule %s: at %g, beyond its %g %%", rule.name or number, place,
          percent))
      end
    end
  end
  shares[default] = (shares[default] or 0) + 100 - past
  variant = variant or default
  return variant, reason or "DEFAULT", shares[variant] / 100
end

return {
  summary = "Targeting rules over the context; the first that holds decides.",

  params = {
    rules = { type = "list", required = true, doc = 'each {"name","variant","percent","when":[...]}' },
  },

  decide = function(flag, ctx, env)
    for number, rule in ipairs(flag.params.rules) do
      if rule.percent then
        return draw(flag, number, ctx, env)
      end
      if matches(rule, number, ctx, env) then
        return rule.variant, "TARGETING_MATCH"
      end
    end
    return flag.default_variant, "DEFAULT"
  end,
}
