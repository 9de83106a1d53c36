// A tap is a WebSocket class that notes every frame. Clients get it instead of the global one; they are not changed.

import WebSocket from 'ws'

export const limit = 10_000 // ms that a check waits for what must come

// A Log is a list that can be waited on.
export class Log {
  entries = []
  waiting = new Set()

  add(entry) {
    this.entries.push(entry)
    for (const look of this.waiting) look()
  }

  // next waits for the first entry from `from` on for which match is true.
  next(what, match, { from = 0, ms = limit } = {}) {
    const find = () => this.entries.slice(from).find(match)
    return until(what, find, (look) => { this.waiting.add(look); return () => this.waiting.delete(look) }, ms,
      () => this.entries.slice(from).map((e) => brief(e)).join('\n'))
  }
}

// until waits for find to return something, looking again whenever subscribe's callback is called.
export function until(what, find, subscribe, ms = limit, got = () => '') {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => { stop(); reject(new Error(`waited ${ms} ms for ${what}; got\n${got()}`)) }, ms)
    const look = () => {
      let found
      try { found = find() } catch (error) { stop(); reject(error); return }
      if (!found) return
      stop()
      resolve(found)
    }
    const unsubscribe = subscribe(look)
    function stop() { clearTimeout(timer); unsubscribe() }
    look()
  })
}

const brief = (entry) => {
  const text = JSON.stringify(entry)
  return text.length > 400 ? `${text.slice(0, 400)}…` : text
}

export class Tap {
  log = new Log() // of {socket, dir: open|c2s|s2c|close, frame?, code?, reason?}
  sockets = []

  // origin makes the client a page of that origin.
  constructor({ origin } = {}) {
    const tap = this
    this.WebSocket = class extends WebSocket {
      constructor(url, protocols) {
        // As in a browser, each message is an event of its own: the library would give a page several in one tick.
        super(url, protocols, { origin, maxPayload: 0, allowSynchronousEvents: false })
        const socket = tap.sockets.push(this) - 1
        const note = (dir, more) => tap.log.add({ socket, dir, ...more })
        this.on('open', () => note('open', { url: this.url }))
        this.on('message', (data) => note('s2c', { frame: JSON.parse(data.toString()) }))
        this.on('close', (code, reason) => note('close', { code, reason: reason.toString() }))
        this.note = note
      }

      send(data, ...rest) {
        this.note('c2s', { frame: parse(data) })
        super.send(data, ...rest)
      }
    }
  }

  get socket() { return this.sockets.at(-1) }
  get mark() { return this.log.entries.length }

  // after is the number of the entry that follows the one of a frame.
  after(frame) { return this.log.entries.findIndex((e) => e.frame === frame) + 1 }

  // got lists the frames that came, from entry number `from` on.
  got(from = 0) { return this.log.entries.slice(from).filter((e) => e.dir === 's2c').map((e) => e.frame) }

  // frame waits for a frame of the type that came.
  async frame(type, match = () => true, options = {}) {
    const entry = await this.log.next(type, (e) => e.dir === 's2c' && e.frame.type === type && match(e.frame), options)
    return entry.frame
  }

  // sent is frame for what the client has sent.
  async sent(type, match = () => true, options = {}) {
    const entry = await this.log.next(`${type} from the client`, (e) => e.dir === 'c2s' && e.frame?.type === type && match(e.frame), options)
    return entry.frame
  }
}

function parse(data) {
  try { return JSON.parse(data) } catch { return undefined }
}
