"""The fields of Kubernetes objects that our manifests use: which there are, which must be there, what they may hold.

There is no cluster here to ask. A field that is not in these tables is reported, so that a slip of the pen is found; one
that is right but new here is added to them. What several objects say of each other is checked by `disagreements`.
"""

import re

NAME = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
PORT_NAME = re.compile(r"(?=.*[a-z])[a-z0-9]([-a-z0-9]{0,13}[a-z0-9])?")
QUANTITY = re.compile(r"[0-9]+(\.[0-9]+)?(m|k|M|G|T|Ki|Mi|Gi|Ti)?")


def text(value):
    return isinstance(value, str)


def name(value):
    return text(value) and NAME.fullmatch(value) is not None


def port_name(value):
    return text(value) and PORT_NAME.fullmatch(value) is not None


def path(value):
    return text(value) and value.startswith("/")


def truth(value):
    return isinstance(value, bool)


def count(value):
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def port(value):
    return count(value) and 1 <= value <= 65535


def port_or_name(value):
    return port(value) or port_name(value)


def quantity(value):
    return count(value) or (text(value) and QUANTITY.fullmatch(value) is not None)


def words(value):
    return isinstance(value, list) and all(text(word) for word in value) and value != []


def texts(value):
    return isinstance(value, dict) and all(text(part) for pair in value.items() for part in pair) and value != {}


def one_of(*allowed):
    return lambda value: value in allowed


class Required:
    def __init__(self, rule):
        self.rule = rule


class Many:
    """A list of at least one."""

    def __init__(self, rule):
        self.rule = rule


METADATA = {"name": Required(name), "labels": texts, "annotations": texts}
QUANTITIES = {"memory": quantity, "cpu": quantity, "storage": quantity}
RESOURCES = {"requests": QUANTITIES, "limits": QUANTITIES}
PROBE = {"exec": {"command": Required(words)}, "tcpSocket": {"port": Required(port_or_name)}, "initialDelaySeconds": count,
         "periodSeconds": count, "timeoutSeconds": count, "failureThreshold": count, "successThreshold": count}
CONTAINER = {
    "name": Required(name), "image": Required(text), "imagePullPolicy": one_of("Always", "IfNotPresent", "Never"),
    "command": words, "args": words,
    "ports": Many({"containerPort": Required(port), "name": port_name, "hostPort": port, "protocol": one_of("TCP", "UDP")}),
    "env": Many({"name": Required(text), "value": text}), "resources": RESOURCES,
    "volumeMounts": Many({"name": Required(name), "mountPath": Required(path), "readOnly": truth, "subPath": text}),
    "livenessProbe": PROBE, "readinessProbe": PROBE, "startupProbe": PROBE,
    "securityContext": {"allowPrivilegeEscalation": truth, "readOnlyRootFilesystem": truth, "runAsUser": count,
                        "runAsNonRoot": truth, "capabilities": {"drop": words, "add": words}},
}
POD = {
    "containers": Required(Many(CONTAINER)), "initContainers": Many(CONTAINER), "terminationGracePeriodSeconds": count,
    "restartPolicy": one_of("Always", "OnFailure", "Never"),
    "securityContext": {"runAsNonRoot": truth, "runAsUser": count, "runAsGroup": count, "fsGroup": count},
    "volumes": Many({"name": Required(name), "configMap": {"name": Required(name)}, "emptyDir": lambda value: value == {},
                     "persistentVolumeClaim": {"claimName": Required(name)}}),
}
SELECTOR = {"matchLabels": Required(texts)}
TEMPLATE = {"metadata": Required({"labels": Required(texts), "annotations": texts}), "spec": Required(POD)}
CLAIM = {"accessModes": Required(lambda value: words(value) and set(value) <= {"ReadWriteOnce", "ReadOnlyMany", "ReadWriteMany",
                                                                              "ReadWriteOncePod"}),
         "storageClassName": text, "resources": Required({"requests": Required({"storage": Required(quantity)})})}

KINDS = {
    "StatefulSet": ("apps/v1", {
        "metadata": Required(METADATA),
        "spec": Required({"serviceName": Required(name), "replicas": count, "selector": Required(SELECTOR),
                          "template": Required(TEMPLATE),
                          "volumeClaimTemplates": Many({"metadata": Required(METADATA), "spec": Required(CLAIM)})})}),
    "Deployment": ("apps/v1", {
        "metadata": Required(METADATA),
        "spec": Required({"replicas": count, "selector": Required(SELECTOR), "template": Required(TEMPLATE),
                          "strategy": {"type": one_of("Recreate", "RollingUpdate")}})}),
    "Service": ("v1", {
        "metadata": Required(METADATA),
        "spec": Required({"ports": Required(Many({"name": port_name, "port": Required(port), "targetPort": port_or_name,
                                                  "protocol": one_of("TCP", "UDP")})),
                          "selector": texts, "clusterIP": text,
                          "type": one_of("ClusterIP", "NodePort", "LoadBalancer")})}),
    "ConfigMap": ("v1", {"metadata": Required(METADATA), "data": Required(texts)}),
    "PersistentVolumeClaim": ("v1", {"metadata": Required(METADATA), "spec": Required(CLAIM)}),
}


def faults(value, rule, where):
    """What is wrong with a value, as lines of text."""
    if isinstance(rule, Required):
        yield from faults(value, rule.rule, where)
    elif isinstance(rule, Many):
        if not isinstance(value, list) or not value:
            yield f"{where}: wants a list of at least one"
            return
        for number, item in enumerate(value):
            yield from faults(item, rule.rule, f"{where}[{number}]")
    elif isinstance(rule, dict):
        if not isinstance(value, dict):
            yield f"{where}: wants fields"
            return
        for field in value.keys() - rule.keys():
            yield f"{where}: no such field: {field}"
        for field, of_field in rule.items():
            if field in value:
                yield from faults(value[field], of_field, f"{where}.{field}")
            elif isinstance(of_field, Required):
                yield f"{where}: lacks {field}"
    elif not rule(value):
        yield f"{where}: may not be {value!r}"


def faults_of(item):
    kind = item.get("kind")
    if kind not in KINDS:
        yield f"no such kind: {kind}"
        return
    version, fields = KINDS[kind]
    if item.get("apiVersion") != version:
        yield f"{kind}: apiVersion is {version}, not {item.get('apiVersion')}"
    yield from faults({field: value for field, value in item.items() if field not in ("kind", "apiVersion")}, fields, kind)


def disagreements(items):
    """What one object says of another, or one part of an object of another part. REQUIRES: no faults."""
    names = {(item["kind"], item["metadata"]["name"]) for item in items}
    workloads = [item for item in items if item["kind"] in ("StatefulSet", "Deployment")]
    for item in workloads:
        yield from disagreements_inside(item, names)
    for item in (item for item in items if item["kind"] == "Service"):
        selector = item["spec"].get("selector", {}).items()
        chosen = [other for other in workloads if selector <= other["spec"]["template"]["metadata"]["labels"].items()]
        if not chosen:
            yield f"Service {item['metadata']['name']} selects no pods"
        for other in chosen:
            ports = [port for container in other["spec"]["template"]["spec"]["containers"] for port in container.get("ports", [])]
            open_ports = {port["containerPort"] for port in ports} | {port.get("name") for port in ports}
            for target in item["spec"]["ports"]:
                if target.get("targetPort", target["port"]) not in open_ports:
                    yield f"Service {item['metadata']['name']}: no container has port {target.get('targetPort')}"


def disagreements_inside(item, names):
    spec, pod = item["spec"], item["spec"]["template"]["spec"]
    if not spec["selector"]["matchLabels"].items() <= spec["template"]["metadata"]["labels"].items():
        yield f"{item['kind']}: the selector does not match the labels of its own pods"
    if item["kind"] == "StatefulSet" and ("Service", spec["serviceName"]) not in names:
        yield f"StatefulSet: no Service {spec['serviceName']}"
    volumes = {volume["name"] for volume in pod.get("volumes", [])}
    volumes |= {claim["metadata"]["name"] for claim in spec.get("volumeClaimTemplates", [])}
    mounts = {mount["name"] for container in pod["containers"] for mount in container.get("volumeMounts", [])}
    if volumes != mounts:
        yield f"{item['kind']}: volumes {sorted(volumes)}, mounted {sorted(mounts)}"
    for volume in pod.get("volumes", []):
        for kind, key in (("ConfigMap", "configMap"), ("PersistentVolumeClaim", "persistentVolumeClaim")):
            wanted = volume.get(key, {})
            wanted = wanted.get("name", wanted.get("claimName"))
            if wanted and (kind, wanted) not in names:
                yield f"{item['kind']}: no {kind} {wanted}"
