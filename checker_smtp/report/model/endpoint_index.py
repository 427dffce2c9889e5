"""The endpoints of an observation by the names that findings and evidence have for them.

Each lookup is one of a dict, so that the work for a finding does not grow with the number of endpoints.
"""

from collections.abc import Iterable, Iterator

from checker_smtp.probes.observation import Endpoint, Observation
from checker_smtp.probes.rules import Finding

__all__ = ["EndpointIndex"]


class EndpointIndex:
    """The endpoints by subject (`ip:25`) and by target (`mx.example.org:25`)."""

    def __init__(self, observation: Observation) -> None:
        # each subject once, however often a hostile document repeats it
        self._by_name: dict[str, dict[str, Endpoint]] = {}
        for endpoint in observation.endpoints:
            for name in (endpoint.subject, *(f"{target}:{endpoint.port}" for target in endpoint.targets)):
                self._by_name.setdefault(name, {}).setdefault(endpoint.subject, endpoint)

    def find(self, finding: Finding) -> Endpoint | None:
        """Return the endpoint of a finding; of one about the domain the first that its evidence is from."""
        wheres = (finding.subject, *_cited(finding))
        return next((e for where in wheres for e in self._by_name.get(where, {}).values()), None)

    def cited_by(self, finding: Finding) -> list[Endpoint]:
        """Return the endpoints that the evidence of a finding is from, each once."""
        return self._unique(_cited(finding))

    def group(self, findings: Iterable[Finding]) -> dict[str, list[Finding]]:
        """Return the findings about each endpoint by its subject, and those about the domain that cite it."""
        groups: dict[str, list[Finding]] = {}
        for finding in findings:
            for endpoint in self._unique([finding.subject] if finding.subject else _cited(finding)):
                groups.setdefault(endpoint.subject, []).append(finding)
        return groups

    def _unique(self, names: Iterable[str]) -> list[Endpoint]:
        found: dict[str, Endpoint] = {}
        for name in dict.fromkeys(names):
            found |= self._by_name.get(name, {})
        return list(found.values())


def _cited(finding: Finding) -> Iterator[str]:
    return (item.where for item in finding.evidence if item.source == "session")
