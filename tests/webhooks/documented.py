"""The receivers of ``docs/webhooks.md``, and the requests that each of them must accept or refuse."""

import re

import httpx

from routiq_gql.clock import utc_now
from routiq_gql.database.webhook_secrets import new_secret
from routiq_gql.webhooks.signing import signed_headers
from tests.node_projects import ROOT

PAGE = (ROOT / "docs" / "webhooks.md").read_text()
BODY = '{"type":"sync.completed","timestamp":"2024-12-22T14:30:45.456Z","data":{"organizationId":"org_ü"}}'


def receiver_block(name: str) -> str:
    """The block of the page whose first line names this file."""
    blocks: list[str] = re.findall(r"^```(?:js|python)\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    (found,) = (one for one in blocks if one.splitlines()[0].endswith(name))
    return found


async def check_receiver(url: str, secret: str) -> None:
    """Send a signed request twice, and requests that are signed by another secret, changed, old or unsigned."""
    headers = dict(signed_headers("evt_1", utc_now(), BODY, [new_secret(), secret]))
    async with httpx.AsyncClient() as http:

        async def post(body: str, sent: dict[str, str]) -> int:
            return (await http.post(url, content=body.encode(), headers=sent)).status_code

        assert [await post(BODY, headers), await post(BODY, headers)] == [204, 204]
        assert await post(BODY, dict(signed_headers("evt_2", utc_now(), BODY, [new_secret()]))) == 401
        assert await post(BODY.replace("completed", "failed"), headers) == 401
        assert await post(BODY, headers | {"webhook-timestamp": "1734877845"}) == 401
        assert await post(BODY, {}) == 401
