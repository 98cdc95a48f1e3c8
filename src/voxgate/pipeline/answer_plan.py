"""`AnswerPlan`: who answers a question, and who transcribes the recordings that it reads.

A model that hears answers by itself. Where the model that was asked for only transcribes, it does
that, and the model of the setting `answer_model` reads what it wrote, even if that one could hear:
a caller who asks for a model wants its words.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from voxgate.audio.spool import SAMPLE_RATE
from voxgate.errors import EngineStartError, UsageError
from voxgate.models.capabilities import Capabilities
from voxgate.models.endpoint_capabilities import capabilities_of
from voxgate.models.store.names import pull_advice
from voxgate.pipeline.endpoints import NO_PREFERENCES, refusal
from voxgate.pipeline.route import Route

if TYPE_CHECKING:
    from collections.abc import Iterable

    from voxgate.models.catalogue import ModelSpec
    from voxgate.pipeline.endpoints import Endpoints
    from voxgate.pipeline.route import SharedProvider
    from voxgate.routing.preferences import Preferences
    from voxgate.transcript.values import Options

ANSWERING = "mistralai/Voxtral-Mini-3B-2507"
"""The smallest published model that hears and answers."""

MOST_NAMED = 5  # models that a sentence names


@dataclass(frozen=True, slots=True)
class AnswerPlan:
    """Who answers, and who transcribes what is read. All of them are asked in order."""

    answerers: Route
    transcribers: Route | None  # None: no model that was asked for does
    hears: bool = True  # False: recordings are read, however short they are

    @property
    def providers(self) -> tuple[SharedProvider, ...]:
        """Everybody who may be asked, each once: those that answer first."""
        others = self.transcribers.providers if self.transcribers else ()
        return tuple(dict.fromkeys((*self.answerers.providers, *others)))

    @property
    def hears_s(self) -> float:
        """The most sound that is heard, seconds: as much as the first one hears."""
        return self.answerers.first.capabilities.hears_s if self.hears else 0.0

    def listeners(self, samples: int) -> Route:
        """Return who hears so much sound, in order: not all may."""
        able = tuple(
            each
            for each in self.answerers.providers
            if samples <= round(each.capabilities.hears_s * SAMPLE_RATE)
        )
        return replace(self.answerers, providers=able)


def answer_routes(
    endpoints: Endpoints,
    asked: ModelSpec | Route,
    options: Options,
    preferences: Preferences = NO_PREFERENCES,
) -> tuple[Route | None, Route | None]:
    """Return who answers with such options, and who transcribes; None each where nobody does.

    Of a route all are asked by its order. Nobody is asked for an answer beside another one, as a
    hedge is: their words would be mixed. Raises as `Endpoints.route` does.
    """
    if isinstance(asked, Route):
        return _answering(asked, options), _transcribing(asked)
    able = [each.capabilities for each in endpoints.of(asked)]
    answerers = transcribers = None
    if any(each.answers for each in able):
        check = Capabilities.check_question
        answerers = endpoints.route(asked, options, check=check, preferences=preferences)
        answerers = replace(answerers, hedges=False)
    if any(each.transcribes for each in able):
        transcribers = endpoints.route(asked)
    return answerers, transcribers


def can_answer(spec: ModelSpec) -> bool:
    """Return whether a model answers questions, here or elsewhere."""
    return any(each.answers for each in _capabilities(spec))


def cannot_answer(model: str, able: Iterable[str]) -> UsageError:
    """Return the error for a model that only transcribes. `able` are models that answer."""
    named = list(able)
    if named:
        more = f" and {len(named) - MOST_NAMED} more" if len(named) > MOST_NAMED else ""
        step = (
            f"Ask one that does: {', '.join(named[:MOST_NAMED])}{more}. With such a name as "
            f"'answer_model' (VOXGATE_ANSWER_MODEL) that model reads what {model} writes."
        )
    else:
        step = (
            f"No model here does. {pull_advice(ANSWERING)} gets one that hears and answers; a "
            f"text model elsewhere, an endpoint with 'answers = true', reads what {model} writes "
            f"where it is the 'answer_model' (VOXGATE_ANSWER_MODEL)."
        )
    return UsageError(f"{model} does not answer questions. {step}", code="unsupported_option")


def cannot_hear(model: str, hears_s: float) -> UsageError:
    """Return the error for a recording that a model can neither hear nor transcribe."""
    what = f"hears {hears_s:g} s of sound at most" if hears_s else "hears no sound"
    return UsageError(
        f"{model} {what}, and does not transcribe what is to be read. Ask a model that does, with "
        f"{model} as 'answer_model' (VOXGATE_ANSWER_MODEL): then it reads the words.",
        code="unsupported_option",
    )


def wrong_answer_model(model: str) -> EngineStartError:
    """Return the error for a setting that names a model which does not answer."""
    return EngineStartError(
        f"'answer_model' (VOXGATE_ANSWER_MODEL) is {model}, which does not answer questions. Name "
        f"a Voxtral, or a model of an endpoint with 'answers = true'.",
        code="no_endpoints",
    )


def _answering(route: Route, options: Options) -> Route | None:
    """Return the route to those that answer; where none fulfils the options, all are left."""
    able = tuple(each for each in route.providers if each.capabilities.answers)
    check = Capabilities.check_question
    willing = tuple(each for each in able if refusal(each, options, check) is None)
    return replace(route, providers=willing or able, hedges=False) if able else None


def _transcribing(route: Route) -> Route | None:
    writing = tuple(each for each in route.providers if each.capabilities.transcribes)
    return replace(route, providers=writing) if writing else None


def _capabilities(spec: ModelSpec) -> Iterable[Capabilities]:
    if spec.loader is not None:
        yield spec.capabilities
    yield from map(capabilities_of, spec.endpoints)
