-- Failed builds for wrk, each of another id, of the size that Azure DevOps sends.
--   wrk -t1 -c32 -d5s --latency -s tests/peer/webhooks.lua http://127.0.0.1:PORT -- FIRST_ID
local size = 3 * 1024
local before = '{"eventType":"build.complete","resource":{"id":'
local after = ',"buildNumber":"20260302.1","result":"failed",'
  .. '"sourceBranch":"refs/heads/feature/test-webhook","sourceVersion":"abc1234def5678",'
  .. '"definition":{"name":"Forma3D.Connect CI"}}}'
local filler = string.rep(' ', size)
local headers = { ['x-webhook-secret'] = 'azure-secret', ['content-type'] = 'application/json' }
local id

function init(args)
  id = tonumber(args[1])
end

function request()
  id = id + 1
  local body = before .. id .. after
  body = body .. filler:sub(1, size - #body)
  return wrk.format('POST', '/webhook/azure-devops', headers, body)
end

-- What the benchmark reads: answers, failures, seconds, and microseconds of the middle and of p99.
function done(summary, latency)
  local errors = summary.errors
  local failed = errors.connect + errors.read + errors.write + errors.status + errors.timeout
  io.write(string.format('seen %d %d %f %f %f\n', summary.requests, failed, summary.duration / 1e6,
    latency:percentile(50), latency:percentile(99)))
end
