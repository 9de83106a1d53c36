// A host that dies or stops under a page: rows 10, 19 and 24 after kill -9. It starts again on the same address and with the
// same token file; the page's query function asks for the token anew each time.

import assert from 'node:assert/strict'
import { access, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { check } from './lib/check.mjs'
import { openWorld } from './lib/world.mjs'
import { openPage } from './lib/pages.mjs'

// What deletes is asked for in mode ask, with a sandbox or without one.
const bash = (id, command) => ({ id, name: 'bash', args: { command: `rm -f none; ${command}` } })

// attached is a page on a session of a host of its own.
async function attached(mode, ...script) { return attach({}, mode, ...script) }

async function attach(options, mode, ...script) {
  const world = await openWorld()
  const s = await world.session(mode, ...script)
  let asked = 0
  const query = async () => { asked++; return { token: await world.host.readToken() } }
  return { world, s, page: await openPage(world, s, { agent: { query }, ...options }), asked: () => asked }
}

// again starts the host anew and waits for the page to be back.
async function again({ world, page }) {
  const from = page.tap.mark
  await world.host.restart()
  await page.tap.frame('cf_agent_mcp_servers', undefined, { from, ms: 15_000 })
}

function calm(page) {
  assert.equal(page.status, 'ready')
  assert.equal(page.chat.error, undefined)
  assert.deepEqual(page.page.errors, [])
}

check(19, 'crash.in-the-middle-of-a-stream', async () => {
  const it = await attached('ask', { text: 'one two three four', hold: 2 }, { text: 'five six', hold: 1 })
  const { world, s, page } = it
  page.chat.sendMessage({ text: 'count' })
  await page.until('the first words', (p) => p.texts[1] === 'one two ')
  await world.host.stop('SIGKILL')
  await again(it)
  assert(it.asked() > 1, 'the page has asked for the token anew')
  await s.reached(1)
  await page.until('what was kept, and more', (p) => p.status === 'streaming' && p.texts[1] === 'one two five ')
  await s.release(1)
  await page.ready('count', 'one two five six')
  calm(page)
  assert.deepEqual((await s.messages()).map((m) => m.id), page.messages.map((m) => m.id))
})

check(19, 'crash.the-turn-ends-before-the-page-is-back', async () => {
  const it = await attached('ask', { text: 'one two three four', hold: 2 }, { text: 'five six' })
  const { world, s, page } = it
  page.chat.sendMessage({ text: 'count' })
  await page.until('the first words', (p) => p.texts[1] === 'one two ')
  await world.host.stop('SIGKILL')
  await again(it)
  await page.until('the whole text', (p) => p.texts[1] === 'one two five six', 2000)
  await page.ready('count', 'one two five six')
  calm(page)
})

check(19, 'crash.with-another-token', async () => {
  const it = await attach({ resumes: true }, 'ask', { text: 'one two three four', hold: 2 }, { text: 'five six', hold: 1 })
  const { world, s, page } = it
  page.chat.sendMessage({ text: 'count' })
  await page.until('the first words', (p) => p.texts[1] === 'one two ')
  await world.host.stop('SIGKILL')
  await rm(world.host.tokenFile)
  await again(it)
  await s.reached(1)
  await s.release(1)
  await page.ready('count', 'one two five six')
  calm(page)
})

check(19, 'crash.before-the-first-word', async () => {
  const it = await attached('ask', { text: 'never seen', hold: 0 }, { text: 'one two', hold: 1 })
  const { world, s, page } = it
  page.chat.sendMessage({ text: 'count' })
  await s.reached()
  await world.host.stop('SIGKILL')
  await again(it)
  await s.reached(1)
  await s.release(1)
  await page.ready('count', 'one two')
  calm(page)
})

check(19, 'crash.after-a-tool-has-run', async () => {
  const it = await attached('auto', { text: 'First this.', calls: [bash('c1', 'echo x >> made')] }, { text: 'never seen', hold: 0 }, { text: 'Done.', hold: 1 })
  const { world, s, page } = it
  page.chat.sendMessage({ text: 'do it' })
  await page.until('the result', (p) => p.part('c1')?.state === 'output-available')
  await s.reached()
  await world.host.stop('SIGKILL')
  await again(it)
  await s.reached(1)
  await s.release(1)
  await page.ready('do it', 'First this.Done.')
  assert.equal(page.messages[1].parts.filter((p) => p.toolCallId === 'c1').length, 1)
  calm(page)
})

check(24, 'crash.while-a-call-waits', async () => {
  const it = await attached('ask', { calls: [bash('c1', 'touch made')] }, { text: 'It ran.' })
  const { world, s, page } = it
  page.chat.sendMessage({ text: 'make it' })
  await page.until('the question', (p) => p.status === 'ready' && p.part('c1')?.state === 'approval-requested')
  await world.host.stop('SIGKILL')
  await again(it)
  page.chat.addToolApprovalResponse({ id: page.part('c1').approval.id, approved: true })
  await page.ready('make it', 'It ran.')
  await access(join(s.workdir, 'made'))
  calm(page)
})

check(10, 'crash.prompt-that-was-typed-while-the-host-was-away', async () => {
  const it = await attached('ask', { text: 'Here I am.' })
  const { world, page } = it
  await world.host.stop('SIGKILL')
  await page.tap.log.next('the close', (e) => e.dir === 'close')
  page.chat.sendMessage({ text: 'are you there?' })
  await page.until('status submitted', (p) => p.status === 'submitted')
  await again(it)
  await page.ready('are you there?', 'Here I am.')
  calm(page)
})

check(19, 'shutdown.in-the-middle-of-a-stream', async () => {
  const it = await attached('ask', { text: 'one two three four', hold: 2 }, { text: 'five six', hold: 1 })
  const { world, s, page } = it
  page.chat.sendMessage({ text: 'count' })
  await page.until('the first words', (p) => p.texts[1] === 'one two ')
  await world.host.stop('SIGTERM')
  assert.equal((await page.tap.log.next('the close', (e) => e.dir === 'close')).code, 1001)
  await again(it)
  await s.reached(1)
  await s.release(1)
  await page.ready('count', 'one two five six')
  calm(page)
})
