// Pages under happy-dom. Each is loaded as a module of its own, with its own React and its own caches, as two tabs are.

import { after } from 'node:test'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL, fileURLToPath } from 'node:url'
import { build } from 'esbuild'
import { Window } from 'happy-dom'
import { Tap, until } from './tap.mjs'
import { origin } from './world.mjs'
import { textOfMessage } from './chat.mjs'

// bundle builds the page, with everything that it imports, for a browser.
export async function bundle(outfile, options) {
  await build({
    entryPoints: [fileURLToPath(new URL('../page.mjs', import.meta.url))],
    bundle: true, format: 'esm', platform: 'browser', outfile, logLevel: 'warning',
    define: { 'process.env.NODE_ENV': '"production"' },
    // The client never runs what the package has for servers.
    external: ['cloudflare:*', 'node:*'],
    ...options,
  })
}

const folder = await mkdtemp(join(tmpdir(), 'coder-e2e-page-'))
const file = join(folder, 'page.mjs')
await bundle(file)
after(() => rm(folder, { recursive: true, force: true }))

const window = new Window({ url: origin })
for (const name of ['window', 'document', 'HTMLElement', 'HTMLIFrameElement', 'Node', 'Element', 'DocumentFragment', 'FormData']) {
  globalThis[name] = name === 'window' ? window : window[name]
}

let count = 0

// openPage shows a page of the session. It closes with the test file.
export async function openPage(world, session, { agent, chat, resumes } = {}) {
  const { mount } = await import(`${pathToFileURL(file)}?page=${count++}`)
  const root = document.createElement('div')
  document.body.append(root)
  const tap = new Tap({ origin })
  const page = mount(root, {
    agent: {
      agent: 'CoderAgent', name: session.name, host: world.host.addr, WebSocket: tap.WebSocket,
      query: async () => ({ token: await world.host.readToken() }), ...agent,
    },
    chat, resumes,
  })
  after(() => page.unmount())
  const handle = new Page(page, tap, root)
  await handle.connected()
  return handle
}

// A Page is one that is shown.
class Page {
  constructor(page, tap, root) { Object.assign(this, { page, tap, root }) }

  get chat() { return this.page.chat }
  get agent() { return this.page.agent }
  get status() { return this.page.chat?.status }
  get statuses() { return this.page.statuses }

  // connected waits until the page has asked whether anything runs, and knows the answer. From then on statuses counts.
  async connected(from = 0) {
    const { probeId } = await this.tap.sent('cf_agent_stream_resume_request', undefined, { from })
    const answer = await this.tap.log.next('the answer to the probe', (e) => e.dir === 's2c' && e.frame.probeId === probeId, { from })
    if (answer.frame.type === 'cf_agent_stream_resume_none') await this.until('the page is ready', (p) => p.status === 'ready')
    this.page.statuses.splice(0, this.page.statuses.length - 1)
  }
  get messages() { return this.page.chat?.messages ?? [] }
  get texts() { return this.messages.map(textOfMessage) }

  // part finds a tool part of any message.
  part(toolCallId) { return this.messages.flatMap((m) => m.parts).find((p) => p.toolCallId === toolCallId) }

  // until waits for the page to look so.
  until(what, match, ms) {
    return until(what, () => match(this), (look) => { this.page.watchers.add(look); return () => this.page.watchers.delete(look) }, ms,
      () => JSON.stringify({ statuses: this.statuses, error: this.chat?.error?.message, errors: this.page.errors, messages: this.messages }))
  }

  // ready waits for the end of what runs, for another page as well, with these texts. Before it the transcript of the turn's
  // end may still come, and would wipe what this page says next.
  ready(...texts) {
    return this.until(`status ready with ${JSON.stringify(texts)}`,
      (p) => p.status === 'ready' && !p.chat.isServerStreaming && JSON.stringify(p.texts) === JSON.stringify(texts))
  }
}
