-- The file itself never ends.
-- expect: broken
while true do end
return {}
