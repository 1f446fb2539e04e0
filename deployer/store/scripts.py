"""What Redis does with a deployment in one step, so that nobody ever sees half of it."""

from __future__ import annotations

# One step, so that two deliveries of one merge can never make two deployments of it.
# KEYS: active, deployment, index, index of the environment, queue, waiting, unreported, latest, audit
# ARGV: id, created_at, key, report, final state (empty while it has none), state that is not joined (or empty), row of
#       the audit, rows kept, then the fields of the hash
QUEUE = """
local active = redis.call('GET', KEYS[1])
if active and (ARGV[6] == '' or redis.call('HGET', 'deployer:deployment:' .. active, 'state') ~= ARGV[6]) then
  return active
end
redis.call('HSET', KEYS[2], unpack(ARGV, 9))
redis.call('XADD', KEYS[9], 'MAXLEN', '~', ARGV[8], '*', 'row', ARGV[7])
redis.call('ZADD', KEYS[3], ARGV[2], ARGV[1])
redis.call('ZADD', KEYS[4], ARGV[2], ARGV[1])
redis.call('ZADD', KEYS[7], ARGV[2], ARGV[4])
redis.call('SET', KEYS[8], ARGV[1])
if ARGV[5] ~= '' then return ARGV[1] end
redis.call('SET', KEYS[1], ARGV[1])
redis.call('RPUSH', KEYS[5], ARGV[1])
redis.call('ZADD', KEYS[6], ARGV[2], ARGV[3])
return ARGV[1]
"""

# KEYS: deployment, lease  ARGV: token (empty without a lease), state, summary
ADVANCE = """
if redis.call('HEXISTS', KEYS[1], 'finished_at') == 1 then return 0 end
if ARGV[1] ~= '' and redis.call('GET', KEYS[2]) ~= ARGV[1] then return 0 end
redis.call('HSET', KEYS[1], 'state', ARGV[2], 'summary', ARGV[3])
return 1
"""

# One step, so that a deployment ends once, and never by the hand of a worker whose lease is somebody else's.
# KEYS: deployment, lease, queue, active, unreported, environment, waiting, audit
# ARGV: token (empty without a lease), state, summary, finished_at, id, due, report, deployed commit or nothing, key,
#       row of the audit, rows kept, id of what supersedes it (or empty)
FINISH = """
if redis.call('HEXISTS', KEYS[1], 'finished_at') == 1 then return 0 end
if ARGV[1] ~= '' and redis.call('GET', KEYS[2]) ~= ARGV[1] then return 0 end
redis.call('HSET', KEYS[1], 'state', ARGV[2], 'summary', ARGV[3], 'finished_at', ARGV[4])
if ARGV[12] ~= '' then redis.call('HSET', KEYS[1], 'superseded_by', ARGV[12]) end
redis.call('XADD', KEYS[8], 'MAXLEN', '~', ARGV[11], '*', 'row', ARGV[10])
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

# The report is done only if what was told is still what there is to tell. In the one state that is told at a pace of
# its own, what differs in words only has its time.
# KEYS: deployment, unreported  ARGV: state, summary, report, state with a pace of its own
REPORTED = """
local now = redis.call('HMGET', KEYS[1], 'state', 'summary')
if now[1] ~= ARGV[1] or (now[2] ~= ARGV[2] and now[1] ~= ARGV[4]) then return 0 end
redis.call('ZREM', KEYS[2], ARGV[3])
redis.call('HDEL', KEYS[1], 'report_attempts')
return 1
"""
