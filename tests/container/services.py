"""The services of a Compose file, each behind a free port: what tests ask them, and how they end them."""

import data
from printed_texts import compose
from replicating import figures
from server_process import wait_until


class Services:
    """`ports`: {service: port of the host}; `folder`: where docker-compose.yml is."""

    def __init__(self, podman, folder, ports, password=None):
        self.podman, self.folder, self.ports, self.password = podman, folder, ports, password

    def compose(self, *words):
        return compose(self.podman, self.folder, *words)

    def container(self, service):
        label = f"label=com.docker.compose.service={service}"
        return self.podman.podman("ps", "--all", "--filter", label, "--format", "{{.Names}}")

    def kill(self, service):
        """SIGKILL; nothing starts it again but `start_again`."""
        self.podman.podman("kill", self.container(service))
        return wait_until(lambda: self.podman.state(self.container(service))["Status"] == "exited")

    def start_again(self, service):
        """The same container, with its volume."""
        self.podman.podman("start", self.container(service))

    def ask(self, service, *words):
        with data.connect(self.ports[service], self.password) as client:
            return client.call(*words)

    def figures(self, service, section="replication"):
        return figures(self.ask(service, "INFO", section))

    def missing(self, service):
        return data.missing(self.ports[service], self.password)
