// A world is a model, a host and the sessions of one test file.

import { after } from 'node:test'
import { AgentClient } from 'agents/client'
import { Host, Model } from './process.mjs'
import { Tap } from './tap.mjs'

export const origin = 'http://localhost:5173' // of the pages

// A World is opened by each test file for itself and closes after its last check.
export async function openWorld(...flags) {
  const world = new World()
  world.model = await Model.start()
  world.host = await Host.start(world.model.addr, '--allow-origin', origin, ...flags)
  after(() => world.close())
  return world
}

let count = 0

class World {
  clients = []

  // session makes a session with a workdir; more answers can be scripted later.
  async session(mode, ...script) {
    const s = new Session(this, `s${process.pid}-${count++}`)
    if (script.length > 0) await s.script(...script)
    s.workdir = await this.host.workdir(s.name)
    const setup = this.client(s)
    await setup.call('setup', [{ workdir: s.workdir, mode, model: s.name }])
    setup.close()
    return s
  }

  // client is a plain AgentClient with the token; its tap is client.tap.
  client(session, { query, tap = new Tap(), ...options } = {}) {
    const client = new AgentClient({
      agent: 'CoderAgent', name: session.name, host: this.host.addr, WebSocket: tap.WebSocket,
      query: { token: this.host.token, ...query }, ...options,
    })
    client.tap = tap
    this.clients.push(client)
    return client
  }

  async close() {
    for (const client of this.clients) client.close()
    await this.host.close()
    await this.model.close()
  }
}

// A Session scripts what the model says in it.
class Session {
  constructor(world, name) { Object.assign(this, { world, name, requestCount: 0 }) }

  // script adds answers: those of openroutertest, and with hold: N they wait before their chunk N.
  script(...steps) { return this.world.model.ask('POST', `/script/${this.name}`, steps) }
  reached(n = 0) { return this.world.model.ask('GET', `/reached/${this.name}/${n}`) }
  release(n = 0) { return this.world.model.ask('POST', `/release/${this.name}/${n}`) }
  requests() { return this.world.model.ask('GET', `/requests/${this.name}`) }

  // messages is what a page gets when it loads.
  async messages() {
    const answer = await fetch(`http://${this.world.host.addr}/agents/coder-agent/${this.name}/get-messages?token=${this.world.host.token}`)
    if (!answer.ok) throw new Error(`get-messages answers ${answer.status}`)
    return answer.json()
  }
}
