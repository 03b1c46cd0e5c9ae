-- One inference record per POST, the same for every server. The path comes from the command line.
wrk.method = "POST"
wrk.headers["Content-Type"] = "application/json"
wrk.body = '{"latency_ms":12.345,"success":true}'
