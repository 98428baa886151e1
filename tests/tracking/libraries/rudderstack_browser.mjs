// RudderStack's library in a page: it loads its settings from Tagloom, and sends each kind of message there.
import { RudderAnalytics } from '@rudderstack/analytics-js/bundled'

window.send = async (writeKey, url) => {
  const analytics = new RudderAnalytics()
  analytics.load(writeKey, url, { configUrl: url, logLevel: 'DEBUG' })
  await new Promise((resolve) => analytics.ready(resolve))
  analytics.page('Home', { path: '/' })
  analytics.identify('u1', { plan: 'gold' })
  analytics.track('Ad Clicked', { ad: 7 })
  analytics.group('g1', { name: 'Acme' })
  analytics.alias('u1', 'v1')
}
