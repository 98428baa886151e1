"""Sends each kind of message with Segment's library for Python."""

import os

from segment.analytics.client import Client

client = Client(os.environ["WRITE_KEY"], host=os.environ["TAGLOOM_URL"], gzip=True, upload_size=3, upload_interval=0.05)
client.identify("u1", {"plan": "gold"}, anonymous_id="v1")
client.track("u1", "Ad Clicked", {"ad": 7})
client.page(anonymous_id="v1", name="Home", properties={"path": "/"})
client.screen(anonymous_id="v1", name="Start")
client.group("u1", "g1", {"name": "Acme"})
client.alias("v1", "u1")
client.flush()
client.join()
