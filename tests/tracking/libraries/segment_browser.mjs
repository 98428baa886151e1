// Segment's library in a page: it loads its settings from Tagloom, and sends each kind of message there.
import { AnalyticsBrowser } from '@segment/analytics-next'

window.send = async (writeKey, url, token) => {
  const analytics = AnalyticsBrowser.load({ writeKey, cdnURL: url })
  // The token comes from the server of the app, with the page.
  await analytics.addSourceMiddleware(({ payload, next }) => {
    payload.obj.context = { ...payload.obj.context, identity: { token } }
    next(payload)
  })
  await analytics.page('Home', { path: '/' })
  await analytics.identify('u1', { plan: 'gold' })
  await analytics.track('Ad Clicked', { ad: 7 })
  await analytics.screen('Start')
  await analytics.group('g1', { name: 'Acme' })
  await analytics.alias('u1', 'v1')
}
