"""The snippets of the page of a source make proofs that Tagloom takes."""

import os
import subprocess
import sys
import time

import pytest

from tagloom.console.views.event_snippets import proof_snippets
from tagloom.tracking.identity_proof import IdentityProofs, Proof
from tagloom.words.event_sources import IdentityKeys

SECRETS = {"HMAC_SECRET": "ti_0123456789-0123456789-0123456789", "TOKEN_SECRET": "tt_0123456789-0123456789-0123456789"}
KEYS = IdentityKeys(hmac_secrets=(SECRETS["HMAC_SECRET"],), token_secrets=(SECRETS["TOKEN_SECRET"],))
CODE = {snippet.library: snippet.code for snippet in proof_snippets()}


def printed(*command: str) -> str:
    """What a program prints that knows the secrets."""
    done = subprocess.run(
        command, env={**os.environ, **SECRETS}, capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.mark.parametrize(
    ("library", "call"),
    [
        ("Your server: HMAC in Node.js", "console.log(proofOf('Zoë 1'))"),
        ("Your server: HMAC in Python", "print(proof_of('Zoë 1'))"),
        ("Your server: token in Python, PyJWT", "print(token_of('Zoë 1'))"),
    ],
)
def test_a_snippet_makes_a_proof_that_holds(library: str, call: str) -> None:
    code = f"{CODE[library]}\n{call}"
    if "Node" in library:
        proof = printed("node", "--input-type=module", "--eval", code)
    else:
        proof = printed(sys.executable, "-c", code)

    sent = Proof(token=proof) if "token" in library else Proof(hmac=proof)
    proofs = IdentityProofs(time.time)
    assert proofs.find_fault("Zoë 1", sent, KEYS) is None
    assert proofs.find_fault("Zoë 2", sent, KEYS) is not None
