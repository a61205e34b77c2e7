-- wrk: each request is the next visitor's, with the cookies that the proxy and the application gave it before.
-- The first argument is a file with one visitor's Cookie value on each line, the second what is asked for, the third
-- where not empty `close`: each request on a connection of its own.

-- Of more visitors than this each request is put together when its turn comes: a million would not fit into memory.
local readyMax = 10000
local cookies = {}
local requests = {}
local before, after
local turn = 0

function init(args)
  local fields = {
    ["User-Agent"] = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36",
    ["Accept"] = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8",
    ["Accept-Encoding"] = "gzip, deflate, br, zstd",
    ["Accept-Language"] = "en-GB,en;q=0.9",
    ["Cache-Control"] = "max-age=0",
    ["Sec-Fetch-Dest"] = "document",
    ["Sec-Fetch-Mode"] = "navigate",
    ["Sec-Fetch-Site"] = "same-origin",
    ["Sec-Fetch-User"] = "?1",
    ["Upgrade-Insecure-Requests"] = "1",
    ["Referer"] = "http://127.0.0.1/orders",
  }
  if args[3] == "close" then fields["Connection"] = "close" end
  fields["Cookie"] = "@"
  before, after = wrk.format("GET", args[2], fields):match("^(.-Cookie: )@(.*)$")
  for line in io.lines(args[1]) do cookies[#cookies + 1] = line end
  if #cookies <= readyMax then
    for index, cookie in ipairs(cookies) do requests[index] = before .. cookie .. after end
  end
  -- Not the same first ones in each round, which caches would know.
  math.randomseed(os.time())
  turn = math.random(#cookies)
end

function request()
  turn = turn % #cookies + 1
  return requests[turn] or before .. cookies[turn] .. after
end

function done(summary, latency)
  local errors = summary.errors
  io.write(string.format(
    '\n{"requests":%d,"durationUs":%d,"failures":%d,"p50Us":%d,"p99Us":%d}\n',
    summary.requests, summary.duration,
    errors.connect + errors.read + errors.write + errors.status + errors.timeout,
    latency:percentile(50), latency:percentile(99)))
end
