// The page in Chromium, served from an origin of its own.

import http from 'node:http'
import { after } from 'node:test'
import { readFile } from 'node:fs/promises'
import { chromium } from 'playwright-core'
import { bundle } from './pages.mjs'
import { limit } from './tap.mjs'

const html = `<!doctype html><meta charset="utf-8"><title>page</title><div id="root"></div>
<script type="module">
import { mount } from '/page.mjs'
const options = Object.fromEntries(new URLSearchParams(location.search))
const query = async () => ({ token: await (await fetch('/token')).text() })
window.page = mount(document.getElementById('root'), { agent: { agent: 'CoderAgent', name: options.name, host: options.host, query } })
</script>`

// servePage serves the page and the token, which it asks token() for. It returns the origin.
export async function servePage(file, token) {
  await bundle(file)
  const answers = {
    '/': async () => ['text/html', html],
    '/page.mjs': async () => ['text/javascript', await readFile(file)],
    '/token': async () => ['text/plain', await token()],
  }
  const server = http.createServer(async (request, response) => {
    const answer = answers[new URL(request.url, 'http://x').pathname]
    if (!answer) { response.writeHead(404).end(); return }
    const [type, body] = await answer()
    response.writeHead(200, { 'Content-Type': type, 'Cache-Control': 'no-store' }).end(body)
  })
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve))
  after(() => { server.close(); server.closeAllConnections() })
  return `http://127.0.0.1:${server.address().port}`
}

// launch starts Chromium.
export async function launch() {
  const browser = await chromium.launch({
    executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
    args: ['--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
      '--disable-component-update', '--disable-sync'],
  })
  after(() => browser.close())
  return browser
}

// visit opens the page of a session in a tab of its own.
export async function visit(browser, origin, session, host) {
  const context = await browser.newContext()
  const tab = await context.newPage()
  tab.setDefaultTimeout(limit)
  tab.complaints = []
  tab.on('pageerror', (error) => tab.complaints.push(String(error)))
  await tab.goto(`${origin}/?name=${session.name}&host=${host}`)
  await tab.waitForFunction(() => window.page?.agent?.identified)
  return tab
}

export const say = async (tab, text) => {
  await tab.fill('input[name=prompt]', text)
  await tab.click('#send')
}

// shows waits until the page has the status and these texts, in order and once.
export async function shows(tab, status, ...texts) {
  const want = JSON.stringify([status, texts])
  const look = () => JSON.stringify([document.querySelector('#status')?.textContent,
    [...document.querySelectorAll('article')].map((a) => [...a.querySelectorAll('.text')].map((p) => p.textContent).join(''))])
  try {
    await tab.waitForFunction(([want, look]) => new Function(`return (${look})()`)() === want, [want, String(look)])
  } catch (error) {
    throw new Error(`the page should show ${want}; it shows ${await tab.evaluate(look)}`, { cause: error })
  }
}
