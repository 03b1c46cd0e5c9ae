-- How bad is a measurement that got worse? The policy that grades when a team has none of its own.
--
-- It asks three things in this order. Is it worse at all, beyond the accepted margin? Is that more
-- than noise? And how many margins is it? What is marked critical counts one level more, what rests
-- on few samples one less: nobody should be woken by twelve requests.
--
-- To have your own: copy this file to another name in the same folder, change it, see what
-- `paddock policy check` says, and name it in the registered model's label `severity_policy`.

local LEVELS = { "none", "low", "medium", "high" }

local SIGNIFICANT = 0.01 -- a p-value above this may be noise
local MEDIUM_AT = 2      -- margins
local HIGH_AT = 4        -- margins
local RATIO_MEDIUM = 0.1 -- where there is no margin: share of the baseline
local RATIO_HIGH = 0.5

-- By how much it is worse: positive is worse, whatever the direction. For a target, delta says how
-- much farther off it is.
local function worsening(r)
  if r.better == "higher" then
    return -r.delta
  end
  return r.delta
end

-- The interval of delta, turned the same way: its end that speaks for the candidate.
local function mildest(r)
  if not r.confidence then
    return nil
  end
  if r.better == "higher" then
    return -r.confidence[2]
  end
  return r.confidence[1]
end

-- Is the worsening more than noise? Without any statistics the measurement speaks for itself.
local function significant(r, margin)
  local least = mildest(r)
  if least then
    return least > 0 and (least > margin or (r.p_value or 0) <= SIGNIFICANT)
  end
  return r.p_value == nil or r.p_value <= SIGNIFICANT
end

-- 2 is low, 3 medium, 4 high: places in LEVELS.
local function size(r, worse, margin)
  if margin > 0 then
    local margins = worse / margin
    return margins >= HIGH_AT and 4 or margins >= MEDIUM_AT and 3 or 2
  end
  local ratio = math.abs(r.delta_ratio or 0)
  return ratio >= RATIO_HIGH and 4 or ratio >= RATIO_MEDIUM and 3 or 2
end

local function show(value)
  return string.format("%.4g", value)
end

local function sentence(r, worse, margin, addition)
  local unit = r.unit and r.unit ~= "" and r.unit ~= "1" and " " .. r.unit or ""
  local text = string.format("%s went from %s to %s%s, %s worse", r.metric or "it",
    show(r.baseline), show(r.candidate), unit, show(worse))
  if margin > 0 then
    text = text .. string.format(" (accepted are %s)", show(margin))
  end
  return text .. addition
end

return {
  summary = "Margins exceeded beyond noise: low, from 2 margins medium, from 4 high.",

  grade = function(r, env)
    if r.incomparable then
      return "none", "the baseline was measured in another way, so the two cannot be compared"
    end
    if not r.baseline or not r.candidate or not r.delta then
      return "none", "there is no baseline to compare with"
    end

    local margin = r.margin or 0
    local worse = worsening(r)
    if worse <= margin then
      return "none", worse > 0 and "worse, but within the accepted margin" or "not worse"
    end
    if not significant(r, margin) then
      return "low", sentence(r, worse, margin, "; it may be noise")
    end

    local level, addition = size(r, worse, margin), ""
    if r.critical then
      level, addition = level + 1, "; it is critical"
    end
    if r.low_sample then
      level, addition = level - 1, addition .. "; few samples"
    end
    return LEVELS[math.max(2, math.min(4, level))], sentence(r, worse, margin, addition)
  end,
}
