// Sends each kind of message with Segment's library for Node.
import { createHmac } from 'node:crypto'
import { Analytics } from '@segment/analytics-node'

const analytics = new Analytics({
  writeKey: process.env.WRITE_KEY,
  host: process.env.TAGLOOM_URL,
  flushAt: 3,
  flushInterval: 100,
  maxRetries: 5,
  disable: false,
})
analytics.on('error', (error) => console.error(error))
// The server of an app makes the proof when the user signs in.
const hmac = createHmac('sha256', process.env.HMAC_SECRET).update('u1').digest('hex')
const context = { identity: { hmac } }
analytics.identify({ userId: 'u1', anonymousId: 'v1', traits: { plan: 'gold' }, context })
analytics.track({ userId: 'u1', event: 'Ad Clicked', properties: { ad: 7 }, context })
analytics.page({ anonymousId: 'v1', name: 'Home', properties: { path: '/' } })
analytics.screen({ anonymousId: 'v1', name: 'Start' })
analytics.group({ userId: 'u1', groupId: 'g1', traits: { name: 'Acme' }, context })
analytics.alias({ userId: 'u1', previousId: 'v1', context })
await analytics.closeAndFlush({ timeout: 60000 })
