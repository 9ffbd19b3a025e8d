"""Compose file and Kubernetes manifests: those of packaging/, and the StatefulSet that an article prints.

podman plays Deployments and Pods, but no StatefulSet: that one is checked field by field, and its pod is played with the
claims that the StatefulSet would make for it. Added for that are ports of this machine; storage classes are left out.
"""

import copy
import pathlib

import data
import yaml
from kubernetes_fields import disagreements, faults_of
from printed_texts import TEXTS, compose
from server_process import free_port, wait_until

PACKAGING = pathlib.Path(__file__).resolve().parent.parent.parent / "packaging"
KUBERNETES = PACKAGING / "kubernetes"
SETS = {"printed": [TEXTS / "redis-statefulset.yaml"],
        "statefulset": [KUBERNETES / f"{name}.yaml" for name in ("configmap", "service", "statefulset")],
        "deployment": [KUBERNETES / f"{name}.yaml" for name in ("configmap", "service", "deployment")]}


def items_of(paths):
    return [item for path in paths for item in yaml.safe_load_all(path.read_text()) if item]


def structure(checks):
    """Every field, and what the objects say of each other; and that slips would be found."""
    checks.equal("all manifests are looked at", sorted({path for paths in SETS.values() for path in paths} & set(KUBERNETES.iterdir())),
                 sorted(KUBERNETES.glob("*.yaml")))
    for name, paths in SETS.items():
        items = items_of(paths)
        checks.equal(f"{name}: faults", [fault for item in items for fault in faults_of(item)], [])
        checks.equal(f"{name}: disagreements", list(disagreements(items)), [])
    stateful = next(item for item in items_of(SETS["statefulset"]) if item["kind"] == "StatefulSet")
    for damage in (lambda spec: spec.pop("serviceName"), lambda spec: spec.pop("selector"),
                   lambda spec: spec["volumeClaimTemplates"][0]["spec"].pop("accessModes"),
                   lambda spec: spec["template"]["spec"]["containers"][0].update(command=["redis-server", "--save", 900]),
                   lambda spec: spec["template"]["spec"].update(container=[])):
        damaged = copy.deepcopy(stateful)
        damage(damaged["spec"])
        checks.true("a damaged StatefulSet is found out", list(faults_of(damaged)), damaged["spec"])
    lonely = [stateful]
    checks.true("missing objects are found out", len(list(disagreements(lonely))) == 2, list(disagreements(lonely)))


def pod_of(stateful):
    """The first pod of a StatefulSet, and its claims, as the cluster would make them."""
    name, spec = f"{stateful['metadata']['name']}-0", copy.deepcopy(stateful["spec"])
    pod, claims = spec["template"]["spec"], []
    for template in spec["volumeClaimTemplates"]:
        claim = f"{template['metadata']['name']}-{name}"
        template["spec"].pop("storageClassName", None)
        claims.append({"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": claim}, "spec": template["spec"]})
        pod.setdefault("volumes", []).append({"name": template["metadata"]["name"], "persistentVolumeClaim": {"claimName": claim}})
    labels = spec["template"]["metadata"]["labels"]
    return [*claims, {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "labels": labels}, "spec": pod}]


def playable(items, port):
    """What podman plays: (claims, everything else). It refuses claims that exist, where a cluster keeps them."""
    result = []
    for item in items:
        if item["kind"] == "Service":
            continue
        result += pod_of(item) if item["kind"] == "StatefulSet" else [item]
    for item in result:
        pod = item["spec"]["template"]["spec"] if item["kind"] == "Deployment" else item.get("spec", {})
        for container in pod.get("containers", []):
            container["ports"][0]["hostPort"] = port
    claims = [item for item in result if item["kind"] == "PersistentVolumeClaim"]
    return claims, [item for item in result if item not in claims]


def play(podman, items, *options):
    file = pathlib.Path(podman.folder, "played.yaml")
    file.write_text(yaml.safe_dump_all(items))
    podman.podman("play", "kube", *options, file)


def kubernetes(checks, podman):
    """Each is played, ended and played again: the data are still there."""
    for name, paths in SETS.items():
        with checks.part(f"{checks.section} {name}"):
            port = free_port()
            claims, others = playable(items_of(paths), port)
            play(podman, claims + others)
            data.write(port)
            names = podman.podman("ps", "--format", "{{.Names}}").split()
            container = next(name for name in names if not name.endswith("-infra"))
            checks.equal("liveness", wait_until(lambda: podman.try_podman("healthcheck", "run", container).code == 0), True)
            if name != "printed":
                checks.equal("the config map is read", podman.cli(container, "CONFIG", "GET", "maxmemory").split()[-1],
                             str(768 << 20))
            play(podman, others, "--down")
            checks.equal("nothing runs", podman.podman("ps", "--all", "--quiet"), "")
            play(podman, others)
            checks.equal("missing", data.missing(port), [])
            podman.clean()


def packaged_compose(checks, podman):
    folder = pathlib.Path(podman.folder, "packaged")
    folder.mkdir()
    port = free_port()
    for path in (PACKAGING / "compose").iterdir():
        (folder / path.name).write_text(path.read_text().replace('"6379:6379"', f'"{port}:6379"'))
    compose(podman, folder, "up", "-d")
    data.write(port)
    compose(podman, folder, "restart", "-t", "30")
    checks.equal("missing after a restart", data.missing(port), [])
    compose(podman, folder, "down")
    compose(podman, folder, "up", "-d")
    checks.equal("missing after down and up", data.missing(port), [])


PARTS = [kubernetes, packaged_compose]
