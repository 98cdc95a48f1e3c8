"""The tables `[[prices]]` of the file."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Annotated, Any, TypeAlias

from pydantic import BeforeValidator, Field

from voxgate.configuration.provider_tables import provider_names, unknown_provider
from voxgate.configuration.tables import EXACT, Table, read_tables
from voxgate.errors import SettingsError
from voxgate.prices import MAX_AMOUNT, MAX_S, UNIT_S, ListedPrice, Price, PriceList, Unit
from voxgate.upstreams import LOCAL
from voxgate.validation import shown

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from voxgate.configuration.file import ConfigFile


def _day(value: Any) -> date:
    if not isinstance(value, date) or isinstance(value, datetime):
        raise ValueError(  # noqa: TRY004 (pydantic takes it for a fault of the value)
            f"'valid_from' must be a day, as 2027-01-01 without quotes, and is {shown(value)}."
        )
    return value


Seconds: TypeAlias = Annotated[Decimal, Field(strict=False, ge=0, le=MAX_S), EXACT]


class PriceTable(Table):
    """What transcriptions by a model cost."""

    model: Annotated[str, Field(min_length=1)] = Field(
        description="Any name of the model, or `*`: every model without a price of its own."
    )
    amount: Annotated[Decimal, Field(strict=False, ge=0, le=int(MAX_AMOUNT)), EXACT] = Field(
        description="US dollars for a unit, exactly as they are written."
    )
    unit: Unit = Field(description="Of decoded sound, of tokens, or `request`.")
    provider: Annotated[str, Field(min_length=1)] | None = Field(
        default=None,
        description=f"The provider at which it costs this, by its name, or `{LOCAL}`; without it, "
        "the price wherever the model runs.",
    )
    minimum_s: Seconds = Field(
        default=Decimal(0), description="At least so many seconds are charged."
    )
    increment_s: Seconds = Field(
        default=Decimal(0), description="Seconds are rounded up to a multiple of this."
    )
    valid_from: Annotated[date, BeforeValidator(_day)] = Field(
        default=date.min, description="From which day of UTC on; the newest that has begun counts."
    )

    @property
    def needless_fields(self) -> list[str]:
        """The fields of seconds that are set, of a price that is not by time."""
        if self.unit in UNIT_S:
            return []
        return [name for name in ("minimum_s", "increment_s") if getattr(self, name)]

    def listed_price(self) -> ListedPrice:
        """Return what the table says, where it has no needless fields."""
        price = Price(self.amount, self.unit, self.minimum_s, self.increment_s)
        return ListedPrice(self.model, price, self.valid_from, self.provider)


def read_prices(
    file: ConfigFile, settings: Collection[str], faults: list[SettingsError]
) -> PriceList:
    """Return the prices in the file that are right; add all faults.

    `settings` are the names of settings, as in `read_tables`.
    """
    entries: list[ListedPrice] = []
    first: dict[tuple[str, str | None, date], int] = {}
    for index, table in read_tables(PriceTable, "prices", file, settings, faults):
        other = first.setdefault((table.model, table.provider, table.valid_from), index)
        if other != index:
            where = f" at '{table.provider}'" if table.provider else ""
            twice = (
                f"{file.place('prices', index)}: '{table.model}' has another price{where} from the "
                f"same day on, at {file.place('prices', other)}. Remove one of them."
            )
            wrong = [twice]
        else:
            wrong = list(_faults(table, index, file))
        faults += map(SettingsError, wrong)
        if not wrong:
            entries.append(table.listed_price())
    return PriceList(tuple(entries))


def _faults(table: PriceTable, index: int, file: ConfigFile) -> Iterator[str]:
    """Yield what is wrong between the fields of a table, and with its provider."""
    providers = [LOCAL, *provider_names(file)]
    if table.provider and table.provider not in providers:
        place = file.place("prices", index, "provider")
        yield f"{place}: {unknown_provider(table.provider, providers)}"
    for name in table.needless_fields:
        place = file.place("prices", index, name)
        yield f"{place}: a price by the {table.unit} has no '{name}'. Leave it out."
