"""cluster.yaml, as far as it can be known to be right without an AWS account.

Ray's own code reads and completes it; moto stands for AWS, and botocore checks what is asked of it.
"""

from __future__ import annotations

import copy
import re
import shutil
import subprocess
import sys

import pytest
import yaml
from ray.autoscaler._private.aws.config import bootstrap_aws
from ray.autoscaler._private.aws.node_provider import AWSNodeProvider
from ray.autoscaler._private.aws.utils import client_cache, resource_cache
from ray.autoscaler._private.util import prepare_config, validate_config
from ray.autoscaler.tags import TAG_RAY_NODE_KIND
from ray.autoscaler.v2.instance_manager.config import AutoscalingConfig
from score_commands import ROOT, parsed, pinned, score_commands

TEXT = (ROOT / "cluster.yaml").read_text()
WORKERS = ("cpu-worker", "gpu-worker")


@pytest.fixture
def config() -> dict:
    return yaml.safe_load(TEXT)


@pytest.fixture
def prepared(config, monkeypatch) -> dict:
    """As `ray up` completes it, from the top of the repository."""
    monkeypatch.chdir(ROOT)
    return prepare_config(config)


def setup_commands(config: dict) -> dict[str, list[str]]:
    """Of each kind of node."""
    workers = {name: config["available_node_types"][name] for name in WORKERS}
    return {"head": config["head_setup_commands"]} | {
        name: worker["worker_setup_commands"] for name, worker in workers.items()
    }


def all_commands(config: dict) -> list[str]:
    lists = (*setup_commands(config).values(), config["setup_commands"],
             config["worker_setup_commands"], config["initialization_commands"],
             config["head_start_ray_commands"], config["worker_start_ray_commands"])  # fmt: skip
    return [command for commands in lists for command in commands]


def test_ray_accepts_it(prepared):
    validate_config(prepared)


def test_ray_refuses_a_field_that_it_does_not_know(prepared):
    prepared["available_node_types"]["gpu-worker"]["max_worker"] = 4
    with pytest.raises(Exception, match="max_worker"):
        validate_config(prepared)


def test_the_head_which_completes_it_again_runs_the_same_commands(prepared):
    autoscaler = AutoscalingConfig(copy.deepcopy(prepared), skip_content_hash=True)
    commands = setup_commands(prepared)
    assert {name: autoscaler.get_worker_setup_commands(name) for name in WORKERS} == {
        name: commands[name] for name in WORKERS
    }
    assert autoscaler.get_config("head_setup_commands") == commands["head"]
    assert autoscaler.get_idle_timeout_s() <= 300
    types = autoscaler.get_node_type_configs()
    assert {name: types[name].min_worker_nodes for name in WORKERS} == dict.fromkeys(WORKERS, 0)


def test_nothing_of_rays_defaults_is_installed(prepared):
    assert not any("anaconda" in c or "ray-wheels" in c for c in all_commands(prepared))


@pytest.mark.parametrize("name", WORKERS)
def test_workers_scale_to_none_and_may_be_spot(config, name):
    worker = config["available_node_types"][name]
    assert worker["min_workers"] == 0 < worker["max_workers"]
    assert worker["node_config"]["InstanceMarketOptions"] == {"MarketType": "spot"}


def test_the_head_stays_and_does_no_work(config):
    head = config["available_node_types"][config["head_node_type"]]
    assert head["resources"] == {"CPU": 0}
    assert "InstanceMarketOptions" not in head["node_config"]
    assert config["provider"]["cache_stopped_nodes"] is False


def test_all_workers_fit_under_the_clusters_limit(config):
    types = config["available_node_types"]
    assert config["max_workers"] >= sum(types[name]["max_workers"] for name in WORKERS)


def test_one_zone(config):
    assert "," not in config["provider"]["availability_zone"]


def test_every_node_wants_the_token_and_has_it(config):
    assert config["file_mounts"]["~/.ray/auth_token"] == "~/.ray/auth_token"
    for kind in ("head", "worker"):
        start = config[f"{kind}_start_ray_commands"][-1]
        assert re.search(r"export RAY_AUTH_MODE=token;.* ray start ", start)
    for commands in setup_commands(config).values():
        assert any("RAY_AUTH_MODE=token" in c and ".bashrc" in c for c in commands)
        assert any("chmod 600 ~/.ray/auth_token" in c for c in commands)


def test_the_dashboard_is_not_open(config):
    assert "--dashboard-host=127.0.0.1" in config["head_start_ray_commands"][-1]


def test_credentials_come_by_role_and_disks_are_encrypted(config):
    for node in config["available_node_types"].values():
        assert node["node_config"]["IamInstanceProfile"]["Name"].startswith("ah-ray-")
        assert node["node_config"]["MetadataOptions"]["HttpTokens"] == "required"
        assert node["node_config"]["SecurityGroupIds"]  # else Ray opens ssh to everybody
        for disk in node["node_config"]["BlockDeviceMappings"]:
            assert disk["Ebs"]["Encrypted"]
    assert not re.search(r"AKIA|aws_secret|aws_access|PRIVATE KEY|password", TEXT, re.IGNORECASE)


@pytest.mark.parametrize("key", ["region:", "availability_zone:", "SecurityGroupIds:"])
def test_what_a_user_must_change_is_marked(key):
    lines = TEXT.splitlines()
    (at,) = [n for n, line in enumerate(lines) if line.strip().startswith(key)]
    assert "CHANGE" in "\n".join(lines[at - 2 : at + 1])


def test_versions_are_those_of_the_constraints(config):
    assert f"Ray {pinned('ray')} (constraints.txt)" in TEXT
    for commands in setup_commands(config).values():
        (install,) = [c for c in commands if "torch==" in c]
        assert f"-c ~/ah_ray/constraints.txt torch=={pinned('torch')} ~/ah_ray" in install


def test_a_gpu_node_that_cannot_compute_is_found_out_at_once(config):
    last = setup_commands(config)["gpu-worker"][-1]
    assert "torch.zeros" in last and 'device="cuda"' in last


def test_commands_are_shell(prepared):
    for command in all_commands(prepared):
        subprocess.run(["bash", "-n", "-c", command], check=True)


def test_what_is_mounted_can_be_installed(config, tmp_path):
    source = tmp_path / "ah_ray"
    for there, here in config["file_mounts"].items():
        if here.startswith("~"):
            continue
        target = tmp_path / there.removeprefix("~/")
        target.parent.mkdir(parents=True, exist_ok=True)
        copy_of = shutil.copytree if (ROOT / here).is_dir() else shutil.copy
        copy_of(ROOT / here, target)
    wheel = [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "--no-build-isolation"]
    subprocess.run([*wheel, "-w", tmp_path, source], check=True, timeout=120)
    assert len(list(tmp_path.glob("ah_ray-*.whl"))) == 1
    assert (source / "jobs" / "score.py").exists()


def test_the_score_command_fits_the_cluster(config):
    (arguments,) = score_commands(TEXT)
    settings = parsed(arguments)
    cpu, gpu = (config["available_node_types"][name] for name in WORKERS)
    assert settings.decoders == cpu["max_workers"] * cpu["resources"]["CPU"]
    assert settings.replicas == gpu["max_workers"] * gpu["resources"]["GPU"]
    assert any(settings.model_cache in c for c in setup_commands(config)["gpu-worker"])


@pytest.fixture
def account(s3_server, monkeypatch, tmp_path) -> dict[str, str]:
    """moto's AWS with what docs/cluster.md tells to make, and a home for Ray's key pair."""
    import boto3

    monkeypatch.setenv("HOME", str(tmp_path))
    resource_cache.cache_clear()
    client_cache.cache_clear()
    ec2 = boto3.client("ec2", region_name="us-east-1")
    (vpc,) = ec2.describe_vpcs(Filters=[{"Name": "is-default", "Values": ["true"]}])["Vpcs"]
    group = ec2.create_security_group(
        GroupName=f"ah-ray-{tmp_path.name}", Description="nodes", VpcId=vpc["VpcId"]
    )
    iam = boto3.client("iam")
    for name in ("ah-ray-head", "ah-ray-worker"):
        iam.create_instance_profile(InstanceProfileName=name)
    yield {"sg-00000000000000000": group["GroupId"]}
    for name in ("ah-ray-head", "ah-ray-worker"):
        iam.delete_instance_profile(InstanceProfileName=name)
    resource_cache.cache_clear()
    client_cache.cache_clear()


def with_smaller_cards() -> str:
    """The file with the node type that stands in a comment."""
    text = re.sub(r"^    # (    .*|gpu-worker-48gb:)$", r"    \1", TEXT, flags=re.MULTILINE)
    assert "gpu-worker-48gb" in yaml.safe_load(text)["available_node_types"]
    return text


def test_aws_starts_every_kind_of_node(account, monkeypatch):
    monkeypatch.chdir(ROOT)
    text = with_smaller_cards()
    for placeholder, real in account.items():
        text = text.replace(placeholder, real)
    config = prepare_config(yaml.safe_load(text))
    stated = {name: node["resources"] for name, node in config["available_node_types"].items()}
    config = AWSNodeProvider.fillout_available_node_types_resources(config)
    validate_config(config)
    config = bootstrap_aws(config)
    provider = AWSNodeProvider(config["provider"], config["cluster_name"])
    for name, node in config["available_node_types"].items():
        kind = "head" if name == "head" else "worker"
        (instance,) = provider.create_node(
            node["node_config"], {TAG_RAY_NODE_KIND: kind}, 1
        ).values()
        instance.reload()
        assert instance.placement["AvailabilityZone"] == config["provider"]["availability_zone"]
        assert instance.iam_instance_profile["Arn"].endswith(f"/ah-ray-{kind}")
        assert (instance.instance_lifecycle == "spot") == (kind == "worker")
        assert {"Key": "project", "Value": "ah-ray"} in instance.tags
        if kind == "worker":
            assert stated[name] == real_resources(instance.instance_type)
        provider.terminate_node(instance.id)


def real_resources(instance_type: str) -> dict[str, int]:
    """What AWS says of the type: its cores and GPUs."""
    ec2 = client_cache("ec2", "us-east-1")
    (found,) = ec2.describe_instance_types(InstanceTypes=[instance_type])["InstanceTypes"]
    gpus = sum(gpu["Count"] for gpu in found.get("GpuInfo", {}).get("Gpus", []))
    return {"CPU": found["VCpuInfo"]["DefaultVCpus"]} | ({"GPU": gpus} if gpus else {})
