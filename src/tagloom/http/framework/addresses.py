"""Path templates that URLs begin with."""

V2 = "/v2"
ORGANIZATION = f"{V2}/organizations/{{organization}}"
SPACE = f"{V2}/spaces/{{space}}"
E = f"{SPACE}/environments/{{environment}}"
