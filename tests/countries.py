"""Makes country files (MMDB), as operators download them."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mmdb_writer import MMDBWriter
from netaddr import IPSet

GERMANY = {"country": {"iso_code": "DE"}, "continent": {"code": "EU"}}
AMERICA = {"country": {"iso_code": "US"}, "continent": {"code": "NA"}}
# Addresses of documentation, which belong to nobody.
IN_GERMANY, IN_AMERICA, NOWHERE, IN_GERMANY_V6 = "192.0.2.7", "198.51.100.7", "203.0.113.7", "2001:db8::7"
PLACES: Mapping[str, Any] = {"192.0.2.0/24": GERMANY, "2001:db8::/32": GERMANY, "198.51.100.0/24": AMERICA}


def country_file(path: Path, places: Mapping[str, Any] = PLACES, **options: Any) -> Path:
    """Writes a file with a record for each network, and returns its path."""
    writer = MMDBWriter(6, "Test-Country", ipv4_compatible=True, **options)
    for network, record in places.items():
        writer.insert_network(IPSet([network]), record)
    writer.to_db_file(str(path))
    return path
