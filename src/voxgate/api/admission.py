"""`admit`: fits a parsed request to its models, and finds who may serve it, in order."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Generic, TypeVar

from voxgate.api.dialects.model_request import ModelRequest
from voxgate.errors import UsageError, VoxgateError, joined
from voxgate.models.catalogue import ModelSpec
from voxgate.models.precision import precision_of
from voxgate.pipeline.route import SharedProvider

if TYPE_CHECKING:
    from collections.abc import Hashable, Mapping

    from voxgate.pipeline.route import Route
    from voxgate.pipeline.session import Session
    from voxgate.routing.candidate import Candidate


RequestT = TypeVar("RequestT", bound=ModelRequest)


@dataclass(frozen=True, slots=True)
class Fitted(Generic[RequestT]):
    """A request that was fitted to a provider, and what that is as one of several."""

    parsed: RequestT
    candidate: Candidate


@dataclass(frozen=True, slots=True)
class Fittings(Generic[RequestT]):
    """A request as each endpoint of its models would fulfil it, in the order of the models.

    Which of them is asked first may be drawn by chance, so equal requests have this in common and
    not more.
    """

    asked: RequestT
    by_provider: Mapping[SharedProvider, Fitted[RequestT]]

    @property
    def variants(self) -> frozenset[Hashable]:
        """Each endpoint, with what it would be asked: another revision may give another text."""
        return frozenset(
            (
                each.slug,
                each.provider.name,
                each.provider.revision,
                each.provider.profile,
                fitted.parsed.options,
            )
            for each, fitted in self.by_provider.items()
        )

    @property
    def lacks_word_times(self) -> bool:
        """Whether an endpoint may give words without times."""
        return any(each.capabilities.times != "word" for each in self.by_provider)


@dataclass(frozen=True, slots=True)
class Admission(Generic[RequestT]):
    """A request with what the first provider of its route honours, and that route."""

    parsed: RequestT
    route: Route
    fittings: Fittings[RequestT]


async def admit(parsed: RequestT, session: Session) -> Admission[RequestT]:
    """Choose who may serve a request.

    Of several models the providers of the first come first; an endpoint that has two of them is
    asked for the first alone, since that is what it would do again. Raises as `fit_to_all`,
    `ModelRequest.fitted` and `choose`.
    """
    fittings = await fit_to_all(parsed, session)
    parsed, fitted = fittings.asked, fittings.by_provider
    if len(fitted) == 1:
        ((only, as_fitted),) = fitted.items()
        if as_fitted.candidate.refusal or parsed.preferences.require_parameters:
            # Its own error says more than `choose` would.
            replace(parsed, model=only.provider.name).fitted(only.provider.capabilities)
    candidates = {provider: each.candidate for provider, each in fitted.items()}
    route = session.endpoints.choose(parsed.preferences, candidates)
    return Admission(fitted[route.providers[0]].parsed, route, fittings)


async def fit_to_all(parsed: RequestT, session: Session) -> Fittings[RequestT]:
    """Fit a request to every endpoint of its models.

    Raises as `Session.resolve` and `Endpoints.of`; of several models, where none can be used.
    """
    found, failures = dict[str, tuple[SharedProvider, ModelSpec]](), list[VoxgateError]()
    for name in (parsed.model, *parsed.preferences.models):
        try:
            # Callers must not name folders of this machine.
            spec = await session.resolve(name, folders=False)
            for each in session.endpoints.of(spec):
                found.setdefault(each.slug, (each, spec))
        except VoxgateError as failure:
            failures.append(failure)
    if not found:
        raise joined(failures)
    if len(found) == 1 and parsed.preferences.hedge:  # it needs a second provider
        parsed = replace(parsed, unused=(*parsed.unused, "hedge"))
    fitted = {each: await _fit(parsed, spec, each, session) for each, spec in found.values()}
    return Fittings(parsed, fitted)


async def _fit(
    parsed: RequestT, spec: ModelSpec, provider: SharedProvider, session: Session
) -> Fitted[RequestT]:
    """Return the request, fitted to a provider of a model."""
    asked, refusal = replace(parsed, model=provider.provider.name), None
    try:
        # What is not used of the request is weighed by `choose`.
        lenient = replace(parsed.preferences, require_parameters=False)
        asked = replace(asked, preferences=lenient).fitted(provider.capabilities)
    except UsageError as error:
        refusal = error.sentence
    # Only who asks for a precision waits for the headers of the weights to be read.
    weighed = bool(parsed.preferences.quantizations) and provider.is_local
    candidate = session.endpoints.candidate(
        spec,
        provider,
        unmet=asked.unused,
        refusal=refusal,
        quantization=await asyncio.to_thread(precision_of, spec) if weighed else None,
    )
    return Fitted(replace(asked, preferences=parsed.preferences), candidate)
