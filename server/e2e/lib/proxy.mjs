// A proxy is the cable between a page and the host: it can be cut.

import net from 'node:net'
import { after } from 'node:test'

export class Proxy {
  sockets = new Set()
  isCut = false

  static async start(target) {
    const proxy = new Proxy()
    proxy.target = target
    proxy.server = net.createServer((socket) => proxy.serve(socket))
    await new Promise((resolve) => proxy.server.listen(0, '127.0.0.1', resolve))
    proxy.addr = `127.0.0.1:${proxy.server.address().port}`
    after(() => { proxy.cut(); proxy.server.close() })
    return proxy
  }

  serve(near) {
    if (this.isCut) { near.destroy(); return }
    const [host, port] = this.target.split(':')
    const far = net.connect(port, host)
    for (const [from, to] of [[near, far], [far, near]]) {
      this.sockets.add(from)
      from.on('error', () => to.destroy())
      from.on('close', () => { this.sockets.delete(from); to.destroy() })
    }
    far.pipe(near)
    // The host serves only its own name. Each request of a browser comes in one piece.
    near.on('data', (data) => {
      const head = data.subarray(0, 8192).toString('latin1')
      far.write(/^(GET|POST|OPTIONS) /.test(head) ? data.toString('latin1').replace(`Host: ${this.addr}`, `Host: ${this.target}`) : data, 'latin1')
    })
  }

  // cut breaks every connection and lets no new one through.
  cut() {
    this.isCut = true
    for (const socket of this.sockets) socket.destroy()
  }

  mend() { this.isCut = false }
}
