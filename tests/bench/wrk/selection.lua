-- A selection for another unit each time. The route comes from the first argument behind `--`.
local unit, route = 0, "bench"
function init(args)
    if args[1] then route = args[1] end
end
function request()
    unit = unit + 1
    return wrk.format("POST", nil, nil, '{"route":"' .. route .. '","context":{"targetingKey":"user-'
        .. unit .. '","country":"ch","plan":"pro"}}')
end
wrk.headers["Content-Type"] = "application/json"
