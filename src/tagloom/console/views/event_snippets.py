"""The code that sends a first event to an event source, for each client library, and that proves user ids."""

import msgspec


class Snippet(msgspec.Struct, frozen=True):
    """The code for one library. `install` is the command that installs the library; empty if there is none."""

    library: str
    install: str
    code: str


def event_snippets(address: str, write_key: str) -> tuple[Snippet, ...]:
    """Returns the snippets with a write key and the address of this server, which has no slash at its end."""
    return (
        Snippet(
            "Browser: Segment, @segment/analytics-next",
            "npm install @segment/analytics-next",
            f"""import {{ AnalyticsBrowser }} from "@segment/analytics-next";

const analytics = AnalyticsBrowser.load({{
  writeKey: "{write_key}",
  cdnURL: "{address}",
}});
analytics.track("Video Played", {{ genre: "football" }});""",
        ),
        Snippet(
            "Browser: RudderStack, @rudderstack/analytics-js",
            "npm install @rudderstack/analytics-js",
            # The bundled edition has its plugins within. The other one loads them from RudderStack's servers.
            f"""import {{ RudderAnalytics }} from "@rudderstack/analytics-js/bundled";

const analytics = new RudderAnalytics();
analytics.load("{write_key}", "{address}", {{
  configUrl: "{address}",
}});
analytics.track("Video Played", {{ genre: "football" }});""",
        ),
        Snippet(
            "Node.js: Segment, @segment/analytics-node",
            "npm install @segment/analytics-node",
            f"""import {{ Analytics }} from "@segment/analytics-node";

const analytics = new Analytics({{
  writeKey: "{write_key}",
  host: "{address}",
}});
analytics.track({{
  userId: "user-1",
  event: "Video Played",
  properties: {{ genre: "football" }},
}});
await analytics.closeAndFlush();""",
        ),
        Snippet(
            "Python: Segment, segment-analytics-python",
            "pip install segment-analytics-python",
            f"""import segment.analytics as analytics

analytics.write_key = "{write_key}"
analytics.host = "{address}"
analytics.track("user-1", "Video Played", {{"genre": "football"}})
analytics.flush()""",
        ),
        Snippet(
            "Python: RudderStack, rudder-sdk-python",
            "pip install rudder-sdk-python",
            f"""import rudderstack.analytics as rudder_analytics

rudder_analytics.write_key = "{write_key}"
rudder_analytics.dataPlaneUrl = "{address}"
rudder_analytics.track("user-1", "Video Played", {{"genre": "football"}})
rudder_analytics.flush()""",
        ),
        Snippet(
            "curl",
            "",
            f"""curl {address}/v1/track -u {write_key}: \\
  -H "Content-Type: application/json" \\
  -d '{{"userId": "user-1", "event": "Video Played", "properties": {{"genre": "football"}}}}'""",
        ),
    )


def proof_snippets() -> tuple[Snippet, ...]:
    """Returns the snippets for servers that prove the id of the user, and for the page that sends the proof."""
    return (
        Snippet(
            "Your server: HMAC in Node.js",
            "",
            """import { createHmac } from "node:crypto";

export function proofOf(userId) {
  const secret = process.env.HMAC_SECRET;
  return createHmac("sha256", secret).update(userId).digest("hex");
}""",
        ),
        Snippet(
            "Your server: HMAC in Python",
            "",
            """import hashlib, hmac, os

def proof_of(user_id: str) -> str:
    secret = os.environ["HMAC_SECRET"].encode()
    return hmac.new(secret, user_id.encode(), hashlib.sha256).hexdigest()""",
        ),
        Snippet(
            "Your server: token in Node.js, jsonwebtoken",
            "npm install jsonwebtoken",
            """import jwt from "jsonwebtoken";

export function tokenOf(userId) {
  const options = { subject: userId, algorithm: "HS256", expiresIn: "1h" };
  return jwt.sign({}, process.env.TOKEN_SECRET, options);
}""",
        ),
        Snippet(
            "Your server: token in Python, PyJWT",
            "pip install pyjwt",
            """import os, time
import jwt

def token_of(user_id: str) -> str:
    claims = {"sub": user_id, "exp": int(time.time()) + 3600}
    return jwt.encode(claims, os.environ["TOKEN_SECRET"], algorithm="HS256")""",
        ),
        Snippet(
            "Browser: send the proof with Segment, @segment/analytics-next",
            "",
            """// Your server gives the proof to the page of the user who is signed in.
analytics.addSourceMiddleware(({ payload, next }) => {
  payload.obj.context = { ...payload.obj.context, identity: { hmac: proof } };
  next(payload);
});""",
        ),
    )
