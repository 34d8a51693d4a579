"""The system of record: notes, revisions, audit events and the outbox, in SQL transactions."""

from eren_memory.ledger.archive import Manifest, back_up, restore
from eren_memory.ledger.audits import Audits
from eren_memory.ledger.claims import Claims
from eren_memory.ledger.communities import Communities
from eren_memory.ledger.findings import Findings
from eren_memory.ledger.forgetting import Forgotten
from eren_memory.ledger.holds import Hold
from eren_memory.ledger.ledger import Ledger, open_ledger
from eren_memory.ledger.outbox import Outbox, Pending, SpaceState
from eren_memory.ledger.persons import Persons
from eren_memory.ledger.records import Records
from eren_memory.ledger.reviews import Reviews
from eren_memory.ledger.runs import Lease, Run, Runs
from eren_memory.ledger.spaces import Space
from eren_memory.ledger.spending import Bill, Spender, Spending
from eren_memory.ledger.unit import Event, Unit

__all__ = [
    "Audits",
    "Bill",
    "Claims",
    "Communities",
    "Event",
    "Findings",
    "Forgotten",
    "Hold",
    "Lease",
    "Ledger",
    "Manifest",
    "Outbox",
    "Pending",
    "Persons",
    "Records",
    "Reviews",
    "Run",
    "Runs",
    "Space",
    "SpaceState",
    "Spender",
    "Spending",
    "Unit",
    "back_up",
    "open_ledger",
    "restore",
]
