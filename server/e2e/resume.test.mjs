// Rows 18, 19 and 26: the resume handshake, and turns that outlive their connection.

import assert from 'node:assert/strict'
import { WebSocketChatTransport } from 'agents/chat/transport'
import { check } from './lib/check.mjs'
import { openWorld } from './lib/world.mjs'
import { ask, barrier, chunks, ofTurn, textOf, textOfMessage, turn, user } from './lib/chat.mjs'

const world = await openWorld()

const resume = (client, probeId) => client.send(JSON.stringify({ type: 'cf_agent_stream_resume_request', probeId }))
const ack = (client, id) => client.send(JSON.stringify({ type: 'cf_agent_stream_resume_ack', id }))
const has = (text) => (f) => f.body?.includes(text)

// streaming is a session whose turn has shown "one two " and is held.
async function streaming(...more) {
  const s = await world.session('ask', { text: 'one two three four', hold: 2 }, ...more)
  const client = world.client(s)
  await client.ready
  const id = ask(client, user('go', 'u1'))
  await client.tap.frame('cf_agent_use_chat_response', has('two'))
  return { s, client, id }
}

check(18, 'resume.idle', async () => {
  const client = world.client(await world.session('ask'))
  await client.ready
  resume(client, 'p1')
  const { type, ...answer } = await client.tap.frame('cf_agent_stream_resume_none')
  assert.deepEqual(answer, { reason: 'idle', probeId: 'p1' })
})

check(18, 'resume.idle-without-probe', async () => {
  const client = world.client(await world.session('ask'))
  await client.ready
  resume(client)
  const { type, ...answer } = await client.tap.frame('cf_agent_stream_resume_none')
  assert.deepEqual(answer, { reason: 'idle' })
})

check(18, 'resume.every-probe-is-answered', async () => {
  const { s, id } = await streaming()
  const late = world.client(s)
  for (const p of ['a', 'b', 'c']) resume(late, p)
  for (const p of ['a', 'b', 'c']) {
    const frame = await late.tap.frame('cf_agent_stream_resuming', (f) => f.probeId === p)
    assert.equal(frame.id, id)
  }
})

check(18, 'resume.offered-on-connect', async () => {
  const { s, id } = await streaming()
  const late = world.client(s)
  await late.tap.frame('cf_agent_mcp_servers')
  assert.deepEqual(late.tap.got().map((f) => f.type), [
    'cf_agent_stream_resuming', 'cf_agent_identity', 'cf_agent_state', 'cf_agent_mcp_servers'], 'the offer comes first')
  assert.equal(late.tap.got()[0].id, id)
})

check(18, 'resume.unacked-gets-done', async () => {
  const { s, client, id } = await streaming()
  const late = world.client(s)
  await late.ready
  await s.release()
  await turn(client, id)
  const frames = await turn(late, id)
  assert.equal(frames.length, 1, 'no chunk without an ack')
  assert.equal(frames[0].done, true)
})

check(18, 'resume.replay-then-live', async () => {
  const { s, client, id } = await streaming()
  const late = world.client(s)
  await late.ready
  ack(late, id)
  await late.tap.frame('cf_agent_use_chat_response', (f) => f.replayComplete)
  await s.release()
  await turn(client, id)
  const frames = await turn(late, id)
  const at = frames.findIndex((f) => f.replayComplete)
  const { replay, done, body } = frames[at]
  assert.deepEqual({ replay, done, body }, { replay: true, done: false, body: '' })
  assert(frames.slice(0, at).every((f) => f.replay === true && !f.done))
  assert(frames.slice(at + 1).every((f) => !('replay' in f)))
  assert.equal(chunks(frames)[0].type, 'start', 'from the first chunk')
  assert.equal(textOf(frames), 'one two three four')
  const numbered = frames.filter((f) => f.body)
  assert.deepEqual(numbered.map((f) => f.seq), numbered.map((_, i) => i), 'no gap and no repetition')
})

check(18, 'resume.a-second-offer-does-not-stop-the-stream', async () => {
  // The ack of the first offer overtakes the answer to the client's own request.
  const { s, id } = await streaming()
  const late = world.client(s)
  await late.tap.frame('cf_agent_stream_resuming')
  ack(late, id)
  resume(late, 'p')
  await late.tap.frame('cf_agent_stream_resuming', (f) => f.probeId === 'p')
  await s.release()
  assert.equal(textOf(await turn(late, id)), 'one two three four')
})

check(18, 'resume.ack-of-finished', async () => {
  const s = await world.session('ask', { text: 'Over.' })
  const client = world.client(s)
  await client.ready
  const id = ask(client, user('hi', 'u1'))
  await turn(client, id)
  const from = client.tap.mark
  ack(client, id)
  const last = await client.tap.frame('cf_agent_use_chat_response', (f) => f.id === id && f.done, { from })
  assert.deepEqual([last.replay, last.messageIds], [true, ['u1']])
  const frames = ofTurn(client.tap.got(from), id)
  assert(frames.length === 1 || textOf(frames) === 'Over.', 'replayed whole or not at all')
})

check(18, 'resume.ack-of-unknown', async () => {
  const client = world.client(await world.session('ask'))
  await client.ready
  ack(client, 'nobody')
  const frame = await client.tap.frame('cf_agent_use_chat_response')
  assert.deepEqual(frame, { type: 'cf_agent_use_chat_response', id: 'nobody', body: '', done: true, replay: true })
})

check(18, 'resume.error-that-nobody-heard', async () => {
  const s = await world.session('ask', { fault: '400', message: 'no such model' })
  const client = world.client(s)
  await client.ready
  const id = ask(client, user('hi'))
  await turn(client, id)
  const late = world.client(s)
  await late.ready
  resume(late, 'p')
  const offer = await late.tap.frame('cf_agent_stream_resuming')
  assert.deepEqual([offer.id, offer.probeId], [id, 'p'])
  ack(late, id)
  const end = await late.tap.frame('cf_agent_use_chat_response', (f) => f.error)
  assert.equal(end.done, true)
  assert.match(end.body, /no such model/)
})

check(18, 'resume.transport', async () => {
  const { s } = await streaming()
  const late = world.client(s)
  const transport = new WebSocketChatTransport({ agent: late })
  late.addEventListener('message', (event) => { // what the hook does for a transport
    const frame = JSON.parse(event.data)
    if (frame.type === 'cf_agent_stream_resuming') transport.handleStreamResuming(frame)
    if (frame.type === 'cf_agent_stream_resume_none') transport.handleStreamResumeNone(frame)
  })
  const stream = await transport.reconnectToStream({ chatId: 'x' })
  await s.release()
  let text = ''
  for await (const chunk of stream) if (chunk.type === 'text-delta') text += chunk.delta
  assert.equal(text, 'one two three four')
})

check(18, 'resume.after-tool-calls', async () => {
  const s = await world.session('auto',
    { text: 'Looking.', calls: [{ id: 'c1', name: 'bash', args: { command: 'echo seen' } }] }, { text: 'It was there.', hold: 1 })
  const client = world.client(s)
  await client.ready
  const id = ask(client, user('look'))
  await s.reached()
  const late = world.client(s)
  await late.ready
  ack(late, id)
  await late.tap.frame('cf_agent_use_chat_response', (f) => f.replayComplete)
  await s.release()
  const [mine, replayed] = await Promise.all([turn(client, id), turn(late, id)])
  assert.deepEqual(chunks(replayed), chunks(mine))
})

check(19, 'resume.turn-survives-disconnect', async () => {
  const { s, client, id } = await streaming()
  client.close()
  const late = world.client(s)
  await late.tap.frame('cf_agent_stream_resuming')
  await s.release()
  await turn(late, id)
  assert.deepEqual((await s.messages()).map(textOfMessage), ['go', 'one two three four'])
})

check(19, 'resume.after-disconnect', async () => {
  const { s, client, id } = await streaming()
  const from = client.tap.mark
  client.tap.socket.terminate()
  await client.tap.frame('cf_agent_stream_resuming', (f) => f.id === id, { from })
  ack(client, id)
  await s.release()
  const frames = await turn(client, id, { from })
  assert.equal(textOf(frames), 'one two three four')
})

check(19, 'resume.finished-while-away', async () => {
  const { s, client, id } = await streaming()
  const watcher = world.client(s)
  await watcher.tap.frame('cf_agent_stream_resuming')
  client.close()
  await s.release()
  await turn(watcher, id)
  const late = world.client(s)
  await late.ready
  resume(late, 'p')
  assert.equal((await late.tap.frame('cf_agent_stream_resume_none')).reason, 'idle')
  assert.deepEqual((await s.messages()).map(textOfMessage), ['go', 'one two three four'])
})

check(26, 'resume.pending', async () => {
  // A prompt that waits behind a running one is accepted and does not stream; a late client hears so once that one ended.
  const { s, client } = await streaming({ text: 'the second', hold: 1 })
  const second = ask(client, user('two'))
  await barrier(client)
  const late = world.client(s)
  await late.ready
  await s.release(0)
  await s.reached(1)
  resume(late, 'p')
  const offer = await late.tap.frame('cf_agent_stream_resuming', (f) => f.id === second)
  ack(late, offer.id)
  await s.release(1)
  assert.equal(textOf(await turn(late, second, { from: late.tap.after(offer) })), 'the second')
})

check(26, 'resume.pending-on-connect', async () => {
  // The SDK's server sends it between the acceptance of a request and its first chunk.
  const s = await world.session('ask', { text: 'slow to begin', hold: 0 })
  const client = world.client(s)
  await client.ready
  const id = ask(client, user('hi'))
  await s.reached()
  const late = world.client(s)
  await late.ready
  resume(late, 'p')
  const answer = await late.tap.log.next('an answer to the probe', (e) => e.dir === 's2c' && e.frame.probeId === 'p')
  assert(['cf_agent_stream_pending', 'cf_agent_stream_resuming'].includes(answer.frame.type))
  assert.equal(answer.frame.id, id)
  assert.equal(late.tap.got()[0].id, id, 'the same was said on connect')
  const offer = await late.tap.frame('cf_agent_stream_resuming')
  ack(late, offer.id)
  await s.release()
  assert.equal(textOf(await turn(late, id)), 'slow to begin')
})
