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
    from voxgate.pipeline.route import Route
    from voxgate.pipeline.session import Session
    from voxgate.routing.candidate import Candidate


RequestT = TypeVar("RequestT", bound=ModelRequest)


@dataclass(frozen=True, slots=True)
class _Fitted(Generic[RequestT]):
    """A request that was fitted to a provider, and what that is as one of several."""

    parsed: RequestT
    candidate: Candidate


async def admit(parsed: RequestT, session: Session) -> tuple[RequestT, Route]:
    """Return the request with what the first provider of its route honours, and that route.

    Of several models the providers of the first come first; an endpoint that has two of them is
    asked for the first alone, since that is what it would do again. Raises as `Session.resolve`,
    `Endpoints.of`, `ModelRequest.fitted` and `choose`; of several models, where none can be used.
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
    if len(fitted) == 1:
        ((only, as_fitted),) = fitted.items()
        if as_fitted.candidate.refusal or parsed.preferences.require_parameters:
            # Its own error says more than `choose` would.
            replace(parsed, model=only.provider.name).fitted(only.provider.capabilities)
    candidates = {provider: each.candidate for provider, each in fitted.items()}
    route = session.endpoints.choose(parsed.preferences, candidates)
    return fitted[route.providers[0]].parsed, route


async def _fit(
    parsed: RequestT, spec: ModelSpec, provider: SharedProvider, session: Session
) -> _Fitted[RequestT]:
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
    return _Fitted(replace(asked, preferences=parsed.preferences), candidate)
