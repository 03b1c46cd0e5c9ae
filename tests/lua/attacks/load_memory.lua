-- The file itself takes all memory.
-- expect: broken
local t = {}
while true do t[#t + 1] = {} end
