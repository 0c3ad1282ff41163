"""jobs/kuberay.yaml against KubeRay's own schema, and against Ray's reading of it."""

from __future__ import annotations

import copy
import json
import os
import re
import subprocess

import pytest
import yaml
from jsonschema import Draft202012Validator
from ray.autoscaler._private.kuberay.autoscaling_config import (
    _derive_autoscaling_config_from_ray_cr,
)
from ray.autoscaler.v2.instance_manager.config import AutoscalingConfig
from score_commands import ROOT, parsed, pinned, score_commands

TEXT = (ROOT / "jobs" / "kuberay.yaml").read_text()
SCHEMA = json.loads((ROOT / "tests" / "goldens" / "kuberay_1.7.0.json").read_text())
JOIN = 'python3 -c "import shlex, sys; print(shlex.join(sys.argv[1:]))"'
GROUPS = ("cpu-worker", "gpu-worker")
UNITS = {"Gi": 2**30, "Mi": 2**20}


@pytest.fixture
def items() -> dict[str, dict]:
    """kind → object."""
    return {item["kind"]: item for item in yaml.safe_load(TEXT)["items"]}


@pytest.fixture
def run(items) -> dict:
    """What is run, once or each night."""
    return items["RayJob"]["spec"]


@pytest.fixture
def pods(run) -> dict[str, dict]:
    """Group → the spec of its pods."""
    cluster = run["rayClusterSpec"]
    groups = {group["groupName"]: group for group in cluster["workerGroupSpecs"]}
    groups["head"] = cluster["headGroupSpec"]
    return {name: group["template"]["spec"] for name, group in groups.items()}


def faults(item: dict) -> list[str]:
    """What KubeRay's schema says against it."""
    schema = {**SCHEMA[item["kind"]], "$defs": SCHEMA["$defs"]}
    return [fault.message for fault in Draft202012Validator(schema).iter_errors(item)]


def n_bytes(quantity: str) -> int:
    return int(quantity[:-2]) * UNITS[quantity[-2:]]


@pytest.mark.parametrize("kind", ["RayJob", "RayCronJob"])
def test_kuberay_accepts_it(items, kind):
    assert items[kind]["apiVersion"] == "ray.io/v1"
    assert faults(items[kind]) == []


@pytest.mark.parametrize(
    ("path", "field"),
    [
        ((), "entrypointt"),
        (("rayClusterSpec",), "autoscaling"),
        (("rayClusterSpec", "authOptions"), "token"),
        (("rayClusterSpec", "workerGroupSpecs", 1), "minReplica"),
        (("rayClusterSpec", "workerGroupSpecs", 1, "template", "spec"), "gpu"),
        (("rayClusterSpec", "headGroupSpec", "template", "spec", "containers", 0), "shm"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_field_that_kuberay_does_not_know_is_a_fault(items, path, field):
    job = copy.deepcopy(items["RayJob"])
    at = job["spec"]
    for step in path:
        at = at[step]
    at[field] = "1"
    (fault,) = faults(job)
    assert f"'{field}' was unexpected" in fault


def test_each_night_runs_what_one_run_does(items):
    assert items["RayCronJob"]["spec"]["jobTemplate"] == items["RayJob"]["spec"]
    assert len(items["RayCronJob"]["spec"]["schedule"].split()) == 5


def test_each_is_chosen_by_its_label_and_the_account_by_both(items):
    labels = {kind: item["metadata"].get("labels", {}).get("when") for kind, item in items.items()}
    assert labels == {"ServiceAccount": None, "RayJob": "once", "RayCronJob": "nightly"}


def test_ray_sees_workers_that_scale_to_none(run):
    cluster = {"metadata": {"namespace": "study", "name": "c"}, "spec": run["rayClusterSpec"]}
    config = AutoscalingConfig(
        _derive_autoscaling_config_from_ray_cr(cluster), skip_content_hash=True
    )
    types = config.get_node_type_configs()
    assert types["headgroup"].resources["CPU"] == 0
    assert {name: types[name].min_worker_nodes for name in GROUPS} == dict.fromkeys(GROUPS, 0)
    assert [types[name].resources.get("GPU", 0) for name in GROUPS] == [0, 1]
    assert config.get_idle_timeout_s() <= 300
    assert run["rayClusterSpec"]["enableInTreeAutoscaling"] is True


def test_the_cluster_goes_with_the_run(run):
    assert run["shutdownAfterJobFinishes"] is True
    assert run["activeDeadlineSeconds"] < 24 * 3600


def test_versions_are_those_of_the_constraints(run):
    assert run["rayClusterSpec"]["rayVersion"] == pinned("ray")
    assert f"KubeRay 1.7.0, Ray {pinned('ray')}" in TEXT
    assert f"torch=={pinned('torch')} " in (ROOT / "docs" / "Dockerfile").read_text()


def test_the_cluster_wants_a_token_that_the_operator_makes(run):
    assert run["rayClusterSpec"]["authOptions"] == {"mode": "token"}


def test_credentials_come_by_role(items, pods):
    account = items["ServiceAccount"]["metadata"]
    assert account["annotations"].keys() == {"eks.amazonaws.com/role-arn"}
    assert {pod["serviceAccountName"] for pod in pods.values()} == {account["name"]}
    assert "Secret" not in items
    assert not re.search(r"AKIA|aws_secret|aws_access|PRIVATE KEY|password", TEXT, re.IGNORECASE)


@pytest.mark.parametrize("name", ["head", *GROUPS])
def test_the_object_store_fits_into_shared_memory(pods, name):
    (container,) = pods[name]["containers"]
    (volume,) = [v for v in pods[name]["volumes"] if v["emptyDir"].get("medium") == "Memory"]
    assert {"name": volume["name"], "mountPath": "/dev/shm"} in container["volumeMounts"]
    memory = n_bytes(container["resources"]["limits"]["memory"])
    assert 0.3 * memory <= n_bytes(volume["emptyDir"]["sizeLimit"]) < memory


def test_all_pods_are_in_one_zone(pods):
    zones = {pod["nodeSelector"]["topology.kubernetes.io/zone"] for pod in pods.values()}
    assert len(zones) == 1


@pytest.mark.parametrize(
    "sign",
    ["role-arn", "s3://study/recordings", "us-east-1a", "0.1.0-cpu", "0.1.0-gpu", "p5.4xlarge",
     "schedule:", "timeZone:"],
)  # fmt: skip
def test_what_a_user_must_change_is_marked(sign):
    lines = [line for line in TEXT.splitlines() if not line.startswith("#")]
    (at,) = [n for n, line in enumerate(lines) if sign in line]
    assert "CHANGE" in "\n".join(lines[at - 5 : at + 1])


def test_the_command_fits_the_cluster(run, pods):
    (arguments,) = score_commands(run["entrypoint"])
    settings = parsed(arguments)
    cpu, gpu = run["rayClusterSpec"]["workerGroupSpecs"]
    limits = {name: pods[name]["containers"][0]["resources"]["limits"] for name in GROUPS}
    assert settings.decoders == cpu["maxReplicas"] * int(limits["cpu-worker"]["cpu"])
    assert settings.replicas == gpu["maxReplicas"] * int(limits["gpu-worker"]["nvidia.com/gpu"])
    mounts = pods["gpu-worker"]["containers"][0]["volumeMounts"]
    assert settings.model_cache in [mount["mountPath"] for mount in mounts]


@pytest.mark.parametrize(
    "submit",
    [
        "{}",
        f'if true ; then run "$({JOIN} {{}})" ; fi',
    ],
    ids=["HTTPMode", "K8sJobMode"],
)
@pytest.mark.parametrize(("status", "ends"), [(0, 0), (2, 2), (3, 3), (4, 0), (5, 5)])
def test_a_second_start_at_one_tick_is_no_failed_job(run, tmp_path, submit, status, ends):
    """Ray's driver runs the entrypoint in a shell; K8sJobMode reads it in one of its own first."""
    python = tmp_path / "python"
    python.write_text(f'#!/bin/sh\n[ "$1" = /app/jobs/score.py ] && exit {status}\n')
    python.chmod(0o755)
    line = 'run() { sh -c "$1"; }; ' + submit.format(run["entrypoint"])
    variables = {"PATH": f"{tmp_path}:{os.environ['PATH']}"}
    assert subprocess.run(["bash", "-ec", line], env=variables, check=False).returncode == ends


def test_the_image_has_what_the_command_names(run):
    recipe = (ROOT / "docs" / "Dockerfile").read_text()
    for source in re.findall(r"^COPY (.+) \S+$", recipe, re.MULTILINE):
        assert all((ROOT / name).exists() for name in source.split())
    (granted,) = re.findall(r"NVIDIA_DRIVER_CAPABILITIES=(\S+)", recipe)
    assert set(granted.split(",")) == {"compute", "utility", "video"}
    assert "WORKDIR /app" in recipe and "python /app/jobs/score.py " in run["entrypoint"]


def test_commands_of_the_guide_are_commands_of_ours():
    found = score_commands((ROOT / "docs" / "cluster.md").read_text())
    assert found
    for arguments in found:
        parsed(arguments)
