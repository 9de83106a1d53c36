// The page in a real browser: it chats, approves, loses its network and its host, and gets over both.

import assert from 'node:assert/strict'
import { access, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after } from 'node:test'
import { check } from './lib/check.mjs'
import { openWorld } from './lib/world.mjs'
import { Proxy } from './lib/proxy.mjs'
import { launch, say, servePage, shows, visit } from './lib/browser.mjs'

const folder = await mkdtemp(join(tmpdir(), 'coder-e2e-chromium-'))
after(() => rm(folder, { recursive: true, force: true }))
// What deletes is asked for in mode ask, with a sandbox or without one.
const bash = (id, command) => ({ id, name: 'bash', args: { command: `rm -f none; ${command}` } })

let world
const origin = await servePage(join(folder, 'page.mjs'), () => world.host.readToken())
world = await openWorld('--allow-origin', origin)
const browser = await launch()

// calm checks what every page must end in.
async function calm(tab) {
  assert.equal(await tab.textContent('#status'), 'ready')
  assert.equal(await tab.textContent('#error'), '')
  assert.deepEqual(tab.complaints, [])
}

check(13, 'chromium.chats', async () => {
  const s = await world.session('ask', { reasoning: 'A greeting.', text: 'Hello, browser.' }, { text: 'And again.' })
  const tab = await visit(browser, origin, s, world.host.addr)
  await say(tab, 'hi')
  await shows(tab, 'ready', 'hi', 'Hello, browser.')
  await say(tab, 'again')
  await shows(tab, 'ready', 'hi', 'Hello, browser.', 'again', 'And again.')
  await tab.reload()
  await shows(tab, 'ready', 'hi', 'Hello, browser.', 'again', 'And again.')
  await calm(tab)
})

check(24, 'chromium.approves', async () => {
  const s = await world.session('ask', { text: 'May I?', calls: [bash('c1', 'touch made')] }, { text: 'It ran.' })
  const tab = await visit(browser, origin, s, world.host.addr)
  await say(tab, 'make it')
  await tab.click('.approve')
  await shows(tab, 'ready', 'make it', 'May I?It ran.')
  await access(join(s.workdir, 'made'))
  assert.equal(await tab.locator('section.output-available').count(), 1)
  await calm(tab)
})

check(24, 'chromium.denies', async () => {
  const s = await world.session('ask', { calls: [bash('c1', 'touch made')] }, { text: 'As you wish.' })
  const tab = await visit(browser, origin, s, world.host.addr)
  await say(tab, 'make it')
  await tab.click('.deny')
  await shows(tab, 'ready', 'make it', 'As you wish.')
  await assert.rejects(access(join(s.workdir, 'made')))
  await calm(tab)
})

check(14, 'chromium.two-tabs', async () => {
  const s = await world.session('ask', { text: 'one two three', hold: 2 }, { calls: [bash('c1', 'echo hi')] }, { text: 'It ran.' })
  const [a, b] = [await visit(browser, origin, s, world.host.addr), await visit(browser, origin, s, world.host.addr)]
  await say(a, 'count')
  await b.waitForFunction(() => document.body.textContent.includes('one two '))
  await s.release()
  for (const tab of [a, b]) await shows(tab, 'ready', 'count', 'one two three')
  await say(b, 'run it')
  await a.click('.approve')
  for (const tab of [a, b]) {
    await shows(tab, 'ready', 'count', 'one two three', 'run it', 'It ran.')
    await calm(tab)
  }
})

check(18, 'chromium.loses-its-network-and-resumes', async () => {
  const s = await world.session('auto', { text: 'First this. ', calls: [bash('c1', 'echo seen')] }, { text: 'one two three four', hold: 2 })
  const proxy = await Proxy.start(world.host.addr)
  const tab = await visit(browser, origin, s, proxy.addr)
  await say(tab, 'go')
  await shows(tab, 'streaming', 'go', 'First this. one two ')
  proxy.cut()
  await shows(tab, 'error', 'go', 'First this. one two ') // until it is back: WebSocket closed mid-stream
  proxy.mend()
  await shows(tab, 'streaming', 'go', 'First this. one two ')
  await s.release()
  await shows(tab, 'ready', 'go', 'First this. one two three four')
  assert.equal(await tab.locator('section').count(), 1, 'one call, once')
  await calm(tab)
  if (process.env.SCREENSHOT) await tab.screenshot({ path: process.env.SCREENSHOT })
})

check(19, 'chromium.outlives-its-host', async () => {
  const s = await world.session('ask', { text: 'one two three four', hold: 2 }, { text: 'five six', hold: 1 })
  const tab = await visit(browser, origin, s, world.host.addr)
  await say(tab, 'count')
  await shows(tab, 'streaming', 'count', 'one two ')
  await world.host.stop('SIGKILL')
  await world.host.restart()
  await s.reached(1)
  await shows(tab, 'streaming', 'count', 'one two five ')
  await s.release(1)
  await shows(tab, 'ready', 'count', 'one two five six')
  await calm(tab)
})
