"""What Redis does with a deployment in one step, so that nobody ever sees half of it."""

from __future__ import annotations

from deployer.store.chain import SEAL

# One step, so that two deliveries of one merge can never make two deployments of it.
# The row that says so needs the id of what is joined: whoever is not prepared for that is told it, and asks again.
# KEYS: active, deployment, index, index of the environment, queue, waiting, unreported, latest (empty: the commit's
#       status is not about it), audit, its head
# ARGV: id, created_at, key, report, final state (empty while it has none), state that is not joined (or empty), row of
#       the audit, its digest, id that the next row joins (or empty), row, its digest, trigger of a rollback and what it
#       leaves behind (or empty), then the fields of the hash
QUEUE = f"""{SEAL}
local active = redis.call('GET', KEYS[1])
if active then
  local known = redis.call('HMGET', 'deployer:deployment:' .. active, 'trigger', 'state', 'back_from')
  local other = ARGV[12] ~= '' and ARGV[12] ~= (known[1] or '') .. ' ' .. (known[3] or '')
  if other or known[2] == ARGV[6] or (KEYS[8] ~= '' and known[1] == 'drift') then active = false end
end
if active then
  if active ~= ARGV[9] then return {{active, 0}} end
  audit(KEYS[9], KEYS[10], ARGV[10], ARGV[11])
  return {{active, 1}}
end
redis.call('HSET', KEYS[2], unpack(ARGV, 13))
audit(KEYS[9], KEYS[10], ARGV[7], ARGV[8])
redis.call('ZADD', KEYS[3], ARGV[2], ARGV[1])
redis.call('ZADD', KEYS[4], ARGV[2], ARGV[1])
redis.call('ZADD', KEYS[7], ARGV[2], ARGV[4])
if KEYS[8] ~= '' then redis.call('SET', KEYS[8], ARGV[1]) end
if ARGV[5] ~= '' then return {{ARGV[1], 1}} end
redis.call('SET', KEYS[1], ARGV[1])
redis.call('RPUSH', KEYS[5], ARGV[1])
redis.call('ZADD', KEYS[6], ARGV[2], ARGV[3])
return {{ARGV[1], 1}}
"""

# KEYS: deployment, lease, audit, its head  ARGV: token (empty without a lease), state, summary, row, its digest
ADVANCE = f"""{SEAL}
if redis.call('HEXISTS', KEYS[1], 'finished_at') == 1 then return 0 end
if ARGV[1] ~= '' and redis.call('GET', KEYS[2]) ~= ARGV[1] then return 0 end
redis.call('HSET', KEYS[1], 'state', ARGV[2], 'summary', ARGV[3])
audit(KEYS[3], KEYS[4], ARGV[4], ARGV[5])
return 1
"""

# One step, so that a deployment ends once, and never by the hand of a worker whose lease is somebody else's.
# KEYS: deployment, lease, queue, active, unreported, environment, waiting, audit, its head
# ARGV: token (empty without a lease), state, summary, finished_at, id, due, report, deployed commit or nothing, key,
#       row of the audit, its digest, id of what supersedes it (or empty)
FINISH = f"""{SEAL}
if redis.call('HEXISTS', KEYS[1], 'finished_at') == 1 then return 0 end
if ARGV[1] ~= '' and redis.call('GET', KEYS[2]) ~= ARGV[1] then return 0 end
redis.call('HSET', KEYS[1], 'state', ARGV[2], 'summary', ARGV[3], 'finished_at', ARGV[4])
if ARGV[12] ~= '' then redis.call('HSET', KEYS[1], 'superseded_by', ARGV[12]) end
audit(KEYS[8], KEYS[9], ARGV[10], ARGV[11])
if ARGV[8] ~= '' then
  redis.call('HSET', KEYS[6], 'deployed', ARGV[8], 'reads', redis.call('HGET', KEYS[1], 'reads') or '')
end
redis.call('HDEL', KEYS[1], 'report_attempts')
redis.call('LREM', KEYS[3], 0, ARGV[5])
if redis.call('GET', KEYS[4]) == ARGV[5] then redis.call('DEL', KEYS[4]) end
redis.call('ZADD', KEYS[5], ARGV[6], ARGV[7])
if redis.call('LLEN', KEYS[3]) == 0 then redis.call('ZREM', KEYS[7], ARGV[9]) end
return 1
"""
