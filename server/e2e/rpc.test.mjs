// Rows 5, 6 and 7: calls and the state document.

import assert from 'node:assert/strict'
import { check } from './lib/check.mjs'
import { openWorld } from './lib/world.mjs'
import { barrier, say, user } from './lib/chat.mjs'

const world = await openWorld()

async function connected(mode = 'ask', options) {
  const s = await world.session(mode)
  const client = world.client(s, options)
  await client.ready
  return { s, client }
}

check(5, 'rpc.call', async () => {
  const { client } = await connected()
  const usage = await client.call('usage')
  assert.equal(typeof usage, 'object')
  const answer = await client.tap.frame('rpc')
  assert.deepEqual(Object.keys(answer).sort(), ['done', 'id', 'result', 'success', 'type'])
  assert.deepEqual([answer.success, answer.done], [true, true])
})

check(5, 'rpc.stub', async () => {
  const { client } = await connected()
  assert.deepEqual(await client.stub.getMessages(), [])
})

check(5, 'rpc.no-result', async () => {
  const { client } = await connected()
  assert.equal(await client.call('cancel'), undefined)
  const answer = await client.tap.frame('rpc')
  assert.deepEqual([answer.success, answer.done, 'result' in answer], [true, true, false])
})

check(5, 'rpc.error', async () => {
  const { client } = await connected()
  await assert.rejects(client.call('setMode', ['nonsense']), /nonsense/)
  const answer = await client.tap.frame('rpc')
  assert.deepEqual(Object.keys(answer).sort(), ['error', 'id', 'success', 'type'])
})

check(5, 'rpc.unknown-method', async () => {
  const { client } = await connected()
  for (const method of ['nosuch', 'constructor', '__proto__', 'hasOwnProperty', '']) {
    await assert.rejects(client.call(method), { message: `Method ${method} does not exist` })
  }
})

check(5, 'rpc.before-open', async () => {
  const s = await world.session('ask')
  const client = world.client(s)
  const early = client.call('getMessages') // on a socket that is still connecting
  assert.deepEqual(await early, [])
})

check(5, 'rpc.concurrent', async () => {
  const { client } = await connected()
  const answers = await Promise.all(Array.from({ length: 100 }, () => client.call('getMessages')))
  assert.deepEqual(answers, Array.from({ length: 100 }, () => []))
})

check(5, 'rpc.answers-go-to-the-caller-only', async () => {
  const { s, client } = await connected()
  const other = world.client(s)
  await other.ready
  await client.call('usage')
  await barrier(other)
  assert.equal(other.tap.got().filter((f) => f.type === 'rpc').length, 1, 'only its own')
})

// The methods that issue 3 asks of every agent. That a method exists shows in how it fails without arguments.
for (const method of ['getMessages', 'setProjectContext', 'getProjectContext', 'listSessions', 'renameSession', 'forkSession',
  'compact', 'setModel', 'setMode', 'usage', 'listSchedules', 'cancelSchedule', 'approvals', 'decide', 'steer']) {
  check(5, `rpc.has.${method}`, async () => {
    const { client } = await connected()
    const error = await client.call(method).then(() => undefined, (e) => e)
    assert.notEqual(error?.message, `Method ${method} does not exist`)
  })
}

check(6, 'rpc.stream', async () => {
  const s = await world.session('ask', { text: 'many words '.repeat(500) }, { text: 'Few.' }, { text: 'The summary.' })
  const client = world.client(s)
  await say(client, user('one'))
  await say(client, user('two'))
  const from = client.tap.mark
  const chunks = []
  let done
  const result = await client.call('compact', [], { stream: { onChunk: (c) => chunks.push(c), onDone: (v) => { done = v } } })
  assert.equal(result.summary, 'The summary.')
  assert.deepEqual(done, result)
  const frames = client.tap.got(from).filter((f) => f.type === 'rpc')
  assert(chunks.length > 0 && chunks.every((c) => c.status === 'running'), 'no chunk came')
  assert.deepEqual(frames.map((f) => f.done), [...chunks.map(() => false), true])
})

check(6, 'rpc.stream-callbacks-of-a-plain-method', async () => {
  const { client } = await connected()
  let final
  const result = await client.call('getMessages', [], { stream: { onDone: (v) => { final = v } } })
  assert.deepEqual([result, final], [[], []])
})

check(6, 'rpc.stream-error', async () => {
  const { client } = await connected()
  let told
  await assert.rejects(client.call('nosuch', [], { stream: { onError: (e) => { told = e } } }), { message: 'Method nosuch does not exist' })
  assert.equal(told, 'Method nosuch does not exist')
})

check(7, 'state.agentclient', async () => {
  const { s, client } = await connected()
  const updates = []
  const other = world.client(s, { onStateUpdate: (state, source) => updates.push([state.title, source]) })
  await other.ready
  const from = client.tap.mark
  client.setState({ ...client.state, title: 'my title' })
  await other.tap.frame('cf_agent_state', (f) => f.state.title === 'my title')
  await barrier(client)
  assert(!client.tap.got(from).some((f) => f.type === 'cf_agent_state' && f.state.title === 'my title'), 'the sender gets no state frame')
  assert.deepEqual(updates.at(-1), ['my title', 'server'])
  const late = world.client(s)
  await late.ready
  assert.equal(late.state.title, 'my title')
})

check(7, 'state.from-the-server-before-the-answer', async () => {
  const { s, client } = await connected('ask')
  const other = world.client(s)
  await other.ready
  const from = client.tap.mark
  await client.call('setMode', ['plan'])
  const got = client.tap.got(from)
  assert.deepEqual(got.map((f) => f.type), ['cf_agent_state', 'rpc'], 'the caller gets the state before the answer')
  assert.equal(got[0].state.mode, 'plan')
  await other.tap.frame('cf_agent_state', (f) => f.state.mode === 'plan')
})

for (const [name, change] of [
  ['mode', (state) => ({ ...state, mode: 'auto' })],
  ['model', (state) => ({ ...state, model: 'other/model' })],
  ['workdir', (state) => ({ ...state, workdir: '/' })],
  ['an-unknown-key', (state) => ({ ...state, more: 1 })],
  ['null', () => null],
  ['a-number', () => 7],
]) {
  check(7, `state.rejects.${name}`, async () => {
    let refused
    const { s, client } = await connected('ask', { onStateUpdateError: (error) => { refused = error } })
    const before = structuredClone(client.state)
    client.setState(change(client.state))
    await client.tap.frame('cf_agent_state_error', (f) => f.error === 'State update rejected')
    assert.equal(refused, 'State update rejected')
    const late = world.client(s)
    await late.ready
    assert.deepEqual({ ...late.state, clients: before.clients }, before)
  })
}
