"""The description of the API (OpenAPI 3.1), made from the table of operations and the models that they use."""

import re
from collections.abc import Iterable
from http import HTTPStatus
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import JsonSchemaMode, models_json_schema

from hub import __version__
from hub.config import Config
from hub.web.api.models import Problem
from hub.web.api.operation import JSON_TYPE, PREFIX, Operation

PATH = "/openapi.json"
PROBLEM_TYPE = "application/problem+json"

_PARAMETERS = {
    "lift": "id of a proposal to lift anonymity",
    "release": "id of a request for wider release",
    "agreement": "slug or id of a sharing agreement",
    "member": "slug or id of a member",
    "username": "what a person signs in with",
    "group": "slug or id of a sharing group",
    "token": "a token's public id",
    "kid": "thumbprint of a signing key (RFC 7638)",
    "spki_sha256": "SHA-256 of a certificate's public key, in hex",
    "root": "slug of an API Root",
    "collection": "id of a collection, or an alias that is in one API Root only",
    "right": "read or write",
    "item": "id of an item",
    "request": "id of the item on which reports are wanted",
    "contest": "number of a contest",
    "subscription": "id of a subscription",
    "digest": "digest of a policy bundle, or its beginning",
    "grantee": "everyone, kind:KIND, sector:SECTOR, group:SLUG or member:SLUG",
}
_REFUSALS = {
    HTTPStatus.BAD_REQUEST: "The request could not be read.",
    HTTPStatus.UNAUTHORIZED: "No credential, or none that is good.",
    HTTPStatus.FORBIDDEN: "Your role does not do this, or your organisation's membership is suspended.",
    HTTPStatus.NOT_FOUND: "There is no such thing, or none that you may know of.",
    HTTPStatus.REQUEST_TIMEOUT: "The body did not arrive in time.",
    HTTPStatus.CONFLICT: "It contradicts what the hub already holds.",
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: "The body is too large.",
    HTTPStatus.UNSUPPORTED_MEDIA_TYPE: "The body is of a type that the API does not take.",
    HTTPStatus.UNPROCESSABLE_ENTITY: "A field is not as it should be; the detail names it.",
    HTTPStatus.TOO_MANY_REQUESTS: "More than the limit; come back after Retry-After.",
    HTTPStatus.INTERNAL_SERVER_ERROR: "A fault of the hub; its log holds it under error_id.",
    HTTPStatus.SERVICE_UNAVAILABLE: "The hub cannot do it now; come back after Retry-After.",
}
_OF_ALL = (
    HTTPStatus.UNAUTHORIZED,
    HTTPStatus.FORBIDDEN,
    HTTPStatus.TOO_MANY_REQUESTS,
    HTTPStatus.INTERNAL_SERVER_ERROR,
    HTTPStatus.SERVICE_UNAVAILABLE,
)
_OF_QUERIES = (HTTPStatus.BAD_REQUEST, HTTPStatus.NOT_FOUND, HTTPStatus.UNPROCESSABLE_ENTITY)
_OF_BODIES = (
    HTTPStatus.BAD_REQUEST,
    HTTPStatus.NOT_FOUND,
    HTTPStatus.REQUEST_TIMEOUT,
    HTTPStatus.CONFLICT,
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
    HTTPStatus.UNPROCESSABLE_ENTITY,
)
_OF_PATHS = (HTTPStatus.BAD_REQUEST, HTTPStatus.NOT_FOUND, HTTPStatus.CONFLICT, HTTPStatus.UNPROCESSABLE_ENTITY)


def describe(config: Config, operations: Iterable[Operation]) -> dict[str, Any]:
    """Return the OpenAPI 3.1 description of `operations`."""
    operations = list(operations)
    schemas = _Schemas(operations)
    paths: dict[str, dict[str, Any]] = {}
    for operation in operations:
        paths.setdefault(operation.path, {})[operation.method.lower()] = _operation(operation, schemas)
    contact = {"contact": {"name": config.contact}} if config.contact else {}
    return {
        "openapi": "3.1.0",
        "info": {
            "title": f"{config.title}: API",
            "version": __version__,
            "description": "Administration of the hub, and explanations of what it decides. Content travels over TAXII 2.1 under /taxii2/.",
            **contact,
        },
        "servers": [{"url": PREFIX}],
        "security": [{"basic": []}, {"bearer": []}, {"certificate": []}],
        "paths": paths,
        "components": {
            "schemas": schemas.definitions,
            "responses": {status.name.lower(): _problem(text) for status, text in _REFUSALS.items()},
            "securitySchemes": {
                "basic": {"type": "http", "scheme": "basic", "description": "username and password, or a token's id and the token"},
                "bearer": {"type": "http", "scheme": "bearer", "description": "a token"},
                "certificate": {"type": "mutualTLS", "description": "a client certificate whose key is registered"},
            },
        },
    }


class _Schemas:
    """The schemas of all models that the operations use, under one name each."""

    def __init__(self, operations: Iterable[Operation]) -> None:
        used: dict[tuple[type[BaseModel], JsonSchemaMode], None] = {(Problem, "serialization"): None}
        for operation in operations:
            if operation.takes is not None:
                used[operation.takes, "validation"] = None
            used[operation.gives, "serialization"] = None
        references, found = models_json_schema(list(used), ref_template="#/components/schemas/{model}")
        self.definitions: dict[str, Any] = found["$defs"]
        self._references = references

    def reference(self, model: type[BaseModel], mode: JsonSchemaMode) -> dict[str, Any]:
        return self._references[model, mode]

    def parameters(self, model: type[BaseModel]) -> list[dict[str, Any]]:
        """Return a query's fields, each as a parameter of its own."""
        schema = self.definitions[self.reference(model, "validation")["$ref"].rpartition("/")[2]]
        required = schema.get("required", ())
        return [
            {"name": name, "in": "query", "required": name in required, "schema": field, "description": field.get("description", name)}
            for name, field in schema["properties"].items()
        ]


def _operation(operation: Operation, schemas: _Schemas) -> dict[str, Any]:
    names = re.findall(r"{(\w+)}", operation.path)
    parameters = [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string", "minLength": 1}, "description": _PARAMETERS[name]}
        for name in names
    ]
    described: dict[str, Any] = {
        "operationId": operation.handler.__name__,
        "summary": operation.handler.__doc__,
        "tags": [operation.path.split("/")[1]],
        "x-least-role": operation.role.value,
        "responses": {str(operation.status.value): _success(operation, schemas)},
    }
    if operation.takes is not None and operation.reads:
        parameters += schemas.parameters(operation.takes)
    elif operation.takes is not None:
        schema = schemas.reference(operation.takes, "validation")
        described["requestBody"] = {"required": True, "content": {JSON_TYPE: {"schema": schema}}}
    if parameters:
        described["parameters"] = parameters
    for status in _refusals(operation, named=bool(names)):
        described["responses"][str(status.value)] = {"$ref": f"#/components/responses/{status.name.lower()}"}
    return described


def _refusals(operation: Operation, *, named: bool) -> list[HTTPStatus]:
    refusals = set(_OF_ALL)
    if operation.takes is not None:
        refusals.update(_OF_QUERIES if operation.reads else _OF_BODIES)
    elif not operation.reads:
        refusals.add(HTTPStatus.CONFLICT)
    if named:
        refusals.update(_OF_PATHS)
    return sorted(refusals)


def _success(operation: Operation, schemas: _Schemas) -> dict[str, Any]:
    return {
        "description": operation.status.phrase,
        "content": {operation.media_type: {"schema": schemas.reference(operation.gives, "serialization")}},
    }


def _problem(description: str) -> dict[str, Any]:
    return {"description": description, "content": {PROBLEM_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}}
