"""What is counted, for Prometheus: numbers and fixed words only, nobody's name and nobody's words."""

from __future__ import annotations

from collections.abc import Mapping

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    Info,
    ProcessCollector,
    generate_latest,
)

from eren_memory import __version__
from eren_memory.budgets import Decision
from eren_memory.domain import Answer, ClaimCheck, Usage

_SECONDS = (0.1, 0.25, 0.5, 1, 2, 3, 5, 8, 13, 30, 60)
_MILLION = 1_000_000


class Metrics:
    """The figures of one process, in a registry of its own.

    Args:
        prices: What a million prompt and completion tokens cost, by model.
    """

    def __init__(self, prices: Mapping[str, tuple[float, float]] | None = None) -> None:
        self._prices = prices or {}
        mine = self.registry = CollectorRegistry()
        ProcessCollector(registry=mine)
        Info("eren", "This program.", registry=mine).info({"version": __version__})
        self._questions = Counter(
            "eren_questions",
            "Questions and claims, by what they were answered from; none: not at all.",
            ["kind", "origin"],
            registry=mine,
        )
        self._paths = Counter(
            "eren_paths", "Ways that questions went through the engine.", ["path"], registry=mine
        )
        self._failures = Counter(
            "eren_failures", "Questions without an answer, by cause.", ["error"], registry=mine
        )
        self._waited = Histogram(
            "eren_question_seconds",
            "From a question to its answer, waiting for its turn included.",
            ["origin"],
            buckets=_SECONDS,
            registry=mine,
        )
        self._engine = Histogram(
            "eren_answer_seconds",
            "What the engine took for an answer.",
            ["origin"],
            buckets=_SECONDS,
            registry=mine,
        )
        self._calls = Counter("eren_model_calls", "Model calls.", ["model"], registry=mine)
        self._call_errors = Counter(
            "eren_model_errors", "Model calls without a reply.", ["model", "error"], registry=mine
        )
        self._call_seconds = Histogram(
            "eren_model_call_seconds",
            "What a model call took.",
            ["model"],
            buckets=_SECONDS,
            registry=mine,
        )
        self._tokens = Counter("eren_tokens", "Tokens.", ["model", "kind"], registry=mine)
        self._cost = Counter(
            "eren_estimated_cost",
            "Tokens times the prices in EREN_PRICES, in their currency.",
            ["model"],
            registry=mine,
        )
        self._feedback = Counter("eren_feedback", "Ratings given.", ["rating"], registry=mine)
        self._budgets = Counter(
            "eren_budget_decisions",
            "Questions where there is a budget: full, cheaper, notes-only, refuse, or quota.",
            ["decision"],
            registry=mine,
        )
        self._jobs = Counter("eren_jobs", "Runs of a job.", ["job", "result"], registry=mine)
        self._job_done = Gauge(
            "eren_job_last_success_timestamp_seconds",
            "When a job last went well.",
            ["job"],
            registry=mine,
        )
        self.outbox = Gauge(
            "eren_outbox_notes", "Changed notes that the index does not have yet.", registry=mine
        )
        self.ready = Gauge(
            "eren_ready", "Whether a part works, 1 or 0, when last looked.", ["part"], registry=mine
        )

    def answered(self, made: Answer | ClaimCheck, seconds: float) -> None:
        """A question or claim has its answer, so long after it was put."""
        kind = "question" if isinstance(made, Answer) else "claim"
        origin = str(made.origin)
        self._questions.labels(kind, origin).inc()
        self._paths.labels(str(made.trace.path)).inc()
        self._waited.labels(origin).observe(seconds)
        self._engine.labels(origin).observe(made.trace.milliseconds / 1000)

    def failed(self, *, claim: bool, error: Exception) -> None:
        """A question or claim got no answer."""
        self._questions.labels("claim" if claim else "question", "none").inc()
        self._failures.labels(type(error).__name__).inc()

    def called(self, model: str, usage: Usage, seconds: float, error: BaseException | None) -> None:
        """A model call ended, whoever made it: answers, previews, conflicts, proposals."""
        self._calls.labels(model).inc(usage.calls)
        self._call_seconds.labels(model).observe(seconds)
        if error is not None:
            self._call_errors.labels(model, type(error).__name__).inc()
        self._tokens.labels(model, "prompt").inc(usage.prompt_tokens)
        self._tokens.labels(model, "completion").inc(usage.completion_tokens)
        if model in self._prices:
            prompt, completion = self._prices[model]
            cost = usage.prompt_tokens * prompt + usage.completion_tokens * completion
            self._cost.labels(model).inc(cost / _MILLION)

    def rated(self, *, helpful: bool) -> None:
        """Somebody said whether an answer helped."""
        self._feedback.labels("up" if helpful else "down").inc()

    def budgeted(self, decision: Decision) -> None:
        """A question met the day's budgets."""
        quota = decision.quota is not None
        self._budgets.labels("quota" if quota else str(decision.way or "full")).inc()

    def job_ended(self, job: str, *, well: bool) -> None:
        """A job ran. Whatever runs jobs calls this after each."""
        self._jobs.labels(job, "ok" if well else "failed").inc()
        if well:
            self._job_done.labels(job).set_to_current_time()

    def page(self) -> bytes:
        """All of it, as Prometheus reads it."""
        return generate_latest(self.registry)
