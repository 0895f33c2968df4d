"""The five fake clouds by name, in the order of their ports."""

from __future__ import annotations

from tests.fakes.clouds.aws import FakeAws
from tests.fakes.clouds.azure import FakeAzure
from tests.fakes.clouds.gcp import FakeGcp
from tests.fakes.clouds.runpod import FakeRunpod
from tests.fakes.clouds.vast import FakeVast

FAKES = {"aws": FakeAws, "gcp": FakeGcp, "azure": FakeAzure, "runpod": FakeRunpod, "vast": FakeVast}
