"""Evaluates the flags that it reads, with OpenFeature's SDK and OFREP provider for Python."""

import json
import os
import sys

from openfeature import api
from openfeature.contrib.provider.ofrep import OFREPProvider
from openfeature.evaluation_context import EvaluationContext

headers = {"Authorization": f"Bearer {os.environ['TOKEN']}"}
api.set_provider(OFREPProvider(os.environ["ENVIRONMENT_URL"], headers_factory=lambda: headers))
client = api.get_client()
found = []
for each in json.load(sys.stdin):
    context = EvaluationContext(each["user"], each["more"])
    details = client.get_boolean_details(each["key"], each["fallback"], context)
    found.append(
        {
            "value": details.value,
            "variant": details.variant,
            "reason": details.reason,
            "error": details.error_code,
            "metadata": details.flag_metadata,
        }
    )
print(json.dumps(found))
api.shutdown()
