// Rows 1, 2 and 12: URLs, and the transcript over HTTP.

import assert from 'node:assert/strict'
import { agentFetch } from 'agents/client'
import { getAgentMessages } from '@cloudflare/ai-chat/react'
import WebSocket from 'ws'
import { check } from './lib/check.mjs'
import { openWorld, origin } from './lib/world.mjs'
import { say, textOfMessage, user } from './lib/chat.mjs'

const world = await openWorld()
const { host } = world

const get = (path, options) => fetch(`http://${host.addr}${path}${path.includes('?') ? '&' : '?'}token=${host.token}`, options)

// handshake returns the status of a refused upgrade, or 101.
const handshake = (path, query = `token=${host.token}`) => new Promise((resolve, reject) => {
  const socket = new WebSocket(`ws://${host.addr}${path}?${query}`)
  socket.on('unexpected-response', (request, response) => { request.destroy(); resolve(response.statusCode) })
  socket.on('open', () => { socket.close(); resolve(101) })
  socket.on('error', reject)
})

check(1, 'connect.agent-client', async () => {
  const client = world.client({ name: 'hello' })
  await client.ready
  assert.deepEqual([client.agent, client.name], ['coder-agent', 'hello'])
})

check(1, 'connect.default-name', async () => {
  const client = world.client({ name: undefined })
  await client.ready
  assert.equal(client.name, 'default')
})

check(1, 'connect.kebab-name-is-the-same-agent', async () => {
  const client = world.client({ name: 'kebab' }, { agent: 'coder-agent' })
  await client.ready
  assert.equal(client.agent, 'coder-agent')
})

check(1, 'connect.base-path', async () => {
  const client = world.client({ name: 'ignored' }, { basePath: 'agents/coder-agent/by-path' })
  await client.ready
  assert.equal(client.name, 'by-path', 'the name comes with the identity')
})

check(1, 'connect.sub-path', async () => {
  const client = world.client({ name: 'hello' }, { path: 'any/thing' })
  await client.ready
  assert.equal(client.name, 'hello')
})

check(1, 'connect.empty-segments', async () => {
  assert.equal(await handshake('//agents//coder-agent//hello'), 101)
})

check(1, 'connect.name-is-not-decoded', async () => {
  const client = world.client({ name: 'with space' })
  await client.tap.frame('cf_agent_identity', (f) => f.name === 'with%20space', { ms: 3000 })
})

check(1, 'connect.without-pk', async () => {
  assert.equal(await handshake('/agents/coder-agent/hello'), 101)
  assert.equal(await handshake('/agents/coder-agent/hello', `_pk=&token=${host.token}`), 101)
})

check(1, 'route.bare-agent', async () => {
  const answer = await agentFetch({ agent: 'CoderAgent', name: 'hello', host: host.addr, query: { token: host.token } })
  assert.deepEqual([answer.status, await answer.text()], [404, 'Not implemented'])
})

check(1, 'route.token-in-the-header', async () => {
  const answer = await agentFetch(
    { agent: 'CoderAgent', name: 'hello', host: host.addr, path: 'get-messages' },
    { headers: { Authorization: `Bearer ${host.token}` } },
  )
  assert.deepEqual([answer.status, await answer.json()], [200, []])
})

check(1, 'route.no-token', async () => {
  assert.equal(await handshake('/agents/coder-agent/hello', 'token=wrong'), 401)
  assert.equal((await fetch(`http://${host.addr}/agents/coder-agent/hello/get-messages`)).status, 401)
})

check(2, 'route.unknown-agent', async () => {
  for (const name of ['nobody', 'CoderAgent', 'coder_agent']) {
    const answer = await get(`/agents/${name}/x`)
    assert.deepEqual([answer.status, await answer.text()], [400, 'Invalid request'], name)
    assert.match(answer.headers.get('content-type'), /^text\/plain/)
  }
})

check(2, 'route.too-short', async () => {
  for (const path of ['/agents', '/agents/', '/agents/coder-agent', '/agents/coder-agent//', '/elsewhere']) {
    const answer = await get(path)
    assert.deepEqual([answer.status, await answer.text()], [404, 'Not found'], path)
  }
})

check(2, 'route.ws-unknown-agent', async () => assert.equal(await handshake('/agents/nobody/x'), 400))

check(2, 'route.ws-too-short', async () => assert.equal(await handshake('/agents/coder-agent'), 404))

check(12, 'route.get-messages-empty', async () => {
  const answer = await get('/agents/coder-agent/empty/get-messages')
  assert.deepEqual([answer.status, await answer.json()], [200, []])
  assert.match(answer.headers.get('content-type'), /^application\/json/)
})

check(12, 'route.get-messages-any-method-and-depth', async () => {
  for (const method of ['POST', 'PUT', 'DELETE', 'PATCH']) {
    assert.deepEqual(await (await get('/agents/coder-agent/empty/get-messages', { method })).json(), [], method)
  }
  assert.deepEqual(await (await get('/agents/coder-agent/empty/deep/er/get-messages?x=1')).json(), [])
})

check(12, 'route.get-messages', async () => {
  const s = await world.session('ask', { text: 'Hello there.' })
  const client = world.client(s)
  const question = user('hi')
  await say(client, question)
  const list = await getAgentMessages({ url: `http://${host.addr}/agents/coder-agent/${s.name}/get-messages?token=${host.token}` })
  assert.deepEqual(list[0], question)
  assert.deepEqual([list.length, list[1].role, textOfMessage(list[1])], [2, 'assistant', 'Hello there.'])
})

check(12, 'route.get-messages-from-a-page', async () => {
  const answer = await get('/agents/coder-agent/empty/get-messages', { headers: { Origin: origin } })
  assert.equal(answer.headers.get('access-control-allow-origin'), origin)
  const stranger = await get('/agents/coder-agent/empty/get-messages', { headers: { Origin: 'http://evil.example' } })
  assert.equal(stranger.status, 403)
})
