// Row 27: sub-agents, which are agents under the path of another: /agents/coder-agent/PARENT/sub/coder-agent/CHILD.

import assert from 'node:assert/strict'
import { check } from './lib/check.mjs'
import { openWorld } from './lib/world.mjs'
import { barrier, say, textOf, textOfMessage, user } from './lib/chat.mjs'

const world = await openWorld()

async function child(parent, name) {
  const client = world.client(parent, { path: `sub/coder-agent/${name}` })
  await client.ready
  return client
}

check(27, 'sub.identity', async () => {
  const client = await child(await world.session('ask'), 'child1')
  const identity = await client.tap.frame('cf_agent_identity')
  assert.deepEqual([identity.agent, identity.name], ['coder-agent', 'child1'], 'the identity names the child')
})

check(27, 'sub.name-is-decoded', async () => {
  const client = await child(await world.session('ask'), 'child%2Done')
  assert.equal((await client.tap.frame('cf_agent_identity')).name, 'child-one', 'the name is decoded')
})

check(27, 'sub.nested', async () => {
  const client = await child(await world.session('ask'), 'child1/sub/coder-agent/grandchild')
  assert.equal((await client.tap.frame('cf_agent_identity')).name, 'grandchild', 'the identity names the grandchild')
})

check(27, 'sub.own-transcript', async () => {
  const s = await world.session('ask', { text: 'From the child.' })
  const parent = world.client(s)
  const client = await child(s, 'child1')
  assert.equal(textOf(await say(client, user('hi'))), 'From the child.')
  await barrier(parent)
  const { addr, token } = world.host
  const list = await (await fetch(`http://${addr}/agents/coder-agent/${s.name}/sub/coder-agent/child1/get-messages?token=${token}`)).json()
  assert.deepEqual(list.map(textOfMessage), ['hi', 'From the child.'])
  assert.deepEqual(await s.messages(), [], 'the parent has none of it')
})

check(27, 'sub.unknown-class-is-extra-path', async () => {
  const s = await world.session('ask')
  const client = world.client(s, { path: 'sub/no-class/child1' })
  await client.ready
  assert.equal(client.name, s.name)
})
