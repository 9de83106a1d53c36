// The rows that hooks have to do with, seen by pages: useAgent and useAgentChat under happy-dom.

import assert from 'node:assert/strict'
import { access, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { check } from './lib/check.mjs'
import { openWorld } from './lib/world.mjs'
import { openPage } from './lib/pages.mjs'
import { say, textOfMessage, user } from './lib/chat.mjs'

const world = await openWorld()

// What deletes is asked for in mode ask, with a sandbox or without one.
const bash = (id, command) => ({ id, name: 'bash', args: { command: `rm -f none; ${command}` } })
const exists = (s, file) => access(join(s.workdir, file)).then(() => true, () => false)

// shown is a page on a new session with a script.
async function shown(mode, script, options) {
  const s = await world.session(mode, ...script)
  return { s, page: await openPage(world, s, options) }
}

// calm checks what every page must end in.
function calm(page) {
  assert.equal(page.status, 'ready')
  assert.equal(page.chat.error, undefined)
  assert.deepEqual(page.page.errors, [])
}

check(3, 'react.useAgent.identity', async () => {
  const { s, page } = await shown('ask', [])
  await page.until('identified', (p) => p.agent.identified)
  assert.deepEqual([page.agent.agent, page.agent.name], ['coder-agent', s.name])
  assert.equal(page.agent.state.workdir, s.workdir)
})

check(4, 'react.useAgent.mcp', async () => {
  let mcp
  const { page } = await shown('ask', [], { agent: { onMcpUpdate: (v) => { mcp = v } } })
  await page.tap.frame('cf_agent_mcp_servers')
  assert.deepEqual(mcp, { servers: {}, tools: [], prompts: [], resources: [] })
})

check(5, 'react.useAgent.call', async () => {
  const { page } = await shown('ask', [])
  assert.deepEqual(await page.agent.call('getMessages'), [])
  assert.deepEqual(await page.agent.stub.getMessages(), [])
  await assert.rejects(page.agent.call('nosuch'), { message: 'Method nosuch does not exist' })
})

check(7, 'react.useAgent.state', async () => {
  const { s, page } = await shown('ask', [])
  const other = world.client(s)
  await other.ready
  page.agent.setState({ ...page.agent.state, title: 'by a page' })
  await other.tap.frame('cf_agent_state', (f) => f.state.title === 'by a page')
  other.setState({ ...other.state, title: 'by a client' })
  await page.until('the other title', (p) => p.agent.state.title === 'by a client')
})

check(10, 'react.useAgent.reconnect', async () => {
  const { page } = await shown('ask', [{ text: 'Back again.' }])
  const from = page.tap.mark
  page.tap.socket.terminate()
  await page.tap.frame('cf_agent_mcp_servers', undefined, { from })
  await page.connected(from)
  page.chat.sendMessage({ text: 'hi' })
  await page.ready('hi', 'Back again.')
  calm(page)
})

check(12, 'react.chat.initial-messages', async () => {
  const s = await world.session('ask', { text: 'From before.' })
  const client = world.client(s)
  await say(client, user('earlier'))
  const page = await openPage(world, s)
  await page.ready('earlier', 'From before.')
  calm(page)
})

check(12, 'react.chat.empty', async () => {
  const { page } = await shown('ask', [])
  assert.deepEqual(page.messages, [])
  calm(page)
})

check(13, 'react.chat.send', async () => {
  const { page } = await shown('ask', [{ text: 'Hello, page.' }])
  page.chat.sendMessage({ text: 'hi' })
  await page.ready('hi', 'Hello, page.')
  assert.deepEqual(page.statuses, ['ready', 'submitted', 'streaming', 'ready'])
  calm(page)
})

check(13, 'react.chat.two-turns', async () => {
  const { s, page } = await shown('ask', [{ text: 'First.' }, { text: 'Second.' }])
  page.chat.sendMessage({ text: 'one' })
  await page.ready('one', 'First.')
  page.chat.sendMessage({ text: 'two' })
  await page.ready('one', 'First.', 'two', 'Second.')
  assert.deepEqual((await s.messages()).map((m) => m.id), page.messages.map((m) => m.id))
  calm(page)
})

check(13, 'react.chat.text-grows', async () => {
  const { s, page } = await shown('ask', [{ text: 'one two three', hold: 2 }])
  page.chat.sendMessage({ text: 'hi' })
  await page.until('the first words', (p) => p.texts[1] === 'one two ')
  assert.equal(page.status, 'streaming')
  await s.release()
  await page.ready('hi', 'one two three')
})

check(14, 'react.chat.second-page', async () => {
  const { s, page } = await shown('ask', [{ text: 'For both pages.', hold: 2 }])
  const other = await openPage(world, s)
  page.chat.sendMessage({ text: 'hi' })
  await other.until('the words on the other page', (p) => p.texts[1] === 'For both ')
  assert.equal(other.texts[0], 'hi')
  await s.release()
  for (const p of [page, other]) {
    await p.ready('hi', 'For both pages.')
    calm(p)
  }
  assert.deepEqual(other.messages.map((m) => m.id), page.messages.map((m) => m.id))
})

check(14, 'react.chat.two-pages-talk-in-turn', async () => {
  const { s, page } = await shown('auto', [
    { text: 'Answer one.' }, { reasoning: 'Hm.', text: 'Looking.', calls: [bash('c1', 'echo seen')] }, { text: 'Answer two.' }, { text: 'Answer three.' }])
  const other = await openPage(world, s)
  page.chat.sendMessage({ text: 'one' })
  await other.ready('one', 'Answer one.')
  await page.ready('one', 'Answer one.')
  other.chat.sendMessage({ text: 'two' })
  const two = ['one', 'Answer one.', 'two', 'Looking.Answer two.']
  await page.ready(...two)
  await other.ready(...two)
  page.chat.sendMessage({ text: 'three' })
  for (const p of [page, other]) {
    await p.ready(...two, 'three', 'Answer three.')
    assert.equal(p.part('c1').state, 'output-available')
    calm(p)
  }
  assert.deepEqual((await s.messages()).map((m) => m.id), page.messages.map((m) => m.id))
  assert.deepEqual(other.messages.map((m) => m.id), page.messages.map((m) => m.id))
})

check(14, 'react.chat.two-pages-at-the-same-time', async () => {
  const { s, page } = await shown('ask', [{ text: 'Answer to A.', when: 'from A', hold: 1 }, { text: 'Answer to B.', when: 'from B' }])
  const other = await openPage(world, s)
  page.chat.sendMessage({ text: 'from A' })
  await s.reached()
  other.chat.sendMessage({ text: 'from B' })
  await other.tap.sent('cf_agent_use_chat_request')
  await other.agent.call('usage')
  await s.release()
  for (const p of [page, other]) {
    await p.ready('from A', 'Answer to A.', 'from B', 'Answer to B.')
    calm(p)
  }
})

check(14, 'react.chat.a-page-that-comes-in-the-middle', async () => {
  const { s, page } = await shown('ask', [{ text: 'one two three', hold: 2 }])
  page.chat.sendMessage({ text: 'hi' })
  await page.until('the first words', (p) => p.texts[1] === 'one two ')
  const other = await openPage(world, s)
  await other.until('what was said so far', (p) => p.texts[1] === 'one two ')
  await s.release()
  for (const p of [page, other]) {
    await p.ready('hi', 'one two three')
    calm(p)
  }
})

check(15, 'react.chat.tool', async () => {
  const { s, page } = await shown('auto', [{ calls: [{ id: 'c1', name: 'read', args: { path: 'a.txt' } }] }, { text: 'It says alpha.' }])
  await writeFile(join(s.workdir, 'a.txt'), 'alpha\n')
  page.chat.sendMessage({ text: 'read it' })
  await page.ready('read it', 'It says alpha.')
  assert.equal(page.part('c1').state, 'output-available')
  calm(page)
})

check(16, 'react.chat.stop', async () => {
  const { s, page } = await shown('ask', [{ text: 'one two three', hold: 2 }, { text: 'After that.' }])
  page.chat.sendMessage({ text: 'hi' })
  await page.until('the first words', (p) => p.texts[1] === 'one two ')
  page.chat.stop()
  await page.tap.frame('cf_agent_use_chat_response', (f) => f.done && f.outcome === 'aborted')
  await page.ready('hi', 'one two ')
  page.chat.sendMessage({ text: 'go on' })
  await page.ready('hi', 'one two ', 'go on', 'After that.')
  assert.deepEqual((await s.messages()).map(textOfMessage), page.texts)
  calm(page)
})

check(17, 'react.chat.clear-history', async () => {
  const { s, page } = await shown('ask', [{ text: 'Gone soon.' }, { text: 'Fresh.' }])
  const other = await openPage(world, s)
  page.chat.sendMessage({ text: 'hi' })
  await page.ready('hi', 'Gone soon.')
  await other.ready('hi', 'Gone soon.')
  page.chat.clearHistory()
  for (const p of [page, other]) await p.until('an empty page', (p) => p.messages.length === 0)
  page.chat.sendMessage({ text: 'anew' })
  for (const p of [page, other]) {
    await p.ready('anew', 'Fresh.')
    calm(p)
  }
})

check(17, 'react.chat.regenerate', async () => {
  const { s, page } = await shown('ask', [{ text: 'First.' }, { text: 'Better.' }])
  const other = await openPage(world, s)
  page.chat.sendMessage({ text: 'hi' })
  await page.ready('hi', 'First.')
  await other.ready('hi', 'First.')
  page.chat.regenerate()
  for (const p of [page, other]) {
    await p.ready('hi', 'Better.')
    calm(p)
  }
  assert.deepEqual((await s.messages()).map(textOfMessage), ['hi', 'Better.'])
})

check(17, 'react.chat.edit-and-resend', async () => {
  const { s, page } = await shown('ask', [{ text: 'First.' }, { text: 'Second.' }])
  page.chat.sendMessage({ text: 'hi' })
  await page.ready('hi', 'First.')
  page.chat.sendMessage({ messageId: page.messages[0].id, text: 'hi, edited' })
  await page.ready('hi, edited', 'Second.')
  assert.deepEqual((await s.messages()).map(textOfMessage), ['hi, edited', 'Second.'])
  calm(page)
})

check(17, 'react.chat.set-messages', async () => {
  const { s, page } = await shown('ask', [{ text: 'First.' }])
  const other = await openPage(world, s)
  page.chat.sendMessage({ text: 'hi' })
  await page.ready('hi', 'First.')
  await other.ready('hi', 'First.')
  page.chat.setMessages((list) => list.map((m) => m.role === 'user' ? { ...m, parts: [{ type: 'text', text: 'hi, edited' }] } : m))
  await other.until('the edit on the other page', (p) => p.texts[0] === 'hi, edited', 2000)
  assert.deepEqual((await s.messages()).map(textOfMessage), ['hi, edited', 'First.'])
})

check(18, 'react.chat.resume-on-mount', async () => {
  const s = await world.session('ask', { text: 'one two three', hold: 2 })
  const client = world.client(s)
  const done = say(client, user('hi'))
  await client.tap.frame('cf_agent_use_chat_response', (f) => f.body.includes('two'))
  const page = await openPage(world, s)
  await page.until('what was said so far', (p) => p.texts[1] === 'one two ')
  await s.release()
  await done
  await page.ready('hi', 'one two three')
  calm(page)
})

check(18, 'react.chat.resume-after-drop', async () => {
  const { s, page } = await shown('ask', [{ text: 'one two three four', hold: 2 }])
  page.chat.sendMessage({ text: 'hi' })
  await page.until('the first words', (p) => p.texts[1] === 'one two ')
  const from = page.tap.mark
  page.tap.socket.terminate()
  await page.tap.frame('cf_agent_use_chat_response', (f) => f.replayComplete, { from })
  await s.release()
  await page.ready('hi', 'one two three four')
  calm(page)
})

check(18, 'react.chat.finished-during-the-drop', async () => {
  const { s, page } = await shown('ask', [{ text: 'one two three four', hold: 2 }])
  const watcher = world.client(s)
  await watcher.ready
  page.chat.sendMessage({ text: 'hi' })
  await page.until('the first words', (p) => p.texts[1] === 'one two ')
  const from = page.tap.mark
  page.tap.socket.terminate()
  await s.release()
  await watcher.tap.frame('cf_agent_use_chat_response', (f) => f.done)
  await page.connected(from)
  await page.until('the whole text', (p) => p.texts[1] === 'one two three four', 2000)
  await page.ready('hi', 'one two three four')
  calm(page)
})

check(18, 'react.chat.drop-between-tool-calls', async () => {
  const { s, page } = await shown('auto', [
    { reasoning: 'I look.', text: 'Looking.', calls: [bash('c1', 'echo seen >> made')] }, { text: 'It was there.', hold: 1 }])
  page.chat.sendMessage({ text: 'look' })
  await s.reached()
  await page.until('the tool has run', (p) => p.part('c1')?.state === 'output-available')
  const from = page.tap.mark
  page.tap.socket.terminate()
  await page.tap.frame('cf_agent_use_chat_response', (f) => f.replayComplete, { from })
  await s.release()
  await page.ready('look', 'Looking.It was there.')
  assert.equal(page.messages[1].parts.filter((p) => p.toolCallId === 'c1').length, 1)
  calm(page)
})

check(18, 'react.chat.leave-and-return', async () => {
  const { s, page } = await shown('ask', [{ text: 'one two three', hold: 2 }])
  page.chat.sendMessage({ text: 'hi' })
  await page.until('the first words', (p) => p.texts[1] === 'one two ')
  page.page.unmount()
  await page.tap.log.next('the close', (e) => e.dir === 'close')
  const back = await openPage(world, s)
  await back.until('what was said so far', (p) => p.texts[1] === 'one two ')
  await s.release()
  await back.ready('hi', 'one two three')
  calm(back)
})

check(19, 'react.chat.turn-outlives-the-page', async () => {
  const { s, page } = await shown('ask', [{ text: 'one two three', hold: 2 }])
  const watcher = world.client(s)
  await watcher.ready
  page.chat.sendMessage({ text: 'hi' })
  await page.until('the first words', (p) => p.texts[1] === 'one two ')
  page.page.unmount()
  await s.release()
  await watcher.tap.frame('cf_agent_use_chat_response', (f) => f.done)
  const back = await openPage(world, s)
  await back.ready('hi', 'one two three')
  calm(back)
})

check(21, 'react.chat.error', async () => {
  // The one page that ends in status error, and how it gets out of it.
  const { page } = await shown('ask', [{ fault: '400', message: 'no such model' }, { text: 'Better.' }])
  page.chat.sendMessage({ text: 'hi' })
  await page.until('status error', (p) => p.status === 'error')
  assert.match(page.chat.error.message, /no such model/)
  page.chat.sendMessage({ text: 'again' })
  await page.until('an answer', (p) => p.status === 'ready' && p.texts.at(-1) === 'Better.')
  calm(page)
})

check(22, 'react.chat.turn-end-event', async () => {
  const { s, page } = await shown('ask', [{ text: 'Ended.' }])
  const other = await openPage(world, s)
  page.chat.sendMessage({ text: 'hi' })
  for (const p of [page, other]) {
    await p.until('the event', (p) => p.page.turnEnds.length > 0)
    const [{ messageIds, outcome, replay }] = p.page.turnEnds
    assert.deepEqual({ messageIds, outcome, replay }, { messageIds: [page.messages[0].id], outcome: 'completed', replay: false })
  }
})

check(23, 'react.chat.reasoning', async () => {
  const { page } = await shown('ask', [{ reasoning: 'Let me think.', text: 'Forty-two.' }])
  page.chat.sendMessage({ text: 'hi' })
  await page.ready('hi', 'Forty-two.')
  assert.deepEqual(page.messages[1].parts.map((p) => p.type), ['step-start', 'reasoning', 'text'])
  calm(page)
})

check(24, 'react.chat.approval-accept', async () => {
  const { s, page } = await shown('ask', [{ calls: [bash('c1', 'touch made')] }, { text: 'It ran.' }])
  page.chat.sendMessage({ text: 'make it' })
  await page.until('the question', (p) => p.status === 'ready' && p.part('c1')?.state === 'approval-requested')
  page.chat.addToolApprovalResponse({ id: page.part('c1').approval.id, approved: true })
  await page.ready('make it', 'It ran.')
  assert.equal(page.part('c1').state, 'output-available')
  assert.equal(await exists(s, 'made'), true)
  assert.deepEqual((await s.messages()).map((m) => m.id), page.messages.map((m) => m.id))
  calm(page)
})

check(24, 'react.chat.approval-deny', async () => {
  const { s, page } = await shown('ask', [{ calls: [bash('c1', 'touch made')] }, { text: 'As you wish.' }])
  page.chat.sendMessage({ text: 'make it' })
  await page.until('the question', (p) => p.status === 'ready' && p.part('c1')?.state === 'approval-requested')
  page.chat.addToolApprovalResponse({ id: page.part('c1').approval.id, approved: false })
  await page.ready('make it', 'As you wish.')
  assert.equal(page.part('c1').state, 'output-denied')
  assert.equal(await exists(s, 'made'), false)
  calm(page)
})

check(24, 'react.chat.approval-on-the-other-page', async () => {
  const { s, page } = await shown('ask', [{ text: 'May I?', calls: [bash('c1', 'touch made')] }, { text: 'It ran.' }])
  const other = await openPage(world, s)
  page.chat.sendMessage({ text: 'make it' })
  await other.until('the question', (p) => p.part('c1')?.state === 'approval-requested')
  other.chat.addToolApprovalResponse({ id: other.part('c1').approval.id, approved: true })
  for (const p of [page, other]) {
    await p.ready('make it', 'May I?It ran.')
    assert.equal(p.part('c1').state, 'output-available')
    calm(p)
  }
})

check(24, 'react.chat.approval-after-reload', async () => {
  const { s, page } = await shown('ask', [{ calls: [bash('c1', 'touch made')] }, { text: 'It ran.' }])
  page.chat.sendMessage({ text: 'make it' })
  await page.until('the question', (p) => p.status === 'ready' && p.part('c1')?.state === 'approval-requested')
  page.page.unmount()
  const back = await openPage(world, s)
  back.chat.addToolApprovalResponse({ id: back.part('c1').approval.id, approved: true })
  await back.ready('make it', 'It ran.')
  calm(back)
})

check(24, 'react.chat.two-approvals', async () => {
  const { page } = await shown('ask', [{ calls: [bash('c1', 'echo 1'), bash('c2', 'echo 2')] }, { text: 'One ran.' }])
  page.chat.sendMessage({ text: 'both' })
  await page.until('the questions', (p) => p.status === 'ready' && ['c1', 'c2'].every((c) => p.part(c)?.state === 'approval-requested'))
  page.chat.addToolApprovalResponse({ id: page.part('c1').approval.id, approved: true })
  page.chat.addToolApprovalResponse({ id: page.part('c2').approval.id, approved: false })
  await page.ready('both', 'One ran.')
  assert.deepEqual(['c1', 'c2'].map((c) => page.part(c).state), ['output-available', 'output-denied'])
  calm(page)
})

const tools = { getLocation: { description: 'Where the user is.', parameters: { type: 'object', properties: {} }, execute: () => ({ city: 'Oslo' }) } }

check(25, 'react.chat.client-tool', async () => {
  const { s, page } = await shown('ask', [{ calls: [{ id: 'c1', name: 'getLocation', args: {} }] }, { text: 'You are in Oslo.' }], {
    chat: { tools, onToolCall: ({ toolCall, addToolOutput }) => addToolOutput({ toolCallId: toolCall.toolCallId, output: { city: 'Oslo' } }) },
  })
  page.chat.sendMessage({ text: 'where am I?' })
  await page.until('an answer', (p) => p.status === 'ready' && p.texts[1] === 'You are in Oslo.')
  assert.deepEqual([page.part('c1').state, page.part('c1').output], ['output-available', { city: 'Oslo' }])
  assert.match(JSON.stringify((await s.requests()).at(-1).messages), /Oslo/)
  calm(page)
})

// A question of the agent's own is answered as the call of a client's tool is, by whoever sees it.
const question = { id: 'c1', name: 'ask_user', args: { questions: [{ header: 'Colour', text: 'Which colour?', options: ['red', 'blue'] }] } }

check(25, 'react.chat.question', async () => {
  const { s, page } = await shown('ask', [{ calls: [question] }, { text: 'Blue it is.' }])
  page.chat.sendMessage({ text: 'paint it' })
  await page.until('the question', (p) => p.status === 'ready' && p.part('c1')?.state === 'input-available')
  assert.deepEqual(page.part('c1').input, question.args)
  page.chat.addToolOutput({ toolCallId: 'c1', output: 'blue' })
  await page.ready('paint it', 'Blue it is.')
  assert.deepEqual([page.part('c1').state, page.part('c1').output], ['output-available', 'blue'])
  assert.match(JSON.stringify((await s.requests()).at(-1).messages.at(-1)), /blue/)
  calm(page)
})

check(25, 'react.chat.question-after-reload-on-another-page', async () => {
  const { s, page } = await shown('ask', [{ calls: [question] }, { text: 'Blue it is.' }])
  page.chat.sendMessage({ text: 'paint it' })
  await page.until('the question', (p) => p.status === 'ready' && p.part('c1')?.state === 'input-available')
  page.page.unmount()
  const back = await openPage(world, s)
  back.chat.addToolOutput({ toolCallId: 'c1', output: { Colour: 'blue' } })
  await back.ready('paint it', 'Blue it is.')
  assert.equal((await s.requests()).length, 2, 'it goes on once')
  calm(back)
})

check(25, 'react.chat.question-answered-by-a-prompt', async () => {
  const { s, page } = await shown('ask', [{ calls: [question] }, { text: 'Green, then.' }])
  page.chat.sendMessage({ text: 'paint it' })
  await page.until('the question', (p) => p.status === 'ready' && p.part('c1')?.state === 'input-available')
  page.chat.sendMessage({ text: 'green' })
  await page.until('an answer', (p) => p.status === 'ready' && p.texts.at(-1) === 'Green, then.')
  const part = (await s.messages())[1].parts.find((p) => p.toolCallId === 'c1')
  assert.equal(part.state, 'output-available')
  assert.match(JSON.stringify((await s.requests()).at(-1).messages.at(-2)), /instead of choosing/)
  calm(page)
})

check(27, 'react.chat.sub-agent', async () => {
  const s = await world.session('ask', { text: 'From the child.' })
  const page = await openPage(world, s, { agent: { sub: [{ agent: 'CoderAgent', name: 'child1' }] } })
  page.chat.sendMessage({ text: 'hi' })
  await page.ready('hi', 'From the child.')
  assert.deepEqual(await s.messages(), [], 'the parent has none of it')
})
