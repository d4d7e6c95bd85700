"""The files for several machines are whole: what cannot be run here is at least what its readers take."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from xata_pg_assets.errors import UsageError
from xata_pg_assets.settings import Settings

DEPLOY = Path(__file__).parents[2] / "deploy"


@pytest.mark.parametrize("path", sorted(DEPLOY.rglob("*.yaml")), ids=lambda path: path.name)
def test_yaml_is_yaml(path: Path):
    assert all(yaml.safe_load_all(path.read_text()))


def test_compose_names_only_what_is_there():
    compose = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
    services = compose["services"]
    assert services["worker"]["command"].startswith("xata-pg worker")
    assert services["worker"]["environment"] == services["code"]["environment"]
    ours = {name for name in services["worker"]["environment"] if name.startswith("XATA_PG_")}
    known = {f"XATA_PG_{name.upper()}" for name in Settings.model_fields} | {"XATA_PG_DAGSTER_STORAGE_URL"}
    assert ours <= known
    for service in services.values():
        assert set(service.get("depends_on", ())) <= set(services)


def test_dagster_takes_the_options_of_kubernetes():
    pytest.importorskip("dagster_k8s")
    from xata_pg_assets.assets.engines.k8s import configuration

    options = json.loads((DEPLOY / "kubernetes" / "options.json").read_text())
    taken = configuration(Settings(executor="k8s", executor_options=options))
    assert {name: taken[name] for name in options if name != "step_k8s_config"} == {
        name: value for name, value in options.items() if name != "step_k8s_config"
    }
    with pytest.raises(UsageError, match=r"^setting executor_options: .*k8s_job_executor") as raised:
        configuration(Settings(executor="k8s", executor_options={**options, "env_varz": ["KEY=c4nary"]}))
    assert "c4nary" not in str(raised.value)
