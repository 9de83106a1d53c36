// Rows 3, 4, 8, 9, 10 and 11: what a connection gets when it opens, what it may send, and how it ends.

import assert from 'node:assert/strict'
import { check } from './lib/check.mjs'
import { openWorld } from './lib/world.mjs'
import { Tap } from './lib/tap.mjs'
import { ask, barrier, say, textOf, turn, user } from './lib/chat.mjs'

const world = await openWorld()

const types = (frames) => frames.map((f) => f.type)

check(3, 'connect.order', async () => {
  const client = world.client(await world.session('ask'))
  await client.tap.frame('cf_agent_mcp_servers')
  assert.deepEqual(types(client.tap.got()), ['cf_agent_identity', 'cf_agent_state', 'cf_agent_mcp_servers'])
})

check(3, 'connect.identity-shape', async () => {
  const s = await world.session('ask')
  const client = world.client(s)
  const identity = await client.tap.frame('cf_agent_identity')
  assert.deepEqual(identity, { type: 'cf_agent_identity', name: s.name, agent: 'coder-agent', stateFollows: true })
})

check(3, 'connect.ready-has-the-state', async () => {
  const s = await world.session('ask')
  const client = world.client(s)
  await client.ready
  assert.equal(client.state.workdir, s.workdir)
})

check(4, 'connect.mcp-shape', async () => {
  const client = world.client(await world.session('ask'))
  const frame = await client.tap.frame('cf_agent_mcp_servers')
  assert.deepEqual(frame.mcp, { servers: {}, tools: [], prompts: [], resources: [] })
})

check(8, 'state.readonly', async () => {
  const s = await world.session('ask', { text: 'Still allowed.' })
  let refused
  const client = world.client(s, { query: { readonly: '1' }, onStateUpdateError: (error) => { refused = error } })
  await client.ready
  client.setState({ ...client.state, title: 'mine' })
  await client.tap.frame('cf_agent_state_error', (f) => f.error === 'Connection is readonly')
  assert.equal(refused, 'Connection is readonly')
  await assert.rejects(client.call('setMode', ['plan']), /^Error: Connection is readonly$/)
  await client.call('usage')
  assert.equal(textOf(await say(client, user('hi'))), 'Still allowed.')
})

check(8, 'noprotocol', async () => {
  const s = await world.session('ask', { text: 'Quiet.' })
  const client = world.client(s, { query: { noproto: '1' } })
  const other = world.client(s)
  await other.ready
  const frames = await say(client, user('hi'))
  assert.equal(textOf(frames), 'Quiet.')
  other.setState({ ...other.state, title: 'changed' })
  await barrier(other)
  await barrier(client)
  client.setState({ ...other.state, title: 'by the quiet one' })
  await other.tap.frame('cf_agent_state', (f) => f.state.title === 'by the quiet one')
  for (const type of ['cf_agent_identity', 'cf_agent_state', 'cf_agent_mcp_servers', 'cf_agent_state_error']) {
    assert(!types(client.tap.got()).includes(type), `${type} came`)
  }
})

check(9, 'connect.ignores-garbage', async () => {
  const client = world.client(await world.session('ask'))
  await client.ready
  await barrier(client)
  const from = client.tap.mark
  for (const garbage of ['', 'ping', '{', 'null', '7', '[]', '"x"', '{}', '{"type":7}', '{"type":"nobody_knows"}', '{"type":"cf_agent_state"}']) {
    client.send(garbage)
  }
  client.send(Buffer.from([1, 2, 3]))
  client.send(Buffer.from('{"type":"rpc","id":"b","method":"usage","args":[]}'))
  await barrier(client)
  assert.deepEqual(types(client.tap.got(from)), ['rpc'], 'only the barrier is answered')
  assert.equal(client.tap.sockets.length, 1)
})

check(9, 'rpc.malformed-is-ignored', async () => {
  const client = world.client(await world.session('ask'))
  await client.ready
  await barrier(client)
  const from = client.tap.mark
  for (const frame of [{ method: 'usage', args: [] }, { id: 7, method: 'usage', args: [] }, { id: 'a', args: [] },
    { id: 'b', method: 'usage' }, { id: 'c', method: 'usage', args: {} }, { id: 'd', method: 7, args: [] }]) {
    client.send(JSON.stringify({ type: 'rpc', ...frame }))
  }
  await barrier(client)
  assert.equal(client.tap.got(from).length, 1, 'only the barrier is answered')
})

check(9, 'chat.malformed-is-ignored', async () => {
  const s = await world.session('ask')
  const client = world.client(s)
  await client.ready
  await barrier(client)
  const from = client.tap.mark
  for (const init of [undefined, { method: 'GET', body: '{"messages":[]}' }, { method: 'POST' }, { method: 'POST', body: '{' }, { method: 'POST', body: '{}' }]) {
    client.send(JSON.stringify({ type: 'cf_agent_use_chat_request', id: 'bad', init }))
  }
  await barrier(client)
  assert.equal(client.tap.got(from).length, 1, 'only the barrier is answered')
  assert.deepEqual(await s.messages(), [])
})

check(10, 'connect.reconnect', async () => {
  const client = world.client(await world.session('ask'))
  await client.ready
  await client.tap.frame('cf_agent_mcp_servers')
  const from = client.tap.mark
  client.tap.socket.terminate()
  await client.tap.frame('cf_agent_mcp_servers', undefined, { from })
  assert.deepEqual(types(client.tap.got(from)), ['cf_agent_identity', 'cf_agent_state', 'cf_agent_mcp_servers'])
  const [first, second] = client.tap.sockets.map((s) => new URL(s.url).searchParams.get('_pk'))
  assert.equal(first, second)
  await client.call('usage')
})

check(10, 'connect.same-pk-twice', async () => {
  const s = await world.session('ask', { text: 'One.' })
  const a = world.client(s, { id: 'same' })
  const b = world.client(s, { id: 'same' })
  const other = world.client(s)
  await Promise.all([a.ready, b.ready, other.ready])
  const from = [a, b, other].map((c) => c.tap.mark)
  const id = ask(a, user('hi'))
  const frames = await Promise.all([a, b, other].map((c) => turn(c, id)))
  for (const f of frames) assert.equal(textOf(f), 'One.')
  const told = [a, b, other].map((c, i) => types(c.tap.got(from[i])).includes('cf_agent_chat_messages'))
  assert.deepEqual(told, [false, false, true], 'both sockets of the asker are left out')
})

check(11, 'close.shutdown-is-followed-by-a-reconnect', async () => {
  const own = await openWorld()
  const client = own.client(await own.session('ask'))
  await client.ready
  await own.host.stop('SIGTERM')
  const closed = await client.tap.log.next('the close', (e) => e.dir === 'close')
  assert.equal(closed.code, 1001)
  const from = client.tap.mark
  await own.host.restart()
  await client.tap.frame('cf_agent_mcp_servers', undefined, { from, ms: 15_000 })
  await client.call('usage')
})

check(11, 'close.terminal-codes', async () => {
  // The one thing for which our server turns a client away for good is a session that was deleted under it.
  const s = await world.session('ask')
  let error
  const client = world.client(s, { onConnectionError: (e) => { error = e } })
  await client.ready
  const answer = await fetch(`http://${world.host.addr}/host/sessions/${s.name}?token=${world.host.token}`, { method: 'DELETE' })
  assert.equal(answer.status, 200, await answer.text())
  const closed = await client.tap.log.next('the close', (e) => e.dir === 'close')
  assert(closed.code === 1008 || closed.code >= 4000 && closed.code <= 4999, `closed with ${closed.code} ${closed.reason}`)
  assert.equal(error?.code, closed.code)
})

check(11, 'close.wrong-token-ends-with-max-retries', async () => {
  // The guard refuses before the upgrade, which clients see as 1006 and retry unless they were told how often.
  const s = await world.session('ask')
  const tap = new Tap()
  await new Promise((resolve) => world.client(s, { tap, query: { token: 'wrong' }, maxRetries: 0, onConnectionError: resolve }))
  const closed = await tap.log.next('the close', (e) => e.dir === 'close')
  assert.equal(closed.code, 1006)
  assert.equal(tap.sockets.length, 1)
})

check(11, 'close.the-close-frame-is-echoed', async () => {
  const client = world.client(await world.session('ask'))
  await client.ready
  client.tap.socket.close(3333, 'bye')
  const closed = await client.tap.log.next('the close', (e) => e.dir === 'close')
  assert.equal(closed.code, 3333)
})
