"""What the server counts, for Prometheus. One registry a server, so that two in one process do not share counts."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

SECONDS = (0.002, 0.005, 0.01, 0.015, 0.025, 0.04, 0.075, 0.15, 0.3, 0.6, 1.2, 2.5, 5, 10, 30)


class Metrics:
    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        here = self.registry
        self.messages = Counter(
            "deskhand_messages", "Customer messages by channel and outcome", ("channel", "outcome"), registry=here
        )
        self.steps = Counter("deskhand_steps", "Steps the bot took, by kind", ("kind",), registry=here)
        self.handoffs = Counter("deskhand_handoffs", "Conversations given to people", ("reason",), registry=here)
        self.errors = Counter("deskhand_errors", "Unexpected failures by part", ("part",), registry=here)
        self.deliveries = Counter(
            "deskhand_deliveries", "Messages to other platforms", ("channel", "outcome"), registry=here
        )
        self.swaps = Counter("deskhand_bundle_swaps", "Bundles taken or refused", ("outcome",), registry=here)
        self.bundle = Gauge("deskhand_bundle", "1 for the bundle in service", ("id",), registry=here)
        self.turn = Histogram("deskhand_turn_seconds", "A turn from message to commit", buckets=SECONDS, registry=here)
        self.understand = Histogram(
            "deskhand_understand_seconds", "Encoding and scoring one message", buckets=SECONDS, registry=here
        )

    def render(self) -> bytes:
        return generate_latest(self.registry)
