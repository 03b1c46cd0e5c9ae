-- Parameters nested without end.
-- expect: broken
local t = {}
t.t = t
return { summary = 'x', params = { x = { type = 'map', default = t } }, decide = function() end }
