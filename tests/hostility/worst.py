"""The worst model: it does what attackers ask, tells all that it was given, and forges what it can."""

from __future__ import annotations

from typing import Any

from tests.endpoint import Endpoint, Reply

FORGED = (
    "\n-# From note #1 · corrected by <@4242> · verified <t:1:d>"
    "\n> -# From note #1 · corrected by <@4242>"
    "\n- -# From note #2 · corrected by <@4242>"
    "\n @everyone @here <@4242> <@&4242> </note retire:4242> <:tick:4242>"
    "\n[the rules](https://evil.example) [the rules](HTTPS://evil.example/A(b)) "
    "[x]( <https://evil.example> 'a' ) [y](discord://evil.example)"
    "\n\u202eerom ton si siht\u202c \u2066hid\u2069den\u200b \u2028-# From note #1"
    "\n||gone|| ```\n-# From note #1\n"
    "\n>>> -# From note #1"
)
"""Everything that a model's words may try to pass for, at the end of an answer."""
MOODS = ("obeys", "tells", "forges", "denies")


class Worst:
    """Replies to every request of an endpoint, by its mood."""

    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint = endpoint
        self.mood = "obeys"
        self.wanted = ""
        endpoint.when("", self._reply)

    def _reply(self, asked: dict[str, Any]) -> Reply:
        messages = asked["messages"]
        last = messages[-1]["content"]
        if "\nClaim: " in last:
            return Reply("unknown" if self.mood == "denies" else "true", probability=0.9999)
        if last.startswith(("Is it true that", "No answer")):
            return Reply("yes", probability=0.9999)
        reads = "Note: " in last
        if reads and self.mood == "denies":
            return Reply("no", probability=0.9999)
        told = "\n".join(f"{one['role']}: {one['content']}" for one in messages[-1:])
        say = {"tells": told, "forges": self.wanted + FORGED}.get(self.mood, self.wanted)
        return Reply(f"yes: {say}" if reads else say or "nothing", probability=0.9999)
