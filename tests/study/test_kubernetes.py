"""`cluster/kubernetes.yaml` against the schemas of Kubernetes, and what KubeRay's has of a cluster."""

from pathlib import Path

import pytest
import yaml
from packaging.version import Version

kubernetes_validate = pytest.importorskip("kubernetes_validate", reason="pip install kubernetes-validate")
ROOT = Path(__file__).parents[2]
KUBERNETES = "1.34"
# What the resource definition of KubeRay 1.5.1 to 1.6.2 has of the fields in use; True where one must be there.
CLUSTER = {"rayVersion": False, "authOptions": False, "headGroupSpec": True, "workerGroupSpecs": False}
HEAD = {"rayStartParams": True, "template": True}
WORKERS = {**HEAD, "groupName": True, "replicas": False, "minReplicas": True, "maxReplicas": True}


@pytest.fixture
def documents():
    with (ROOT / "cluster" / "kubernetes.yaml").open() as file:
        return {document["kind"]: document for document in yaml.safe_load_all(file)}


def has_fields(given, fields):
    return given.keys() <= fields.keys() and {name for name, is_needed in fields.items() if is_needed} <= given.keys()


def test_what_is_kubernetes_own_holds_against_its_schema(documents):
    cluster = documents.pop("RayCluster")
    groups = [cluster["spec"]["headGroupSpec"], *cluster["spec"]["workerGroupSpecs"]]
    pods = [
        {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"}, "spec": g["template"]["spec"]} for g in groups
    ]
    assert sorted(documents) == ["NetworkPolicy", "PersistentVolumeClaim"]
    for document in (*documents.values(), *pods):
        kubernetes_validate.validate(document, KUBERNETES, strict=True)


def test_the_cluster_has_the_fields_that_the_operator_knows_with_the_pinned_ray(documents):
    cluster = documents["RayCluster"]
    assert cluster["apiVersion"] == "ray.io/v1"
    spec = cluster["spec"]
    assert has_fields(spec, CLUSTER) and spec["authOptions"] == {"mode": "token"}
    pins = dict(line.split("==") for line in (ROOT / "constraints.txt").read_text().splitlines() if "==" in line)
    assert Version(spec["rayVersion"]) == Version(pins["ray"]) >= Version("2.52.0")  # the first with tokens
    assert has_fields(spec["headGroupSpec"], HEAD)
    for group in spec["workerGroupSpecs"]:
        assert has_fields(group, WORKERS)
        assert 0 <= group["minReplicas"] <= group["replicas"] <= group["maxReplicas"]
    for group in (spec["headGroupSpec"], *spec["workerGroupSpecs"]):
        assert all(isinstance(value, str) for value in group["rayStartParams"].values())


def test_the_container_has_the_ray_of_the_cluster(documents):
    image = (ROOT / "cluster" / "Dockerfile").read_text()
    assert f"ARG TAG={documents['RayCluster']['spec']['rayVersion']}-py311\n" in image


def test_no_pods_but_the_clusters_own_and_the_operators_reach_ray(documents):
    name = documents["RayCluster"]["metadata"]["name"]
    policy = documents["NetworkPolicy"]["spec"]
    own = {"podSelector": {"matchLabels": {"ray.io/cluster": name}}}
    # Not the name: 'kuberay' is that of every pod of every Ray cluster.
    operator = {
        "podSelector": {"matchLabels": {"app.kubernetes.io/component": "kuberay-operator"}},
        "namespaceSelector": {},
    }
    assert policy == {**own, "policyTypes": ["Ingress"], "ingress": [{"from": [own, operator]}]}
