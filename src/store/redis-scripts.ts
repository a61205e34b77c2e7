/**
 * The store's operations as Lua, one script and one key each, so that every call is atomic and works on a
 * cluster too. memory.ts says the same rules in TypeScript, and one contract test holds both.
 *
 * A session is one hash: e epoch, u owner's uid, o owner as JSON, v version, b content, m its file's mtime, s time
 * of the last write in ms, t '1' for a tombstone, c epoch of the term that began with a create, k "epoch:uid" of the term that
 * buried it, r first epoch of the owner's unbroken run of terms, i epoch of an import: as long as e is the same, no keeper has taken the session. Absent u and o: free. Numbers are printed with %.0f: epochs are microseconds, below 2^53, and Lua's
 * own tostring would round them to 14 digits. Only the server's clock is used. Redis >= 6.2, Valkey.
 *
 * One command a line: where a command is not allowed, Redis names the line only (redis-errors.ts).
 *
 * Must not know ioredis, sealing or why anyone calls.
 */

import { createHash } from 'node:crypto';

/** One script: its text, and the SHA-1 under which EVALSHA finds it. */
export interface RedisScript {
  readonly text: string;
  readonly sha: string;
}

const prelude = `
local key = KEYS[1]
local clock = redis.call('TIME')
local nowUs = clock[1] * 1000000 + clock[2]
local now = string.format('%.0f', math.floor(nowUs / 1000))

local function nextEpoch(epoch)
  return string.format('%.0f', math.max(tonumber(epoch) + 1, nowUs))
end

local function prolong(ttl)
  if redis.call('PTTL', key) < tonumber(ttl) then
    redis.call('PEXPIRE', key, ttl)
  end
end

local function fenced(epoch, uid, theirEpoch, theirUid)
  local mine, theirs = tonumber(epoch), tonumber(theirEpoch)
  return mine < theirs or (mine == theirs and theirUid ~= uid)
end

local function write(epoch)
  redis.call('HSET', key, 'e', epoch, 'u', ARGV[1], 'o', ARGV[2], 'v', ARGV[4], 'b', ARGV[5], 'm', ARGV[6], 's', now)
end

local function startTerm(was, uid, owner, ttl)
  local epoch = nextEpoch(was[1])
  local since = was[6] or was[1]
  redis.call('HSET', key, 'e', epoch, 'u', uid, 'o', owner, 'r', was[2] == uid and since or epoch)
  prolong(ttl)
  return {'taken', now, epoch, was[1], was[2], was[3], was[4], was[5], since,
    unpack(redis.call('HMGET', key, 'b', 'm'))}
end
`;

/** ARGV: uid, owner, ttl. */
export const takeScript = script(`
local was = redis.call('HMGET', key, 'e', 'u', 't', 'v', 's', 'r', 'o')
if not was[1] then return {'absent', now} end
if was[2] and was[2] ~= ARGV[1] then return {'owned', now, was[1], was[7]} end
return startTerm(was, ARGV[1], ARGV[2], ARGV[3])
`);

/** ARGV: uid, owner, ttl, seen epoch, seen uid. */
export const forceScript = script(`
local was = redis.call('HMGET', key, 'e', 'u', 't', 'v', 's', 'r')
if was[1] ~= ARGV[4] or was[2] ~= ARGV[5] then return {'changed', now} end
return startTerm(was, ARGV[1], ARGV[2], ARGV[3])
`);

/** ARGV: uid, owner, ttl, version, content, mtime. */
export const createScript = script(`
local was = redis.call('HMGET', key, 'e', 'u', 'v', 'c')
if was[1] and not (was[4] == was[1] and was[2] == ARGV[1] and tonumber(was[3]) < tonumber(ARGV[4])) then
  return {'refused', now}
end
local epoch = nextEpoch(was[1] or 0)
write(epoch)
redis.call('HSET', key, 'c', epoch, 'r', epoch)
prolong(ARGV[3])
return {'created', now, epoch}
`);

/** ARGV: uid, owner, ttl, version, content, mtime, epoch. */
export const putScript = script(`
local was = redis.call('HMGET', key, 'e', 'u', 'v')
if was[1] and fenced(ARGV[7], ARGV[1], was[1], was[2]) then return {'refused', now} end
if was[1] ~= ARGV[7] or tonumber(ARGV[4]) > tonumber(was[3]) then
  write(ARGV[7])
  redis.call('HDEL', key, 't')
  if was[1] ~= ARGV[7] then
    redis.call('HSET', key, 'r', ARGV[7])
  end
end
prolong(ARGV[3])
return {'stored', now}
`);

/** ARGV: uid, epoch, ttl or '' for none. */
export const confirmScript = script(`
local was = redis.call('HMGET', key, 'e', 'u')
if not was[1] then return {'absent', now} end
if was[1] ~= ARGV[2] or was[2] ~= ARGV[1] then return {'refused', now} end
if ARGV[3] ~= '' then prolong(ARGV[3]) end
return {'stored', now}
`);

/** ARGV: uid, epoch. A free record of our own epoch is our own release: every other end of a term raises it. */
export const releaseScript = script(`
local was = redis.call('HMGET', key, 'e', 'u')
if not was[1] then return {'absent', now} end
if was[1] ~= ARGV[2] or (was[2] and was[2] ~= ARGV[1]) then return {'refused', now} end
redis.call('HDEL', key, 'u', 'o')
return {'stored', now}
`);

/** ARGV: uid, epoch, ttl. */
export const buryScript = script(`
local was = redis.call('HMGET', key, 'e', 'u', 'v', 't', 'k')
local term = ARGV[2] .. ':' .. ARGV[1]
if was[1] then
  if was[4] and not was[2] and was[5] == term then return {'stored', now} end
  if fenced(ARGV[2], ARGV[1], was[1], was[2]) then return {'refused', now} end
end
local epoch = nextEpoch(math.max(tonumber(was[1] or 0), tonumber(ARGV[2])))
redis.call('HDEL', key, 'u', 'o', 'b', 'm', 'c')
redis.call('HSET', key, 'e', epoch, 't', '1', 'v', was[3] or '0', 's', now, 'k', term, 'r', '0')
prolong(ARGV[3])
return {'stored', now}
`);

/** ARGV: content, mtime, ttl. */
export const plantScript = script(`
local was = redis.call('HMGET', key, 'e', 'i', 'm')
if was[1] then
  if was[2] ~= was[1] then return {'kept', now} end
  if tonumber(was[3]) >= tonumber(ARGV[2]) then return {'same', now} end
end
local epoch = nextEpoch(was[1] or 0)
redis.call('HSET', key, 'e', epoch, 'r', epoch, 'i', epoch, 'v', '0', 'b', ARGV[1], 'm', ARGV[2], 's', now)
prolong(ARGV[3])
return {was[1] and 'renewed' or 'planted', now}
`);

/** ARGV: expected, next. A hash with one field, so that it takes no other commands than sessions do. */
export const markScript = script(`
local was = redis.call('HMGET', key, 'k')[1] or ''
if was == ARGV[1] then redis.call('HSET', key, 'k', ARGV[2]) end
return {'mark', now, was}
`);

/** No ARGV; the key is a probe of its own. It writes, because a replica or a full server reads well enough. */
export const pingScript = script(`
redis.call('SET', key, '1', 'PX', 60000)
return {'pong', now}
`);

function script(body: string): RedisScript {
  const text = prelude + body;
  return { text, sha: createHash('sha1').update(text).digest('hex') };
}
