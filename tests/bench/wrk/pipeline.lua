-- wrk: 64 requests in one piece, then their answers.
local one
function init(args)
    one = {}
    for i = 1, 64 do one[i] = wrk.format("GET") end
    one = table.concat(one)
end
function request() return one end
