"""Answers are as /openapi.json says: schemathesis makes up requests to a real service and compares what comes back."""

import pytest

schemathesis = pytest.importorskip("schemathesis")

from hypothesis import HealthCheck, given, settings  # noqa: E402  after it is known that schemathesis is there
from schemathesis import GenerationMode  # noqa: E402
from schemathesis.checks import not_a_server_error  # noqa: E402
from schemathesis.specs.openapi.checks import (  # noqa: E402
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

AS_DESCRIBED = [status_code_conformance, content_type_conformance, response_schema_conformance]
OPERATIONS = (
    "GET /v1/info",
    "POST /v1/uploads",
    "PUT /v1/uploads/{upload}/{name}",
    "DELETE /v1/uploads/{upload}",
    "POST /v1/captures",
    "POST /v1/scans",
    "GET /v1/captures/{job}",
    "GET /v1/captures/{job}/events",
    "DELETE /v1/captures/{job}",
    "GET /v1/captures/{job}/takes/{person}",
    "GET /v1/captures/{job}/takes/{person}/thumbnail",
    "GET /v1/scans/{job}",
    "GET /v1/scans/{job}/events",
    "DELETE /v1/scans/{job}",
    "GET /v1/scans/{job}/people/{person}/thumbnail",
)

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def operations(service):
    """What the service describes: method and path -> schemathesis's operation."""
    schema = schemathesis.openapi.from_url(f"{service.ready.url}/openapi.json")
    return {operation.label: operation for operation in (result.ok() for result in schema.get_all_operations())}


@pytest.fixture(scope="module")
def headers(service):
    return {"Authorization": f"Bearer {service.token}", "Pose2Pose-Protocol": "1"}


@pytest.fixture(scope="module")
def finished(service, clip):
    """A capture and a scan that are done: the start of their paths -> the id."""
    request = service.request(clip, end=0)
    jobs = {
        "/v1/captures": service.ask("POST", "/v1/captures", request)[1],
        "/v1/scans": service.ask("POST", "/v1/scans", request["selection"])[1],
    }
    for job in jobs.values():
        service.events(job["url"])
    return {place: job["id"] for place, job in jobs.items()}


def test_the_list_above_is_complete(operations):
    assert set(operations) == set(OPERATIONS)


@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE], ids=["valid", "invalid"])
@pytest.mark.parametrize("label", [label for label in OPERATIONS if label != "POST /v1/uploads"])
def test_answers_are_as_described(operations, headers, label, mode):
    @settings(max_examples=10, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(case=operations[label].as_strategy(generation_mode=mode))
    def check(case):
        case.call_and_validate(headers=headers, checks=[not_a_server_error, *AS_DESCRIBED], timeout=30)

    check()


@pytest.mark.parametrize("label", [label for label in OPERATIONS if label.startswith("GET") and "{job}" in label])
def test_results_are_as_described(operations, headers, finished, label):
    job = next(job for place, job in finished.items() if place in label)
    case = operations[label].Case(path_parameters={"job": job, "person": 1})
    response = case.call_and_validate(headers=headers, checks=AS_DESCRIBED, timeout=30)
    assert response.status_code == 200


@pytest.mark.parametrize(
    ("changed", "status"), [({"Authorization": "Bearer wrong"}, 401), ({"Pose2Pose-Protocol": "0"}, 426)]
)
@pytest.mark.parametrize("label", OPERATIONS)
def test_refusals_are_as_described(operations, headers, label, changed, status):
    case = operations[label].Case(path_parameters=dict.fromkeys(("job", "upload", "name", "person"), "1"))
    response = case.call(headers=headers | changed, timeout=30)
    assert response.status_code == status
    case.validate_response(response, checks=AS_DESCRIBED)
