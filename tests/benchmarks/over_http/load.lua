-- For wrk: each request brings the next cookie of a file; at the end one line of JSON.
local cookies, number = {}, 0

function init(args)
   for line in io.lines(args[1]) do cookies[#cookies + 1] = line end
end

function request()
   number = number % #cookies + 1
   return wrk.format("GET", nil, { ["Host"] = "127.0.0.1", ["Cookie"] = cookies[number] })
end

function done(summary, latency, requests)
   local errors = summary.errors
   local failed = errors.connect + errors.read + errors.write + errors.status + errors.timeout
   print(string.format(
      '{"per_second": %f, "p50": %f, "p99": %f, "errors": %d}',
      summary.requests / (summary.duration / 1e6),
      latency:percentile(50) / 1e3, latency:percentile(99) / 1e3, failed
   ))
end
