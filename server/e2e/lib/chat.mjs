// What a client without a hook sends and gets in a turn.

let count = 0

export const user = (text, id = `user-${process.pid}-${count++}`) => ({ id, role: 'user', parts: [{ type: 'text', text }] })
export const requestId = () => `req-${process.pid}-${count++}`

// ask sends a request for a turn and returns its id.
export function ask(client, messages, { id = requestId(), trigger = 'submit-message', ...body } = {}) {
  if (!Array.isArray(messages)) messages = [messages]
  client.send(JSON.stringify({
    type: 'cf_agent_use_chat_request', id, init: { method: 'POST', body: JSON.stringify({ messages, trigger, ...body }) },
  }))
  return id
}

// ofTurn keeps the frames of a turn.
export const ofTurn = (frames, id) => frames.filter((f) => f.type === 'cf_agent_use_chat_response' && f.id === id)

// chunks are what the frames of a turn carry, in their order.
export const chunks = (frames) => frames.filter((f) => f.body && !f.error).map((f) => JSON.parse(f.body))

export const textOf = (frames) => chunks(frames).filter((c) => c.type === 'text-delta').map((c) => c.delta).join('')
export const textOfMessage = (m) => m.parts.filter((p) => p.type === 'text').map((p) => p.text).join('')

// turn waits for the end of a turn and returns its frames.
export async function turn(client, id, options) {
  await client.tap.frame('cf_agent_use_chat_response', (f) => f.id === id && f.done, options)
  return ofTurn(client.tap.got(options?.from), id)
}

// say is a whole turn: the request and its frames.
export async function say(client, messages, options) {
  const id = ask(client, messages, options)
  return turn(client, id)
}

// barrier waits until everything that the server had to say to what was sent before has come: an answered call is
// behind it.
export async function barrier(client) { await client.call('usage') }
