"""Examples for the schema's descriptions: a text for each kind of value whose form its type does not say.

All are of one imagined clinic. A test sets that clinic up on a server, where each is accepted as the argument that
shows it. Enums and ``DateTime`` need none at their fields, as their types have it. Secrets have none: people copy it.
"""

ORGANIZATION = "for example `org_123`"
SYNC = "for example `sync_org_123_20241222_143022`"
EARLIER_SYNC = "for example `sync_org_123_20241221_143022`"
LOG_LINE = "for example `sync_org_123_20241222_143022:12`"
CONNECTION = "for example `connection:org_123`"
CHANGE = "for example `change:sync_org_123_20241222_143022:4711`"
PATIENT = "for example `patient:org_123:4711`"
CLINIKO_ID = "for example `4711`"
"""Of a patient, a practitioner or a row."""
CLINIKO_LIST = "for example `patients`"
SHARD = "for example `au1`"
TIME_ZONE = "for example `Australia/Sydney`"
FIELD = "for example `phone` or `isArchived`"
WEBHOOK = "for example `hook_3f9a0c52e81b4d6fa7c25d9e1b804f37`"
DELIVERY = "for example `dlv_58c1e7b09a3d4f26b1d40e9f7a6c2b85`"
EVENT = "for example `evt_c07d4a915e2b48f3967ab8d1e05f3c42`"
WEBHOOK_URL = "for example `https://example.com/hooks/routiq`"
TIME = "for example `2024-12-22T14:30:22.123Z`"

SYNC_CURSOR = "for example `c3luYzoyOjQ5OWUzYjdlNDhmZDI2MTQ`"
LINE_CURSOR = "for example `bGluZToxMjoxOTkyYWM3M2QxNWUxZWFm`"
PATIENT_CURSOR = "for example `cGF0aWVudHM6Mjo0NzExOmI3NmI3YzhkZDNlOWNiMzI`"
CHANGE_CURSOR = "for example `Y2hhbmdlOjI6NDcxMQ`"
DELIVERY_CURSOR = "for example `ZGVsaXZlcnk6MTpkYTMyZjZhZjgyMjJjNDgz`"
HISTORY_CURSOR = "for example `c3luYzoy`"
ORGANIZATION_CURSOR = "for example `b3JnYW5pemF0aW9uOm9yZ18xMjMKc2Vhc2lkZSBwaHlzaW8`"
