"""The keys of a job file, as pydantic models: which there are, what each holds, and what it is by default.

How a value is read from what was written stands in `core.jobvalues`; what has no place here has its place in
`core.jobfile`, which turns pydantic's errors into problems with line and column.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, model_validator

from spotlaunch.core.gpus import parse_gpu
from spotlaunch.core.jobvalues import (
    Deadline,
    one_or_many,
    positive,
    read_command,
    read_deadline,
    read_endpoint,
    read_env_value,
    read_every,
    read_excluded,
    read_glob,
    read_inside,
    read_market,
    read_policy,
    read_provider,
    read_secret,
    read_signal,
    read_store_url,
    read_truth,
    read_word,
    reader,
    whole,
)
from spotlaunch.core.names import check_env_name, check_job_name
from spotlaunch.core.spec import MarketWish
from spotlaunch.core.units import read_at_least, read_duration_s, read_money_usd, read_size_gb
from spotlaunch.core.yamltree import Scalar

Text = Annotated[str, reader(read_word)]
Folder = Annotated[str, reader(str)]
Command = Annotated[str, BeforeValidator(read_command)]
Duration = Annotated[float, reader(read_duration_s)]
Size = Annotated[float, reader(read_size_gb)]
Money = Annotated[Decimal, reader(positive(read_money_usd))]
Many = BeforeValidator(one_or_many)


class _Section(BaseModel):
    """A mapping of known keys. One that has no value counts as left out, so that it takes its default."""

    model_config = ConfigDict(extra="forbid", arbitrary_types_allowed=True, frozen=True)

    @model_validator(mode="before")
    @classmethod
    def _leave_out_empty(cls, value: Any) -> Any:
        if not isinstance(value, dict):
            return value
        return {k: v for k, v in value.items() if not (k in cls.model_fields and isinstance(v, Scalar) and v.is_null)}


class ResourcesModel(_Section):
    gpu: Annotated[list[Annotated[tuple[str, int], reader(parse_gpu)]], Many] = []
    cpus: Annotated[float, reader(read_at_least)] = 0
    memory_gb: Size = 0
    disk_gb: Size = 0


class WhereModel(_Section):
    providers: Annotated[list[Annotated[str, BeforeValidator(read_provider)]], Many] = []
    regions: Annotated[list[Annotated[str, reader(read_glob)]], Many] = []
    exclude: Annotated[list[Annotated[str, BeforeValidator(read_excluded)]], Many] = []


class LimitsModel(_Section):
    price_usd_hour: Money | None = None
    cost_usd: Money | None = None
    runtime: Annotated[float, reader(positive(read_duration_s))] | None = None
    attempts: Annotated[int, reader(whole(least=1, most=999_999))] | None = None


class FallbackModel(_Section):
    patience: Duration = 1200.0
    return_to_spot: Annotated[bool, reader(read_truth)] = True
    look_every: Annotated[float, reader(positive(read_duration_s))] | None = None


class StoreModel(_Section):
    url: Annotated[str, reader(read_store_url)]
    endpoint: Annotated[str, reader(read_endpoint)] = ""
    region: Text = ""

    @model_validator(mode="before")
    @classmethod
    def _from_url(cls, value: Any) -> Any:
        return {"url": value} if isinstance(value, Scalar) else value


class CheckpointModel(_Section):
    dir: Annotated[str, reader(read_inside)] = "checkpoints"
    every: Annotated[float | None, reader(read_every)] = None
    keep: Annotated[int, reader(whole(least=1, most=1000))] = 3
    grace: Duration = 25.0
    signal: Annotated[str, reader(read_signal)] = ""
    store: StoreModel | None = None


class JobModel(_Section):
    """The whole file."""

    name: Annotated[str, reader(check_job_name)] = ""
    run: Command
    setup: Command = ""
    workdir: Folder = "."
    image: Text = ""
    vm_images: dict[Annotated[str, BeforeValidator(read_provider)], Text] = {}
    env: dict[Annotated[str, BeforeValidator(check_env_name)], Annotated[str, BeforeValidator(read_env_value)]] = {}
    secrets: Annotated[list[Annotated[str, BeforeValidator(read_secret)]], Many] = []
    resources: ResourcesModel = ResourcesModel()
    market: Annotated[MarketWish, reader(read_market)] = "auto"
    where: WhereModel = WhereModel()
    limits: LimitsModel = LimitsModel()
    fallback: FallbackModel = FallbackModel()
    checkpoint: CheckpointModel = CheckpointModel()
    deadline: Annotated[Deadline | None, BeforeValidator(read_deadline)] = None
    work: Annotated[float, reader(positive(read_duration_s))] | None = None
    policy: Annotated[str, reader(read_policy)] = ""
    restart_on_exit: Annotated[list[Annotated[int, reader(whole(least=1, most=255))]], Many] = []
    ssh: Annotated[bool, reader(read_truth)] = False
