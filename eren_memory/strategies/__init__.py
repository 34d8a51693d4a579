"""Ways to answer from a notebook, behind one interface, so that they can be compared."""

from eren_memory.strategies.base import Asking, Checked, Outcome, Search, Strategy
from eren_memory.strategies.calibrated import CalibratedEren
from eren_memory.strategies.published import OneStep, PaperEren, Unedited
from eren_memory.strategies.scoped import RetrievalOnly, Serac

STRATEGIES: dict[str, Strategy] = {
    strategy.name: strategy
    for strategy in (
        CalibratedEren(),
        PaperEren(),
        OneStep(),
        Unedited(),
        RetrievalOnly(),
        Serac(),
    )
}
"""Every method by the name that the command line takes."""

__all__ = ["STRATEGIES", "Asking", "Checked", "Outcome", "Search", "Strategy"]
