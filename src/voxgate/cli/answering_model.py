"""`find_answering`: the model of a call that asks something."""

from __future__ import annotations

from typing import TYPE_CHECKING

from voxgate.models.available import AvailableModels
from voxgate.models.catalogue import find_model
from voxgate.models.default_model import choose_default, why_unable
from voxgate.pipeline.answer_plan import can_answer

if TYPE_CHECKING:
    from voxgate.models.catalogue import ModelSpec
    from voxgate.settings import Settings


def find_answering(name: str | None, settings: Settings) -> ModelSpec:
    """Return the model of this name or in this folder; without one, the best that answers here.

    That is, of those that can run, the one that was installed last. Where no model here answers, it
    is the default one, whose words the setting `answer_model` may have read; or whose refusal says
    what is missing. Raises as `find_model` and `choose_default` do.
    """
    models = AvailableModels(settings)
    if name is not None:
        return find_model(name, models)
    answering = [spec for spec in map(models.__getitem__, models.defaults()) if can_answer(spec)]
    able = (spec for spec in answering if why_unable(spec, settings) is None)
    return next(able, answering[0] if answering else choose_default(models, settings).spec)
