"""``JsonObject``: a pydantic model that is declared once, for the responses and for the OpenAPI document.

Each model reads its fields from an object of the services by attribute name, and its dump is the JSON. The generator
writes the plain schemas of OpenAPI 3.1: no titles, no defaults, ``null`` as a second type.
"""

from collections.abc import Iterable, Sequence
from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, JsonValue, SkipValidation
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue, models_json_schema
from pydantic_core import core_schema

from routiq_gql.clock import format_time

_REFERENCE = "#/components/schemas/{model}"

Count = Annotated[int, Field(ge=0)]
Time = Annotated[
    str,
    BeforeValidator(format_time),
    Field(json_schema_extra={"format": "date-time", "examples": ["2024-12-22T14:30:22.123Z"]}),
]


AnyText = Annotated[str, SkipValidation]
"""A text that may repeat what a client sent, lone surrogates included; ``write_json`` replaces them."""


class JsonObject(BaseModel):
    """A JSON object. The fields are its keys in their order; the docstring and the descriptions are public."""

    model_config = ConfigDict(from_attributes=True, frozen=True, json_schema_serialization_defaults_required=True)


def one_of(values: Iterable[str]) -> dict[str, JsonValue]:
    """For ``Field(json_schema_extra=…)``: the values that a text can have."""
    return {"enum": [*values]}


class _PlainSchema(GenerateJsonSchema):
    def field_title_should_be_set(self, schema: object) -> bool:
        return False

    def model_schema(self, schema: core_schema.ModelSchema) -> JsonSchemaValue:
        described = super().model_schema(schema)
        described.pop("title", None)
        return described

    def default_schema(self, schema: core_schema.WithDefaultSchema) -> JsonSchemaValue:
        return self.generate_inner(schema["schema"])

    def nullable_schema(self, schema: core_schema.NullableSchema) -> JsonSchemaValue:
        inner = self.generate_inner(schema["schema"])
        if "$ref" in inner:
            return {"oneOf": [inner, {"type": "null"}]}
        choices = {"enum": [*inner["enum"], None]} if "enum" in inner else {}
        return inner | {"type": [inner["type"], "null"]} | choices

    def sort(self, value: JsonSchemaValue, parent_key: str | None = None) -> JsonSchemaValue:
        return value  # keys keep their order


def schemas_of(models: Sequence[type[BaseModel]]) -> JsonSchemaValue:
    """The schemas of the models by name, in the order of ``models``."""
    _, described = models_json_schema(
        [(model, "serialization") for model in models], ref_template=_REFERENCE, schema_generator=_PlainSchema
    )
    return {model.__name__: described["$defs"][model.__name__] for model in models}
