"""`EndpointDetails`: all that a model's page says of one endpoint."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from voxgate.models.endpoint_capabilities import capabilities_of
from voxgate.models.precision import UNKNOWN_PRECISION, precision_of
from voxgate.prices import UNIT_S
from voxgate.transcript.language import language_name
from voxgate.web.figures import seconds, size
from voxgate.web.models.price_text import minimum_text, price_text, rounding_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from voxgate.models.capabilities import Capabilities
    from voxgate.models.catalogue import ModelSpec
    from voxgate.settings import Settings
    from voxgate.upstreams import Upstream
    from voxgate.web.models.endpoint_rows import EndpointRow

ZERO_RETENTION = "Zero retention, does not train"
DOES_NOT_TRAIN = "Retained for an unknown period, does not train"
TRAINS = "Unknown policy, counts as training"
"""What a provider's terms say of data: a policy that the operator has not stated is the last."""

TIMES = {"word": "words", "segment": "segments, words are aligned here", "none": "aligned here"}


@dataclass(frozen=True, slots=True)
class EndpointDetails:
    """One endpoint, with its terms and its limits."""

    row: EndpointRow
    name: str  # for people
    policy: str
    capabilities: Capabilities
    quantization: str
    limits: str  # of one request to it
    formats: str  # what it is sent
    checkpoint: str  # revision and profile, where it has a choice of them

    @property
    def keeps_nothing(self) -> bool:
        """Whether its policy is the strictest."""
        return self.policy == ZERO_RETENTION

    @property
    def trains(self) -> bool:
        """Whether its provider may use what it is sent, or nobody knows."""
        return self.policy == TRAINS

    @property
    def price_text(self) -> str:
        """Its list price with the unit."""
        return price_text(self.row.price)

    @property
    def minimum_text(self) -> str:
        """The least that is charged of a recording's length."""
        return minimum_text(self.row.price)

    @property
    def rounding_text(self) -> str:
        """How that length is rounded, or what is charged in its place."""
        return rounding_text(self.row.price)

    @property
    def charged_text(self) -> str:
        """What is charged of a recording's length, in full."""
        timed = self.row.price is not None and self.row.price.unit in UNIT_S
        return f"{self.rounding_text}, {self.minimum_text}" if timed else self.rounding_text

    @property
    def languages_text(self) -> str:
        """The names of its languages."""
        return language_list(self.capabilities.languages)

    @property
    def times_text(self) -> str:
        """Where the times of its words come from."""
        return TIMES[self.capabilities.times]

    @property
    def speakers_text(self) -> str:
        """Whether it says who speaks."""
        told = self.capabilities.speakers
        return "told apart" if told else "not told apart; split channels are"

    @property
    def streaming_text(self) -> str:
        """When the first words of a stream come."""
        return "words before a window ends" if self.capabilities.streaming else "window by window"


def language_list(codes: Sequence[str]) -> str:
    """Return the English names of languages, in order."""
    return ", ".join(sorted(language_name(code).title() for code in codes)) or "unknown"


def endpoint_details(
    spec: ModelSpec, rows: Sequence[EndpointRow], settings: Settings
) -> list[EndpointDetails]:
    """Return the endpoints of a model. Reads headers of files: call it in a thread.

    Raises `CheckpointError` for broken headers.
    """
    upstreams = {each.upstream.name: each for each in spec.endpoints}
    found = []
    for row in rows:
        endpoint = upstreams.get(row.provider)
        if endpoint is None:
            found.append(_here(spec, row, settings))
            continue
        upstream = endpoint.upstream
        found.append(
            EndpointDetails(
                row=row,
                name=row.provider,
                policy=policy_of(upstream),
                capabilities=capabilities_of(endpoint),
                quantization=endpoint.quantization or UNKNOWN_PRECISION,
                limits=f"{size(upstream.max_bytes)} or {seconds(upstream.max_s)} in a request; "
                f"longer recordings are sent in windows",
                formats=f"sent as {' or '.join(upstream.formats)}, whatever the recording is",
                checkpoint="",
            )
        )
    return found


def policy_of(upstream: Upstream) -> str:
    """Return the phrase for a provider's terms. What is unknown counts as training."""
    if upstream.zero_retention:
        return ZERO_RETENTION
    return TRAINS if upstream.collects_data else DOES_NOT_TRAIN


def _here(spec: ModelSpec, row: EndpointRow, settings: Settings) -> EndpointDetails:
    parts = (spec.revision and spec.revision[:12], spec.profile, spec.device)
    return EndpointDetails(
        row=row,
        name="This server",
        policy=ZERO_RETENTION,
        capabilities=spec.capabilities,
        quantization=precision_of(spec),
        limits=f"{size(settings.max_upload_bytes)} or {seconds(settings.max_upload_s)} a recording",
        formats="any sound or video that FFmpeg reads",
        checkpoint=", ".join(filter(None, parts)),
    )
