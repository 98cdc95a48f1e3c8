"""What a key may do, checked as early as possible: before the body, or the rest of it, is read."""

from __future__ import annotations

from typing import TYPE_CHECKING

from voxgate.errors import VoxgateError
from voxgate.ledger.budget_exceeded import budget_exceeded, is_used_up
from voxgate.ledger.key import how_to_change

if TYPE_CHECKING:
    from voxgate.api.request_rates import RequestRates
    from voxgate.ledger.key import Key
    from voxgate.pipeline.session import Session


def check_before_the_body(key: Key | None, rates: RequestRates) -> None:
    """Count a request for a transcript.

    Raises `VoxgateError` (`budget_exceeded`) where nothing is left of the key's budget, and
    `RateError` where it sends too many requests.
    """
    if key is None:
        return
    if key.budget and is_used_up(key.budget):
        raise budget_exceeded(key.budget, in_file=key.in_file)
    if key.requests_per_minute is not None:
        rates.take(key.hash, key.requests_per_minute, in_file=key.in_file)


async def check_model(key: Key | None, model: str, session: Session) -> None:
    """Raise `VoxgateError` (`permission_denied`) for a model that the key may not use.

    A model may be used by each of its names where one of them is allowed.
    """
    if key is None or key.allowed_models is None or model in key.allowed_models:
        return
    if await session.is_one_of(model, key.allowed_models):
        return
    remedy = how_to_change(key.hash, "--model NAME", "changes that", in_file=key.in_file)
    raise VoxgateError(
        f"This key may not use the model '{model[:100]}'. It may use "
        f"{', '.join(key.allowed_models)}. {remedy}",
        code="permission_denied",
    )
