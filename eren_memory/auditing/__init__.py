"""Finding what has grown stale: nothing is changed but that notes whose time is over expire."""

from eren_memory.auditing.auditor import Auditor
from eren_memory.auditing.telling import Patience

__all__ = ["Auditor", "Patience"]
