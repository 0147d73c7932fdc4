"""A route's JSON body as a typed model: read within a limit, refused by the name of what is wrong, and described."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Any, TypeVar

from fastapi import Request
from pydantic import BaseModel, ConfigDict, PlainSerializer, ValidationError

from daybook.gateway.http.body import parse
from daybook.gateway.http.errors import Refusal, bad_request
from daybook.prices.rate import plain

MOST_BODY = 4 * 1024 * 1024

Usd = Annotated[Decimal, PlainSerializer(plain, return_type=str)]
"""US dollars, written as digits in a string: no reader's float can round them."""


class Body(BaseModel):
    """What a request may say. A member that is not there is refused, so that no slip of the keyboard is overlooked."""

    model_config = ConfigDict(extra="forbid", strict=True)


AnyBody = TypeVar("AnyBody", bound=Body)


async def read_object(request: Request, *, needed: str) -> dict[str, Any]:
    """The body as a JSON object. Raises a 400, 413 or 415 Refusal."""
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
        raise Refusal(
            415,
            "unsupported_media_type",
            "The body is not declared as JSON.",
            remedy="Send the header Content-Type: application/json.",
        )
    data = bytearray()
    async for chunk in request.stream():
        data += chunk
        if len(data) > MOST_BODY:
            raise Refusal(
                413, "body_too_large", f"The body is longer than {MOST_BODY:,} bytes.", remedy="Send less at once."
            )
    return parse(bytes(data), needed=needed)


async def read(request: Request, shape: type[AnyBody], *, needed: str) -> AnyBody:
    """The body as its model. Raises a 400 Refusal that names the parameter, 413, and 415."""
    body = await read_object(request, needed=needed)
    try:
        return shape.model_validate(body)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        param = ".".join(str(part)[:40] for part in first["loc"]) or None
        raise bad_request(
            f"{param or 'The body'}: {first['msg']}.", remedy="See /docs for what is taken.", param=param
        ) from None


def described(shape: type[Body], example: dict[str, Any]) -> dict[str, Any]:
    """The body in the OpenAPI document, with an example that is tested."""
    schema = shape.model_json_schema()
    return {"requestBody": {"required": True, "content": {"application/json": {"schema": schema, "example": example}}}}
