// Rows 13 to 16 and 20 to 23: a turn as a client without hooks sees it.

import assert from 'node:assert/strict'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { WebSocketChatTransport } from 'agents/chat/transport'
import { check } from './lib/check.mjs'
import { openWorld } from './lib/world.mjs'
import { ask, barrier, chunks, say, textOf, textOfMessage, turn, user } from './lib/chat.mjs'

const world = await openWorld()

async function connected(mode, ...script) {
  const s = await world.session(mode, ...script)
  const client = world.client(s)
  await client.ready
  return { s, client }
}

const collect = async (stream) => {
  const list = []
  for await (const chunk of stream) list.push(chunk)
  return list
}

const send = (transport, messages, options) =>
  transport.sendMessages({ chatId: 'x', messages, trigger: 'submit-message', abortSignal: undefined, ...options })

const kinds = (list) => list.map((c) => c.type).filter((type, i, all) => type !== all[i - 1] || !type.endsWith('-delta'))

check(13, 'chat.chunks', async () => {
  const { client } = await connected('ask', { text: 'Hello to you.' })
  const frames = await say(client, user('hi'))
  assert.deepEqual(kinds(chunks(frames)), ['start', 'start-step', 'text-start', 'text-delta', 'text-end', 'finish-step', 'finish'])
  assert.equal(textOf(frames), 'Hello to you.')
  const [start] = chunks(frames)
  assert.match(start.messageId, /./)
  assert.deepEqual(chunks(frames).at(-1), { type: 'finish', messageMetadata: { finishReason: 'stop' } })
})

check(13, 'chat.one-done-frame', async () => {
  const { client } = await connected('ask', { text: 'Hello.' })
  const frames = await say(client, user('hi', 'u1'))
  await barrier(client)
  assert.equal(frames.filter((f) => f.done).length, 1)
  const { id, client: who, ...last } = frames.at(-1)
  assert.equal(who, client._pk, 'it says who has asked')
  assert.deepEqual(last, { type: 'cf_agent_use_chat_response', body: '', done: true, messageIds: ['u1'] })
  assert(frames.every((f) => typeof f.body === 'string' && typeof f.done === 'boolean'))
})

check(13, 'chat.start-has-the-stored-id', async () => {
  const { s, client } = await connected('ask', { text: 'Hello.' })
  const [start] = chunks(await say(client, user('hi')))
  assert.equal((await s.messages()).at(-1).id, start.messageId)
})

check(13, 'chat.second-turn-continues', async () => {
  const { s, client } = await connected('ask', { text: 'First.' }, { text: 'Second.' })
  const one = user('one')
  await say(client, one)
  await say(client, [...await s.messages(), user('two')])
  assert.deepEqual((await s.messages()).map(textOfMessage), ['one', 'First.', 'two', 'Second.'])
  const last = (await s.requests()).at(-1)
  assert.deepEqual(last.messages.filter((m) => m.role !== 'system').map((m) => m.role), ['user', 'assistant', 'user'])
})

check(13, 'chat.session-that-nobody-has-set-up', async () => {
  await world.model.ask('POST', '/script/unset', [{ text: 'No setup was needed.' }])
  const client = world.client({ name: 'never-set-up' })
  const frames = await say(client, user('hi'))
  assert.equal(frames.find((f) => f.error)?.body, undefined)
  assert.equal(textOf(frames), 'No setup was needed.')
})

check(13, 'chat.custom-body-fields-are-ignored', async () => {
  const { client } = await connected('ask', { text: 'Fine.' })
  assert.equal(textOf(await say(client, user('hi'), { timezone: 'UTC', nested: { a: [1] } })), 'Fine.')
})

check(13, 'chat.big-message', async () => {
  const { s, client } = await connected('ask', { text: 'Long.' })
  const text = 'x'.repeat(1_200_000)
  await say(client, user(text))
  assert.equal(textOfMessage((await s.messages())[0]), text)
})

check(13, 'chat.chunk-of-1-MiB', async () => {
  const { s, client } = await connected('ask', { fault: 'huge' }) // as long as an answer may be
  const frames = await say(client, user('hi'))
  const text = textOf(frames)
  assert.equal(text.length, 1 << 20)
  assert.equal(textOfMessage((await s.messages()).at(-1)), text)
})

check(13, 'chat.same-request-twice-is-one-turn', async () => {
  const { s, client } = await connected('ask', { text: 'Once.' }, { text: 'Twice.' })
  const question = user('hi')
  const id = ask(client, question)
  ask(client, question, { id })
  await turn(client, id)
  await barrier(client)
  assert.equal((await s.requests()).length, 1)
})

check(13, 'transport.send', async () => {
  const { client } = await connected('ask', { text: 'By the transport.' })
  const list = await collect(await send(new WebSocketChatTransport({ agent: client }), [user('hi')]))
  assert.deepEqual(kinds(list), ['start', 'start-step', 'text-start', 'text-delta', 'text-end', 'finish-step', 'finish'])
  assert.equal(list.filter((c) => c.type === 'text-delta').map((c) => c.delta).join(''), 'By the transport.')
})

check(14, 'chat.broadcast', async () => {
  const { s, client } = await connected('ask', { text: 'For all.' })
  const other = world.client(s)
  await other.ready
  const question = user('hi')
  const from = client.tap.mark
  const id = ask(client, question)
  const frames = await turn(other, id)
  await turn(client, id)
  assert.equal(textOf(frames), 'For all.', 'the other gets the chunks as they come')
  const types = other.tap.got().filter((f) => f.type === 'cf_agent_chat_messages' || f.type === 'cf_agent_use_chat_response')
  assert.equal(types[0].type, 'cf_agent_chat_messages', 'the prompt comes before the chunks')
  assert.deepEqual(types[0].messages, [question])
  assert.equal(types.at(-2).type, 'cf_agent_chat_messages', 'the transcript comes before done')
  assert.deepEqual(types.at(-2).messages.map(textOfMessage), ['hi', 'For all.'])
  assert.equal(types.at(-1).done, true)
  assert(!client.tap.got(from).some((f) => f.type === 'cf_agent_chat_messages'), 'the asker gets no transcript')
})

check(14, 'chat.broadcast-names-the-client', async () => {
  // Ours: each event says which client caused it, in a frame that the SDK's clients ignore.
  const { s, client } = await connected('ask', { text: 'Whose?' })
  const other = world.client(s)
  await other.ready
  const id = ask(client, user('hi'))
  await turn(other, id)
  const pk = new URL(client.tap.socket.url).searchParams.get('_pk')
  const events = other.tap.got().filter((f) => f.type === 'coder_event' && f.id === id)
  assert(events.length > 0)
  for (const event of events) assert.equal(event.client, pk)
})

check(15, 'tool.chunks', async () => {
  const { s, client } = await connected('auto', { calls: [{ id: 'c1', name: 'read', args: { path: 'a.txt' } }] }, { text: 'It says alpha.' })
  await writeFile(join(s.workdir, 'a.txt'), 'alpha\n')
  const list = chunks(await say(client, user('read it')))
  assert.deepEqual(kinds(list.filter((c) => c.type !== 'tool-input-delta')), [
    'start', 'start-step', 'tool-input-start', 'tool-input-available', 'tool-output-available', 'finish-step',
    'start-step', 'text-start', 'text-delta', 'text-end', 'finish-step', 'finish',
  ])
  const available = list.find((c) => c.type === 'tool-input-available')
  assert.deepEqual([available.toolCallId, available.toolName, available.input], ['c1', 'read', { path: 'a.txt' }])
  assert.equal(list.filter((c) => c.type === 'tool-input-delta').map((c) => c.inputTextDelta).join(''), '{"path":"a.txt"}')
  assert.match(JSON.stringify(list.find((c) => c.type === 'tool-output-available').output), /alpha/)
})

check(15, 'tool.stored-part', async () => {
  const { s, client } = await connected('auto', { calls: [{ id: 'c1', name: 'read', args: { path: 'a.txt' } }] }, { text: 'Done.' })
  await writeFile(join(s.workdir, 'a.txt'), 'alpha\n')
  await say(client, user('read it'))
  const message = (await s.messages()).at(-1)
  assert.deepEqual(message.parts.map((p) => p.type), ['step-start', 'tool-read', 'step-start', 'text'])
  const { toolCallId, state, input } = message.parts[1]
  assert.deepEqual({ toolCallId, state, input }, { toolCallId: 'c1', state: 'output-available', input: { path: 'a.txt' } })
  assert.match(JSON.stringify(message.parts[1].output), /alpha/)
})

check(15, 'tool.runs-a-command', async () => {
  const { client } = await connected('auto', { calls: [{ id: 'c1', name: 'bash', args: { command: 'echo from-$((40+2))' } }] }, { text: 'Done.' })
  const output = chunks(await say(client, user('run it'))).find((c) => c.type === 'tool-output-available')
  assert.match(JSON.stringify(output), /from-42/)
})

check(15, 'tool.error-is-a-chunk-and-the-turn-goes-on', async () => {
  const { s, client } = await connected('auto', { calls: [{ id: 'c1', name: 'read', args: { path: 'missing.txt' } }] }, { text: 'Not there.' })
  const frames = await say(client, user('read it'))
  assert.match(chunks(frames).find((c) => c.type === 'tool-output-error').errorText, /missing\.txt/)
  assert.equal(textOf(frames), 'Not there.')
  assert.equal((await s.messages()).at(-1).parts[1].state, 'output-error')
})

check(15, 'tool.unknown-tool', async () => {
  const { client } = await connected('auto', { calls: [{ id: 'c1', name: 'nosuch', args: {} }] }, { text: 'There is none.' })
  const frames = await say(client, user('use it'))
  const wrong = chunks(frames).find((c) => c.type === 'tool-input-error')
  assert.deepEqual([wrong.toolCallId, wrong.toolName, wrong.dynamic], ['c1', 'nosuch', true])
  assert.equal(textOf(frames), 'There is none.')
})

check(15, 'tool.parallel-calls', async () => {
  const { s, client } = await connected('auto', { calls: ['a', 'b', 'c'].map((id) => ({ id, name: 'read', args: { path: `${id}.txt` } })) }, { text: 'All read.' })
  for (const id of ['a', 'b', 'c']) await writeFile(join(s.workdir, `${id}.txt`), `in ${id}\n`)
  const outputs = chunks(await say(client, user('read them'))).filter((c) => c.type === 'tool-output-available')
  assert.deepEqual(outputs.map((c) => c.toolCallId).sort(), ['a', 'b', 'c'])
})

check(15, 'transport.tool', async () => {
  const { s, client } = await connected('auto', { calls: [{ id: 'c1', name: 'read', args: { path: 'a.txt' } }] }, { text: 'Done.' })
  await writeFile(join(s.workdir, 'a.txt'), 'alpha\n')
  const list = await collect(await send(new WebSocketChatTransport({ agent: client }), [user('read it')]))
  assert(list.some((c) => c.type === 'tool-output-available' && c.toolCallId === 'c1'))
})

check(16, 'cancel.running', async () => {
  const { client, s } = await connected('ask', { text: 'one two three four', hold: 2 })
  const id = ask(client, user('hi'))
  await client.tap.frame('cf_agent_use_chat_response', (f) => f.body.includes('two'))
  client.send(JSON.stringify({ type: 'cf_agent_chat_request_cancel', id }))
  const frames = await turn(client, id)
  assert.deepEqual([frames.at(-1).outcome, frames.at(-1).error], ['aborted', undefined])
  assert(!chunks(frames).some((c) => c.type === 'finish'))
  await s.release()
})

check(16, 'cancel.keeps-partial', async () => {
  const { client, s } = await connected('ask', { text: 'one two three four', hold: 2 })
  const other = world.client(s)
  await other.ready
  const id = ask(client, user('hi'))
  await client.tap.frame('cf_agent_use_chat_response', (f) => f.body.includes('two'))
  client.send(JSON.stringify({ type: 'cf_agent_chat_request_cancel', id }))
  await Promise.all([turn(client, id), turn(other, id)])
  assert.equal(textOfMessage((await s.messages()).at(-1)), 'one two ')
  const told = other.tap.got().filter((f) => f.type === 'cf_agent_chat_messages').at(-1)
  assert.equal(textOfMessage(told.messages.at(-1)), 'one two ', 'the partial is broadcast')
})

check(16, 'cancel.from-other-connection', async () => {
  const { client, s } = await connected('ask', { text: 'one two three four', hold: 2 })
  const other = world.client(s)
  await other.ready
  const id = ask(client, user('hi'))
  await other.tap.frame('cf_agent_use_chat_response', (f) => f.body.includes('two'))
  other.send(JSON.stringify({ type: 'cf_agent_chat_request_cancel', id }))
  assert.equal((await turn(client, id)).at(-1).outcome, 'aborted')
})

check(16, 'cancel.unknown-id', async () => {
  const { client } = await connected('ask', { text: 'Alive.' })
  client.send(JSON.stringify({ type: 'cf_agent_chat_request_cancel', id: 'nobody' }))
  assert.equal(textOf(await say(client, user('hi'))), 'Alive.')
})

check(16, 'cancel.then-chat', async () => {
  const { client, s } = await connected('ask', { text: 'one two three', hold: 1 }, { text: 'After all.' })
  const id = ask(client, user('hi'))
  await s.reached()
  client.send(JSON.stringify({ type: 'cf_agent_chat_request_cancel', id }))
  await turn(client, id)
  assert.equal(textOf(await say(client, [...await s.messages(), user('again')])), 'After all.')
})

check(16, 'transport.cancel', async () => {
  const { client, s } = await connected('ask', { text: 'one two three', hold: 1 })
  const transport = new WebSocketChatTransport({ agent: client })
  const stream = await send(transport, [user('hi')])
  await s.reached()
  assert.equal(transport.cancelActiveServerTurn(), true)
  const last = await client.tap.frame('cf_agent_use_chat_response', (f) => f.done)
  assert.equal(last.outcome, 'aborted')
  await assert.rejects(collect(stream), { name: 'AbortError' })
})

check(20, 'queue.two-requests', async () => {
  const { client, s } = await connected('ask', { text: 'first answer', hold: 1 }, { text: 'second answer' })
  const first = ask(client, user('one'))
  await s.reached()
  const second = ask(client, user('two'))
  await barrier(client)
  await s.release()
  await turn(client, second)
  const order = client.tap.got().filter((f) => f.type === 'cf_agent_use_chat_response').map((f) => f.id)
  assert.deepEqual([...new Set(order)], [first, second], 'in order of arrival')
  assert.equal(order.lastIndexOf(first) < order.indexOf(second), true, 'one after the other')
  assert.deepEqual((await s.messages()).map(textOfMessage), ['one', 'first answer', 'two', 'second answer'])
})

check(20, 'queue.from-two-connections', async () => {
  const { client, s } = await connected('ask', { text: 'first answer', hold: 1 }, { text: 'second answer' })
  const other = world.client(s)
  await other.ready
  const first = ask(client, user('one'))
  await s.reached()
  const second = ask(other, user('two'))
  await barrier(other)
  await s.release()
  assert.equal(textOf(await turn(other, second)), 'second answer')
  assert.equal(textOf(await turn(client, second)), 'second answer')
  assert.equal(textOf(await turn(client, first)), 'first answer')
})

check(20, 'queue.cancel-the-waiting-one', async () => {
  const { client, s } = await connected('ask', { text: 'first answer', hold: 1 })
  const first = ask(client, user('one'))
  await s.reached()
  const second = ask(client, user('two'))
  client.send(JSON.stringify({ type: 'cf_agent_chat_request_cancel', id: second }))
  assert.equal((await turn(client, second)).at(-1).outcome, 'aborted')
  await s.release()
  assert.equal(textOf(await turn(client, first)), 'first answer')
})

check(21, 'error.turn', async () => {
  const { client, s } = await connected('ask', { fault: '400', message: 'this model is not for you' })
  const frames = await say(client, user('hi', 'u1'))
  const [error, last] = frames.slice(-2)
  assert.match(error.body, /this model is not for you/)
  assert.deepEqual([error.error, error.done, error.messageIds], [true, false, ['u1']])
  assert.deepEqual([last.done, last.body, last.outcome, last.messageIds], [true, '', 'error', ['u1']])
  assert(!chunks(frames).some((c) => c.type === 'error' || c.type === 'finish'), 'an error is no chunk')
  assert.equal((await s.messages())[0].id, 'u1')
})

check(21, 'error.keeps-partial', async () => {
  const partial = { text: 'half of it', fault: 'error-chunk', after: 2 }
  const { client, s } = await connected('ask', partial, partial, partial)
  const frames = await say(client, user('hi'))
  assert.equal(frames.at(-1).outcome, 'error')
  assert.match(textOfMessage((await s.messages()).at(-1)), /^half of /)
})

check(21, 'error.then-chat', async () => {
  const { client, s } = await connected('ask', { fault: '400' }, { text: 'Better now.' })
  await say(client, user('hi'))
  assert.equal(textOf(await say(client, [...await s.messages(), user('again')])), 'Better now.')
})

check(21, 'error.of-a-refused-prompt', async () => {
  // What the SDK leaves unanswered: a request that cannot become a turn ends at once.
  const { client } = await connected('ask')
  const id = ask(client, [{ id: 'a1', role: 'assistant', parts: [] }])
  const frames = await turn(client, id)
  assert.equal(frames.length, 1)
  const [{ error, done, outcome, body }] = frames
  assert.deepEqual([error, done, outcome], [true, true, 'error'])
  assert.match(body, /./)
})

check(21, 'error.transport', async () => {
  const { client } = await connected('ask', { fault: '400', message: 'refused by the model' })
  await assert.rejects(collect(await send(new WebSocketChatTransport({ agent: client }), [user('hi')])), /refused by the model/)
})

check(22, 'chat.seq', async () => {
  const { s, client } = await connected('ask', { text: 'a b c d e f' })
  const other = world.client(s)
  await other.ready
  const id = ask(client, user('hi'))
  const [mine, others] = await Promise.all([turn(client, id), turn(other, id)])
  for (const frames of [mine, others]) {
    const withBody = frames.filter((f) => f.body)
    assert.deepEqual(withBody.map((f) => f.seq), withBody.map((_, i) => i))
    assert(!('seq' in frames.at(-1)))
  }
  assert.deepEqual(mine, others)
})

check(22, 'chat.origin-message-ids', async () => {
  const { s, client } = await connected('ask', { text: 'Both read.' })
  const other = world.client(s)
  await other.ready
  const id = ask(client, [user('one', 'u1'), user('two', 'u2')])
  const frames = await turn(other, id)
  assert.deepEqual(frames.at(-1).messageIds, ['u1', 'u2'])
  assert(!frames.slice(0, -1).some((f) => 'messageIds' in f))
})

check(23, 'reasoning', async () => {
  const { s, client } = await connected('ask', { reasoning: 'Let me think.', text: 'Forty-two.' })
  const list = chunks(await say(client, user('hi')))
  assert.deepEqual(kinds(list), [
    'start', 'start-step', 'reasoning-start', 'reasoning-delta', 'reasoning-end', 'text-start', 'text-delta', 'text-end', 'finish-step', 'finish',
  ])
  const message = (await s.messages()).at(-1)
  assert.deepEqual(message.parts.map((p) => [p.type, p.text]), [['step-start', undefined], ['reasoning', 'Let me think.'], ['text', 'Forty-two.']])
})

check(23, 'file-input', async () => {
  const { s, client } = await connected('ask', { text: 'A pixel.' })
  const url = 'data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=='
  const message = { id: 'u1', role: 'user', parts: [{ type: 'text', text: 'look' }, { type: 'file', mediaType: 'image/png', url, filename: 'dot.png' }] }
  await say(client, message)
  assert.deepEqual((await s.messages())[0], message, 'stored as it came')
  assert.match(JSON.stringify((await s.requests())[0].messages.at(-1)), /iVBORw0KGgo/, 'the model gets the image')
})

check(23, 'unknown-parts-and-metadata-are-kept', async () => {
  const { s, client } = await connected('ask', { text: 'Kept.' })
  const message = { id: 'u1', role: 'user', metadata: { from: 'a page' }, parts: [{ type: 'text', text: 'hi' }, { type: 'data-note', data: { a: 1 } }] }
  await say(client, message)
  assert.deepEqual((await s.messages())[0], message)
})

check(23, 'data-part-of-steering', async () => {
  const { s, client } = await connected('auto', { calls: [{ name: 'bash', args: { command: 'true' } }], hold: 0 }, { text: 'As you say.' })
  const id = ask(client, user('hi'))
  await s.reached()
  await client.call('steer', ['rather this way'])
  await s.release()
  const frames = await turn(client, id)
  const data = chunks(frames).find((c) => c.type === 'data-steering')
  assert.equal(data.data.text, 'rather this way')
  assert((await s.messages()).at(-1).parts.some((p) => p.type === 'data-steering'))
})

check(23, 'legacy-message', async () => {
  // Older message shapes (a content string) are converted on arrival.
  const { s, client } = await connected('ask', { text: 'Understood.' })
  const frames = await say(client, { id: 'u1', role: 'user', content: 'from the past' })
  assert.equal(textOf(frames), 'Understood.')
  assert.deepEqual((await s.messages())[0].parts, [{ type: 'text', text: 'from the past' }])
})
